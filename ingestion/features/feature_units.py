"""The unit of each column of the feature tables."""

from __future__ import annotations

from functools import cache

from ingestion.features.ibsi.catalogue import feature_table
from ingestion.features.intensity import INTENSITY_FEATURES, UnitPower

MEASURE_UNITS = {
    "BodyVolumeMl": "ml", "NoiseLevelHU": "HU", "CTDIvolMGy": "mGy", "OrganDoseMGy": "mGy", "EntranceDoseMGy": "mGy",
    "DoseAreaProductGyCm2": "Gy·cm²", "CompressionForceN": "N", "CompressedThicknessMm": "mm",
    "InjectedDoseMBq": "MBq", "ReportCTDIvolMGy": "mGy", "ReportDlpMGyCm": "mGy·cm",
    "ReportDoseAreaProductGyCm2": "Gy·cm²", "ReportGlandularDoseMGy": "mGy", "VolumeMm3": "mm³", "CoverageMm": "mm",
    "RowSpacing": "mm", "ColumnSpacing": "mm", "SliceSpacing": "mm",
}  # fmt: skip
"""Units of measures that are not IBSI's; those that are not here have none."""


@cache
def feature_unit(column: str) -> str:
    """The unit of a column: ``u`` stands for the unit of the image's intensities, ``1`` for none."""
    if column in MEASURE_UNITS:
        return MEASURE_UNITS[column]
    known = ibsi_features().get(column)
    if known is not None:
        return known["Unit"]
    powers = {UnitPower.SAME: "u", UnitPower.SQUARED: "u²", UnitPower.NONE: "1"}
    return {feature.column: powers[feature.unit] for feature in INTENSITY_FEATURES}.get(
        column, "u" if column == "StandardDeviation" or column.startswith("Percentile") else "1"
    )


def unit_text(unit: str, image_unit: str | None) -> str:
    """A feature's unit with the image's own in the place of ``u``."""
    return unit.replace("u", image_unit or "u", 1) if unit.startswith("u") else unit


@cache
def ibsi_features() -> dict[str, dict[str, str]]:
    """The rows of IBSI's catalogue by column."""
    return {row["Column"]: row for row in feature_table()}
