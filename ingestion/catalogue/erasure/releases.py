"""Taking a source out of the releases that hold it: the release keeps version, counts and the files of all others.

Its manifest says which files are gone or other ones, by which checksum and why. A manifest is replaced before what it
named is deleted, so that no reader follows a name to nothing.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ingestion.catalogue.exports.view import COLLECTION
from ingestion.catalogue.frames import parquet_bytes
from ingestion.catalogue.linked_people import LINKED, PERSON
from ingestion.catalogue.release_history import held_series
from ingestion.catalogue.release_manifest import (
    MANIFEST,
    Erasure,
    ReleaseManifest,
    Replaced,
    list_releases,
    release_key,
)
from ingestion.storage import ErasableStore, ObjectMissingError, ObjectStore

DIFF = "diff.json"
_NAMING = ("series_left_out", "series_let_in")
"""Lists of ``diff.json`` whose items name a source and a series of it."""
_PARQUET = "application/vnd.apache.parquet"


def series_by_release(research: ObjectStore, source_id: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The series of a source that each release holds, oldest release first."""
    for release in list_releases(research):
        for file in release.files:
            if file.table == "series" and file.source_id == source_id:
                yield release.version, tuple(sorted(held_series(research, release, file)))


def files_by_release(research: ObjectStore, source_id: str) -> dict[str, int]:
    """How many tables of a source each release holds."""
    found = {
        release.version: sum(file.source_id == source_id for file in release.files)
        for release in list_releases(research)
    }
    return {version: number for version, number in found.items() if number}


def take_out_of_releases(
    research: ErasableStore, internal: ErasableStore, source_id: str, *, erased_on: str, reason: str
) -> tuple[str, ...]:
    """Take a source out of what all releases say of themselves; which were changed. Done again, it changes nothing.

    The tables themselves stay: they are objects of the source, as its images are.

    Raises:
        StoreError: the store failed; done again, it goes on.
    """
    changed = []
    for release in list_releases(research):
        _replace_people(internal, release.version, source_id)
        _replace_figures(internal, release.version, source_id)
        diff = _diff_without(research, release, source_id)
        said = _manifest_without(release, source_id, diff, erased_on=erased_on, reason=reason)
        if said != release:
            research.replace(release_key(release.version, MANIFEST), said.to_json(), content_type="application/json")
        if diff is not None:
            # After the manifest: a run that ends between the two finds the old file again, and what it is to be.
            research.replace(release_key(release.version, DIFF), diff, content_type="application/json")
        if said != release or diff is not None:
            changed.append(release.version)
    return tuple(changed)


def _manifest_without(
    release: ReleaseManifest, source_id: str, diff: bytes | None, *, erased_on: str, reason: str
) -> ReleaseManifest:
    """The manifest without the source, or as it is where it tells of none.

    Args:
        diff: the new ``diff.json``; None where it stays.
    """
    kept, replaced = [], []
    for file in release.files:
        digest = hashlib.sha256(diff).hexdigest() if diff is not None and file.path == DIFF else file.sha256
        if digest != file.sha256:
            replaced.append(Replaced(file.path, file.sha256, digest))
            kept.append(replace(file, sha256=digest, size=len(diff or b"")))
        elif file.source_id != source_id:
            kept.append(file)
    files = tuple(file for file in release.files if file.source_id == source_id)
    left_out = sum(one.source_id == source_id for one in release.series_left_out)
    if not (files or replaced or left_out):
        return release
    erasure = Erasure(source_id, erased_on, reason, files, tuple(replaced), left_out)
    return replace(
        release,
        sources=tuple(one for one in release.sources if one != source_id),
        files=tuple(kept),
        series_left_out=tuple(one for one in release.series_left_out if one.source_id != source_id),
        erased=tuple(sorted((*release.erased, erasure), key=lambda one: one.source_id)),
    )


def _diff_without(research: ObjectStore, release: ReleaseManifest, source_id: str) -> bytes | None:
    """``diff.json`` without the items that name a series of the source; None where there is none."""
    try:
        said: dict[str, Any] = json.loads(research.read(release_key(release.version, DIFF)))
    except ObjectMissingError:
        return None
    left = said | {
        name: [one for one in said[name] if one.get("source_id") != source_id] for name in _NAMING if name in said
    }
    return None if left == said else json.dumps(left, sort_keys=True, indent=1).encode()


def _replace_people(internal: ErasableStore, version: str, source_id: str) -> None:
    """Which pseudonyms are one person, without those of the source; whoever is left alone is linked to nobody."""
    key = release_key(version, LINKED)
    try:
        rows = pd.read_parquet(io.BytesIO(internal.read(key)))
    except ObjectMissingError:
        return
    left = rows[rows["source_id"] != source_id]
    if len(left) == len(rows):
        return
    left = left[left.groupby(PERSON)[PERSON].transform("size") > 1].reset_index(drop=True)
    if left.empty:
        internal.delete([key])
    else:
        internal.replace(key, parquet_bytes(left), content_type=_PARQUET)


def _replace_figures(internal: ErasableStore, version: str, source_id: str) -> None:
    """The exact figures of the release without the row of the source; the public ones stay in the release."""
    key = release_key(version, COLLECTION)
    try:
        table = pq.read_table(io.BytesIO(internal.read(key)))
    except ObjectMissingError:
        return
    left = table.filter(pc.not_equal(table["source_id"], source_id))
    if left.num_rows < table.num_rows:
        body = io.BytesIO()
        pq.write_table(left, body, compression="zstd")
        internal.replace(key, body.getvalue(), content_type=_PARQUET)
