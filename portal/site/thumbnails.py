"""Small pictures of a collection with badges of their quality, where the source's rules let images out.

The pictures are those of the quality examinations: made of de-identified objects, found text black, none of
photographs and screens, of heads axial slices only (``quality_checks.imaging.pictures``).
"""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass

from ingestion.catalogue.release_manifest import ReleaseManifest
from ingestion.sources.registry import AccessMode, SourceEntry
from portal.site.shelf import Shelf
from quality_checks.examination import Examination

MOST = 10
"""Pictures of a page: fewer than a collection has that counts are shown of, since more would tell how many it has."""
LOOKED_AT = 120
"""Examinations that are read for them: not every one has a picture."""
_COLUMNS = ("SeriesInstanceUID", "ManifestVersion", "Modality", "QualityStatus")


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """``png``: base64; ``status``: passed, warning or unjudged; ``modality``: of the series."""

    png: str
    modality: str
    status: str


def may_show(entry: SourceEntry) -> bool:
    """Only of sources whose images may leave the holder at all: with in-situ and remote access none are shown."""
    return entry.agreement.access_mode is AccessMode.DOWNLOAD


class Thumbnails:
    """Pictures by collection, kept for the release."""

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf
        self._lock = threading.Lock()
        self._known: dict[tuple[str, str], tuple[Thumbnail, ...]] = {}

    def of(self, entry: SourceEntry, release: ReleaseManifest, *, modalities: Collection[str]) -> tuple[Thumbnail, ...]:
        """At most ``MOST``, of these modalities; none where the rules say so.

        Chosen before they are counted off: a picture that is missing would tell of a modality that few have.
        """
        if not may_show(entry):
            return ()
        key = (release.version, entry.id)
        with self._lock:
            if key not in self._known:
                self._known[key] = self._read(entry.id, release)
            return tuple(one for one in self._known[key] if one.modality in modalities)[:MOST]

    def _read(self, source_id: str, release: ReleaseManifest) -> tuple[Thumbnail, ...]:
        series = self._shelf.series(release, source_id, _COLUMNS)
        found: list[Thumbnail] = []
        looked = 0
        for stored in self._shelf.internal.list(f"examinations/{source_id}/"):
            uid, _, name = stored.key.removeprefix(f"examinations/{source_id}/").partition("/")
            # of the version of the series that the release holds, and of no other
            row = series.get(uid)
            if row is None or name.partition(".")[0] != row["ManifestVersion"]:
                continue
            if looked >= LOOKED_AT:
                break
            looked += 1
            seen = Examination.from_json(self._shelf.internal.read(stored.key))
            if seen.thumbnail is not None:
                found.append(
                    Thumbnail(
                        png=seen.thumbnail,
                        modality=row["Modality"] or "",
                        status=row["QualityStatus"] or "unjudged",
                    )
                )
        return tuple(found)
