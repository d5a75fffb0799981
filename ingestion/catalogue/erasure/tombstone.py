"""What an erased series resolves to: ``erasures/<source>.json`` in the research bucket.

It holds no UID: who has one can ask whether it is of an erased series, by its digest; who has none learns none. UIDs of
the platform hold 128 bits of a keyed hash, so digests of all that there could be cannot be tried; those that a policy
kept as they were can be tried by who knows how their maker counts.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass

from ingestion.accounting.erasure import ROOT, erasure_key
from ingestion.storage import ObjectMissingError, ObjectStore

_DIGITS = 32


@dataclass(frozen=True, slots=True)
class SeriesOfReleases:
    """Digests of the series that were in exactly these releases, both sorted."""

    releases: tuple[str, ...]
    digests: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Tombstone:
    """An erased source, for those who hold a copy or cite a series."""

    source_id: str
    erased_on: str
    reason: str
    series: tuple[SeriesOfReleases, ...]

    def releases_of(self, series_instance_uid: str) -> tuple[str, ...]:
        """The releases that held a series; none where it is of no erased series."""
        digest = series_digest(series_instance_uid)
        return next((group.releases for group in self.series if digest in group.digests), ())

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False).encode()

    @staticmethod
    def from_json(body: bytes) -> Tombstone:
        data = json.loads(body)
        groups = (SeriesOfReleases(tuple(one["releases"]), tuple(one["digests"])) for one in data.pop("series"))
        return Tombstone(series=tuple(groups), **data)


def series_digest(series_instance_uid: str) -> str:
    return hashlib.sha256(series_instance_uid.encode()).hexdigest()[:_DIGITS]


def group_series(held: Mapping[str, Iterable[str]]) -> tuple[SeriesOfReleases, ...]:
    """Args:
    held: UIDs by release version, releases in their order.
    """
    releases: dict[str, list[str]] = {}
    for version, uids in held.items():
        for uid in uids:
            releases.setdefault(series_digest(uid), []).append(version)
    groups: dict[tuple[str, ...], list[str]] = {}
    for digest, versions in releases.items():
        groups.setdefault(tuple(versions), []).append(digest)
    return tuple(SeriesOfReleases(versions, tuple(sorted(groups[versions]))) for versions in sorted(groups))


def read_tombstone(research: ObjectStore, source_id: str) -> Tombstone | None:
    """Of one source; None where it has none."""
    try:
        return Tombstone.from_json(research.read(erasure_key(source_id)))
    except ObjectMissingError:
        return None


def read_tombstones(research: ObjectStore) -> tuple[Tombstone, ...]:
    """Of all erased sources, by id."""
    return tuple(Tombstone.from_json(research.read(stored.key)) for stored in research.list(ROOT))
