"""What changed from one judgement of a source to the next."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from quality_checks.model import Dimension, QualityVerdict, RuleResult, Severity

_RANK = {Severity.ERROR: 3, Severity.WARNING: 2, Severity.INFO: 1, None: 0}
SCORE_STEP = 0.0005
"""Scores are shown with one decimal of a percent; less is no change to a reader."""


@dataclass(frozen=True, slots=True)
class RuleChange:
    """A rule that fails more or less than before. None: it passed, or had nothing to judge."""

    rule_id: str
    before: Severity | None
    after: Severity | None
    failing_before: int
    failing_after: int

    @property
    def worse(self) -> bool:
        return (_RANK[self.after], self.failing_after) > (_RANK[self.before], self.failing_before)


@dataclass(frozen=True, slots=True)
class Changes:
    """From the judgement before to this one. ``first``: there was none before, so nothing can be compared."""

    first: bool
    rules: tuple[RuleChange, ...] = ()
    """What got worse first, the gravest of it first; then what got better."""
    scores: Mapping[Dimension, tuple[float, float]] | None = None
    """Before and after, of the dimensions whose score differs."""
    series: tuple[int, int] = (0, 0)
    """Series judged before and after."""
    new_findings: int = 0
    gone_findings: int = 0
    left_out: tuple[str, ...] = ()
    """Series that the release leaves out now and did not before."""
    let_in: tuple[str, ...] = ()
    blocked: tuple[bool, bool] = (False, False)
    new_rules: tuple[str, ...] = ()
    """Rules that were not there before: what they find is not new in the data."""
    by_rule: bool = False
    """Only how often each rule failed was compared: the pseudonyms differ. Findings are then counts by rule, and the
    series are not named."""
    objects: tuple[int, int] = (0, 0)
    excluded: tuple[int, int] = (0, 0)
    """Of a comparison by rule: objects delivered, and series left out, before and after."""

    @property
    def nothing(self) -> bool:
        """The same findings, on another number of series at most."""
        return not (
            self.rules
            or self.new_findings
            or self.gone_findings
            or self.left_out
            or self.let_in
            or self.excluded[0] != self.excluded[1]
        )


def changes_between(
    before: QualityVerdict | None, after: QualityVerdict, *, series_before: int, series_after: int
) -> Changes:
    """Compare two verdicts of one source."""
    if before is None:
        return Changes(first=True)
    old = {result.rule_id: result for result in before.results}
    rules = [
        change
        for result in after.results
        if result.rule_id in old and (change := _changed(old[result.rule_id], result)) is not None
    ]
    found_before = {(finding.rule_id, finding.key) for finding in before.findings}
    found_after = {(finding.rule_id, finding.key) for finding in after.findings}
    return Changes(
        first=False,
        rules=ranked(rules),
        scores={
            dimension: (before.scores[dimension], after.scores[dimension])
            for dimension in Dimension
            if dimension in before.scores
            and dimension in after.scores
            and abs(before.scores[dimension] - after.scores[dimension]) >= SCORE_STEP
        },
        series=(series_before, series_after),
        new_findings=len(found_after - found_before),
        gone_findings=len(found_before - found_after),
        left_out=tuple(sorted(after.excluded.keys() - before.excluded.keys())),
        let_in=tuple(sorted(before.excluded.keys() - after.excluded.keys())),
        blocked=(before.blocks, after.blocks),
        new_rules=tuple(result.rule_id for result in after.results if result.rule_id not in old),
    )


def ranked(rules: Iterable[RuleChange]) -> tuple[RuleChange, ...]:
    """What got worse first, the gravest of it first."""

    def key(one: RuleChange) -> tuple[bool, int, int, str]:
        return not one.worse, -_RANK[one.after], one.failing_before - one.failing_after, one.rule_id

    return tuple(sorted(rules, key=key))


def _changed(before: RuleResult, after: RuleResult) -> RuleChange | None:
    if (before.severity, before.failing) == (after.severity, after.failing):
        return None
    return RuleChange(after.rule_id, before.severity, after.severity, before.failing, after.failing)
