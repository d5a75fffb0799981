"""From what is stored to what the catalogue shows: one source at its publishing, all of them at a rebuild."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd
from sqlalchemy import Engine, delete, select

from ingestion.accounting.database import transaction
from ingestion.accounting.erasure import read_erasure, refuse_erased
from ingestion.accounting.source_state import read_latest_state, read_manifests
from ingestion.catalogue import tables as t
from ingestion.catalogue.accounts import made_from, numbered
from ingestion.catalogue.curated import read_curated
from ingestion.catalogue.frames import frame_of, read_frame
from ingestion.catalogue.publication import (
    Publication,
    Published,
    make_publication,
    publish,
    published_sources,
    read_latest_publication,
    read_published_state,
)
from ingestion.catalogue.release_history import record_releases
from ingestion.catalogue.rows import SourceTables, build_tables, rows_of, with_pointers, with_quality
from ingestion.catalogue.writer import RowCounts, remove_source, replace_source, shown_digest
from ingestion.sources.registry import Registry, SourceEntry
from ingestion.storage import ObjectStore


class NothingToPublishError(ValueError):
    """The source has no state: it was never synchronised."""


@dataclass(frozen=True, slots=True)
class SourceContent:
    """All that the catalogue shows of a source, read from the buckets."""

    tables: SourceTables
    quality: pd.DataFrame
    features_series: pd.DataFrame
    features_regions: pd.DataFrame


@dataclass(frozen=True, slots=True)
class PublishResult:
    """What publishing did; ``written``: the publication is a new one."""

    published: Published
    written: bool
    rows: RowCounts


def publish_source(
    engine: Engine, research: ObjectStore, internal: ObjectStore, entry: SourceEntry, *, quality_key: str | None,
    features_series_key: str | None, features_regions_key: str | None, series_quality_key: str | None = None,
) -> PublishResult:  # fmt: skip
    """Publish the current state of a source with these results: store the publication, then replace the rows.

    Interrupted between the two, the next call or a rebuild writes the rows.

    Raises:
        NothingToPublishError: the source has no state.
        SourceErasedError: the source was erased.
        LedgerError, StoreError: database or store failed; the rows are what they were.
    """
    refuse_erased(internal, entry.id)
    latest = read_latest_state(internal, entry.id)
    if latest is None:
        raise NothingToPublishError(f"source {entry.id} has no state yet: run its de-identification first")
    publication = make_publication(
        entry, *latest, quality_key=quality_key, features_series_key=features_series_key,
        features_regions_key=features_regions_key, series_quality_key=series_quality_key,
        vocabulary=read_curated(internal).number,
    )  # fmt: skip
    current = read_latest_publication(internal, entry.id)
    unchanged = current is not None and current.publication == publication
    if current is not None and unchanged and shown_digest(engine, entry.id) == publication.digest:
        return PublishResult(current, written=False, rows=RowCounts())
    # Read before it is stored: a publication that names something missing would break every rebuild.
    content = read_content(research, internal, publication)
    published, written = publish(internal, publication)
    return PublishResult(published, written, _show(engine, published, content))


def read_content(research: ObjectStore, internal: ObjectStore, publication: Publication) -> SourceContent:
    """What a publication names.

    Raises:
        ObjectMissingError: something it names is not there.
        PublicationError, ManifestsIncompleteError: something it names is not what it was.
    """
    state = read_published_state(internal, publication)
    curated = read_curated(internal, publication.vocabulary)
    tables = build_tables(
        state, read_manifests(research, state), registry_entry=publication.registry_entry, curated=curated
    )
    features = read_frame(research, publication.features_series_key)
    regions = read_frame(research, publication.features_regions_key)
    tables = with_quality(tables, read_frame(internal, publication.series_quality_key))
    tables = with_pointers(tables, features=features, regions=regions)
    return SourceContent(
        tables=replace(tables, lineage=_lineage(tables.lineage, publication)),
        quality=read_frame(internal, publication.quality_key),
        features_series=features,
        features_regions=regions,
    )


def _lineage(instances: pd.DataFrame, publication: Publication) -> pd.DataFrame:
    """With what else the publication names."""
    rows = rows_of(instances)
    named = (
        made_from("quality", "quality_report", "source state", publication.quality_key),
        made_from("quality of series", "quality_report", "source state", publication.series_quality_key),
        made_from("features of series", "series_features", "source state", publication.features_series_key),
        made_from("features of regions", "series_features", "source state", publication.features_regions_key),
    )
    more = numbered(publication.source_id, [row for row in named if row is not None], after=len(rows))
    return frame_of(t.lineage, rows + more)


def rebuild(
    engine: Engine, research: ObjectStore, internal: ObjectStore, registry: Registry
) -> Mapping[str, RowCounts]:
    """Drop all catalogue rows and make them again from the buckets alone: rows written by source.

    A source that is no longer in the registry, or was erased, gets no rows. Each source is one transaction, so a reader
    finds a source's old rows or its new ones, and an interrupted rebuild is simply run again.

    Raises:
        LedgerError, StoreError, ObjectMissingError: as for ``publish_source`` and ``read_content``.
    """
    known = set(registry.ids)
    published = [
        source_id
        for source_id in published_sources(internal)
        # An erasure that broke off may have left publications.
        if source_id in known and read_erasure(internal, source_id) is None
    ]
    for source_id in _shown_sources(engine):
        if source_id not in published:
            remove_source(engine, source_id)
    counts = {}
    for source_id in published:
        latest = read_latest_publication(internal, source_id)
        if latest is None:  # listed a moment ago, and nothing is ever deleted
            raise NothingToPublishError(f"the publication of {source_id} has vanished from the internal bucket")
        content = read_content(research, internal, latest.publication)
        counts[source_id] = _show(engine, latest, content, force=True)
    with transaction(engine, "reading the releases") as connection:
        connection.execute(delete(t.release))
        connection.execute(delete(t.release_series))
        record_releases(connection, research)
    return counts


def _show(engine: Engine, published: Published, content: SourceContent, *, force: bool = False) -> RowCounts:
    return replace_source(
        engine,
        published.publication.source_id,
        content.tables,
        quality=content.quality,
        features_series=content.features_series,
        features_regions=content.features_regions,
        publication=published,
        force=force,
    )


def _shown_sources(engine: Engine) -> list[str]:
    with transaction(engine, "reading the published sources") as connection:
        return list(connection.execute(select(t.publication.c.source_id).order_by(t.publication.c.source_id)).scalars())
