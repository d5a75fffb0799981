"""The ``cie`` command. Every command says what it did and where to look; ``--json`` where a program would read it.

Exit codes: 0 done, 1 problems found, 2 wrong use. Commands that need services (``up``, ``backfill``, ``demo``, …) are
added by the packages that hold them, through the entry-point group ``cie.commands``: this package imports none.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.metadata import entry_points
from types import ModuleType

import typer

from ingestion.accounting.database import LedgerError
from ingestion.accounting.erasure import SourceErasedError
from ingestion.commands.console import errors
from ingestion.dicom.quiet import silence_readers
from ingestion.fanout import ComputeUnavailableError, WorkerCrashedError
from ingestion.identity.keys import KeyInvalidError, KeyMissingError
from ingestion.settings import SettingsError
from ingestion.sockets import SocketPathError
from ingestion.sources.connector import SourceGoneError
from ingestion.sources.registry import RegistryError, UnknownSourceError
from ingestion.storage import StoreError

ENTRY_POINTS = "cie.commands"
OWN = {
    "sources": "ingestion.commands.sources",
    "inspect": "ingestion.commands.inspect",
    "deidentify": "ingestion.commands.deidentify",
    "policy": "ingestion.commands.policy",
    "bench": "ingestion.commands.bench",
    "features": "ingestion.commands.features",
    "feature-reports": "ingestion.commands.feature_reports",
    "reconcile": "ingestion.commands.reconcile",
    "quarantine": "ingestion.commands.quarantine",
    "release": "ingestion.commands.release",
    "catalogue": "ingestion.commands.catalogue",
    "search": "ingestion.commands.search",
    "vocabulary": "ingestion.commands.vocabulary",
    "clinical": "ingestion.commands.clinical",
    "risk": "ingestion.commands.risk",
    "conformance": "ingestion.commands.conformance",
}
"""Where each command is. Only the one that was asked for is imported: all of them take seconds."""
DONE, PROBLEMS, WRONG_USE = 0, 1, 2
_USE = (SettingsError, RegistryError, UnknownSourceError, KeyMissingError, KeyInvalidError, SourceErasedError)
_WORK = (ComputeUnavailableError, LedgerError, SocketPathError, SourceGoneError, StoreError, WorkerCrashedError)


def build_app(only: str | None = None) -> typer.Typer:
    """The command with all its sub-commands, or with ``only`` the one of that name, where there is such a one."""
    app = typer.Typer(
        name="cie",
        help="Cancer-image ingestion: raw DICOM of 36 sources to a de-identified, checked and catalogued store.",
        no_args_is_help=True,
        add_completion=False,
        # A traceback's local variables can hold a header.
        pretty_exceptions_show_locals=False,
    )
    app.callback()(_root)
    modules = OWN | {point.name: point.value for point in entry_points(group=ENTRY_POINTS)}
    wanted = [modules[only]] if only in modules else list(dict.fromkeys(modules.values()))
    for name in wanted:
        _register(app, import_module(name))
    return app


def _root() -> None:
    """Without this, an app of a single command would take no command name."""


def _register(app: typer.Typer, module: ModuleType) -> None:
    if hasattr(module, "register"):
        module.register(app)
    else:
        app.add_typer(module.app, name=module.__name__.rpartition(".")[2])


def main() -> None:
    """Run the command; errors made for people are shown as one message."""
    silence_readers()
    try:
        build_app(sys.argv[1] if len(sys.argv) > 1 else None)()
    except _USE as error:
        errors.print(f"[bold red]cannot start:[/] {error}", highlight=False, soft_wrap=True)
        sys.exit(WRONG_USE)
    except _WORK as error:
        errors.print(f"[bold red]stopped:[/] {error}", highlight=False, soft_wrap=True)
        sys.exit(PROBLEMS)


if __name__ == "__main__":
    main()
