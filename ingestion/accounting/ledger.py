"""The ledger in PostgreSQL: inventories, outcomes, decisions, key check values. One transaction per fact."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, Engine, case, delete, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.exc import SQLAlchemyError

from ingestion.accounting import tables as t
from ingestion.accounting.database import LedgerError, engine_of, ledger_error, transaction
from ingestion.accounting.inventory import NO_SERIES, Inventory, InventoryObject, Refusal
from ingestion.accounting.outcomes import InstanceOutcome, SeriesOutcome, Work
from ingestion.accounting.source_state import Counts, SeriesEntry, SourceState, sorted_entries
from ingestion.accounting.states import InstanceState, ObjectChange, Reason, SeriesState
from ingestion.identity.keys import KeyInvalidError, SourceKey, shared_key

__all__ = ["KnownSeries", "Ledger", "LedgerError", "engine_of"]

_BATCH = 5_000
"""Rows per statement: PostgreSQL takes 65,535 parameters at most."""
LOCK_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class KnownSeries:
    """What the ledger knows of a series that was worked on before."""

    input_digest: str | None
    policy_digest: str
    code_version: str


@dataclass(frozen=True)
class Ledger:
    """All questions and all commits of the accounting of sources."""

    engine: Engine

    def _transaction(self, what: str) -> AbstractContextManager[Connection]:
        return transaction(self.engine, what)

    @contextmanager
    def exclusive(self, source_id: str, *, log: Callable[[str], None]) -> Iterator[None]:
        """One sync of a source at a time: a second one waits. The lock ends with its connection, so a kill frees it.

        Raises:
            LedgerError: the database failed, or lost the lock before the end: another sync may have run beside.
        """
        number = int.from_bytes(hashlib.sha256(f"cie/sync/{source_id}".encode()).digest()[:8], "big", signed=True)
        try:
            connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        except SQLAlchemyError as error:
            raise ledger_error("locking the source", error) from None
        with connection:
            try:
                waiting = False
                while not connection.execute(select(func.pg_try_advisory_lock(number))).scalar_one():
                    if not waiting:
                        log(f"another run works on {source_id}; waiting for it to end")
                        waiting = True
                    time.sleep(LOCK_POLL_SECONDS)
            except SQLAlchemyError as error:
                raise ledger_error("locking the source", error) from None
            try:
                yield
                connection.execute(select(func.now()))
            except SQLAlchemyError as error:
                raise ledger_error("keeping the source locked", error) from None
            finally:
                # A pooled connection outlives this block: without this the lock would too.
                connection.invalidate()

    def check_key(self, key: SourceKey) -> None:
        """Record the key of a source at its first use; refuse any other key afterwards, and one that another has.

        Raises:
            KeyInvalidError: this source was processed with another key, or others with this one.
        """
        with self._transaction("checking the key") as connection:
            others = connection.scalars(
                select(t.source_key.c.source_id)
                .where(t.source_key.c.key_id == key.key_id, t.source_key.c.source_id != key.source_id)
                .order_by(t.source_key.c.source_id)
            ).all()
            if others:
                raise KeyInvalidError(shared_key(key.source_id, others))
            connection.execute(
                upsert(t.source_key)
                .values(source_id=key.source_id, key_id=key.key_id, check_value=key.check_value)
                .on_conflict_do_nothing()
            )
            row = connection.execute(
                select(t.source_key.c.key_id, t.source_key.c.check_value).where(
                    t.source_key.c.source_id == key.source_id
                )
            ).one()
        if row.check_value != key.check_value:
            raise KeyInvalidError(
                f"source {key.source_id} was processed with key {row.key_id} and now has key {key.key_id}: its people "
                "would get new pseudonyms. Restore the first key; nothing was processed."
            )

    def inventory(self, source_id: str) -> dict[str, InventoryObject]:
        """The last inventory of a source, without what was withdrawn, by object hash."""
        c = t.inventory_object.c
        query = select(t.inventory_object).where(c.source_id == source_id, c.withdrawn.is_(False))
        with self._transaction("reading the inventory") as connection:
            return {row["object_hash"]: _inventory_object(dict(row)) for row in connection.execute(query).mappings()}

    def save_inventory(self, inventory: Inventory) -> None:
        """Write what changed, in one transaction. Withdrawn objects keep a marked row and leave the accounting."""
        changed = [
            inventory.objects[object_hash]
            for object_hash, change in inventory.changes.items()
            if change in (ObjectChange.NEW, ObjectChange.CHANGED)
        ]
        withdrawn = [h for h, change in inventory.changes.items() if change is ObjectChange.WITHDRAWN]
        if not changed and not withdrawn:
            return
        rows = [_inventory_row(inventory.source_id, item) for item in changed]
        with self._transaction("saving the inventory") as connection:
            for batch in _batches(rows):
                statement = upsert(t.inventory_object).values(batch)
                columns = {
                    name: statement.excluded[name] for name in batch[0] if name not in ("source_id", "object_hash")
                }
                connection.execute(
                    statement.on_conflict_do_update(index_elements=["source_id", "object_hash"], set_=columns)
                )
            for hashes in _batches(withdrawn):
                c = t.inventory_object.c
                mine = (c.source_id == inventory.source_id) & c.object_hash.in_(hashes)
                connection.execute(update(t.inventory_object).where(mine).values(withdrawn=True))

    def known_series(self, source_id: str) -> dict[str, KnownSeries]:
        c = t.series_state.c
        query = select(c.series_uid, c.input_digest, c.policy_digest, c.code_version).where(c.source_id == source_id)
        with self._transaction("reading the series") as connection:
            return {
                row.series_uid: KnownSeries(row.input_digest, row.policy_digest, row.code_version)
                for row in connection.execute(query)
            }

    def commit_series(
        self, source_id: str, outcome: SeriesOutcome, *, input_digest: str, policy_digest: str, code_version: str
    ) -> None:
        """Commit a series and all its objects in one transaction; replaces what was known of them."""
        i, s = t.instance.c, t.series_state.c
        rows = [_instance_row(source_id, outcome.series_uid, item) for item in outcome.instances]
        with self._transaction("committing a series") as connection:
            connection.execute(delete(t.instance).where(i.source_id == source_id, i.series_uid == outcome.series_uid))
            for batch in _batches(rows):
                # An object whose changed header moved it here from another series may still have its row there.
                hashes = [row["object_hash"] for row in batch]
                connection.execute(delete(t.instance).where(i.source_id == source_id, i.object_hash.in_(hashes)))
                connection.execute(insert(t.instance), batch)
            connection.execute(
                delete(t.series_state).where(s.source_id == source_id, s.series_uid == outcome.series_uid)
            )
            if outcome.instances:
                connection.execute(
                    insert(t.series_state).values(
                        source_id=source_id,
                        series_uid=outcome.series_uid,
                        input_digest=None if outcome.retry else input_digest,
                        policy_digest=policy_digest,
                        code_version=code_version,
                        state=outcome.state.value,
                        manifest_version=outcome.manifest_version,
                        bytes_stored=outcome.bytes_stored,
                        facts=json.dumps(outcome.facts.to_json(), sort_keys=True),
                    )
                )

    def source_state(self, source_id: str) -> SourceState:
        """The source's state as committed: what is written to the store for the assets that follow."""
        i, s = t.instance.c, t.series_state.c
        with self._transaction("reading the source's state") as connection:
            counted: dict[str, dict[tuple[str, str | None], int]] = {}
            for row in connection.execute(
                select(i.series_uid, i.state, i.reason, func.count().label("number"))
                .where(i.source_id == source_id)
                .group_by(i.series_uid, i.state, i.reason)
            ):
                counted.setdefault(row.series_uid, {})[(row.state, row.reason)] = row.number
            entries = [
                _series_entry(
                    row.series_uid, row.state, row.manifest_version, counted.get(row.series_uid, {}), row.facts
                )
                for row in connection.execute(
                    select(s.series_uid, s.state, s.manifest_version, s.facts).where(s.source_id == source_id)
                )
            ]
        return SourceState(source_id=source_id, series=sorted_entries(entries))

    def delivered(self, source_id: str) -> int:
        """How many objects the inventory holds: counted apart from the ledger."""
        c = t.inventory_object.c
        query = (
            select(func.count()).select_from(t.inventory_object).where(c.source_id == source_id, c.withdrawn.is_(False))
        )
        with self._transaction("counting the inventory") as connection:
            return connection.execute(query).scalar_one()

    def unaccounted(self, source_id: str) -> int:
        """Objects of the inventory that have no row in the ledger, or one made from other bytes."""
        v, i = t.inventory_object.c, t.instance.c
        joined = t.inventory_object.outerjoin(
            t.instance,
            (v.source_id == i.source_id) & (v.object_hash == i.object_hash) & (v.fingerprint == i.fingerprint),
        )
        query = (
            select(func.count())
            .select_from(joined)
            .where(v.source_id == source_id, v.withdrawn.is_(False), i.object_hash.is_(None))
        )
        with self._transaction("comparing inventory and ledger") as connection:
            return connection.execute(query).scalar_one()

    def stored_objects(self, source_id: str) -> dict[str, int]:
        """Key and size of every object that the ledger says is stored."""
        i = t.instance.c
        query = select(i.store_key, i.size).where(i.source_id == source_id, i.state == InstanceState.ACCEPTED.value)
        with self._transaction("reading the stored objects") as connection:
            return {row.store_key: row.size for row in connection.execute(query)}

    def store_keys(self, source_id: str) -> dict[str, str]:
        """The key in the store of every accepted object, by object hash."""
        i = t.instance.c
        query = select(i.object_hash, i.store_key).where(
            i.source_id == source_id, i.state == InstanceState.ACCEPTED.value
        )
        with self._transaction("reading the stored objects") as connection:
            return {row.object_hash: row.store_key for row in connection.execute(query)}

    def outcomes(self, source_id: str) -> dict[str, tuple[InstanceState, Reason | None]]:
        """Where each object ended, and why, by object hash."""
        i = t.instance.c
        query = select(i.object_hash, i.state, i.reason).where(i.source_id == source_id)
        with self._transaction("reading the outcomes") as connection:
            return {
                row.object_hash: (InstanceState(row.state), Reason(row.reason) if row.reason else None)
                for row in connection.execute(query)
            }

    def record_run(self, source_id: str, run_id: str, *, series_worked: int, work: Work) -> None:
        values = {
            "series_worked": series_worked, "objects_read": work.objects_read, "bytes_read": work.bytes_read,
            "objects_written": work.objects_written, "bytes_written": work.bytes_written, "seconds": work.seconds,
        }  # fmt: skip
        statement = upsert(t.run_account).values(source_id=source_id, run_id=run_id, **values)
        with self._transaction("recording the run") as connection:
            connection.execute(statement.on_conflict_do_update(index_elements=["source_id", "run_id"], set_=values))

    def last_runs(self) -> dict[str, Mapping[str, Any]]:
        """The newest run of each source: what it worked, read and wrote, in how many seconds."""
        c = t.run_account.c
        newest = select(t.run_account).distinct(c.source_id).order_by(c.source_id, c.recorded_at.desc())
        with self._transaction("reading the runs") as connection:
            return {row["source_id"]: dict(row) for row in connection.execute(newest).mappings()}

    def source_totals(self) -> dict[str, tuple[int, int]]:
        """Series in the ledger and bytes stored, by source."""
        s = t.series_state.c
        real = func.sum(case((s.series_uid != NO_SERIES, 1), else_=0))
        query = select(s.source_id, real.label("series"), func.sum(s.bytes_stored).label("bytes")).group_by(s.source_id)
        with self._transaction("adding up the sources") as connection:
            return {row.source_id: (int(row.series), int(row.bytes)) for row in connection.execute(query)}


def _batches(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), _BATCH):
        yield rows[start : start + _BATCH]


def _inventory_row(source_id: str, item: InventoryObject) -> dict[str, Any]:
    return {
        "source_id": source_id, "object_hash": item.object_hash, "fingerprint": item.fingerprint, "size": item.size,
        "series_uid": item.series_uid, "study_uid": item.study_uid, "sop_uid": item.sop_uid, "patient": item.patient,
        **_refusal_row(item.refusal), "withdrawn": False,
    }  # fmt: skip


def _refusal_row(refusal: Refusal | None) -> dict[str, Any]:
    if refusal is None:
        return {"reason": None, "rule": None, "detail": None}
    return {"reason": refusal.reason.value, "rule": refusal.rule, "detail": refusal.detail}


def _inventory_object(row: Mapping[str, Any]) -> InventoryObject:
    refusal = Refusal(Reason(row["reason"]), row["rule"], row["detail"]) if row["reason"] else None
    fields = ("object_hash", "fingerprint", "size", "series_uid", "study_uid", "sop_uid", "patient")
    return InventoryObject(**{name: row[name] for name in fields}, refusal=refusal)


def _instance_row(source_id: str, series_uid: str, item: InstanceOutcome) -> dict[str, Any]:
    return {
        "source_id": source_id, "object_hash": item.object_hash, "series_uid": series_uid, "state": item.state.value,
        **_refusal_row(item.refusal), "content_hash": item.content_hash, "fingerprint": item.fingerprint,
        "sop_uid": item.sop_uid, "store_key": item.store_key, "sha256": item.sha256, "size": item.size,
    }  # fmt: skip


def _series_entry(
    series_uid: str,
    state: str,
    manifest_version: str | None,
    counted: Mapping[tuple[str, str | None], int],
    facts: str | None,
) -> SeriesEntry:
    by_state = {
        wanted: sum(n for (found, _), n in counted.items() if found == wanted.value) for wanted in InstanceState
    }
    reasons = {reason: number for (_, reason), number in sorted(counted.items(), key=str) if reason}
    return SeriesEntry(
        SeriesInstanceUID=series_uid or None,
        state=SeriesState(state),
        manifest_version=manifest_version,
        counts=Counts(
            delivered=sum(counted.values()),
            accepted=by_state[InstanceState.ACCEPTED],
            duplicate=by_state[InstanceState.DUPLICATE],
            quarantined=by_state[InstanceState.QUARANTINED],
        ),
        reasons=reasons,
        facts=json.loads(facts) if facts else {},
    )
