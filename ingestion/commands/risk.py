"""``cie risk``: how easily could a patient be picked out by what is left of them?"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from ingestion.accounting.database import engine_of
from ingestion.catalogue.risk.assess import DEFAULT_K, Measured, RiskReport, assess
from ingestion.catalogue.risk.gather import NotDeidentifiedError, people_of_catalogue, people_of_folder
from ingestion.catalogue.risk.people import DEFAULT_QUASI, Person, Quasi
from ingestion.commands.console import cannot_start, console, errors, make_table, print_json
from ingestion.settings import Settings
from ingestion.sources.registry import load_registry


def register(app: typer.Typer) -> None:
    @app.command("risk")
    def risk_command(
        source: Annotated[list[str] | None, typer.Option("--source", help="A source; may be given again.")] = None,
        folder: Annotated[
            Path | None, typer.Option("--folder", help="A folder of de-identified DICOM, instead of the catalogue.")
        ] = None,
        wanted_k: Annotated[int, typer.Option("--k", min=1, help="Smallest class that is accepted.")] = DEFAULT_K,
        dates: Annotated[
            bool, typer.Option("--dates", help="Count the year of the first study too: dates are not shifted.")
        ] = False,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """k-anonymity and l-diversity of what is left of the patients, the smallest classes, what to generalise.

        Exit code 1 where a patient is in a class smaller than --k.

        Example: cie risk --source PRCI-PROST-01 --k 5
        """
        people, unreadable = _people(source, folder)
        if not people:
            raise cannot_start(_nobody(source, folder, unreadable))
        quasi = (*DEFAULT_QUASI, Quasi.STUDY_YEAR) if dates else DEFAULT_QUASI
        report = assess(people, wanted_k=wanted_k, quasi=quasi)
        if as_json:
            print_json(_as_json(report) | {"unreadable_files": unreadable})
        else:
            _show(report)
            if unreadable:
                console.print(f"{unreadable} file(s) could not be read and are not counted")
        if report.measured.below:
            raise typer.Exit(1)


def _people(source: list[str] | None, folder: Path | None) -> tuple[tuple[Person, ...], int]:
    if folder is not None:
        if source or not folder.is_dir():
            errors.print("[bold red]cannot start:[/] --folder takes a folder, and no --source beside it")
            raise typer.Exit(2)
        try:
            return people_of_folder(folder)
        except NotDeidentifiedError as error:
            raise cannot_start(error) from None
    settings = Settings()
    wanted = [entry.id for entry in load_registry(settings.registry).select(source)] if source else None
    return people_of_catalogue(engine_of(settings.sqlalchemy_url()), wanted), 0


def _nobody(source: list[str] | None, folder: Path | None, unreadable: int) -> str:
    """What is wrong where nobody is there to be judged: no risk is not the same as nobody."""
    if folder is not None:
        other = f" ({unreadable} other file{'s' if unreadable != 1 else ''})" if unreadable else ""
        return f"{folder} holds no de-identified DICOM file{other}: is it the right folder, and is its disk there?"
    of = ", ".join(source) if source else "any source"
    return f"the catalogue holds no patient of {of}: run the pipeline for it first (cie backfill)"


def _as_json(report: RiskReport) -> dict[str, Any]:
    return {
        "sites": report.sites,
        "wanted_k": report.wanted_k,
        "quasi_identifiers": [quasi.value for quasi in report.quasi],
        **_figures(report.measured),
        "smallest_classes": [asdict(cell) for cell in report.smallest],
        "steps": [
            {"quasi": step.quasi.value, "told_as": step.level, **_figures(step.measured)} for step in report.steps
        ],
        "reached": report.reached,
    }


def _figures(measured: Measured) -> dict[str, Any]:
    return asdict(measured) | {
        "share_below": measured.share_below,
        "highest_risk": measured.highest_risk,
        "average_risk": measured.average_risk,
    }


def _show(report: RiskReport) -> None:
    now = report.measured
    console.print(
        f"{now.patients:,} patients in {now.classes:,} classes by {', '.join(report.quasi)}: "
        f"k = {now.k}, l = {now.diversity}; "
        f"{now.unique:,} stand alone, {now.below:,} ({now.share_below:.1%}) in classes below {report.wanted_k}. "
        f"Risk of the prosecutor: at worst {now.highest_risk:.1%}, on average {now.average_risk:.1%}.",
        highlight=False,
    )
    columns = [*((quasi.value, False) for quasi in report.quasi), ("patients", True), ("diversity", True)]
    rows = [(*cell.told, cell.patients, cell.diversity) for cell in report.smallest]
    console.print(make_table("smallest classes", columns, rows))
    if report.steps:
        steps = [
            (step.quasi.value, step.level, step.measured.k, step.measured.diversity, f"{step.measured.share_below:.1%}")
            for step in report.steps
        ]
        titles = [("generalise", False), ("told as", False), ("k then", True), ("l then", True), ("below k", True)]
        console.print(make_table(f"a way to k = {report.wanted_k}", titles, steps))
    if not report.reached:
        console.print(f"There is no way to k = {report.wanted_k}: there are fewer patients.")
