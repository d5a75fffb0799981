"""``cie conformance``: which errors of its IOD does a result have that the original has not?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ingestion.commands.console import console, errors, make_table, print_json
from ingestion.deidentify.conformance_check import (
    SECONDS_PER_FILE,
    JudgeMissingError,
    compare_all,
    grouped,
)


def register(app: typer.Typer) -> None:
    @app.command("conformance")
    def conformance_command(
        original: Annotated[Path, typer.Argument(metavar="ORIGINAL", help="A file, or a folder of them.")],
        result: Annotated[Path, typer.Argument(metavar="RESULT", help="The file, or a folder with the same names.")],
        seconds: Annotated[float, typer.Option("--seconds", min=0.1, help="Per file, at most.")] = SECONDS_PER_FILE,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Compare by dciodvfy (Debian package dicom3tools). Exit code 1 where an error came about; no value is shown.

        Example: cie conformance raw/slice.dcm clean/slice.dcm
        """
        pairs = _pairs(original, result)
        if not pairs:
            errors.print("[bold red]cannot start:[/] no two files to compare: names must be the same in both folders")
            raise typer.Exit(2)
        try:
            found = compare_all(pairs, seconds=seconds)
        except JudgeMissingError as error:
            errors.print(f"[bold red]cannot start:[/] {error}", highlight=False)
            raise typer.Exit(2) from None
        groups = grouped(found)
        unjudged = sum(not one.judged for one in found)
        if as_json:
            rows = [{"error": error.message, "files": files, "times": error.count} for error, files in groups]
            print_json({"files": len(found), "not_judged": unjudged, "introduced": rows})
        else:
            columns = [("introduced error", False), ("files", True), ("times", True)]
            rows_shown = [(error.message, files, error.count) for error, files in groups]
            console.print(make_table(f"{len(found)} file(s) compared, {unjudged} not judged", columns, rows_shown))
        if groups or unjudged:
            raise typer.Exit(1)


def _pairs(original: Path, result: Path) -> list[tuple[Path, Path]]:
    if original.is_file() and result.is_file():
        return [(original, result)]
    names = sorted(path.relative_to(original) for path in original.rglob("*") if path.is_file())
    return [(original / name, result / name) for name in names if (result / name).is_file()]
