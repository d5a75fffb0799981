"""The state of a source after a sync: which manifest of each series is the current one, and the accounting.

Stored at ``state/<source>/<number>.json`` in the internal bucket, numbered upwards and never overwritten: the highest
number is the current one. A sync that changed nothing writes none. Later assets read this, never the source.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from ingestion.accounting.manifest import Manifest, manifest_key
from ingestion.accounting.states import SeriesState
from ingestion.storage import ObjectStore
from ingestion.storage.numbered import append, numbered_key, read_latest


@dataclass(frozen=True, slots=True)
class Counts:
    """delivered = accepted + duplicate + quarantined, always."""

    delivered: int = 0
    accepted: int = 0
    duplicate: int = 0
    quarantined: int = 0

    @property
    def balanced(self) -> bool:
        return self.delivered == self.accepted + self.duplicate + self.quarantined

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            delivered=self.delivered + other.delivered,
            accepted=self.accepted + other.accepted,
            duplicate=self.duplicate + other.duplicate,
            quarantined=self.quarantined + other.quarantined,
        )


@dataclass(frozen=True, slots=True)
class SeriesEntry:
    """One series of the source. ``SeriesInstanceUID`` is the pseudonym; None: objects that belong to no series."""

    SeriesInstanceUID: str | None
    state: SeriesState
    manifest_version: str | None
    counts: Counts
    reasons: dict[str, int]
    facts: dict[str, Any] = field(default_factory=dict)
    """``SeriesFacts`` as JSON: what the raw headers said, as digests and yes or no."""


@dataclass(frozen=True, slots=True)
class SourceState:
    """All series of a source, sorted by UID, those without UID first."""

    source_id: str
    series: tuple[SeriesEntry, ...]

    @property
    def digest(self) -> str:
        """Digest (24 hex digits) of the content: equal digests, equal states."""
        return hashlib.sha256(self.to_json()).hexdigest()[:24]

    @property
    def counts(self) -> Counts:
        return sum((entry.counts for entry in self.series), Counts())

    @property
    def reasons(self) -> dict[str, int]:
        total: dict[str, int] = {}
        for entry in self.series:
            for reason, count in entry.reasons.items():
                total[reason] = total.get(reason, 0) + count
        return dict(sorted(total.items()))

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":")).encode()

    @staticmethod
    def from_json(body: bytes) -> SourceState:
        data = json.loads(body)
        series = tuple(
            SeriesEntry(
                SeriesInstanceUID=row["SeriesInstanceUID"],
                state=SeriesState(row["state"]),
                manifest_version=row["manifest_version"],
                counts=Counts(**row["counts"]),
                reasons=row["reasons"],
                facts=row.get("facts", {}),
            )
            for row in data["series"]
        )
        return SourceState(source_id=data["source_id"], series=series)


def sorted_entries(entries: Iterable[SeriesEntry]) -> tuple[SeriesEntry, ...]:
    return tuple(
        sorted(entries, key=lambda entry: (entry.SeriesInstanceUID is not None, entry.SeriesInstanceUID or ""))
    )


def read_latest_state(internal: ObjectStore, source_id: str) -> tuple[int, SourceState] | None:
    """The current state of a source with its number; None before its first sync."""
    latest = read_latest(internal, _prefix(source_id))
    return None if latest is None else (latest[0], SourceState.from_json(latest[1]))


def write_state(internal: ObjectStore, state: SourceState) -> tuple[int, bool]:
    """Store ``state`` under the next number unless it equals the current one: its number, and whether written."""
    return append(internal, _prefix(state.source_id), state.to_json())


def state_key(source_id: str, number: int) -> str:
    return numbered_key(_prefix(source_id), number)


def _prefix(source_id: str) -> str:
    return f"state/{source_id}/"


def read_manifests(research: ObjectStore, state: SourceState) -> Iterable[Manifest]:
    """The current manifest of every stored series of ``state``, in its order."""
    for entry in state.series:
        if entry.SeriesInstanceUID is not None and entry.manifest_version is not None:
            key = manifest_key(state.source_id, entry.SeriesInstanceUID, entry.manifest_version)
            yield Manifest.from_json(research.read(key))
