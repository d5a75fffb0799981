"""The measures that are not IBSI's: of whole series, and what is counted of regions. ``measures.csv`` has one row each.

``cie features --list``, the columns' units and descriptions in Parquet, and the table in ``docs/features.md`` come
from there.
"""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

PERCENTILE = re.compile(r"Percentile(\d+)")


@dataclass(frozen=True, slots=True)
class Measure:
    """One row of ``measures.csv``.

    ``code``: DICOM's where there is one, the attribute's tag or the concept's code; else the column, which stays.
    ``unit``: ``u`` is that of the image, ``1`` none. ``of``: the images that it holds for. ``source``: where the
    definition comes from; ``definition`` says it as it is computed.
    """

    family: str
    column: str
    code: str
    name: str
    unit: str
    of: str
    definition: str
    source: str


@cache
def measures() -> tuple[Measure, ...]:
    """All of them: geometry, intensity, quality, dose, regions."""
    text = resources.files(__package__).joinpath("measures.csv").read_text(encoding="utf-8")
    return tuple(Measure(**row) for row in csv.DictReader(text.splitlines()))


@cache
def measure_of(column: str) -> Measure | None:
    """The measure of a column; None: it is IBSI's, or none. Any percentile is defined as those of the table are."""
    found = {measure.column: measure for measure in measures()}
    percent = PERCENTILE.fullmatch(column)
    if percent is None or column in found:
        return found.get(column)
    like, number = found["Percentile1"], percent[1]
    definition = like.definition.replace("1 %", f"{number} %", 1)
    return Measure(like.family, column, column, f"percentile {number} of intensities", like.unit, like.of, definition,
                   like.source)  # fmt: skip


def measure_rows() -> list[dict[str, str]]:
    """One row for each: what ``cie features --list`` prints of them, in the columns of IBSI's features."""
    return [
        {
            "Family": measure.family,
            "Code": measure.code,
            "Name": measure.name,
            "Column": measure.column,
            "Unit": measure.unit,
            "Of": measure.of,
            "Definition": measure.definition,
            "Reference": measure.source,
        }
        for measure in measures()
    ]


def measure_list(*, but: frozenset[str] = frozenset()) -> str:
    """The table in Markdown, without some families."""
    lines = ["| Column | Name | Unit | Of | Definition | Source |", "|---|---|---|---|---|---|"]
    for item in measures():
        if item.family not in but:
            code = "" if item.code == item.column else f", {item.code}"
            cells = (f"`{item.column}`{code}", item.name, item.unit, item.of, item.definition, item.source)
            lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
