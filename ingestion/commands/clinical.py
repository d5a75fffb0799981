"""``cie clinical``: the de-identified clinical table of a source, for the checks and the tier."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ingestion.catalogue.clinical import ClinicalRegistrationError, ClinicalRole, register_clinical
from ingestion.commands.console import console, errors, print_json
from ingestion.settings import Settings
from ingestion.sources.registry import load_registry
from ingestion.storage.open import open_stores

WRONG_USE = 2

app = typer.Typer(name="clinical", help="Clinical tables of the sources.", no_args_is_help=True)


@app.callback()
def _root() -> None:
    """Without this, an app of a single command would take no command name."""


@app.command("register")
def register_table(
    table: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV that `cie deidentify` made.")],
    source: Annotated[str, typer.Option("--source", help="The source it belongs to.")],
    column: Annotated[list[str], typer.Option("--column", help=f"ROLE=COLUMN; roles: {', '.join(ClinicalRole)}.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Make a de-identified table the source's current one; the next judging reads it.

    Example: cie clinical register clean.csv --source GBM-NL --column patient=patient_no --column sex=sex
    """
    settings = Settings()
    load_registry(settings.registry).get(source)
    roles: dict[ClinicalRole, str] = {}
    for said in column:
        role, found, name = said.partition("=")
        if not found or role not in set(ClinicalRole):
            errors.print(f"--column {said!r}: write ROLE=COLUMN with one of {', '.join(ClinicalRole)}", markup=False)
            raise typer.Exit(WRONG_USE)
        roles[ClinicalRole(role)] = name
    try:
        number = register_clinical(open_stores(settings).internal, source, table.read_bytes(), roles)
    except ClinicalRegistrationError as error:
        errors.print(str(error), style="bold red", highlight=False, markup=False)
        raise typer.Exit(WRONG_USE) from None
    if as_json:
        print_json({"source": source, "number": number})
    else:
        console.print(f"clinical table {number} of {source}; read when quality_report is next materialized")
