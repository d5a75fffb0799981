"""The features of files as one row per value: with code, unit, and the reason where there is no value."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ingestion.features.local import LocalFeatures
from ingestion.features.long_table import COLUMNS, long_table

NOT_OF_FILES = frozenset({"source_id", "PatientID", "StudyInstanceUID", "RegionSeriesInstanceUID",
                          "RegionSOPInstanceUID", "ImageVersion", "MaskVersion", "SeriesInstanceUID"})  # fmt: skip
"""Columns of the long table that come from a store."""


def long_rows(found: LocalFeatures) -> list[dict[str, Any]]:
    """One row per value, for the whole image or for each region."""
    wide = found.rows()
    if found.whole is not None:
        undefined = [found.whole.undefined]
        table = long_table(pd.DataFrame(wide), pd.DataFrame(), found.settings, series_undefined=undefined)
    else:
        undefined = [region.undefined for region in found.regions]
        table = long_table(pd.DataFrame(), pd.DataFrame(wide), found.settings, undefined=undefined)
    names = [str(row["Region"]) for row in wide]
    kept = [name for name in COLUMNS if name not in NOT_OF_FILES]
    numbers = {region.number: name for region, name in zip(found.regions, names, strict=False)}
    listed = table[kept].astype(object).where(table[kept].notna(), None).to_dict("records")
    return [
        {"Region": numbers.get(row["SegmentNumber"], names[0]), **{str(name): value for name, value in row.items()}}
        for row in listed
    ]
