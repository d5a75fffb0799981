"""Any series at any version: which stored instances it had in a release, or on which day its source was erased.

Nothing is ever deleted but what is erased by law, so they are there.
"""

from __future__ import annotations

from dataclasses import dataclass

from ingestion.accounting.manifest import Manifest, manifest_key
from ingestion.catalogue.erasure.tombstone import read_tombstones
from ingestion.catalogue.release_history import held_series
from ingestion.catalogue.release_manifest import NO_RELEASE, list_releases, parse_version, read_release
from ingestion.storage import ObjectStore


class SeriesNotReleasedError(LookupError):
    """No release holds that series, or not the one asked for."""


@dataclass(frozen=True, slots=True)
class StoredInstance:
    """One object of the research bucket."""

    key: str
    sha256: str
    size: int


@dataclass(frozen=True, slots=True)
class ResolvedSeries:
    """A series as a release holds it, or held it: then ``erased_on`` is the day, and nothing is stored."""

    version: str
    source_id: str
    manifest_key: str | None
    instances: tuple[StoredInstance, ...]
    erased_on: str | None = None


def resolve_series(
    research: ObjectStore, series_instance_uid: str, *, version: str | None = None
) -> tuple[ResolvedSeries, ...]:
    """The series in release ``version``, or in all releases that hold it, oldest first.

    Raises:
        UnknownReleaseError: there is no such release.
        SeriesNotReleasedError: it holds no such series; names those that do.
    """
    releases = list_releases(research) if version is None else (read_release(research, version),)
    if not releases:
        raise SeriesNotReleasedError(f"series {series_instance_uid!r}: {NO_RELEASE}")
    found = []
    for release in releases:
        for file in release.files:
            if file.table != "series" or file.source_id is None:
                continue
            manifest_version = held_series(research, release, file).get(series_instance_uid)
            if manifest_version is not None:
                key = manifest_key(file.source_id, series_instance_uid, manifest_version)
                found.append(ResolvedSeries(release.version, file.source_id, key, _instances(research, key)))
    versions = {release.version for release in releases}
    for tombstone in read_tombstones(research):
        known = {one.version for one in found if one.source_id == tombstone.source_id}
        found += [
            ResolvedSeries(version, tombstone.source_id, None, (), tombstone.erased_on)
            for version in tombstone.releases_of(series_instance_uid)
            if version in versions - known
        ]
    if not found:
        where = f"release {version}" if version else f"any of {len(releases)} release(s)"
        raise SeriesNotReleasedError(
            f"series {series_instance_uid!r} is not in {where}"
            + ("; ask without --release for those that hold it" if version else "")
        )
    return tuple(sorted(found, key=lambda one: parse_version(one.version)))


def _instances(research: ObjectStore, key: str) -> tuple[StoredInstance, ...]:
    manifest = Manifest.from_json(research.read(key))
    return tuple(StoredInstance(item.key, item.sha256, item.size) for item in manifest.instances)
