"""The status of each source: when it was last brought in, how far the catalogue lags behind, what went wrong."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from ingestion.accounting.source_state import Counts, SourceState
from ingestion.catalogue.publication import Publication
from ingestion.catalogue.release import NOTHING_PUBLISHED, why_excluded
from ingestion.catalogue.release_manifest import ReleaseManifest
from ingestion.catalogue.search.protection import CountPolicy
from ingestion.catalogue.search.query import EVERYTHING
from ingestion.sources.registry import Registry, SourceEntry
from ingestion.storage.numbered import read_last
from portal.failed_runs import LOOKED_BACK_DAYS, Failed, FailedRuns
from portal.reports import ReportFacts, latest_report
from portal.search.service import SearchService, share_step
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
    left_out: str
    """Why no release holds it, or none from the next one on, as ``why_excluded`` says; empty: nothing forbids it."""
    held: bool
    """Whether the newest release holds it."""
    report: ReportFacts | None
    counts: Counts | None
    """Of its objects, exact: for operators."""
    reasons: Mapping[str, int]
    """The reasons of its quarantine with exact counts, the most frequent first."""

    @property
    def rank(self) -> tuple[int, str]:
        """Blocked sources first: a wall of green must not hide one."""
        blocked = self.report is not None and self.report.blocks
        return (0 if blocked else 1 if self.synced is None or self.behind else 2, self.entry.id)

    @property
    def failed(self) -> bool:
        return self.report is not None and self.report.blocks


@dataclass(frozen=True, slots=True)
class Quarantined:
    """What visitors see of a source's quarantine: shares of its objects, drawn. ``reasons``: those with a share."""

    percent: int
    reasons: tuple[str, ...]


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
            # of a collection whose people are not shown, or not released, nothing is told of its objects
            quarantined=self._quarantined(request, found),
            left_out=sum(bool(one.left_out) and not one.held for one in found),
            now=looked.at,
        )

    def _quarantined(self, request: Request, sources: list[SourceStatus]) -> dict[str, Quarantined]:
        """Of the collections of which the search shows a count: not of those that a release's own table counts."""
        if self._asker is None:
            return {}
        try:
            answer = self._asker.ask(request, EVERYTHING)
        except NOTHING_TO_SEARCH:  # logged by the search; the page says what is wrong with the sources
            return {}
        [facet] = [one for one in answer.facets if one.name == "source_id"]
        people = {one.value: one.counts.people for one in facet.values if one.counts.people}
        return {
            one.entry.id: drawn_quarantine(self._asker.service, one.entry.id, one.counts, one.reasons,
                                           people=people[one.entry.id])
            for one in sources if one.counts is not None and one.entry.id in people
        }  # fmt: skip

    def _look(self) -> _Looked:
        now = self._now()
        runs = None if self._failed is None else self._failed.by_source()
        return _Looked(now, statuses(self._shelf, now=now), runs)


def drawn_quarantine(
    service: SearchService, source_id: str, counts: Counts, reasons: Mapping[str, int], *, people: int
) -> Quarantined:
    """Shares up or down to a step, in proportion, as other shares of a source are; each by a draw of its own.

    The step is what as many people as counts are rounded to bring on average, or ``SHARE_STEP``: what is one person's
    alone is below it, and a reason of so little is mostly not named.

    Args:
        people: of the source, as they are shown.
    """
    policy = service.current().search.policies.get(source_id, CountPolicy())
    step = share_step(policy, people)

    def drawn(what: str, objects: int) -> float:
        return service.share(source_id, what, objects / max(counts.delivered, 1), step=step)

    whole = drawn("quarantined", counts.quarantined)
    shown = [(drawn(f"quarantined {name}", objects), name) for name, objects in reasons.items()] if whole else []
    named = sorted(((share, name) for share, name in shown if share), key=lambda one: (-one[0], one[1]))
    return Quarantined(round(100 * whole), tuple(name for _, name in named[:NAMED_REASONS]))


def statuses(shelf: Shelf, *, now: dt.datetime) -> list[SourceStatus]:
    """Of all sources, those first that need a look."""
    return sorted((_of(shelf, entry, now) for entry in shelf.entries.values()), key=lambda one: one.rank)


def _of(shelf: Shelf, entry: SourceEntry, now: dt.datetime) -> SourceStatus:
    report = latest_report(shelf.internal, entry.id)
    newest = shelf.newest()
    held = newest is not None and entry.id in newest.sources
    left_out = _left_out(entry, newest, now.date(), held=held)
    last = read_last(shelf.internal, f"state/{entry.id}/", count=1)
    if not last:
        return SourceStatus(entry, None, None, "", left_out, held, report, None, {})
    state = SourceState.from_json(last[-1].body)
    written = last[-1].written
    reasons = sorted(state.reasons, key=lambda reason: (-state.reasons[reason], reason))
    return SourceStatus(
        entry=entry,
        synced=written,
        lag=None if written is None else max((now - written).days, 0),
        behind=_behind(shelf, entry.id, state),
        left_out=left_out,
        held=held,
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
    excluded = next((one.reason for one in newest.excluded if one.source_id == source_id), NOTHING_PUBLISHED)
    # what was left out since nothing was published waits for a release now; other reasons are none of lateness
    return "release" if excluded == NOTHING_PUBLISHED else ""


def _left_out(entry: SourceEntry, newest: ReleaseManifest | None, today: dt.date, *, held: bool) -> str:
    """By the registry as it is now; else by the release, which may know more."""
    now = why_excluded(entry.id, Registry(description="one source", sources=(entry,)), today)
    excluded = () if newest is None or held else newest.excluded
    then = next((one.reason for one in excluded if one.source_id == entry.id), "")
    return now or ("" if then == NOTHING_PUBLISHED else then)
