"""``cie conformance``: which errors of its IOD does a result have that the original has not?"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import pydicom
import typer

from ingestion.commands.console import console, errors, make_table, print_json
from ingestion.deidentify.conformance_check import (
    SECONDS_PER_FILE,
    ConformanceError,
    JudgeMissingError,
    compare_all,
    grouped,
    introduced_in_study,
)


def register(app: typer.Typer) -> None:
    @app.command("conformance")
    def conformance_command(
        original: Annotated[Path, typer.Argument(metavar="ORIGINAL", help="A file, or a folder of them.")],
        result: Annotated[Path, typer.Argument(metavar="RESULT", help="The file, or a folder with the same names.")],
        names: Annotated[
            Path | None,
            typer.Option("--names", help="What `cie deidentify --names` wrote: which result is of which file."),
        ] = None,
        seconds: Annotated[float, typer.Option("--seconds", min=0.1, help="Per file, at most.")] = SECONDS_PER_FILE,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Compare by dciodvfy, and the files of a study among each other by dcentvfy (Debian package dicom3tools).

        Exit code 1 where an error came about; no value is shown.

        Example: cie conformance raw/slice.dcm clean/slice.dcm

        Example: cie conformance delivery/ clean/ --names names.csv
        """
        pairs = _pairs(original, result) if names is None else _listed(original, result, names)
        if not pairs:
            errors.print(
                "[bold red]cannot start:[/] no two files to compare: names must be the same in both folders, or told "
                "by --names"
            )
            raise typer.Exit(2)
        try:
            found = compare_all(pairs, seconds=seconds)
            within = _within_studies(pairs, seconds=seconds)
        except JudgeMissingError as error:
            errors.print(f"[bold red]cannot start:[/] {error}", highlight=False)
            raise typer.Exit(2) from None
        groups = grouped(found)
        unjudged = sum(not one.judged for one in found)
        if as_json:
            rows = [{"error": error.message, "files": files, "times": error.count} for error, files in groups]
            told = [{"error": error.message, "times": error.count} for error in within]
            print_json({"files": len(found), "not_judged": unjudged, "introduced": rows, "within_studies": told})
        else:
            columns = [("introduced error", False), ("files", True), ("times", True)]
            rows_shown = [(error.message, files, error.count) for error, files in groups]
            console.print(make_table(f"{len(found)} file(s) compared, {unjudged} not judged", columns, rows_shown))
            if within:
                shown = [(error.message, error.count) for error in within]
                title = "contradictions between the files of a study that came about"
                console.print(make_table(title, [("contradiction", False), ("times", True)], shown))
        if groups or unjudged or within:
            raise typer.Exit(1)


def _pairs(original: Path, result: Path) -> list[tuple[Path, Path]]:
    if original.is_file() and result.is_file():
        return [(original, result)]
    names = sorted(path.relative_to(original) for path in original.rglob("*") if path.is_file())
    return [(original / name, result / name) for name in names if (result / name).is_file()]


def _listed(original: Path, result: Path, names: Path) -> list[tuple[Path, Path]]:
    """Delivered files with their results; members of archives cannot be compared, and are left out."""
    with names.open(encoding="utf-8", newline="") as stream:
        listed = [(original / row["name"], result / row["result"]) for row in csv.DictReader(stream) if row["result"]]
    return sorted(pair for pair in listed if all(path.is_file() for path in pair))


def _within_studies(pairs: Iterable[tuple[Path, Path]], *, seconds: float) -> tuple[ConformanceError, ...]:
    """Contradictions that came about between the files of a study; those of all studies together."""
    studies: defaultdict[str, list[tuple[Path, Path]]] = defaultdict(list)
    for before, after in pairs:
        header = pydicom.dcmread(after, force=True, specific_tags=["StudyInstanceUID"])
        studies[str(header.get("StudyInstanceUID"))].append((before, after))
    found: defaultdict[str, int] = defaultdict(int)
    for files in studies.values():
        if len(files) < 2:
            continue
        raw, results = [pair[0] for pair in files], [pair[1] for pair in files]
        try:
            for error in introduced_in_study(raw, results, seconds=seconds * len(files)):
                found[error.message] += error.count
        except TimeoutError:
            found["dcentvfy took too long"] += 1
    return tuple(ConformanceError(message, count) for message, count in sorted(found.items()))
