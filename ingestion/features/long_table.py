"""All values of a source, one a row: what was measured, of what, in which unit, by what, and why a value is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import pandas as pd

from ingestion.features.distributions import outliers
from ingestion.features.dose_report import COLUMNS as DOSE_REPORT
from ingestion.features.exposure import COLUMNS as EXPOSURE
from ingestion.features.ibsi.catalogue import feature_table
from ingestion.features.intensity import INTENSITY_FEATURES, UnitPower
from ingestion.features.series_measures import QUALITY
from ingestion.features.settings import FeatureSettings
from ingestion.features.tables import ibsi_columns

TEXTS = (
    "source_id", "PatientID", "StudyInstanceUID", "SeriesInstanceUID", "Level", "RegionSeriesInstanceUID",
    "RegionSOPInstanceUID", "SegmentLabel", "Modality", "Manufacturer", "Feature", "Code", "Family", "Aggregation",
    "Unit", "Refusal", "ImageVersion", "ImageDigest", "MaskVersion", "MaskDigest", "Settings", "SettingsDigest",
    "Tool", "ToolVersion",
)  # fmt: skip
COLUMNS = (*TEXTS[:7], "SegmentNumber", *TEXTS[7:14], "Value", "Outlier", *TEXTS[14:])
"""``SeriesInstanceUID``: of the image. ``Code``, ``Family``, ``Aggregation``: IBSI's permanent ids.

``Outlier``: see ``ingestion.features.distributions``; empty where too few values are there to compare with.
"""
MEASURE_UNITS = {
    "BodyVolumeMl": "ml", "NoiseLevelHU": "HU", "CTDIvolMGy": "mGy", "OrganDoseMGy": "mGy", "EntranceDoseMGy": "mGy",
    "DoseAreaProductGyCm2": "Gy.cm2", "CompressionForceN": "N", "CompressedThicknessMm": "mm",
    "InjectedDoseMBq": "MBq", "ReportCTDIvolMGy": "mGy", "ReportDlpMGyCm": "mGy.cm",
    "ReportDoseAreaProductGyCm2": "Gy.cm2", "ReportGlandularDoseMGy": "mGy", "VolumeMm3": "mm3", "CoverageMm": "mm",
    "RowSpacing": "mm", "ColumnSpacing": "mm", "SliceSpacing": "mm",
}  # fmt: skip
"""Units of measures that are not IBSI's; those that are not here have none."""
GEOMETRY = ("RowSpacing", "ColumnSpacing", "SliceSpacing", "CoverageMm")


@cache
def feature_unit(column: str) -> str:
    """The unit of a column: ``u`` stands for the unit of the image's intensities, ``1`` for none."""
    if column in MEASURE_UNITS:
        return MEASURE_UNITS[column]
    known = _ibsi().get(column)
    if known is not None:
        return known["Unit"]
    powers = {UnitPower.SAME: "u", UnitPower.SQUARED: "u²", UnitPower.NONE: "1"}
    return {feature.column: powers[feature.unit] for feature in INTENSITY_FEATURES}.get(
        column, "u" if column == "StandardDeviation" or column.startswith("Percentile") else "1"
    )


def unit_text(unit: str, image_unit: str | None) -> str:
    """A feature's unit with the image's own in the place of ``u``."""
    return unit.replace("u", image_unit or "u", 1) if unit.startswith("u") else unit


def long_table(
    series: Sequence[Mapping[str, Any]], regions: Sequence[Mapping[str, Any]], settings: FeatureSettings
) -> pd.DataFrame:
    """Rows of all series and regions; of a refused one a row without a feature, whose ``Refusal`` says why."""
    further = ("StandardDeviation", *(f"Percentile{percent}" for percent in settings.percentiles))
    whole = (
        *GEOMETRY,
        *(feature.column for feature in INTENSITY_FEATURES),
        *further,
        *QUALITY,
        *EXPOSURE,
        *DOSE_REPORT,
    )
    said = json.dumps(settings.record(), sort_keys=True)
    rows = [row for item in series for row in _rows({**item, "Settings": said}, "series", whole)]
    columns = ibsi_columns(settings)
    rows += [row for item in regions for row in _rows({**item, "Settings": said}, "region", columns)]
    data = {name: [row.get(name) for row in rows] for name in COLUMNS}
    kinds = {"Value": "Float64", "SegmentNumber": "Int64", "Outlier": "boolean"}
    table = pd.DataFrame({name: pd.Series(data[name], dtype=kinds.get(name, "string")) for name in COLUMNS})
    table["Outlier"] = outliers(table)
    return table


def _rows(item: Mapping[str, Any], level: str, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    region = level == "region"
    common = {
        **{name: item.get(name) for name in COLUMNS},
        "Level": level,
        "SeriesInstanceUID": item.get("ImageSeriesInstanceUID") if region else item["SeriesInstanceUID"],
        "RegionSeriesInstanceUID": item["SeriesInstanceUID"] if region else None,
        "RegionSOPInstanceUID": item.get("SOPInstanceUID") if region else None,
    }
    if item["Reason"] is not None:
        yield {**common, "Refusal": item["Reason"], "Unit": None}
    undefined = item.get("Undefined") or {}
    for column in columns:
        value, refusal = item.get(column), undefined.get(column)
        if value is None and refusal is None:
            continue
        known = _ibsi().get(column, {})
        yield {
            **common,
            "Feature": column,
            "Code": known.get("Code") or _series_code(column),
            "Family": known.get("FamilyCode"),
            "Aggregation": known.get("AggregationCode") or None,
            "Value": value,
            "Unit": unit_text(feature_unit(column), item.get("Unit")),
            "Refusal": refusal,
        }


@cache
def _ibsi() -> dict[str, dict[str, str]]:
    return {row["Column"]: row for row in feature_table()}


@cache
def _series_code(column: str) -> str | None:
    return next((feature.code for feature in INTENSITY_FEATURES if feature.column == column), None)
