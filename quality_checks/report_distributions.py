"""How ages, thicknesses, spacings and years are spread, and how full each column is: for the report's charts."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pandas as pd

from ingestion.catalogue.details import WITHHELD
from ingestion.catalogue.tables import series as series_table
from quality_checks.suites.series_terms import DERIVED_MODALITIES
from quality_checks.withheld import rows_withheld

AGE_STEP = 10
"""Years of one bar."""
MILLIMETRES = (0.0, 0.5, 0.8, 1.0, 1.5, 2.0, 3.0, 5.0, 7.5, 10.0)
"""Bounds of the bars for slice thickness and spacing: where protocols differ; what is above has the last bar."""
PIXEL_MILLIMETRES = (0.0, 0.1, 0.2, 0.5, 0.7, 0.9, 1.2, 2.0, 4.0)
MAX_YEARS = 24
"""Bars for years at most; a wider range is told in steps of years."""
_NOT_SHOWN = frozenset({
    "source_id", "State", "ManifestVersion", "PolicyDigest", "CodeVersion", "Varying", "QualityStatus", "QualityFlags",
    "MissingSlices", "DuplicatePositions", "LeftOutBecause",
})  # fmt: skip
"""Columns that say how a row was made, or are a measure of the geometry."""
_BY_THE_PLATFORM = ("registry", "releases", "store", "features", "region features")
"""Where columns come from that no folder can state."""
_LOOKED_UP = frozenset({"analysis_result_id"})
_ANY_OBJECT = frozenset({
    "SOPClassUID", "Modality", "StudyDate", "SeriesDate", "SeriesNumber", "SeriesDescription",
})  # fmt: skip
"""Columns that every object has; the others are asked of images."""
_SLICES, _X_RAY = frozenset({"CT", "MR", "PT"}), frozenset({"CT", "MG", "CR", "DX", "XA", "RF"})
_MR, _PROJECTIONS = frozenset({"MR"}), frozenset({"MG", "CR", "DX"})
_OF_MODALITIES = {
    "SliceThickness": _SLICES, "SliceSpacing": _SLICES, "FrameOfReferenceUID": _SLICES, "KVP": _X_RAY,
    "ConvolutionKernel": frozenset({"CT"}), "MagneticFieldStrength": _MR, "RepetitionTime": _MR, "EchoTime": _MR,
    "ViewPosition": _PROJECTIONS, "ImageLaterality": frozenset({"MG"}), "Units": frozenset({"PT"}),
}  # fmt: skip
"""Columns that only images of some modalities have."""


@dataclass(frozen=True, slots=True)
class Column:
    """One bar of a histogram. ``height`` is of the highest bar, from 0 to 1."""

    label: str
    count: int
    height: float


@dataclass(frozen=True, slots=True)
class Histogram:
    """``stated``: rows with a value, of ``rows``."""

    title: str
    unit: str
    columns: tuple[Column, ...]
    stated: int
    rows: int

    @property
    def in_words(self) -> str:
        """For those who hear the page."""
        return f"{self.title} ({self.unit}): " + ", ".join(f"{one.label}: {one.count}" for one in self.columns)


@dataclass(frozen=True, slots=True)
class Fullness:
    """How many rows of a column have a value, of those to which it applies.

    ``withheld``: share whose value the policy took out; what is left to 1 was never stated.
    """

    column: str
    meaning: str
    share: float
    withheld: float
    rows: int

    @property
    def in_words(self) -> str:
        """For those who hear the page."""
        taken = f", {self.withheld:.0%} taken out by the policy".replace("%", " %") if self.withheld else ""
        return f"{self.column}: {self.share:.0%} of {self.rows:,} series".replace("%", " %") + taken


def histograms(frame: pd.DataFrame) -> tuple[Histogram, ...]:
    """Of a ``series_frame``: age, slice thickness, slice spacing, pixel spacing, year; without those nobody states."""
    images = frame[frame["IsImage"]]
    made = (
        _bounded("Age at study", "years", frame["StatedAge"], _age_bounds(frame["StatedAge"])),
        _bounded("Slice thickness", "mm", images["SliceThickness"], MILLIMETRES),
        _bounded("Slice spacing", "mm", images["SliceSpacing"], MILLIMETRES),
        _bounded("Pixel spacing", "mm", images["PixelSpacingRow"], PIXEL_MILLIMETRES),
        _years(frame["StudyDate"]),
    )
    return tuple(one for one in made if one.stated)


def fullness(
    series: pd.DataFrame, details: pd.DataFrame | None = None, *, of_a_folder: bool = False
) -> tuple[Fullness, ...]:
    """Every column of the series table that may be empty, the emptiest first; only over the series it applies to.

    ``of_a_folder``: without the columns that the platform fills, from the registry, its store and its releases.
    """
    frame = series
    if details is not None and WITHHELD in details.columns:
        said = details.drop_duplicates("SeriesInstanceUID").set_index("SeriesInstanceUID")[WITHHELD]
        frame = series.assign(**{WITHHELD: series["SeriesInstanceUID"].map(said)})
    images = ~series["Modality"].isin(list(DERIVED_MODALITIES))
    found = []
    for column in series_table.columns:
        if not column.nullable or column.name not in series.columns or column.name in _NOT_SHOWN:
            continue
        if of_a_folder and (str(column.info.get("source")).startswith(_BY_THE_PLATFORM) or column.name in _LOOKED_UP):
            continue
        applies = pd.Series(True, index=series.index) if column.name in _ANY_OBJECT else images
        if column.name in _OF_MODALITIES:
            applies = series["Modality"].isin(list(_OF_MODALITIES[column.name]))
        rows = int(applies.sum())
        if rows:
            found.append(
                Fullness(
                    column.name,
                    column.comment or "",
                    share=float(series.loc[applies, column.name].map(_stated).mean()),
                    withheld=float(rows_withheld(frame, column.name)[applies].mean()),
                    rows=rows,
                )
            )
    return tuple(sorted(found, key=lambda one: (one.share, one.column)))


def _stated(value: Any) -> bool:
    return not pd.isna(value) and str(value).strip() != ""


def _age_bounds(ages: pd.Series) -> Sequence[float]:
    highest = max((float(age) for age in ages.dropna()), default=0.0)
    return [float(at) for at in range(0, int(min(highest, 120.0)) + AGE_STEP, AGE_STEP)]


def _bounded(title: str, unit: str, values: pd.Series, bounds: Sequence[float]) -> Histogram:
    """Bars from each bound up to the next, the last open; leading and trailing empty bars are left out."""
    known = [float(value) for value in values.dropna() if math.isfinite(float(value))]
    counts = [0] * (len(bounds) + 1)
    for value in known:
        counts[sum(value >= bound for bound in bounds)] += 1
    labels = [f"below {bounds[0]:g}", *(f"{low:g}–{high:g}" for low, high in pairwise(bounds)),
              f"{bounds[-1]:g} and more"]  # fmt: skip
    return _histogram(title, unit, list(zip(labels, counts, strict=True)), stated=len(known), rows=len(values))


def _years(dates: pd.Series) -> Histogram:
    """By the year of the shifted study date: a patient's dates are shifted by up to years, all by the same."""
    years = [int(day[:4]) for day in dates.dropna() if isinstance(day, str) and day[:4].isdecimal()]
    if not years:
        return Histogram("Study year", "dates are shifted per patient", (), 0, len(dates))
    first, last = min(years), max(years)
    step = max(1, math.ceil((last - first + 1) / MAX_YEARS))
    counted = []
    for year in range(first, last + 1, step):
        label = str(year) if step == 1 else f"{year}–{min(year + step - 1, last)}"
        counted.append((label, sum(year <= one < year + step for one in years)))
    return _histogram("Study year", "dates are shifted per patient", counted, stated=len(years), rows=len(dates))


def _histogram(title: str, unit: str, counted: list[tuple[str, int]], *, stated: int, rows: int) -> Histogram:
    while counted and not counted[0][1]:
        counted = counted[1:]
    while counted and not counted[-1][1]:
        counted = counted[:-1]
    highest = max((count for _, count in counted), default=1)
    columns = tuple(Column(label, count, count / highest) for label, count in counted)
    return Histogram(title, unit, columns, stated, rows)
