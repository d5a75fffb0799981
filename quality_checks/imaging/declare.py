"""How an imaging rule is declared, and the sentences that its thresholds share."""

from __future__ import annotations

from quality_checks.model import Dimension, Level, Rule

UNUSABLE_REASON = "a series that nobody can use is left out by itself, however many others are sound"
LOOK_REASON = "each failing series is worth a look, none keeps the rest of the source from use"
KNOW_REASON = "for information only; it has no part in the scores"


def imaging_rule(
    rule_id: str,
    dimension: Dimension,
    *,
    title: str,
    meaning: str,
    fault: str,
    remedy: str,
    warns: bool = True,
    excludes: bool = False,
    version: str = "1",
) -> Rule:
    """A rule on series. ``warns`` False: information only. ``excludes``: nobody can use a failing series."""
    return Rule(
        id=rule_id,
        level=Level.SERIES,
        dimension=dimension,
        title=title,
        meaning=meaning,
        fault=fault,
        remedy=remedy,
        version=version,
        warning_below=1.0 if warns else None,
        error_below=None,
        threshold_reason=UNUSABLE_REASON if excludes else LOOK_REASON if warns else KNOW_REASON,
        excludes=excludes,
    )
