"""What may be told of a source to everybody: counts without small ones and rounded, ages in steps, periods in years.

By the source's rule (``CountRule``; by default counts under 10 are hidden and the others rounded to 10). Exact figures
stay in the database, in the internal bucket and in the record-level tables for approved users.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from ingestion.sources.registry import CountRule
from ingestion.vocabulary.cancer import CancerType

DEFAULT_RULE = CountRule()
SMALL_COUNT = DEFAULT_RULE.hidden_below
AGE_STEP_YEARS = 5
"""The youngest and the oldest of a source are single people: their ages are given as the bounds of steps."""
SIZE_DIGITS = 2
"""Significant digits of sizes in bytes: exact ones would tell counts."""

COUNT_COLUMNS = (
    "IndividualsDeclared", "StudiesDeclared", "SeriesDeclared", "NumberOfPatients", "NumberOfStudies", "NumberOfSeries",
    "NumberOfInstances", "SeriesPartial", "SeriesQuarantined", "Delivered", "Accepted", "Duplicate", "Quarantined",
    "SegmentedStudies",
)  # fmt: skip
_INTEGERS = (*COUNT_COLUMNS, "Bytes")
_DESCRIBING_COLUMNS = (
    "AgeMinimum", "AgeMaximum", "Sexes", "FirstStudyDate", "LastStudyDate", "SmallestSpacing", "Bytes",
    "NumberOfSeries", "NumberOfStudies", "NumberOfInstances", "SegmentedStudies", "Accepted", "Delivered",
    "SeriesPartial", "SeriesQuarantined", "Duplicate", "Quarantined", "Manufacturers", "SegmentLabels",
    "TransferSyntaxes", "InstancesSHA256",
)  # fmt: skip
"""What describes the people of a source; left empty where these are few."""
_FREQUENT = {"Sexes": ("PatientSex", ","), "Modalities": ("Modality", ","), "BodyParts": ("BodyPart", "; "),
             "Manufacturers": ("ManufacturerName", ",")}  # fmt: skip
"""Columns of ``collection`` that list values: the column that they are of, and what joins them."""


def is_small(count: int, rule: CountRule = DEFAULT_RULE) -> bool:
    """Whether so few people could be recognised. Zero tells of nobody and is shown."""
    return 0 < count < rule.hidden_below


def shown(count: int | None, rule: CountRule = DEFAULT_RULE) -> int | None:
    """A count as the public sees it: None where hidden, else the nearest multiple of the rule's step, half up.

    Where a source asks for noise, the step is at least that wide: a figure that never changes needs no secret.
    """
    if count is None or is_small(count, rule):
        return None
    return _rounded(count, max(rule.rounded_to, math.ceil(rule.noise)))


def public_collections(exact: pd.DataFrame, rules: Mapping[str, CountRule] | None = None) -> pd.DataFrame:
    """The rows of ``collection`` as the public may see them; counts are Int64 with NA where hidden.

    Args:
        rules: by source; the default one for those that are not named.
    """
    public = exact.copy()
    of_row = [(rules or {}).get(source_id, DEFAULT_RULE) for source_id in exact.get("source_id", [""] * len(exact))]
    few = pd.Series(
        [is_small(int(count), rule) for count, rule in zip(exact["NumberOfPatients"], of_row, strict=True)],
        index=exact.index, dtype=bool,
    )  # fmt: skip
    for name in COUNT_COLUMNS:
        if name in exact.columns:
            told = [shown(_count(count), rule) for count, rule in zip(exact[name], of_row, strict=True)]
            public[name] = pd.array(told, dtype="Int64")
    if "Bytes" in exact.columns:
        public["Bytes"] = pd.array([_rounded_size(int(size)) for size in exact["Bytes"]], dtype="Int64")
    public["AgeMinimum"] = exact["AgeMinimum"].map(
        lambda age: math.floor(age / AGE_STEP_YEARS) * AGE_STEP_YEARS, na_action="ignore"
    )
    public["AgeMaximum"] = exact["AgeMaximum"].map(
        lambda age: math.ceil(age / AGE_STEP_YEARS) * AGE_STEP_YEARS, na_action="ignore"
    )
    public["FirstStudyDate"] = _texts([_year(date, "0101") for date in exact["FirstStudyDate"]], exact)
    public["LastStudyDate"] = _texts([_year(date, "1231") for date in exact["LastStudyDate"]], exact)
    for name in _DESCRIBING_COLUMNS:
        if name in public.columns:
            public[name] = public[name].mask(few, pd.NA if name in _INTEGERS else None)
    # what the registry says of it, since some formats demand a value
    if "Modalities" in exact.columns:
        public["Modalities"] = public["Modalities"].mask(few, public["ModalitiesDeclared"])
    if "BodyParts" in exact.columns:
        organs = pd.Series([CancerType(one).organ for one in exact["CancerType"]], index=exact.index, dtype=object)
        public["BodyParts"] = public["BodyParts"].mask(few, organs)
    return public


def with_frequent_values(public: pd.DataFrame, frequent: Mapping[str, Mapping[str, str | None]]) -> pd.DataFrame:
    """The public rows without values of single people. ``frequent``: by source, of ``frequent_values``."""
    told = public.copy()
    for name in _FREQUENT:
        told[name] = [
            value if hidden or pd.isna(value) else frequent[source_id][name]
            for source_id, value, hidden in zip(
                public["source_id"], public[name], public["NumberOfPatients"].isna(), strict=True
            )
        ]
    return told


def frequent_values(
    patients: pd.DataFrame, series: pd.DataFrame, rule: CountRule = DEFAULT_RULE
) -> dict[str, str | None]:
    """By column of ``collection`` that lists values: those that are not of a few people; None where there is none."""
    found = {}
    for name, (column, joined_by) in _FREQUENT.items():
        rows = patients if column in patients.columns else series
        people = rows.dropna(subset=[column]).groupby(column)["PatientID"].nunique()
        kept = sorted(str(value) for value, count in people.items() if not is_small(int(count), rule))
        found[name] = joined_by.join(kept) or None
    return found


def _count(value: Any) -> int | None:
    return None if pd.isna(value) else int(value)


def _texts(values: list[str | None], like: pd.DataFrame) -> pd.Series[Any]:
    return pd.Series(values, index=like.index, dtype=object)


def _rounded(count: int, step: int) -> int:
    return (2 * count + step) // (2 * step) * step


def _rounded_size(size: int) -> int:
    return _rounded(size, 10 ** max(len(str(size)) - SIZE_DIGITS, 0))


def _year(date: Any, day: str) -> str | None:
    """The first or last day of a date's year; None for no date."""
    return f"{date[:4]}{day}" if isinstance(date, str) and len(date) >= 4 else None
