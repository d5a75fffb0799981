"""Writes the column list of ``docs/catalogue.md`` from the tables: ``python -m ingestion.catalogue.docs``."""

from __future__ import annotations

import sys
from pathlib import Path

from sqlalchemy import Column, Table

from ingestion.catalogue.tables import metadata

DOCUMENT = Path(__file__).parents[2] / "docs" / "catalogue.md"
BEGIN, END = "<!-- columns: begin (generated) -->", "<!-- columns: end -->"


def column_list() -> str:
    """All tables with their columns in Markdown."""
    return "\n\n".join(_table(table) for table in metadata.sorted_tables) + "\n"


def renewed(document: str) -> str:
    """``document`` with the column list between its two marks made anew.

    Raises:
        ValueError: a mark is missing.
    """
    head, begin, rest = document.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document must hold the lines {BEGIN!r} and {END!r}")
    return f"{head}{BEGIN}\n\n{column_list()}\n{END}{tail}"


def _table(table: Table) -> str:
    lines = [
        f"### `{table.name}`",
        "",
        f"{table.comment}.",
        "",
        "| column | type | unit | what | from |",
        "|---|---|---|---|---|",
    ]
    return "\n".join(lines + [_line(column) for column in table.columns])


def _line(column: Column[object]) -> str:
    name = f"**`{column.name}`**" if column.primary_key else f"`{column.name}`"
    cells = (name, str(column.type).lower(), column.info["unit"] or "", column.comment or "", column.info["source"])
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def main() -> None:
    DOCUMENT.write_text(renewed(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{DOCUMENT.name} is up to date\n")


if __name__ == "__main__":
    main()
