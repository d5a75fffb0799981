"""How a rule on a table is declared: the rule, the column, the expectation and the rows it applies to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import pandas as pd

from ingestion.sources.registry import SourceEntry
from quality_checks.model import Dimension, Level, Rule

USABLE_SHARE = 0.7
"""Curation tools drop an attribute that over 30 % of the rows lack, so below this share it is lost to users."""
USABLE_REASON = (
    "an attribute that over 30 % of the rows lack is dropped by the usual curation tools, so it is lost to users; "
    "single gaps are normal in clinical data and only warn"
)
ALWAYS_REASON = "no row may fail: the platform's tables rest on it"
MINORITY_SHARE = 0.3
"""Below this, the rule fails as a rule and not as an exception: something is wrong with the source as a whole."""
MINORITY_REASON = "single failures are looked into; when over 70 % of the rows fail, the source as a whole is wrong"
WARN_REASON = "each failure is worth a look, none keeps the rest of the source from use"
INFO_REASON = "for information only; it has no part in the scores"


class Expectation(StrEnum):
    """The expectation types of Great Expectations used here."""

    PRESENT = "expect_column_values_to_not_be_null"
    UNIQUE = "expect_column_values_to_be_unique"
    IN_SET = "expect_column_values_to_be_in_set"
    BETWEEN = "expect_column_values_to_be_between"


@dataclass(frozen=True, slots=True)
class Where:
    """The rows a rule applies to: all conditions given must hold."""

    modalities: frozenset[str] | None = None
    images_only: bool = False
    present: str | None = None


EVERYWHERE = Where()
IMAGES = Where(images_only=True)
Arguments = Mapping[str, Any] | Callable[[SourceEntry], Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class TableCheck:
    """A rule and how it is checked. Rows whose column is null count only for ``PRESENT``."""

    rule: Rule
    column: str
    expectation: Expectation
    arguments: Arguments = field(default_factory=dict)
    where: Where = EVERYWHERE

    def arguments_for(self, entry: SourceEntry) -> Mapping[str, Any]:
        """The expectation's arguments, where they depend on what the registry says of the source."""
        return self.arguments(entry) if callable(self.arguments) else self.arguments


def rule(
    rule_id: str,
    dimension: Dimension,
    *,
    title: str,
    meaning: str,
    fault: str,
    remedy: str,
    level: Level = Level.SERIES,
    warning_below: float | None = 1.0,
    error_below: float | None = None,
    reason: str = WARN_REASON,
    version: str = "1",
    unit: str | None = None,
    excludes: bool = False,
) -> Rule:
    """A rule; by default every failing row is a warning and none an error."""
    return Rule(
        id=rule_id,
        level=level,
        dimension=dimension,
        title=title,
        meaning=meaning,
        fault=fault,
        remedy=remedy,
        version=version,
        warning_below=warning_below,
        error_below=error_below,
        threshold_reason=reason,
        unit=unit,
        excludes=excludes,
    )


def between(lowest: float | None, highest: float | None) -> dict[str, float]:
    """Arguments of ``BETWEEN``, both ends allowed."""
    ends = {"min_value": lowest, "max_value": highest}
    return {name: value for name, value in ends.items() if value is not None}


def rows_of(where: Where, frame: pd.DataFrame) -> pd.Series:
    """Which rows of a ``series_frame`` a condition selects."""
    selected = pd.Series(True, index=frame.index)
    if where.images_only:
        selected &= frame["IsImage"]
    if where.modalities is not None:
        selected &= frame["Modality"].isin(list(where.modalities))
    if where.present is not None:
        selected &= frame[where.present].notna()
    return selected
