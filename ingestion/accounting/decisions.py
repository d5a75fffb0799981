"""What people decide about quarantined objects: ``release`` (process again) or ``reject`` (never publish).

A decision holds for the bytes it was made about: once the object's fingerprint changes, it lapses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import Engine, select
from sqlalchemy.dialects.postgresql import insert as upsert

from ingestion.accounting import tables as t
from ingestion.accounting.database import transaction
from ingestion.accounting.states import InstanceState


class Verb(StrEnum):
    RELEASE = "release"
    REJECT = "reject"


class NotQuarantinedError(LookupError):
    """The object named isn't in quarantine."""


@dataclass(frozen=True)
class Quarantine:
    """The quarantine of all sources, and the decisions about it."""

    engine: Engine

    def rows(
        self, *, source_id: str | None = None, reason: str | None = None, object_prefix: str | None = None
    ) -> Sequence[Mapping[str, Any]]:
        """Quarantined objects with reason, rule, detail and decision, by source and object hash."""
        i, d = t.instance.c, t.decision.c
        joined = t.instance.outerjoin(
            t.decision,
            (i.source_id == d.source_id) & (i.object_hash == d.object_hash) & (i.fingerprint == d.fingerprint),
        )
        query = (
            select(i.source_id, i.object_hash, i.series_uid, i.reason, i.rule, i.detail, i.fingerprint, d.verb, d.note)
            .select_from(joined)
            .where(i.state == InstanceState.QUARANTINED.value)
            .order_by(i.source_id, i.reason, i.object_hash)
        )
        if source_id is not None:
            query = query.where(i.source_id == source_id)
        if reason is not None:
            query = query.where(i.reason == reason)
        if object_prefix is not None:
            query = query.where(i.object_hash.startswith(object_prefix, autoescape=True))
        with transaction(self.engine, "reading the quarantine") as connection:
            return [dict(row) for row in connection.execute(query).mappings()]

    def decide(self, *, source_id: str, object_hash: str, verb: Verb, note: str, pixels: str | None = None) -> None:
        """Record a decision; the next sync of the source carries it out. ``pixels``: what was decided about them.

        Raises:
            NotQuarantinedError: no such object in quarantine.
        """
        c = t.decision.c
        with transaction(self.engine, "recording the decision") as connection:
            row = connection.execute(
                select(t.instance.c.fingerprint).where(
                    t.instance.c.source_id == source_id,
                    t.instance.c.object_hash == object_hash,
                    t.instance.c.state == InstanceState.QUARANTINED.value,
                )
            ).one_or_none()
            if row is None:
                raise NotQuarantinedError(f"source {source_id} has no quarantined object {object_hash}")
            statement = upsert(t.decision).values(
                source_id=source_id,
                object_hash=object_hash,
                fingerprint=row.fingerprint,
                verb=verb.value,
                number=1,
                note=note,
                pixels=pixels,
            )
            connection.execute(
                statement.on_conflict_do_update(
                    index_elements=["source_id", "object_hash"],
                    # The number makes a second release a change too, so that it is carried out.
                    set_={
                        "fingerprint": row.fingerprint,
                        "verb": verb.value,
                        "number": c.number + 1,
                        "note": note,
                        "pixels": pixels,
                    },
                )
            )

    def verdicts(self, source_id: str) -> dict[str, dict[str, str]]:
        """Decisions by object hash: ``{fingerprint: "reject" | "release:<n>" | "release:<n>:<about the pixels>"}``."""
        c = t.decision.c
        with transaction(self.engine, "reading the decisions") as connection:
            rows = connection.execute(
                select(c.object_hash, c.fingerprint, c.verb, c.number, c.pixels).where(c.source_id == source_id)
            )
            return {row.object_hash: {row.fingerprint: _verdict(row.verb, row.number, row.pixels)} for row in rows}


def _verdict(verb: str, number: int, pixels: str | None) -> str:
    if verb == Verb.REJECT:
        return verb
    return f"{verb}:{number}" if pixels is None else f"{verb}:{number}:{pixels}"


def pixels_of(verdict: str) -> str | None:
    """What a verdict of ``Quarantine.verdicts`` says about the pixels."""
    parts = verdict.split(":", 2)
    return parts[2] if len(parts) == 3 else None
