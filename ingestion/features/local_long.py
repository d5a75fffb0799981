"""The features of files as one row per value: with code, unit, and the reason where there is no value."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ingestion.features.local import LocalFeatures
from ingestion.features.long_table import COLUMNS, long_table
from ingestion.features.tables import region_record

NOT_OF_FILES = frozenset({"source_id", "PatientID", "StudyInstanceUID", "RegionSeriesInstanceUID",
                          "RegionSOPInstanceUID", "ImageVersion", "MaskVersion", "SeriesInstanceUID"})  # fmt: skip
"""Columns of the long table that come from a store."""


def long_rows(found: LocalFeatures) -> list[dict[str, Any]]:
    """One row per value, for the whole image or for each region."""
    wide = found.rows()
    blank: dict[str, Any] = {"SeriesInstanceUID": None, "Reason": None}
    if found.whole is not None:
        table, names = long_table([blank | wide[0]], [], found.settings), ["whole image"]
    else:
        regions = [
            blank
            | row
            | {"Undefined": region.undefined, "Reason": region.refusal, **_labels(region_record(asdict(region)))}
            for row, region in zip(wide, found.regions, strict=True)
        ]
        table, names = long_table([], regions, found.settings), [str(row["Region"]) for row in wide]
    kept = [name for name in COLUMNS if name not in NOT_OF_FILES]
    numbers = {region.number: name for region, name in zip(found.regions, names, strict=False)}
    rows = table[kept].astype(object).where(table[kept].notna(), None).to_dict("records")
    return [
        {"Region": numbers.get(row["SegmentNumber"], names[0]), **{str(k): v for k, v in row.items()}} for row in rows
    ]


def _labels(record: dict[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in ("SegmentNumber", "SegmentLabel", "MaskDigest")}
