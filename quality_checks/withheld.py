"""Values that de-identification took out: told as taken out by the policy, never as missing at the data holder.

A maker's field that holds a person's name comes out empty. Whoever fills it in again sends the name again, so rules on
completeness do not judge such rows, and one rule tells how many there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from ingestion.catalogue.details import WITHHELD as COLUMN
from quality_checks.model import Dimension
from quality_checks.suites.declare import INFO_REASON, Expectation, TableCheck, rule

KEYWORDS: Mapping[str, tuple[str, ...]] = {
    "StatedAge": ("PatientAge",),
    "AgeAtStudy": ("PatientAge",),
    "AnyExposure": ("Exposure", "XRayTubeCurrent"),
    "PixelSpacingRow": ("PixelSpacing", "ImagerPixelSpacing"),
    "AcquisitionSeconds": ("AcquisitionDate", "AcquisitionTime"),
}
"""The attributes that columns of other names are made of."""

WITHHELD = rule(
    "series_values_withheld",
    Dimension.COMPLETENESS,
    title="No value that rules ask for was taken out by the policy",
    meaning="What names a person, or is a text that cannot be told from one, is taken out; rules on completeness do "
    "not judge such a series.",
    fault="values that were delivered and that the policy took out",
    remedy="Nothing is missing: the value named somebody, could have, or is of a kind that the policy removes. Where "
    "it should stay, have plain terms written into the field, or choose another policy.",
    warning_below=None,
    reason=INFO_REASON,
)


def rows_withheld(frame: pd.DataFrame, column: str) -> pd.Series:
    """Which rows have no value in ``column`` because the policy took it out; none where that is not known."""
    if COLUMN not in frame.columns or column not in frame.columns:
        return pd.Series(False, index=frame.index)
    wanted = frozenset(KEYWORDS.get(column, (column,)))
    taken = [isinstance(text, str) and not wanted.isdisjoint(text.split(",")) for text in frame[COLUMN]]
    return frame[column].isna() & pd.Series(taken, index=frame.index, dtype="bool")


def exempt(check: TableCheck, frame: pd.DataFrame) -> frozenset[int]:
    """Positions of rows that a rule on completeness must not judge."""
    if check.expectation is not Expectation.PRESENT or check.rule.dimension is not Dimension.COMPLETENESS:
        return frozenset()
    return frozenset(rows_withheld(frame, check.column).to_numpy().nonzero()[0].tolist())


def told(frame: pd.DataFrame, asked: Iterable[tuple[TableCheck, pd.Series]]) -> dict[str, str]:
    """Of each SeriesInstanceUID with such a value the attributes, comma-joined.

    Args:
        asked: the checks of the series, each with the rows that it applies to.
    """
    found: dict[str, set[str]] = {}
    for check, applies in asked:
        wanted = KEYWORDS.get(check.column, (check.column,))
        for position in exempt(check, frame):
            if applies.iloc[position]:
                row = frame.iloc[position]
                names = {name for name in wanted if name in str(row[COLUMN]).split(",")}
                found.setdefault(str(row["SeriesInstanceUID"]), set()).update(names)
    return {uid: ", ".join(sorted(names)) for uid, names in sorted(found.items())}


def of_studies(studies: pd.DataFrame, series: pd.DataFrame) -> pd.DataFrame:
    """``studies`` with what was taken out of any of its series."""
    if COLUMN not in series.columns:
        return studies
    taken: dict[str, set[str]] = {}
    for study, text in series[["StudyInstanceUID", COLUMN]].itertuples(index=False):
        if isinstance(text, str):
            taken.setdefault(study, set()).update(text.split(","))
    said = [",".join(sorted(taken.get(study, ()))) or None for study in studies["StudyInstanceUID"]]
    return studies.assign(**{COLUMN: pd.Series(said, index=studies.index, dtype="object")})
