"""Pages of quality: the overview over all sources, and the files of each judgement, as they are stored."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

from ingestion.sources.registry import SourceEntry
from ingestion.storage import ObjectStore
from ingestion.storage.protocol import StoredObject
from quality_checks import documents as d
from quality_checks.overview import RUNS, SourceLine, render_overview
from quality_checks.store import past_judgements

SERVED = frozenset({
    d.REPORT, d.FINDINGS, d.EXPECTATIONS, d.EXPECTATIONS_JSON, d.SUMMARY, d.SUMMARY_SCHEMA, d.RESULTS_TABLE,
    d.FINDINGS_TABLE, d.SERIES_TABLE, d.CERTIFICATE, d.CERTIFICATE_TURTLE,
})  # fmt: skip
"""Files of a judgement that the pages link to; the folder holds nothing else that a reader asks for by name."""


class Remembering:
    """A store whose objects are read once: everything that is read here is never overwritten."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store
        self._known: dict[str, bytes] = {}

    def read(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        if start or length is not None:
            return self._store.read(key, start=start, length=length)
        if key not in self._known:
            self._known[key] = self._store.read(key)
        return self._known[key]

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[StoredObject]:
        return self._store.list(prefix, after=after)

    def exists(self, key: str) -> bool:
        return self._store.exists(key)

    def create(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> bool:
        return self._store.create(key, body, content_type=content_type)


def overview(
    internal: ObjectStore, entries: tuple[SourceEntry, ...], *, now: dt.datetime, dagster_url: str | None = None
) -> str:
    """The page over all sources.

    Raises:
        StoreError: the store does not answer.
    """
    lines = [
        SourceLine(entry, past_judgements(internal, entry.id, count=RUNS), _last_change(internal, entry.id))
        for entry in entries
    ]
    return render_overview(lines, now=now, dagster_url=dagster_url)


def _last_change(internal: ObjectStore, source_id: str) -> dt.datetime | None:
    """When the source's current state was written."""
    last = max(internal.list(f"state/{source_id}/"), key=lambda stored: stored.key, default=None)
    return None if last is None else last.written
