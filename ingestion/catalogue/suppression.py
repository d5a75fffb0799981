"""What may be told of a source to everybody: counts without small ones, ages in steps.

Exact figures stay in the database, in the internal bucket and in the record-level tables for approved users.
"""

from __future__ import annotations

import math

import pandas as pd

SMALL_COUNT = 5
"""Counts from 1 to 4 are left empty: so few people could be recognised, by themselves or by those who know them. Five
is the usual threshold of European health statistics. Zero tells of nobody and stays."""
AGE_STEP_YEARS = 5
"""The youngest and the oldest of a source are single people: their ages are given as the bounds of steps."""

COUNT_COLUMNS = (
    "IndividualsDeclared", "StudiesDeclared", "SeriesDeclared", "NumberOfPatients", "NumberOfStudies", "NumberOfSeries",
)  # fmt: skip
_DESCRIBING_COLUMNS = ("AgeMinimum", "AgeMaximum", "Sexes", "FirstStudyDate", "LastStudyDate")
"""What describes the people of a source; left empty where these are few."""


def is_small(count: int) -> bool:
    return 0 < count < SMALL_COUNT


def public_collections(exact: pd.DataFrame) -> pd.DataFrame:
    """The rows of ``collection`` as the public may see them; counts are Int64 with NA where suppressed."""
    public = exact.copy()
    few = exact["NumberOfPatients"].map(is_small).astype(bool)
    for name in COUNT_COLUMNS:
        public[name] = exact[name].astype("Int64").mask(exact[name].map(is_small).astype(bool))
    public["AgeMinimum"] = exact["AgeMinimum"].map(
        lambda age: math.floor(age / AGE_STEP_YEARS) * AGE_STEP_YEARS, na_action="ignore"
    )
    public["AgeMaximum"] = exact["AgeMaximum"].map(
        lambda age: math.ceil(age / AGE_STEP_YEARS) * AGE_STEP_YEARS, na_action="ignore"
    )
    for name in _DESCRIBING_COLUMNS:
        public[name] = public[name].mask(few, None)
    return public
