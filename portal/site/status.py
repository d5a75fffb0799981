"""The status of each source: when it was last brought in, how far the catalogue lags behind, what went wrong."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from ingestion.accounting.source_state import SourceState
from ingestion.catalogue.publication import Publication
from ingestion.sources.registry import SourceEntry
from ingestion.storage.numbered import read_last
from portal.reports import ReportFacts, latest_report
from portal.site.rendering import Pages
from portal.site.shelf import Shelf
from quality_checks.overview import STALE_DAYS


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """One source. ``lag``: days since its data last changed."""

    entry: SourceEntry
    synced: dt.datetime | None
    lag: int | None
    behind: str
    """Which step has not caught up: catalogue, release or nothing."""
    report: ReportFacts | None
    quarantined_percent: int | None
    reasons: tuple[str, ...]
    """Names of the reasons of its quarantine, the most frequent first."""

    @property
    def rank(self) -> tuple[int, str]:
        """Blocked sources first: a wall of green must not hide one."""
        blocked = self.report is not None and self.report.blocks
        return (0 if blocked else 1 if self.synced is None or self.behind else 2, self.entry.id)

    @property
    def failed(self) -> bool:
        return self.report is not None and self.report.blocks


class Status:
    """The page at ``/status``. ``dagster_url``: linked to, where it is known."""

    def __init__(
        self, shelf: Shelf, pages: Pages, *, dagster_url: str | None,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:  # fmt: skip
        self._shelf, self._pages, self._dagster, self._now = shelf, pages, dagster_url, now

    def page(self, request: Request) -> Response:
        found = sorted((self._of(entry) for entry in self._shelf.entries.values()), key=lambda one: one.rank)
        return self._pages.respond(
            request,
            "status.html.j2",
            sources=found,
            blocked=sum(one.failed for one in found),
            behind=sum(bool(one.behind) for one in found),
            never=sum(one.synced is None for one in found),
            stale=sum((one.lag or 0) >= STALE_DAYS for one in found),
            stale_days=STALE_DAYS,
            release=self._shelf.newest(),
            dagster=self._dagster,
            now=self._now(),
        )

    def _of(self, entry: SourceEntry) -> SourceStatus:
        report = latest_report(self._shelf.internal, entry.id)
        last = read_last(self._shelf.internal, f"state/{entry.id}/", count=1)
        if not last:
            return SourceStatus(entry, None, None, "", report, None, ())
        state = SourceState.from_json(last[-1].body)
        written = last[-1].written
        counts = state.counts
        reasons = sorted(state.reasons, key=lambda reason: (-state.reasons[reason], reason))
        return SourceStatus(
            entry=entry,
            synced=written,
            lag=None if written is None else max((self._now() - written).days, 0),
            behind=self._behind(entry.id, state),
            report=report,
            quarantined_percent=round(100 * counts.quarantined / counts.delivered) if counts.delivered else 0,
            reasons=tuple(reasons[:3]),
        )

    def _behind(self, source_id: str, state: SourceState) -> str:
        published = read_last(self._shelf.internal, f"publications/{source_id}/", count=1)
        if not published or Publication.from_json(published[0].body).state_digest != state.digest:
            return "catalogue"
        newest = self._shelf.newest()
        if newest is None:
            return "release"
        if source_id in newest.sources:
            released, written = self._shelf.written(newest), published[0].written
            return "release" if released is not None and written is not None and written > released else ""
        return "" if any(one.source_id == source_id for one in newest.excluded) else "release"
