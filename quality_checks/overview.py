"""One page over all sources: a heat map of sources by dimensions, trends over runs, freshness, what fails.

The page is made from the judgements' log alone; the moment it is seen is given by the caller, so the same log at the
same moment gives the same page.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ingestion.sources.registry import SourceEntry
from quality_checks.model import Dimension
from quality_checks.rendering import render
from quality_checks.store import Judgement, PastJudgement

RUNS = 10
"""Judgements of a source that the trend shows."""
STALE_DAYS = 30
"""A source without a change for a month: deliveries are usually monthly."""
HEAT = (0.5, 0.8, 0.95, 0.99)
"""Bounds of the heat map's shades: below the first is the worst."""


@dataclass(frozen=True, slots=True)
class SourceLine:
    """One source. ``history``: oldest first, empty where it was never judged. ``changed``: when its data last changed.

    ``unjudged``: its data changed after the last judgement.
    """

    entry: SourceEntry
    history: tuple[PastJudgement, ...]
    changed: dt.datetime | None

    @property
    def latest(self) -> Judgement | None:
        return self.history[-1].judgement if self.history else None

    @property
    def unjudged(self) -> bool:
        judged = self.history[-1].written if self.history else None
        return self.changed is not None and (judged is None or self.changed > judged)

    @property
    def mean(self) -> float | None:
        """Of the dimensions' scores; None where there is none."""
        return _mean(self.latest)

    def score(self, dimension: Dimension) -> float | None:
        return None if self.latest is None else self.latest.scores.get(dimension.value)

    def days(self, now: dt.datetime) -> int | None:
        """Since its data changed."""
        return None if self.changed is None else max((now - self.changed).days, 0)


@dataclass(frozen=True, slots=True)
class Trend:
    """Mean scores over the runs as a line in a field of 100 by 24, and in words."""

    points: str
    in_words: str


def render_overview(lines: Iterable[SourceLine], *, now: dt.datetime, dagster_url: str | None = None) -> str:
    """The page; sources that are blocked first, then the worst."""
    ordered = sorted(lines, key=_rank)
    judged = [line for line in ordered if line.latest is not None]
    return render(
        "overview.html.j2",
        lines=ordered,
        dimensions=list(Dimension),
        trends={line.entry.id: trend_of(line.history) for line in ordered},
        now=now,
        stale_days=STALE_DAYS,
        blocked=[line for line in judged if line.latest and line.latest.blocks],
        left_out=[line for line in judged if line.latest and line.latest.left_out],
        never=[line for line in ordered if line.latest is None],
        unjudged=[line for line in judged if line.unjudged],
        stale=[line for line in judged if (line.days(now) or 0) >= STALE_DAYS],
        shade=shade,
        dagster_url=dagster_url,
    )


def shade(score: float) -> int:
    """From 0 (worst) to 4 (nothing fails)."""
    return sum(score >= bound for bound in HEAT)


def trend_of(history: Sequence[PastJudgement]) -> Trend | None:
    """None where fewer than two runs have a score: a point is no trend."""
    means = [mean for past in history if (mean := _mean(past.judgement)) is not None]
    if len(means) < 2:
        return None
    low, high = min(means), max(means)
    spread = max(high - low, 0.02)  # under two percent apart: a flat line is shown flat
    step = 100 / (len(means) - 1)
    points = " ".join(f"{at * step:.2f},{22 - 20 * (mean - low) / spread:.2f}" for at, mean in enumerate(means))
    return Trend(points, f"mean score over {len(means)} runs: from {means[0]:.1%} to {means[-1]:.1%}")


def _mean(judgement: Judgement | None) -> float | None:
    if judgement is None or not judgement.scores:
        return None
    return sum(judgement.scores.values()) / len(judgement.scores)


def _rank(line: SourceLine) -> tuple[int, float, str]:
    latest = line.latest
    if latest is None:
        return (2, 0.0, line.entry.id)
    return (0 if latest.blocks else 1, line.mean if line.mean is not None else 0.0, line.entry.id)
