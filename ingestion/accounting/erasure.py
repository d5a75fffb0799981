"""What was erased, when and by whom: the one thing that stays of a source whose agreement ended with erasure.

``erasures/<source>.json`` in the internal bucket, written before anything is deleted and never changed: it holds counts
and no row, no pseudonym and no UID. It is what keeps the accounting whole (delivered = accepted + duplicate +
quarantined, all erased), and what a sync, a publication and a rebuild ask, so that nothing of the source comes back.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

from ingestion.accounting.source_state import Counts
from ingestion.storage import ObjectMissingError, ObjectStore

ROOT = "erasures/"


class SourceErasedError(RuntimeError):
    """The source was erased: it is not brought in again under its name."""


@dataclass(frozen=True, slots=True)
class ErasureRecord:
    """``counts``: where the objects of the source had ended; ``objects``: [number, bytes] by bucket and first folder.

    ``rows``: by table of the database; ``runs``: of Dagster's. ``files``: tables deleted from each release.
    ``mentions``: reports and rows of others that named it. ``by``: who decided, as given.
    """

    source_id: str
    erased_on: str
    by: str
    reason: str
    counts: Counts
    reasons: Mapping[str, int]
    objects: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    rows: Mapping[str, int] = field(default_factory=dict)
    files: Mapping[str, int] = field(default_factory=dict)
    runs: Mapping[str, int] = field(default_factory=dict)
    mentions: Mapping[str, int] = field(default_factory=dict)

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, indent=1).encode()

    @staticmethod
    def from_json(body: bytes) -> ErasureRecord:
        data = json.loads(body)
        counts, objects = Counts(**data.pop("counts")), data.pop("objects")
        return ErasureRecord(counts=counts, objects={name: (one[0], one[1]) for name, one in objects.items()}, **data)


def erasure_key(source_id: str) -> str:
    return f"{ROOT}{source_id}.json"


def read_erasure(internal: ObjectStore, source_id: str) -> ErasureRecord | None:
    """The record of a source that was erased, or whose erasure began; None for any other."""
    try:
        return ErasureRecord.from_json(internal.read(erasure_key(source_id)))
    except ObjectMissingError:
        return None


def refuse_erased(internal: ObjectStore, source_id: str) -> None:
    """Nothing for a source that was never erased.

    Raises:
        SourceErasedError: it was, or its erasure began.
    """
    record = read_erasure(internal, source_id)
    if record is not None:
        raise SourceErasedError(
            f"source {source_id} was erased on {record.erased_on} ({record.reason}): nothing of it is brought in or "
            "shown again. Under a new agreement, give it a new id and a new key in the registry."
        )
