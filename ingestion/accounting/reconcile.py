"""Does it add up? Four counts made in different places must agree: inventory, ledger, manifests, store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ingestion.accounting.erasure import ErasureRecord, read_erasure
from ingestion.accounting.ledger import Ledger
from ingestion.accounting.source_state import Counts, read_latest_state, read_manifests
from ingestion.storage import ObjectStore


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """The accounting of one source. ``problems`` is empty when all adds up."""

    source_id: str
    inventory: int
    counts: Counts
    reasons: Mapping[str, int]
    in_manifests: int
    stored: int
    problems: tuple[str, ...]
    erased_on: str | None = None
    """Then ``counts`` are those that the source had, and nothing of it is left."""

    @property
    def adds_up(self) -> bool:
        return not self.problems


def reconcile(source_id: str, *, ledger: Ledger, research: ObjectStore, internal: ObjectStore) -> Reconciliation:
    """Compare what the source delivered, what the ledger committed, what the manifests list and what is stored.

    Of a source that was erased: the counts that it had, and whether anything of it is left.
    """
    erased = read_erasure(internal, source_id)
    if erased is not None:
        return _erased(erased, ledger=ledger, research=research)
    problems: list[str] = []
    inventory = ledger.delivered(source_id)
    committed = ledger.source_state(source_id)
    counts = committed.counts
    latest = read_latest_state(internal, source_id)
    if not counts.balanced:
        problems.append(
            f"delivered {counts.delivered} is not accepted {counts.accepted} + duplicate {counts.duplicate} "
            f"+ quarantined {counts.quarantined}"
        )
    if counts.delivered != inventory:
        problems.append(f"the inventory holds {inventory} objects, the ledger accounts for {counts.delivered}")
    if missing := ledger.unaccounted(source_id):
        problems.append(f"{missing} objects of the inventory are not in the ledger as they are now; sync the source")
    if latest is None:
        if inventory:
            problems.append("the source was never synced to its end; sync it")
    elif latest[1] != committed:
        problems.append("the state in the store is older than the ledger; sync the source")
    expected = ledger.stored_objects(source_id)
    listed = {item.key: item.size for item in research.list(f"dicom/{source_id}/")}
    absent = sum(1 for key in expected if key not in listed)
    if absent:
        problems.append(f"{absent} accepted objects are not in the store")
    wrong = sum(1 for key, size in expected.items() if key in listed and listed[key] != size)
    if wrong:
        problems.append(f"{wrong} stored objects have another size than the ledger says")
    in_manifests = 0
    if latest is not None:
        keys = {item.key for manifest in read_manifests(research, latest[1]) for item in manifest.instances}
        in_manifests = len(keys)
        if keys != expected.keys():
            problems.append(f"the manifests list {in_manifests} instances, the ledger {len(expected)}, or others")
    return Reconciliation(
        source_id=source_id,
        inventory=inventory,
        counts=counts,
        reasons=committed.reasons,
        in_manifests=in_manifests,
        stored=sum(1 for key in expected if key in listed),
        problems=tuple(problems),
    )


def _erased(record: ErasureRecord, *, ledger: Ledger, research: ObjectStore) -> Reconciliation:
    source_id, problems = record.source_id, []
    if not record.counts.balanced:
        problems.append("the record of its erasure does not add up: it was changed by hand")
    stored = sum(1 for _ in research.list(f"dicom/{source_id}/"))
    rows = ledger.delivered(source_id) + len(ledger.outcomes(source_id))
    if stored or rows:
        problems.append(
            f"erased on {record.erased_on}, and {stored} images and {rows} rows of the ledger are left: "
            f"run `cie catalogue erase {source_id} --yes` again"
        )
    return Reconciliation(
        source_id=source_id,
        inventory=record.counts.delivered,
        counts=record.counts,
        reasons=record.reasons,
        in_manifests=0,
        stored=stored,
        problems=tuple(problems),
        erased_on=record.erased_on,
    )
