"""The status of each source: when it was last brought in, how far the catalogue lags behind, what went wrong."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from ingestion.accounting.source_state import Counts, SourceState
from ingestion.catalogue.publication import Publication
from ingestion.catalogue.search.query import EVERYTHING
from ingestion.sources.registry import SourceEntry
from ingestion.storage.numbered import read_last
from portal.failed_runs import LOOKED_BACK_DAYS, Failed, FailedRuns
from portal.reports import ReportFacts, latest_report
from portal.site.asking import NOTHING_TO_SEARCH, Asker
from portal.site.kept import Kept
from portal.site.rendering import Pages
from portal.site.shelf import KEPT_SECONDS, Shelf
from quality_checks.overview import STALE_DAYS

NAMED_REASONS = 3
"""Reasons of quarantine that the visitors' page names."""


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One source. ``lag``: days since its data last changed."""

    entry: SourceEntry
    synced: dt.datetime | None
    lag: int | None
    behind: str
    """Which step has not caught up: catalogue, release or nothing."""
    report: ReportFacts | None
    counts: Counts | None
    """Of its objects, exact: for operators."""
    reasons: Mapping[str, int]
    """The reasons of its quarantine with exact counts, the most frequent first."""

    @property
    def quarantined_percent(self) -> int:
        """For visitors: of its objects, up to the next ten; what is exact would tell of how many it is a share."""
        if self.counts is None or not self.counts.quarantined:
            return 0
        return 10 * math.ceil(10 * self.counts.quarantined / self.counts.delivered)

    @property
    def main_reasons(self) -> tuple[str, ...]:
        return tuple(self.reasons)[:NAMED_REASONS]

    @property
    def rank(self) -> tuple[int, str]:
        """Blocked sources first: a wall of green must not hide one."""
        blocked = self.report is not None and self.report.blocks
        return (0 if blocked else 1 if self.synced is None or self.behind else 2, self.entry.id)

    @property
    def failed(self) -> bool:
        return self.report is not None and self.report.blocks


@dataclass(frozen=True, slots=True)
class _Looked:
    """What was found ``at`` a time."""

    at: dt.datetime
    sources: list[SourceStatus]
    runs: Mapping[str, Failed] | None


class Status:
    """The page at ``/status``, looked for at most every half a minute: that takes some reads of the store a source.

    ``failed``: tells the failed runs, where there is a Dagster to ask; ``asker``: what may be shown, None: nothing.
    """

    def __init__(
        self, shelf: Shelf, pages: Pages, *, failed: FailedRuns | None, asker: Asker | None = None,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:  # fmt: skip
        self._shelf, self._pages, self._failed, self._asker, self._now = shelf, pages, failed, asker, now
        self._kept: Kept[_Looked] = Kept(
            seconds=KEPT_SECONDS, most=1, outage=pages.outage, what="the status of the sources"
        )

    def page(self, request: Request) -> Response:
        looked = self._kept.get("", self._look)
        found, runs = looked.sources, looked.runs
        newest = self._shelf.newest()
        return self._pages.respond(
            request,
            "status.html.j2",
            sources=found,
            blocked=sum(one.failed for one in found),
            behind=sum(bool(one.behind) for one in found),
            never=sum(one.synced is None for one in found),
            stale=sum((one.lag or 0) >= STALE_DAYS for one in found),
            stale_days=STALE_DAYS,
            runs=runs,
            run_days=LOOKED_BACK_DAYS,
            release=newest,
            # of a collection whose people are not shown, or not released, no share of its objects is told
            counted=self._counted(request),
            now=looked.at,
        )

    def _counted(self, request: Request) -> frozenset[str]:
        """The collections of which the search shows a count: that a release's own table has one tells of the bound."""
        try:
            answer = None if self._asker is None else self._asker.ask(request, EVERYTHING)
        except NOTHING_TO_SEARCH:  # the page says what is wrong with the sources; no share is told meanwhile
            answer = None
        facets = () if answer is None else answer.facets
        return frozenset(one.value for facet in facets if facet.name == "source_id" for one in facet.values)

    def _look(self) -> _Looked:
        now = self._now()
        runs = None if self._failed is None else self._failed.by_source()
        return _Looked(now, statuses(self._shelf, now=now), runs)


def statuses(shelf: Shelf, *, now: dt.datetime) -> list[SourceStatus]:
    """Of all sources, those first that need a look."""
    return sorted((_of(shelf, entry, now) for entry in shelf.entries.values()), key=lambda one: one.rank)


def _of(shelf: Shelf, entry: SourceEntry, now: dt.datetime) -> SourceStatus:
    report = latest_report(shelf.internal, entry.id)
    last = read_last(shelf.internal, f"state/{entry.id}/", count=1)
    if not last:
        return SourceStatus(entry, None, None, "", report, None, {})
    state = SourceState.from_json(last[-1].body)
    written = last[-1].written
    reasons = sorted(state.reasons, key=lambda reason: (-state.reasons[reason], reason))
    return SourceStatus(
        entry=entry,
        synced=written,
        lag=None if written is None else max((now - written).days, 0),
        behind=_behind(shelf, entry.id, state),
        report=report,
        counts=state.counts,
        reasons={reason: state.reasons[reason] for reason in reasons},
    )


def _behind(shelf: Shelf, source_id: str, state: SourceState) -> str:
    published = read_last(shelf.internal, f"publications/{source_id}/", count=1)
    if not published or Publication.from_json(published[0].body).state_digest != state.digest:
        return "catalogue"
    newest = shelf.newest()
    if newest is None:
        return "release"
    if source_id in newest.sources:
        released, written = shelf.written(newest), published[0].written
        return "release" if released is not None and written is not None and written > released else ""
    return "" if any(one.source_id == source_id for one in newest.excluded) else "release"
