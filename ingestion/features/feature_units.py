"""The unit and the description of each column of the feature tables."""

from __future__ import annotations

from functools import cache

from ingestion.features.ibsi.catalogue import feature_table
from ingestion.features.measures import measure_of

IDENTITIES = {"SegmentNumber": "Number of the segment or region of interest"}
"""Numbers that are no measures."""


@cache
def feature_unit(column: str) -> str:
    """The unit of a column: ``u`` stands for the unit of the image's intensities, ``1`` for none."""
    known = ibsi_features().get(column)
    if known is not None:
        return known["Unit"]
    measure = measure_of(column)
    return "1" if measure is None else measure.unit


@cache
def feature_name(column: str) -> str | None:
    """IBSI's full name of a feature, or that of a measure; None of a column that is neither."""
    known = ibsi_features().get(column)
    if known is not None:
        return known["Name"]
    measure = measure_of(column)
    return None if measure is None else measure.name


@cache
def feature_description(column: str) -> str | None:
    """Name, code and where the definition stands; None of a column that has none."""
    known = ibsi_features().get(column)
    if known is not None:
        names = ", ".join(name for name in (known["Name"], known["Aggregation"]) if name)
        codes = ", ".join(code for code in (known["Code"], known["AggregationCode"]) if code)
        return f"{names} (IBSI {codes}, reference manual {known['Section']})"
    measure = measure_of(column)
    if measure is None:
        return IDENTITIES.get(column)
    return f"{measure.name}: {measure.definition} ({measure.source})"


def unit_text(unit: str, image_unit: str | None) -> str:
    """A feature's unit with the image's own in the place of ``u``."""
    return unit.replace("u", image_unit or "u", 1) if unit.startswith("u") else unit


@cache
def ibsi_features() -> dict[str, dict[str, str]]:
    """The rows of IBSI's catalogue by column."""
    return {row["Column"]: row for row in feature_table()}
