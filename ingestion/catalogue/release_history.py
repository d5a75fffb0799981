"""Which releases there are and which series they hold, in the database: made from the releases themselves."""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import pandas as pd
import pyarrow.parquet as pq
from sqlalchemy import Connection, delete, func, insert, select

from ingestion.catalogue import tables as t
from ingestion.catalogue.release_manifest import ReleaseFile, ReleaseManifest, list_releases, release_key
from ingestion.catalogue.writer import mark_released
from ingestion.storage import ObjectStore

SeriesKey = tuple[str, str]
"""Source and SeriesInstanceUID."""
_BATCH = 2_000
_LOCK = 0x636965_04
"""Advisory lock of those who record releases: the letters "cie", and 4."""


@dataclass(frozen=True, slots=True)
class Membership:
    """In which releases a series is. ``last``: None while the newest holds it."""

    manifest_version: str
    first: str
    revised: str
    last: str | None = None


def record_releases(connection: Connection, research: ObjectStore) -> None:
    """Bring ``release``, ``release_series`` and the columns of ``series`` to what the bucket holds.

    Releases count in the order of their versions; one that comes in between has all counted anew.
    """
    connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    releases = list_releases(research)
    recorded = set(connection.execute(select(t.release.c.Version)).scalars())
    if {release.version for release in releases} == recorded:
        return
    if {release.version for release in releases[: len(recorded)]} == recorded:
        members, start = read_members(connection), len(recorded)
    else:
        connection.execute(delete(t.release))
        connection.execute(delete(t.release_series))
        members, start = {}, 0
    before = members
    for position, release in enumerate(releases[start:], start):
        previous = releases[position - 1].version if position else None
        members = after_release(members, _held(research, release), version=release.version, previous=previous)
        connection.execute(insert(t.release), [release_row(release)])
    _write_members(connection, before, members)
    for source_id in sorted({source_id for source_id, _ in members}):
        mark_released(connection, source_id)


def read_members(connection: Connection) -> dict[SeriesKey, Membership]:
    """All series that were ever released, as recorded."""
    c = t.release_series.c
    query = select(c.source_id, c.SeriesInstanceUID, c.ManifestVersion, c.FirstRelease, c.RevisedRelease, c.LastRelease)
    return {(row[0], row[1]): Membership(*row[2:]) for row in connection.execute(query)}


def after_release(
    members: dict[SeriesKey, Membership], held: dict[SeriesKey, str], *, version: str, previous: str | None
) -> dict[SeriesKey, Membership]:
    """The memberships after release ``version``, which holds these series by manifest version."""
    found = dict(members)
    for key, manifest_version in held.items():
        known = members.get(key)
        if known is None:
            found[key] = Membership(manifest_version, version, version)
        elif known.manifest_version != manifest_version:
            found[key] = replace(known, manifest_version=manifest_version, revised=version, last=None)
        elif known.last is not None:
            found[key] = replace(known, last=None)
    for key in members.keys() - held.keys():
        if members[key].last is None:
            found[key] = replace(members[key], last=previous)
    return found


def release_row(release: ReleaseManifest) -> dict[str, object]:
    """A release as a row of ``release``."""
    rows = release.rows
    patients = rows.get("patient", 0)
    return {
        "Version": release.version,
        "ReleasedOn": dt.date.fromisoformat(release.released_on),
        "Previous": release.previous,
        "ContentDigest": release.content_digest,
        "Sources": len(release.built_with),
        "SourcesExcluded": len(release.excluded),
        "Patients": patients,
        # Releases before there was such a figure count each source's patients.
        "People": release.people if release.people is not None else patients,
        "Studies": rows.get("study", 0),
        "Series": rows.get("series", 0),
    }


def stamped(series: pd.DataFrame, members: Mapping[SeriesKey, Membership], *, version: str) -> pd.DataFrame:
    """The rows of ``series`` with the releases that they will be in once ``version`` is released."""
    first, revised = [], []
    keys = zip(series["source_id"], series["SeriesInstanceUID"], series["ManifestVersion"], strict=True)
    for source_id, uid, manifest_version in keys:
        known = members.get((source_id, uid))
        first.append(known.first if known else version)
        revised.append(known.revised if known and known.manifest_version == manifest_version else version)
    return series.assign(
        FirstRelease=pd.Series(first, index=series.index, dtype=object),
        RevisedRelease=pd.Series(revised, index=series.index, dtype=object),
        LastRelease=None,
    )


def unstamped(series: pd.DataFrame) -> pd.DataFrame:
    """The rows without releases: what a release holds does not depend on those before."""
    return series.assign(FirstRelease=None, RevisedRelease=None, LastRelease=None)


def held_series(research: ObjectStore, release: ReleaseManifest, file: ReleaseFile) -> dict[str, str]:
    """Manifest version by series of one file of ``series``."""
    body = research.read(release_key(release.version, file.path))
    table = pq.read_table(io.BytesIO(body), columns=["SeriesInstanceUID", "ManifestVersion"])
    return dict(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _held(research: ObjectStore, release: ReleaseManifest) -> dict[SeriesKey, str]:
    return {
        (file.source_id, uid): version
        for file in release.files
        if file.table == t.series.name and file.source_id
        for uid, version in held_series(research, release, file).items()
    }


def _write_members(
    connection: Connection, before: dict[SeriesKey, Membership], after: dict[SeriesKey, Membership]
) -> None:
    table = t.release_series
    for batch in _batches(sorted(key for key, one in after.items() if before.get(key) != one)):
        for source_id in sorted({source_id for source_id, _ in batch}):
            uids = [uid for source, uid in batch if source == source_id]
            mine = (table.c.source_id == source_id, table.c.SeriesInstanceUID.in_(uids))
            connection.execute(delete(table).where(*mine))
        connection.execute(insert(table), [_member_row(key, after[key]) for key in batch])


def _member_row(key: SeriesKey, one: Membership) -> dict[str, object]:
    return {
        "source_id": key[0],
        "SeriesInstanceUID": key[1],
        "ManifestVersion": one.manifest_version,
        "FirstRelease": one.first,
        "RevisedRelease": one.revised,
        "LastRelease": one.last,
    }


def _batches(keys: list[SeriesKey]) -> Iterable[list[SeriesKey]]:
    return (keys[at : at + _BATCH] for at in range(0, len(keys), _BATCH))
