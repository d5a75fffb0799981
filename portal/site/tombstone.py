"""What is left of a collection that releases held and the newest does not: that it was there, why it is not, how it was
cited. No counts, and no description of its data."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from ingestion.catalogue.release import why_excluded
from ingestion.catalogue.release_manifest import ReleaseManifest
from ingestion.sources.registry import Registry
from portal.site.citation import Citation
from portal.site.shelf import Row, Shelf

UNREGISTERED = "not in the registry"
"""As ``why_excluded`` says it."""


@dataclass(frozen=True, slots=True)
class Tombstone:
    """``first``, ``last``: releases that held it; ``reason``: as ``why_excluded`` says it, empty: not known."""

    source_id: str
    first: ReleaseManifest
    last: ReleaseManifest
    newest: ReleaseManifest
    reason: str
    citation: Citation


class GoneError(LookupError):
    """A collection that is released no more."""

    def __init__(self, tombstone: Tombstone) -> None:
        super().__init__(f"{tombstone.source_id} is released no more")
        self.tombstone = tombstone


def tombstone_of(shelf: Shelf, source_id: str, *, today: dt.date, publisher: str, url: str | None) -> Tombstone | None:
    """None where no release ever held it, or the newest does."""
    newest, held = shelf.newest(), shelf.holding(source_id)
    if newest is None or not held or source_id in newest.sources:
        return None
    entry = shelf.entries.get(source_id)
    if entry is None:
        reason = UNREGISTERED
    else:
        now = why_excluded(source_id, Registry(description="one source", sources=(entry,)), today)
        reason = now or next((one.reason for one in newest.excluded if one.source_id == source_id), "")
    row = shelf.rows(held[0]).get(source_id, {})
    citation = citation_of(row, held[0], source_id, publisher=publisher, url=url)
    return Tombstone(source_id, held[-1], held[0], newest, reason, citation)


def citation_of(row: Row, release: ReleaseManifest, source_id: str, *, publisher: str, url: str | None) -> Citation:
    """As the collection's page had it when the release was the newest."""
    project, meaning = str(row.get("Project") or source_id), str(row.get("CancerMeaning") or "").lower()
    return Citation(
        author=(project,),
        title=f"{project}: {meaning} ({source_id})" if meaning else source_id,
        version=release.version,
        released_on=dt.date.fromisoformat(release.released_on),
        publisher=publisher,
        identifier=f"urn:cie:collection:{source_id}",
        url=url,
    )
