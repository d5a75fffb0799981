"""A publication names exactly what the catalogue shows of a source, so that the catalogue can be made again from it.

Stored at ``publications/<source>/<number>.json`` in the internal bucket, never overwritten; the highest number is the
current one. Publishing the same again writes nothing.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from typing import Any

from ingestion.accounting.source_state import SourceState, state_key
from ingestion.catalogue.rows import TABLES_VERSION
from ingestion.sources.registry import SourceEntry
from ingestion.storage import ObjectStore
from ingestion.storage.numbered import append, read_latest

_ROOT = "publications/"
_DIGEST_DIGITS = 24


class PublicationError(ValueError):
    """A publication does not fit what it names."""


@dataclass(frozen=True, slots=True)
class Publication:
    """What is shown of a source. Keys are of Parquet objects; None: there is none."""

    source_id: str
    state_number: int
    state_digest: str
    quality_key: str | None
    features_series_key: str | None
    features_regions_key: str | None
    entry: dict[str, Any]
    """The registry entry as it was: a later change of the registry does not change what was published."""
    tables_version: int = TABLES_VERSION
    series_quality_key: str | None = None
    """Status of each series by its quality checks."""
    vocabulary: int = 0
    """Version of the curators' decisions that the rows are made with."""

    @property
    def entry_digest(self) -> str:
        return _digest(self.entry)

    @property
    def digest(self) -> str:
        """Digest (24 hex digits) of all that is named: equal digests, equal rows."""
        return _digest(asdict(self))

    @property
    def registry_entry(self) -> SourceEntry:
        return SourceEntry.model_validate(self.entry)

    def to_json(self) -> bytes:
        return _canonical(asdict(self))

    @staticmethod
    def from_json(body: bytes) -> Publication:
        return Publication(**json.loads(body))


@dataclass(frozen=True, slots=True)
class Published:
    """A stored publication and its number."""

    number: int
    publication: Publication


def make_publication(
    entry: SourceEntry, state_number: int, state: SourceState, *, quality_key: str | None,
    features_series_key: str | None, features_regions_key: str | None, series_quality_key: str | None = None,
    vocabulary: int = 0,
) -> Publication:  # fmt: skip
    """The publication of a source's state with the results that belong to it."""
    if state.source_id != entry.id:
        raise PublicationError(f"the state is of source {state.source_id}, the registry entry of {entry.id}")
    return Publication(
        source_id=entry.id,
        state_number=state_number,
        state_digest=state.digest,
        quality_key=quality_key,
        features_series_key=features_series_key,
        features_regions_key=features_regions_key,
        entry=entry.model_dump(mode="json"),
        series_quality_key=series_quality_key,
        vocabulary=vocabulary,
    )


def publish(internal: ObjectStore, publication: Publication) -> tuple[Published, bool]:
    """Store ``publication`` under the next number unless it is the current one: as stored, and whether written."""
    number, written = append(internal, _prefix(publication.source_id), publication.to_json())
    return Published(number, publication), written


def read_latest_publication(internal: ObjectStore, source_id: str) -> Published | None:
    """The current publication of a source; None when it was never published."""
    latest = read_latest(internal, _prefix(source_id))
    return None if latest is None else Published(latest[0], Publication.from_json(latest[1]))


def published_sources(internal: ObjectStore) -> tuple[str, ...]:
    """Ids of all sources that have a publication, sorted."""
    return tuple(sorted({stored.key.removeprefix(_ROOT).split("/", 1)[0] for stored in internal.list(_ROOT)}))


def read_published_state(internal: ObjectStore, publication: Publication) -> SourceState:
    """The source state that the publication names.

    Raises:
        PublicationError: the stored state has another digest.
        ObjectMissingError: it is not there.
    """
    key = state_key(publication.source_id, publication.state_number)
    state = SourceState.from_json(internal.read(key))
    if state.digest != publication.state_digest:
        raise PublicationError(
            f"{key} has digest {state.digest}, the publication names {publication.state_digest}: "
            "one of the two was changed by hand. Run the source's sync again and publish."
        )
    return state


def _prefix(source_id: str) -> str:
    return f"{_ROOT}{source_id}/"


def _canonical(data: Any) -> bytes:
    return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()


def _digest(data: Any) -> str:
    return hashlib.sha256(_canonical(data)).hexdigest()[:_DIGEST_DIGITS]
