"""What the releases say of collections, read from the store and kept for half a minute."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pyarrow import parquet

from ingestion.catalogue.exports.view import ReleaseView
from ingestion.catalogue.publication import read_latest_publication
from ingestion.catalogue.release_manifest import MANIFEST, ReleaseManifest, list_releases, release_key
from ingestion.catalogue.search.release_index import ReleaseDamagedError
from ingestion.sources.registry import SourceEntry
from ingestion.storage import ObjectMissingError, ObjectStore, StoreError
from ingestion.storage.numbered import read_last
from ingestion.storage.open import Stores
from portal.search.outage import UNREADABLE, Outage
from portal.site.kept import Kept
from quality_checks import documents as d
from quality_checks.store import Judgement

KEPT_SECONDS = 30.0
"""As long as the search looks for a newer release."""
KEPT_CERTIFICATES = 1_000
"""More than there are sources."""
LOOKED_BACK = 50
"""Judgements of a source that are searched for the one that the catalogue shows."""
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Certified:
    """What the quality certificate says that holds no number of people, studies or series."""

    digest: str
    version: str
    tier: int
    next_tier: int | None
    requirements: tuple[tuple[int, str, bool], ...]
    """Tier, what is asked for, whether it is met."""
    scores: Mapping[str, float]
    checks: tuple[tuple[str, str, str], ...]
    """Rule, its version, its dimension: how it ended may be one person's doing, and is in the report as a share."""


class Shelf:
    """Releases and the collections in them. Safe to use from several threads."""

    def __init__(
        self, stores: Stores, entries: tuple[SourceEntry, ...], *, clock: Callable[[], float] = time.monotonic,
        outage: Outage | None = None,
    ) -> None:  # fmt: skip
        """``outage``: told where the store can't be read; what was read before is given on then. None: it is raised."""
        self._outage = outage
        self._research, self._internal, self._clock = stores.research, stores.internal, clock
        self.entries = {entry.id: entry for entry in entries}
        self._lock = threading.Lock()
        self._releases: Kept[tuple[ReleaseManifest, ...]] = Kept(
            seconds=KEPT_SECONDS, most=1, clock=clock, outage=outage, what="the releases"
        )
        self._rows: dict[str, Mapping[str, Row]] = {}
        self._view: ReleaseView | None = None
        self._certified: Kept[Certified | None] = Kept(
            seconds=KEPT_SECONDS, most=KEPT_CERTIFICATES, clock=clock, outage=outage, what="certificates"
        )

    def releases(self) -> tuple[ReleaseManifest, ...]:
        """All, oldest first."""
        return self._releases.get("", self._listed)

    def _listed(self) -> tuple[ReleaseManifest, ...]:
        found = list_releases(self._research)
        if self._outage is not None and self._rows and not found:
            raise StoreError("the store lists no release, and listed some before")
        if self._outage is not None and found:
            # read while the store can be: the pages of collections need it
            try:
                self.rows(found[-1])
            except UNREADABLE as error:
                self._outage.failed("the collections of the newest release", error)
            else:
                self._outage.read("the collections of the newest release")
        return found

    def newest(self) -> ReleaseManifest | None:
        found = self.releases()
        return found[-1] if found else None

    def written(self, release: ReleaseManifest) -> dt.datetime | None:
        """When it was made, by the store's clock."""
        key = release_key(release.version, MANIFEST)
        return next((stored.written for stored in self._research.list(key) if stored.key == key), None)

    def rows(self, release: ReleaseManifest) -> Mapping[str, Row]:
        """The public rows of its collections, by source id."""
        if release.version not in self._rows:
            [file] = [one for one in release.files if one.table == "collection"]
            body = self._research.read(release_key(release.version, file.path))
            if hashlib.sha256(body).hexdigest() != file.sha256:
                raise ReleaseDamagedError(f"release {release.version}: {file.path} is not the file of the manifest")
            rows = parquet.read_table(io.BytesIO(body)).to_pylist()
            self._rows[release.version] = {str(row["source_id"]): row for row in rows}
        return self._rows[release.version]

    def view(self, release: ReleaseManifest) -> ReleaseView:
        """What the documents of a release are made from; kept of the last one that was asked for."""
        with self._lock:
            if self._view is None or self._view.version != release.version:
                self._view = ReleaseView.read(self._research, release.version)
            return self._view

    def series(self, release: ReleaseManifest, source_id: str, columns: tuple[str, ...]) -> Mapping[str, Row]:
        """Some columns of a collection's series rows, by SeriesInstanceUID: never for a page as they are."""
        for file in release.files:
            if file.table == "series" and file.source_id == source_id:
                body = io.BytesIO(self._research.read(release_key(release.version, file.path)))
                return {
                    row["SeriesInstanceUID"]: row for row in parquet.read_table(body, columns=list(columns)).to_pylist()
                }
        return {}

    def holding(self, source_id: str) -> tuple[ReleaseManifest, ...]:
        """The releases that hold a collection, or held it until it was erased, newest first."""

        def held(release: ReleaseManifest) -> bool:
            erased = any(one.source_id == source_id and one.files for one in release.erased)
            return erased or source_id in release.sources

        return tuple(one for one in reversed(self.releases()) if held(one))

    def certified(self, source_id: str) -> Certified | None:
        """What is certified of the state that the catalogue shows; None where nothing is. Kept for half a minute."""
        return self._certified.get(source_id, lambda: self._certified_now(source_id))

    def _certified_now(self, source_id: str) -> Certified | None:
        judgement = self.judgement(source_id)
        if judgement is None or judgement.tier is None:
            return None
        try:
            said = json.loads(self._internal.read(judgement.beside(d.CERTIFICATE)))
        except ObjectMissingError:
            return None
        return Certified(
            digest=said["digest"],
            version=said["version"],
            tier=said["tier"],
            next_tier=said["next_tier"],
            requirements=tuple((one["tier"], one["title"], one["met"]) for one in said["requirements"]),
            scores=said["scores"],
            checks=tuple((one["rule_id"], one["version"], one["dimension"]) for one in said["checks"]),
        )

    def judgement(self, source_id: str) -> Judgement | None:
        """The judgement that belongs to what is published of the source."""
        published = read_latest_publication(self._internal, source_id)
        key = None if published is None else published.publication.quality_key
        for entry in reversed(read_last(self._internal, f"judgements/{source_id}/", count=LOOKED_BACK)):
            judgement = Judgement(**json.loads(entry.body))
            if key is not None and judgement.results_key == key:
                return judgement
        return None

    @property
    def research(self) -> ObjectStore:
        return self._research

    @property
    def internal(self) -> ObjectStore:
        return self._internal
