"""A release: an immutable snapshot of the catalogue for those who may use the data, and its public record.

``releases/<version>/`` in the research bucket: ``collection.parquet`` (public figures), one Parquet file per table and
source, the public record in several forms (``ingestion.catalogue.exports``), JSON schemas, ``diff.json`` to the release
before, ``manifest.json``. The exact figures of the collections go to the internal bucket under the same key.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd
from sqlalchemy import Connection, Engine, Table, func, select

from ingestion.accounting.database import transaction
from ingestion.catalogue import tables as t
from ingestion.catalogue.exports.public import public_documents
from ingestion.catalogue.exports.view import COLLECTION as _COLLECTION
from ingestion.catalogue.exports.view import ReleaseView, quality_graph
from ingestion.catalogue.frames import table_bytes
from ingestion.catalogue.json_schema import to_bytes
from ingestion.catalogue.linked_people import LINKED, linked_people
from ingestion.catalogue.quality_annotations import quality_annotations
from ingestion.catalogue.release_content import BY_SOURCE, source_release, with_rights
from ingestion.catalogue.release_diff import diff_manifests
from ingestion.catalogue.release_history import Membership, SeriesKey, read_members, record_releases, stamped, unstamped
from ingestion.catalogue.release_manifest import (
    MANIFEST,
    Exclusion,
    ReleaseFile,
    ReleaseManifest,
    SeriesExclusion,
    VersionError,
    content_digest,
    list_releases,
    next_version,
    parse_version,
    release_key,
    taken,
)
from ingestion.catalogue.release_tables import RIGHTS, released_bytes, released_schema
from ingestion.catalogue.suppression import SMALL_COUNT, frequent_values, public_collections, with_frequent_values
from ingestion.catalogue.writer import read_rows
from ingestion.sources.registry import Registry
from ingestion.storage import ObjectStore

PARQUET_TYPE = "application/vnd.apache.parquet"
BUILD_LOCK = 0x636965_03
"""Advisory lock of release builds: the letters "cie", and 3."""


@dataclass(frozen=True, slots=True)
class Release:
    """What a build did; ``objects_written`` is 0 where the last release holds the same already."""

    version: str
    rows: Mapping[str, int]
    sources: tuple[str, ...]
    excluded: tuple[tuple[str, str], ...]
    objects_written: int
    content_digest: str
    series_left_out: Mapping[str, int]
    """How many series of each released source are left out by a quality check."""


def build_release(
    engine: Engine, research: ObjectStore, internal: ObjectStore, registry: Registry, *, today: dt.date,
    version: str | None = None,
) -> Release:  # fmt: skip
    """Release what the catalogue shows today of all sources whose agreement is signed and valid ``today``.

    Args:
        version: to use instead of the next ``YYYY.MM.N`` of today's month.

    Raises:
        VersionError: ``version`` is malformed, or another release has it.
        LedgerError, StoreError: database or store failed. A build that broke off left no manifest, so no release.
    """
    if version is not None:
        parse_version(version)
    # One view of the database for all tables, whatever is published meanwhile.
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ")
    with (
        tempfile.TemporaryDirectory(prefix="cie-release-") as folder,
        transaction(snapshot, "reading the catalogue for a release") as connection,
    ):
        # Held to the end, so that two builds don't write into the same version.
        connection.execute(select(func.pg_advisory_xact_lock(BUILD_LOCK)))
        # Apart from the snapshot, which may be older than the wait for the lock.
        with transaction(engine, "reading the releases") as apart:
            record_releases(apart, research)
            members = read_members(apart)
        found = _draft(connection, registry, Path(folder), today=today)
        draft = found.manifest
        releases = list_releases(research)
        latest = releases[-1] if releases else None
        if latest is not None and latest.content_digest == draft.content_digest:
            return _result(latest, objects_written=0)
        if version is not None and taken(research, version):
            raise VersionError(f"version {version} is taken by something else; leave the version to be chosen")
        draft = replace(
            draft,
            version=version or next_version(research, today),
            previous=latest.version if latest else None,
            files=_stamp(members, found, Path(folder), version=version or next_version(research, today)),
        )
        written = sum(_upload(research, draft.version, Path(folder), file) for file in draft.files)
        written += internal.create(
            release_key(draft.version, _COLLECTION), table_bytes(t.collection, found.exact), content_type=PARQUET_TYPE
        )
        if found.linked is not None:
            key = release_key(draft.version, LINKED)
            written += internal.create(key, found.linked, content_type=PARQUET_TYPE)
        quality = {
            source_id: one
            for source_id, one in quality_annotations(connection, internal).items()
            if source_id in draft.sources
        }
        table = (Path(folder) / _COLLECTION).read_bytes()
        view = ReleaseView.of(draft, table, quality_graph(quality))
        documents = _documents(research, draft, latest, view)
        for document in documents:
            key = release_key(draft.version, document.file.path)
            written += research.create(key, document.body, content_type=document.content_type)
        manifest = replace(draft, files=(*draft.files, *(document.file for document in documents)))
        key = release_key(draft.version, MANIFEST)
        written += research.create(key, manifest.to_json(), content_type="application/json")
    # After the snapshot: a source that was published meanwhile would make its updates fail.
    with transaction(engine, "recording the release") as connection:
        record_releases(connection, research)
    return _result(manifest, objects_written=written)


NOTHING_PUBLISHED = "nothing published yet"
"""Why a source that may be released is not."""


def why_excluded(source_id: str, registry: Registry, today: dt.date) -> str | None:
    """Why a published source may not be released ``today``; None when it may."""
    if source_id not in registry.ids:
        return "not in the registry"
    agreement = registry.get(source_id).agreement
    if agreement.valid_on(today):
        return None
    if agreement.signed_on is None:
        return "agreement not signed"
    if agreement.withdrawn_on is not None and agreement.withdrawn_on <= today:
        return f"withdrawn on {agreement.withdrawn_on.isoformat()}"
    if agreement.signed_on > today:
        return f"agreement not in force before {agreement.signed_on.isoformat()}"
    return f"agreement ended on {agreement.valid_until.isoformat() if agreement.valid_until else 'an unknown day'}"


@dataclass(frozen=True, slots=True)
class _Document:
    file: ReleaseFile
    body: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class _Draft:
    """The manifest without version and documents, the exact collections, and of each source what made its rows."""

    manifest: ReleaseManifest
    exact: pd.DataFrame
    making: Mapping[str, tuple[Mapping[str, str], Mapping[str, str]]]
    """By source: rights, and provenance for the footers."""
    linked: bytes | None
    """Which pseudonyms are one person, where some are: for the internal bucket alone."""


def _draft(connection: Connection, registry: Registry, folder: Path, *, today: dt.date) -> _Draft:
    """Choose the sources, take out what quality leaves out, write the tables to ``folder``."""
    exact = read_rows(connection, t.collection)
    sources, excluded = _choose(exact, registry, today)
    counted: list[pd.DataFrame] = []
    patients: dict[str, pd.DataFrame] = {}
    frequent: dict[str, Mapping[str, str | None]] = {}
    making: dict[str, tuple[Mapping[str, str], Mapping[str, str]]] = {}
    rules = {source_id: registry.get(source_id).counts for source_id in sources}
    of_sources: list[ReleaseFile] = []
    left_out: list[SeriesExclusion] = []
    for source_id in sources:
        # One source in memory at a time.
        row = exact[exact["source_id"] == source_id].reset_index(drop=True)
        found = with_rights(source_release(connection, row, source_id), registry.get(source_id))
        counted.append(found.collection)
        patients[source_id] = found.tables[t.patient.name][["PatientID", "PersonKey"]]
        frequent[source_id] = frequent_values(
            found.tables[t.patient.name], found.tables[t.series.name], rules[source_id]
        )
        rights, provenance = _made(connection, source_id, found.collection)
        making[source_id] = rights, provenance
        found.tables[t.series.name] = unstamped(found.tables[t.series.name])
        left_out += found.left_out
        of_sources += [
            _write_table(
                folder,
                table,
                found.tables[table.name],
                path=f"{table.name}/{source_id}.parquet",
                source_id=source_id,
                rights=rights,
                provenance=provenance,
            )
            for table in BY_SOURCE
        ]
    exact = pd.concat(counted, ignore_index=True) if counted else exact.head(0)
    public = with_frequent_values(public_collections(exact, rules), frequent)
    files = [_write_table(folder, t.collection, public, path=_COLLECTION, rights={}, provenance={}), *of_sources]
    manifest = ReleaseManifest(
        version="",
        released_on=today.isoformat(),
        previous=None,
        content_digest=content_digest(files, excluded, left_out),
        small_count=SMALL_COUNT,
        sources=sources,
        excluded=excluded,
        files=tuple(files),
        series_left_out=tuple(left_out),
        people=len({key for rows in patients.values() for key in rows["PersonKey"]}),
        publisher=registry.publisher.model_dump(mode="json") if registry.publisher else None,
    )
    return _Draft(manifest, exact, making, linked_people(patients))


def _made(
    connection: Connection, source_id: str, collection: pd.DataFrame
) -> tuple[Mapping[str, str], Mapping[str, str]]:
    """The rights of a source, and what its rows were made from: nothing that changes while they do not."""
    p = t.publication.c
    query = select(p.Digest, p.StateDigest, p.EntryDigest, p.TablesVersion).where(p.source_id == source_id)
    row = connection.execute(query).one()
    said = dict(zip(("publication", "state", "registry_entry", "tables_version"), map(str, row), strict=True))
    return {name: str(collection[name].iloc[0]) for name in RIGHTS}, {"source": source_id, **said}


def _stamp(
    members: Mapping[SeriesKey, Membership], draft: _Draft, folder: Path, *, version: str
) -> tuple[ReleaseFile, ...]:
    """The files of the draft, with the tables of series telling in which releases their series are."""
    files = []
    for file in draft.manifest.files:
        if file.table == t.series.name and file.source_id is not None:
            rows = pd.read_parquet(folder / file.path, dtype_backend="numpy_nullable")
            rights, provenance = draft.making[file.source_id]
            file = _write_table(  # noqa: PLW2901 - the same file with three columns filled
                folder, t.series, stamped(rows, members, version=version), path=file.path, source_id=file.source_id,
                rights=rights, provenance=provenance,
            )  # fmt: skip
        files.append(file)
    return tuple(files)


def _documents(
    research: ObjectStore, release: ReleaseManifest, latest: ReleaseManifest | None, view: ReleaseView
) -> list[_Document]:
    schemas = [(f"schema/{table.name}.json", to_bytes(released_schema(table)), "application/schema+json")
               for table in t.ROW_TABLES]  # fmt: skip
    difference = json.dumps(asdict(diff_manifests(research, latest, release)), sort_keys=True, indent=1).encode()
    return [
        _Document(_file(path, body), body, content_type)
        for path, body, content_type in (
            *((one.path, one.body, one.content_type) for one in public_documents(view)),
            *schemas,
            ("diff.json", difference, "application/json"),
        )
    ]


def _choose(
    collections: pd.DataFrame, registry: Registry, today: dt.date
) -> tuple[tuple[str, ...], tuple[Exclusion, ...]]:
    shown = set(collections["source_id"])
    chosen, excluded = [], []
    for source_id in sorted(shown | set(registry.ids)):
        reason = why_excluded(source_id, registry, today) or (None if source_id in shown else NOTHING_PUBLISHED)
        if reason is None:
            chosen.append(source_id)
        else:
            excluded.append(Exclusion(source_id, reason))
    return tuple(chosen), tuple(excluded)


def _write_table(
    folder: Path, table: Table, frame: pd.DataFrame, *, path: str, rights: Mapping[str, str],
    provenance: Mapping[str, str], source_id: str | None = None,
) -> ReleaseFile:  # fmt: skip
    body = released_bytes(table, frame, rights=rights, provenance=provenance)
    file = folder / path
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(body)
    return replace(_file(path, body), table=table.name, source_id=source_id, rows=len(frame))


def _file(path: str, body: bytes) -> ReleaseFile:
    return ReleaseFile(path=path, sha256=hashlib.sha256(body).hexdigest(), size=len(body))


def _upload(research: ObjectStore, version: str, folder: Path, file: ReleaseFile) -> int:
    body = (folder / file.path).read_bytes()
    return research.create(release_key(version, file.path), body, content_type=PARQUET_TYPE)


def _result(manifest: ReleaseManifest, *, objects_written: int) -> Release:
    return Release(
        version=manifest.version,
        rows=manifest.rows,
        sources=manifest.sources,
        excluded=tuple((one.source_id, one.reason) for one in manifest.excluded),
        objects_written=objects_written,
        content_digest=manifest.content_digest,
        series_left_out=dict(sorted(Counter(one.source_id for one in manifest.series_left_out).items())),
    )
