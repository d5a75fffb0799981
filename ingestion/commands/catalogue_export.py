"""What ``cie catalogue export`` does for each format."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

from ingestion.catalogue.exports import public
from ingestion.catalogue.exports.dcat import build_graph
from ingestion.catalogue.exports.omop import Concepts, read_concepts, write_omop
from ingestion.catalogue.exports.record_level import RecordTables
from ingestion.catalogue.exports.s5cmd import manifest_lines
from ingestion.catalogue.exports.validation import Finding, validate_record
from ingestion.catalogue.exports.view import ReleaseView
from ingestion.catalogue.exports.words import ask
from ingestion.catalogue.release import why_excluded
from ingestion.catalogue.release_manifest import NO_RELEASE, UnknownReleaseError, list_releases, read_release
from ingestion.sources.registry import AccessMode, Registry
from ingestion.storage import ObjectStore


class Format(StrEnum):
    """``PARQUET`` and ``CSV``: the database's own tables; the others are made from a release."""

    PARQUET = "parquet"
    CSV = "csv"
    DCAT = "dcat"
    SCHEMA_ORG = "schema-org"
    CROISSANT = "croissant"
    DATACITE = "datacite"
    OMOP = "omop"
    S5CMD = "s5cmd"


RECORD_LEVEL = frozenset({Format.OMOP, Format.S5CMD})
"""Of single people: for approved use only."""
_PUBLIC: Mapping[Format, Callable[[ReleaseView], Iterator[public.Document]]] = {
    Format.DCAT: public.dcat_documents,
    Format.SCHEMA_ORG: public.schema_org_documents,
    Format.CROISSANT: public.croissant_documents,
    Format.DATACITE: public.datacite_documents,
}
S5CMD_FILE = "series.s5cmd"


class WrongOptionError(ValueError):
    """Options that do not go together; the message says which and what to do."""


def newest(research: ObjectStore) -> str:
    """The version of the newest release.

    Raises:
        UnknownReleaseError: there is none.
    """
    releases = list_releases(research)
    if not releases:
        raise UnknownReleaseError(NO_RELEASE)
    return releases[-1].version


def write_public(research: ObjectStore, version: str, kind: Format, folder: Path) -> dict[Path, int]:
    """Write a public format: bytes by file. The same bytes as in the release."""
    written = {}
    for document in _PUBLIC[kind](ReleaseView.read(research, version)):
        path = folder / document.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(document.body)
        written[path] = len(document.body)
    return written


def check_record(research: ObjectStore, version: str) -> tuple[Finding, ...]:
    """What the shapes find in the DCAT record of a release."""
    return validate_record(build_graph(ReleaseView.read(research, version)))


def ended(research: ObjectStore, version: str, registry: Registry, today: dt.date) -> dict[str, str]:
    """The sources of a release that would be in none today, with the reason: nothing of them is handed out any more."""
    found = ((one, why_excluded(one, registry, today)) for one in read_release(research, version).sources)
    return {source_id: reason for source_id, reason in found if reason is not None}


def write_tables(
    research: ObjectStore, version: str, folder: Path, *, concepts: Path | None, secure: bool = False,
    without: Collection[str] = (),
) -> dict[Path, int]:  # fmt: skip
    """Write the OMOP tables: rows by file.

    Args:
        secure: the tables stay in the secure environment, so that they say where every source's objects are.
        without: sources of which nothing is written.
    """
    known = Concepts() if concepts is None else read_concepts(concepts)
    release = read_release(research, version)
    left = replace(release, sources=tuple(one for one in release.sources if one not in without))
    return write_omop(RecordTables(research, left), folder, known, secure=secure)


def write_list(
    research: ObjectStore, version: str, folder: Path, *, bucket: str, series: Path | None, secure: bool,
    without: Mapping[str, str] | None = None,
) -> tuple[dict[Path, int], tuple[str, ...]]:  # fmt: skip
    """Write the s5cmd list: copies by file, and the sources left out as their data may not be downloaded.

    The file itself names these too, in comments.

    Args:
        series: a file with one SeriesInstanceUID a line; None: all.
        secure: the copies stay in the secure environment, so that all sources may be in it.
        without: sources that are not listed in any case, each with the reason.
    """
    tables = RecordTables.of(research, version)
    rows = ReleaseView.read(research, version).rows
    kept_in = {} if secure else {
        row["source_id"]: (row["AccessMode"], ask(row["ContactName"], row["ContactEmail"]))
        for row in rows if AccessMode(row["AccessMode"]) is not AccessMode.DOWNLOAD
    }  # fmt: skip
    said = {row["source_id"]: ask(row["ContactName"], row["ContactEmail"]) for row in rows}
    kept_in |= {one: (f"narrowed since the release ({why})", said[one]) for one, why in (without or {}).items()}
    wanted = None if series is None else {line.strip() for line in series.read_text().splitlines() if line.strip()}
    if wanted is not None and not wanted:
        raise WrongOptionError(f"{series} names no series: give one SeriesInstanceUID a line")
    lines = list(manifest_lines(tables, bucket=bucket, series=wanted, without=kept_in))
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / S5CMD_FILE
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return {path: sum(not line.startswith("#") for line in lines)}, tuple(kept_in)
