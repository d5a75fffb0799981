"""What a source holds, as the platform knows it: keyed hashes and pseudonyms, never a name.

The inventory and the ledger are two independent counts of the same deliveries; ``reconcile`` compares them.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ingestion.accounting.states import ObjectChange, Reason, ReasonGroup

NO_SERIES = ""
"""Series key of the objects that belong to no series because they could not be read."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an object is quarantined; no identities in it."""

    reason: Reason
    rule: str
    detail: str


@dataclass(frozen=True, slots=True)
class InventoryObject:
    """One object the source holds. UIDs and the patient are pseudonyms; empty where the object could not be read."""

    object_hash: str
    fingerprint: str
    size: int
    series_uid: str = NO_SERIES
    study_uid: str = ""
    sop_uid: str = ""
    patient: str = ""
    refusal: Refusal | None = None

    @property
    def is_transient(self) -> bool:
        return self.refusal is not None and self.refusal.reason.group is ReasonGroup.TRANSIENT


@dataclass(frozen=True, slots=True)
class Inventory:
    """All objects of a source by hash, and what each is against the inventory before."""

    source_id: str
    objects: Mapping[str, InventoryObject]
    changes: Mapping[str, ObjectChange]
    unseen: frozenset[str] = frozenset()
    """Objects known from before that an incomplete listing could not show: kept, and not worked on."""

    def count(self, change: ObjectChange) -> int:
        return sum(1 for found in self.changes.values() if found is change)

    def by_series(self) -> dict[str, tuple[InventoryObject, ...]]:
        """Objects by series pseudonym, each series sorted by object hash; ``NO_SERIES`` holds the unreadable."""
        grouped: dict[str, list[InventoryObject]] = defaultdict(list)
        for item in self.objects.values():
            grouped[item.series_uid].append(item)
        return {key: tuple(sorted(items, key=lambda item: item.object_hash)) for key, items in sorted(grouped.items())}


def compare(
    before: Mapping[str, InventoryObject], now: Mapping[str, InventoryObject], *, complete: bool
) -> dict[str, ObjectChange]:
    """What each object is. What's absent from an incomplete listing isn't withdrawn: it may just not be visible."""
    changes: dict[str, ObjectChange] = {}
    for object_hash, item in now.items():
        known = before.get(object_hash)
        if known is None:
            changes[object_hash] = ObjectChange.NEW
        elif known.fingerprint != item.fingerprint or known.is_transient:
            changes[object_hash] = ObjectChange.CHANGED
        else:
            changes[object_hash] = ObjectChange.UNCHANGED
    if complete:
        for object_hash in before.keys() - now.keys():
            changes[object_hash] = ObjectChange.WITHDRAWN
    return changes


def refusals_by_series(objects: Iterable[InventoryObject]) -> dict[str, Refusal]:
    """Objects that the inventory alone already refuses, by object hash.

    A series with several patients, or within several studies, is refused whole: nothing tells which is right. An
    instance UID that occurs in several series is refused in all of them.
    """
    items = [item for item in objects if item.series_uid != NO_SERIES and item.refusal is None]
    patients: dict[str, set[str]] = defaultdict(set)
    studies: dict[str, set[str]] = defaultdict(set)
    homes: dict[str, set[str]] = defaultdict(set)
    for item in items:
        patients[item.series_uid].add(item.patient)
        studies[item.series_uid].add(item.study_uid)
        homes[item.sop_uid].add(item.series_uid)
    refused: dict[str, Refusal] = {}
    for item in items:
        if len(patients[item.series_uid]) > 1:
            refused[item.object_hash] = Refusal(
                Reason.MIXED_PATIENTS, "series.patients", f"{len(patients[item.series_uid])} patients in one series"
            )
        elif len(studies[item.series_uid]) > 1:
            refused[item.object_hash] = Refusal(
                Reason.MIXED_STUDIES, "series.studies", f"{len(studies[item.series_uid])} studies share one series UID"
            )
        elif len(homes[item.sop_uid]) > 1:
            refused[item.object_hash] = Refusal(
                Reason.SOP_INSTANCE_CONFLICT, "instance.uid", f"its UID occurs in {len(homes[item.sop_uid])} series"
            )
    return refused


def shared_instance_uids(objects: Iterable[InventoryObject]) -> frozenset[str]:
    """Instance UIDs that several objects of one series carry: duplicates or conflicts, told apart by their bytes."""
    counts = Counter(item.sop_uid for item in objects if item.sop_uid)
    return frozenset(uid for uid, count in counts.items() if count > 1)


def study_companions(objects: Iterable[InventoryObject]) -> dict[str, tuple[InventoryObject, ...]]:
    """For each series the objects of all other series of its study, by series pseudonym.

    A name that stands in one header of one series can be typed into a description of another: what identifies the
    patient, the physicians and the institution is gathered over the whole study.
    """
    studies: dict[tuple[str, str], dict[str, list[InventoryObject]]] = defaultdict(lambda: defaultdict(list))
    for item in sorted(objects, key=lambda item: item.object_hash):
        if item.series_uid != NO_SERIES and item.refusal is None:
            studies[item.patient, item.study_uid][item.series_uid].append(item)
    found: dict[str, tuple[InventoryObject, ...]] = {}
    for by_series in studies.values():
        for series_uid in by_series:
            others = [item for other, items in sorted(by_series.items()) if other != series_uid for item in items]
            found[series_uid] = (*found.get(series_uid, ()), *others)
    return found


def input_digest(
    objects: Iterable[InventoryObject],
    refused: Mapping[str, Refusal],
    verdicts: Mapping[str, str],
    companions: Iterable[InventoryObject] = (),
) -> str:
    """Digest of all that decides how a series turns out, but for the policy and the code.

    ``verdicts``: what operators decided, by object hash. ``companions``: of the other series of its study. A series
    whose digest hasn't changed needs no work.
    """
    digest = hashlib.sha256()
    for item in companions:
        digest.update(f"beside|{item.object_hash}|{item.fingerprint}\n".encode())
    for item in sorted(objects, key=lambda item: item.object_hash):
        why = item.refusal or refused.get(item.object_hash)
        verdict = verdicts.get(item.object_hash, "")
        digest.update(f"{item.object_hash}|{item.fingerprint}|{why.reason if why else ''}|{verdict}\n".encode())
    return digest.hexdigest()[:32]
