"""Writes the table of measures in ``docs/features.md``: ``python -m ingestion.features.docs``."""

from __future__ import annotations

import sys
from pathlib import Path

from ingestion.features.measures import measure_list

DOCUMENT = Path(__file__).parents[2] / "docs" / "features.md"
BEGIN, END = "<!-- measures: begin (generated) -->", "<!-- measures: end -->"
ELSEWHERE = frozenset({"geometry", "region"})
"""Families that the page describes in sections of their own."""


def renewed(document: str) -> str:
    """``document`` with the table between its two marks made anew.

    Raises:
        ValueError: a mark is missing.
    """
    head, begin, rest = document.partition(BEGIN)
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the document must hold the lines {BEGIN!r} and {END!r}")
    return f"{head}{BEGIN}\n\n{measure_list(but=ELSEWHERE)}\n{END}{tail}"


def main() -> None:
    DOCUMENT.write_text(renewed(DOCUMENT.read_text(encoding="utf-8")), encoding="utf-8")
    sys.stdout.write(f"{DOCUMENT.name} is up to date\n")


if __name__ == "__main__":
    main()
