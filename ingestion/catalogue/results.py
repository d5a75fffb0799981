"""The stored tables of quality results and features as rows of ``quality``, ``segmentation`` and ``feature``.

Those tables are made by other parts, which add rules and features without asking: columns known here get a column of
their own, numbers of the feature tables become one row each, and whatever is left is kept by name.
"""

from __future__ import annotations

import datetime as dt
import json
import math
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Any

import pandas as pd

from ingestion.catalogue.collection import Row
from ingestion.catalogue.frames import UNITS
from ingestion.catalogue.tables import segmentation


class Level(StrEnum):
    """What a feature was measured of."""

    SERIES = "series"
    REGION = "region"


_QUALITY_COLUMNS = {
    "rule_id": "Rule", "rule": "Rule", "level": "Level", "dimension": "Dimension", "severity": "Severity",
    "rows": "Rows", "passing": "Passing", "share": "Share", "examples": "Examples", "message": "Message",
}  # fmt: skip
_REGION_COLUMNS = tuple(
    column.name for column in segmentation.columns if column.name not in {"source_id", "RowNumber", "Other"}
)
_NOT_FEATURES = frozenset({
    "source_id", "ImageVersion", "ImageDigest", "MaskVersion", "MaskDigest", "Settings", "SettingsDigest", "Tool",
    "ToolVersion", "Modality", "Manufacturer", "Unit", *_REGION_COLUMNS,
})  # fmt: skip
"""Columns that say what was measured and how, not what was found; the stored tables keep all of them."""
RESPONSE_MAP = "ResponseMap"
_OF_MASK = frozenset({"UndefinedFeatures", "VolumeMm3"})
_ABOUT_SERIES = frozenset({"Status", "Reason", "Detail"})
"""A region's outcome stands in ``segmentation``; a series has no such row, so its outcome is kept as features."""


def quality_rows(source_id: str, results: pd.DataFrame) -> Iterator[Row]:
    """One row per stored result, in its order."""
    for position, result in enumerate(_records(results)):
        row: Row = {"source_id": source_id, "RowNumber": position}
        other = {}
        for name, value in result.items():
            known = _QUALITY_COLUMNS.get(name.lower())
            if known is None:
                if name != "source_id":
                    other[name] = value
            elif known in {"Rows", "Passing", "Share"}:
                row[known] = value
            else:
                row[known] = _text(value)
        yield row | {"Other": other or None}


def segmentation_rows(source_id: str, regions: pd.DataFrame) -> Iterator[Row]:
    """One row per region of interest: what it is, apart from its numbers."""
    for position, record in enumerate(_records(regions)):
        other = {
            name: value
            for name, value in record.items()
            if name not in _REGION_COLUMNS and name != "source_id" and not _is_number(value) and value is not None
        }
        row = {name: record.get(name) for name in _REGION_COLUMNS}
        yield {"source_id": source_id, "RowNumber": position, **row, "Other": other or None}


def feature_rows(source_id: str, level: Level, frame: pd.DataFrame) -> Iterator[Row]:
    """One row per value measured. Of regions only numbers: their texts stand in ``segmentation``.

    Features of a filter's response map are named with it, so that they never mix with those of the image.
    """
    image_uid = "ImageSeriesInstanceUID" if level is Level.REGION else "SeriesInstanceUID"
    skipped = _NOT_FEATURES if level is Level.REGION else _NOT_FEATURES - _ABOUT_SERIES
    units: Mapping[str, str] = frame.attrs.get(UNITS, {})
    for position, record in enumerate(_records(frame)):
        response = record.get(RESPONSE_MAP)
        for name, value in record.items():
            numeric = _is_number(value)
            if name in skipped or value is None or (level is Level.REGION and not numeric):
                continue
            yield {
                "source_id": source_id,
                "Level": level.value,
                "RowNumber": position,
                "Feature": f"{name} of {response}" if response and name not in _OF_MASK else name,
                "SeriesInstanceUID": _text(record.get(image_uid)),
                "Value": float(value) if numeric else None,
                "Text": None if numeric else _text(value),
                "Unit": _unit(units.get(name), _text(record.get("Unit"))),
            }


def _unit(unit: str | None, image: str | None) -> str | None:
    """The unit of a column, in which ``u`` stands for the image's; the image's own where the column has none."""
    if unit is None:
        return image
    return (image or "u") + unit[1:] if unit.startswith("u") else unit


def _records(frame: pd.DataFrame) -> Iterator[Mapping[str, Any]]:
    """The rows with plain Python values; every kind of "nothing" becomes None."""
    names = [str(name) for name in frame.columns]
    for values in frame.itertuples(index=False, name=None):
        yield dict(zip(names, (plain(value) for value in values), strict=True))


def plain(value: Any) -> Any:
    """A cell as plain Python: numbers, text, dates, lists; None for NaN, NA and NaT."""
    if hasattr(value, "tolist"):  # numpy's scalars and arrays
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if value is None or value is pd.NA or value is pd.NaT or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, dt.datetime):
        return value.isoformat()
    if isinstance(value, str):
        return value.replace("\0", "")
    return value if isinstance(value, (bool, int, float, dt.date)) else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, (bool, int, float))


def _text(value: Any) -> str | None:
    if value is None or value == []:
        return None
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return ",".join(value)
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False, default=str)
