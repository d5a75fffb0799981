"""Known screens: a table of where machines of one make write the patient's line (``tables/screen_layouts.csv``)."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

from pydicom.dataset import Dataset

from ingestion.deidentify.pixels.boxes import Box, box_of

TABLE = "screen_layouts.csv"
_BLANKS = re.compile(r"[\s_-]+")


@dataclass(frozen=True, slots=True)
class Layout:
    """One row. ``rows`` and ``columns`` None: any."""

    modality: str
    manufacturer: str
    model: str
    rows: int | None
    columns: int | None
    box: Box
    source: str

    def fits(self, *, modality: str, manufacturer: str, model: str, rows: int, columns: int) -> bool:
        return (
            modality == self.modality
            and self.manufacturer in manufacturer
            and self.model in model
            and self.rows in (None, rows)
            and self.columns in (None, columns)
        )


@cache
def known_layouts() -> tuple[Layout, ...]:
    """The table that is shipped."""
    text = resources.files("ingestion.deidentify").joinpath("tables", TABLE).read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    return tuple(
        Layout(
            modality=row["modality"],
            manufacturer=row["manufacturer"],
            model=row["model"],
            rows=int(row["rows"]) if row["rows"] else None,
            columns=int(row["columns"]) if row["columns"] else None,
            box=Box(int(row["left"]), int(row["top"]), int(row["width"]), int(row["height"])),
            source=row["source"],
        )
        for row in csv.DictReader(lines)
    )


def layout_boxes(dataset: Dataset) -> tuple[Box, ...]:
    """What the table says to blank in this object, cut to the image; empty: the screen is not known."""
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    found = []
    for layout in known_layouts():
        if layout.fits(
            modality=str(dataset.get("Modality") or ""),
            manufacturer=_word(dataset.get("Manufacturer")),
            model=_word(dataset.get("ManufacturerModelName")),
            rows=rows,
            columns=columns,
        ):
            box = layout.box
            cut = box_of(left=box.left, top=box.top, right=box.right, bottom=box.bottom, rows=rows, columns=columns)
            if cut is not None:
                found.append(cut)
    return tuple(sorted(set(found)))


def _word(value: object) -> str:
    return _BLANKS.sub("", str(value or "")).upper()
