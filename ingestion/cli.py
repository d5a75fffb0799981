"""The ``cie`` command. Every command says what it did and where to look; ``--json`` where a program would read it.

Exit codes: 0 done, 1 problems found, 2 wrong use. Commands that need services (``up``, ``backfill``, ``demo``, …) are
added by the packages that hold them, through the entry-point group ``cie.commands``: this package imports none.
"""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

import typer

from ingestion.accounting.database import LedgerError
from ingestion.commands import (
    catalogue,
    deidentify,
    features,
    inspect,
    quarantine,
    reconcile,
    release,
    sources,
)
from ingestion.commands.console import errors
from ingestion.dicom.quiet import silence_readers
from ingestion.fanout import ComputeUnavailableError, WorkerCrashedError
from ingestion.identity.keys import KeyInvalidError, KeyMissingError
from ingestion.settings import SettingsError
from ingestion.sources.connector import SourceGoneError
from ingestion.sources.registry import RegistryError, UnknownSourceError
from ingestion.storage import StoreError

ENTRY_POINTS = "cie.commands"
DONE, PROBLEMS, WRONG_USE = 0, 1, 2
_USE = (SettingsError, RegistryError, UnknownSourceError, KeyMissingError, KeyInvalidError)
_WORK = (ComputeUnavailableError, LedgerError, SourceGoneError, StoreError, WorkerCrashedError)


def build_app() -> typer.Typer:
    """The command with all its sub-commands."""
    app = typer.Typer(
        name="cie",
        help="Cancer-image ingestion: raw DICOM of 36 sources to a de-identified, checked and catalogued store.",
        no_args_is_help=True,
        add_completion=False,
        # A traceback's local variables can hold a header.
        pretty_exceptions_show_locals=False,
    )
    app.add_typer(sources.app, name="sources")
    inspect.register(app)
    deidentify.register(app)
    features.register(app)
    reconcile.register(app)
    app.add_typer(quarantine.app, name="quarantine")
    app.add_typer(release.app, name="release")
    app.add_typer(catalogue.app, name="catalogue")
    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        point.load()(app)
    return app


def main() -> None:
    """Run the command; errors made for people are shown as one message."""
    silence_readers()
    try:
        build_app()()
    except _USE as error:
        errors.print(f"[bold red]cannot start:[/] {error}", highlight=False)
        sys.exit(WRONG_USE)
    except _WORK as error:
        errors.print(f"[bold red]stopped:[/] {error}", highlight=False)
        sys.exit(PROBLEMS)


if __name__ == "__main__":
    main()
