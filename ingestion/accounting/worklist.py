"""Which series need work, and why: the comparison that makes a sync cost what changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ingestion.accounting.decisions import pixels_of
from ingestion.accounting.inventory import (
    NO_SERIES,
    Inventory,
    InventoryObject,
    Refusal,
    input_digest,
    refusals_by_series,
    study_companions,
)
from ingestion.accounting.ledger import KnownSeries


class WorkReason(StrEnum):
    NEW = "new"
    CHANGED = "changed"
    WITHDRAWN = "withdrawn"
    POLICY = "policy_changed"
    CODE = "code_changed"
    RETRY = "retry"


@dataclass(frozen=True, slots=True)
class SeriesWork:
    """One series to work on: its objects as the inventory has them, and what refuses some of them already."""

    series_uid: str
    reason: WorkReason
    objects: tuple[InventoryObject, ...]
    refused: Mapping[str, Refusal]
    rejected: frozenset[str]
    input_digest: str
    companions: tuple[InventoryObject, ...] = ()
    """The objects of all other series of the study."""
    pixels: Mapping[str, str] = field(default_factory=dict)
    """What people decided about the pixels of its objects, by object hash."""


@dataclass(frozen=True, slots=True)
class Worklist:
    """All series of a source that need work; ``unchanged`` need none, ``unseen`` could not be looked at."""

    series: tuple[SeriesWork, ...]
    unchanged: int
    unseen: int

    def count(self, reason: WorkReason) -> int:
        return sum(1 for work in self.series if work.reason is reason)


def make_worklist(
    inventory: Inventory,
    known: Mapping[str, KnownSeries],
    *,
    verdicts: Mapping[str, Mapping[str, str]],
    policy_digest: str,
    code_version: str,
) -> Worklist:
    """Compare what the source holds now with what was committed of each series."""
    refused = refusals_by_series(inventory.objects.values())
    companions = study_companions(inventory.objects.values())
    groups = inventory.by_series()
    series: list[SeriesWork] = []
    unchanged = unseen = 0
    for series_uid in sorted(groups.keys() | known.keys()):
        objects = groups.get(series_uid, ())
        if any(item.object_hash in inventory.unseen for item in objects):
            unseen += 1
            continue
        mine = {item.object_hash: refused[item.object_hash] for item in objects if item.object_hash in refused}
        decided = {item.object_hash: verdicts.get(item.object_hash, {}).get(item.fingerprint, "") for item in objects}
        beside = companions.get(series_uid, ())
        digest = input_digest(objects, mine, decided, beside)
        reason = _reason(objects, known.get(series_uid), digest, policy_digest, code_version)
        if reason is None:
            unchanged += 1
            continue
        pixels = {name: said for name, verdict in decided.items() if (said := pixels_of(verdict)) is not None}
        rejected = frozenset(object_hash for object_hash, verdict in decided.items() if verdict == "reject")
        series.append(SeriesWork(series_uid, reason, objects, mine, rejected, digest, beside, pixels))
    return Worklist(series=tuple(series), unchanged=unchanged, unseen=unseen)


def _reason(
    objects: tuple[InventoryObject, ...], known: KnownSeries | None, digest: str, policy_digest: str, code_version: str
) -> WorkReason | None:
    if known is None:
        return WorkReason.NEW if objects else None
    if not objects:
        return WorkReason.WITHDRAWN
    if known.input_digest is None:
        return WorkReason.RETRY
    if known.input_digest != digest:
        return WorkReason.CHANGED
    if objects[0].series_uid == NO_SERIES:
        return None  # unreadable objects stay unreadable under any policy
    if known.policy_digest != policy_digest:
        return WorkReason.POLICY
    return WorkReason.CODE if known.code_version != code_version else None
