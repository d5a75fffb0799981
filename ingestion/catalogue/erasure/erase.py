"""Erasing a withdrawn source: the record first, then what releases say, then objects, rows and indexes, then a look.

Killed at any moment it is run again: what is gone is gone, the record of the first run holds the counts and the day,
and each step does what is left of it.
"""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Engine, func, select, text

from ingestion.accounting.database import transaction
from ingestion.accounting.erasure import ErasureRecord, erasure_key, read_erasure
from ingestion.accounting.ledger import Ledger
from ingestion.accounting.source_state import Counts, read_latest_state
from ingestion.accounting.tables import SCHEMA
from ingestion.catalogue.erasure.holdings import (
    Buckets,
    Holdings,
    find_holdings,
    indexes_with,
    source_of,
    tables_by_source,
)
from ingestion.catalogue.erasure.mentions import keep_names, read_names, replace_mentions
from ingestion.catalogue.erasure.releases import files_by_release, series_by_release, take_out_of_releases
from ingestion.catalogue.erasure.run_history import delete_runs
from ingestion.catalogue.erasure.tombstone import Tombstone, group_series
from ingestion.catalogue.release import BUILD_LOCK
from ingestion.catalogue.release_manifest import list_releases
from ingestion.sources.registry import Registry
from ingestion.storage import ErasableStore

_DELETED_AT_ONCE = 1_000


class NotErasableError(ValueError):
    """The source may not be erased now; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a source is kept. ``search``: folder of the search indexes."""

    engine: Engine
    research: ErasableStore
    internal: ErasableStore
    search: Path

    @property
    def buckets(self) -> Buckets:
        return Buckets(self.research, self.internal)


def why_not_erasable(place: Place, registry: Registry, source_id: str, today: dt.date) -> str | None:
    """Why a source may not be erased ``today``; None when it may.

    Raises:
        UnknownSourceError: no such source.
    """
    withdrawn = registry.get(source_id).agreement.withdrawn_on
    if withdrawn is None or withdrawn > today:
        return f"source {source_id} is not withdrawn: set agreement.withdrawn_on in the registry, and release, first"
    releases = list_releases(place.research)
    begun = read_erasure(place.internal, source_id) is not None
    if releases and source_id in releases[-1].sources and not begun:
        return f"the newest release {releases[-1].version} still holds {source_id}: run `cie release build` first"
    return None


def erase(
    place: Place, registry: Registry, source_id: str, *, today: dt.date, by: str,
    log: Callable[[str], None] = lambda _: None,
) -> tuple[ErasureRecord, Holdings]:  # fmt: skip
    """Delete all that is kept of a withdrawn source: the record of it, and what is left (nothing, or run again).

    Args:
        by: who decided, for the record.

    Raises:
        NotErasableError: it is not withdrawn, or the newest release holds it.
        UnknownSourceError: no such source.
        LedgerError, StoreError: database or store failed; run again.
    """
    why_not = why_not_erasable(place, registry, source_id, today)
    if why_not is not None:
        raise NotErasableError(why_not)
    withdrawn = registry.get(source_id).agreement.withdrawn_on
    reason = f"withdrawn on {withdrawn.isoformat()}" if withdrawn else ""
    with (
        Ledger(place.engine).exclusive(source_id, log=log),
        transaction(place.engine, "waiting for a release that is being built") as connection,
    ):
        # Held to the end: no release is built of what is being deleted.
        connection.execute(select(func.pg_advisory_xact_lock(BUILD_LOCK)))
        record = _record(place, source_id, today=today, by=by, reason=reason)
        names = read_names(place.engine, place.research, place.internal, source_id)
        keep_names(place.internal, names)
        _bury(place, record)
        take_out_of_releases(
            place.research, place.internal, source_id, erased_on=record.erased_on, reason=record.reason
        )
        _delete_objects(place, source_id)
        _delete_rows(place, source_id)
        replace_mentions(place.engine, place.internal, names)
        for folder in list(indexes_with(place.search, source_id)):
            # what is not deleted is found by the look that follows, and said
            shutil.rmtree(folder, ignore_errors=True)
        return record, find_holdings(place.engine, place.buckets, place.search, source_id)


def _record(place: Place, source_id: str, *, today: dt.date, by: str, reason: str) -> ErasureRecord:
    """The record of the erasure; of one that broke off, its own."""
    known = read_erasure(place.internal, source_id)
    if known is not None:
        return known
    state = read_latest_state(place.internal, source_id)
    found = find_holdings(place.engine, place.buckets, place.search, source_id)
    record = ErasureRecord(
        source_id=source_id,
        erased_on=today.isoformat(),
        by=by,
        reason=reason,
        counts=state[1].counts if state else Counts(),
        reasons=state[1].reasons if state else {},
        objects=found.objects,
        rows=found.rows,
        files=files_by_release(place.research, source_id),
        runs=found.runs,
        mentions=found.mentions,
    )
    place.internal.create(erasure_key(source_id), record.to_json(), content_type="application/json")
    return record


def _bury(place: Place, record: ErasureRecord) -> None:
    """Write what the series of the source resolve to. It is there whole before the first table is deleted."""
    if place.research.exists(erasure_key(record.source_id)):
        return
    held = dict(series_by_release(place.research, record.source_id))
    tombstone = Tombstone(record.source_id, record.erased_on, record.reason, group_series(held))
    place.research.create(erasure_key(record.source_id), tombstone.to_json(), content_type="application/json")


def _delete_objects(place: Place, source_id: str) -> None:
    for store in (place.research, place.internal):
        some: list[str] = []
        for stored in list(store.list()):
            if source_of(stored.key) == source_id:
                some.append(stored.key)
            if len(some) == _DELETED_AT_ONCE:
                store.delete(some)
                some = []
        if some:
            store.delete(some)


def _delete_rows(place: Place, source_id: str) -> None:
    with transaction(place.engine, f"erasing the rows of {source_id}") as connection:
        for table in tables_by_source(connection):
            query = text(f'DELETE FROM {SCHEMA}."{table}" WHERE source_id = :source')
            connection.execute(query, {"source": source_id})
        delete_runs(connection, source_id)
