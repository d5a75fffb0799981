"""What is kept of a source, found by walking everything: both buckets, all tables, the search indexes on disk.

It looks at what others say of the source's people, too (``mentions``), and at the runs that brought it in.

The walk knows where a key names its source, and looks at every key there is: so what another version of the pipeline
wrote is found too. Tables are those that the database has, not those that this version knows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq
from sqlalchemy import Connection, Engine, text

from ingestion.accounting.database import transaction
from ingestion.accounting.tables import SCHEMA, source_key
from ingestion.catalogue.erasure.mentions import count_mentions, read_names
from ingestion.catalogue.erasure.run_history import count_runs
from ingestion.catalogue.release_manifest import ROOT as RELEASES
from ingestion.catalogue.release_manifest import list_releases
from ingestion.catalogue.search.index import ROWS
from ingestion.storage import ObjectStore

KEPT_TABLES = frozenset({source_key.name})
"""The check value of the source's key: it names nobody, and keeps the key from being given to another source, whose
people would then get pseudonyms by it."""
DESCRIPTIONS = frozenset({"datacite"})
"""Folders of a release with documents about a source: figures of its whole that the public may see, no row."""


@dataclass(frozen=True, slots=True)
class Buckets:
    """The two buckets, to look at."""

    research: ObjectStore
    internal: ObjectStore

    def each(self) -> Iterator[tuple[str, ObjectStore]]:
        yield "research", self.research
        yield "internal", self.internal


@dataclass(frozen=True, slots=True)
class Holdings:
    """``objects``: (number, bytes) by bucket and first folder, such as ``research/dicom``; ``rows``: by table.

    ``releases``: versions whose manifest still holds tables of the source. ``indexes``: folders with rows of it.
    ``runs``: rows of Dagster's storage by table. ``mentions``: how many reports and rows of others name people of it.
    """

    source_id: str
    objects: Mapping[str, tuple[int, int]]
    rows: Mapping[str, int]
    releases: tuple[str, ...]
    indexes: tuple[Path, ...]
    runs: Mapping[str, int] = field(default_factory=dict)
    mentions: Mapping[str, int] = field(default_factory=dict)

    @property
    def nothing(self) -> bool:
        return not (self.objects or self.rows or self.releases or self.indexes or self.runs or self.mentions)

    @property
    def number_of_objects(self) -> int:
        return sum(number for number, _ in self.objects.values())


def find_holdings(engine: Engine, buckets: Buckets, search: Path, source_id: str) -> Holdings:
    """All that is kept of a source.

    Args:
        search: folder of the search indexes.

    Raises:
        LedgerError, StoreError: database or store failed.
    """
    objects: dict[str, tuple[int, int]] = {}
    for bucket, store in buckets.each():
        for stored in store.list():
            if source_of(stored.key) == source_id:
                place = f"{bucket}/{stored.key.split('/', 1)[0]}"
                number, size = objects.get(place, (0, 0))
                objects[place] = number + 1, size + stored.size
    with transaction(engine, f"counting the rows of {source_id}") as connection:
        rows = {table: _count(connection, table, source_id) for table in tables_by_source(connection)}
        runs = count_runs(connection, source_id)
    names = read_names(engine, buckets.research, buckets.internal, source_id)
    return Holdings(
        source_id=source_id,
        objects=dict(sorted(objects.items())),
        rows={table: number for table, number in rows.items() if number},
        releases=tuple(
            release.version
            for release in list_releases(buckets.research)
            if source_id in release.sources or any(file.source_id == source_id for file in release.files)
        ),
        indexes=tuple(indexes_with(search, source_id)),
        runs=runs,
        mentions=count_mentions(engine, buckets.internal, names),
    )


def source_of(key: str) -> str | None:
    """The source that an object is of, by its key; None for what is of no source or of several."""
    parts = key.split("/")
    if parts[0] == RELEASES.rstrip("/"):
        # releases/<version>/<table>/<source>.parquet
        return parts[3].rpartition(".")[0] if len(parts) == 4 and parts[2] not in DESCRIPTIONS else None
    if parts[0] == "vocabulary":
        return parts[2] if len(parts) == 4 and parts[1] == "unknown" else None
    return parts[1] if len(parts) >= 3 else None


def tables_by_source(connection: Connection) -> list[str]:
    """The tables of the platform's schema that say of each row which source it is of, but those that stay."""
    query = text(
        "SELECT c.table_name FROM information_schema.columns c "
        "JOIN information_schema.tables t USING (table_schema, table_name) "
        "WHERE c.table_schema = :schema AND c.column_name = 'source_id' AND t.table_type = 'BASE TABLE' ORDER BY 1"
    )
    return [name for name in connection.execute(query, {"schema": SCHEMA}).scalars() if name not in KEPT_TABLES]


def indexes_with(search: Path, source_id: str) -> Iterator[Path]:
    """The folders below ``search`` with rows of the source, whole indexes and those that a broken-off build left."""
    for rows in sorted(search.glob(f"*/{ROWS}")):
        try:
            table = pq.read_table(rows, columns=["source_id"])
        except (OSError, ValueError, KeyError):  # half-written, or of another kind: made anew when it is asked for
            yield rows.parent
            continue
        if source_id in set(table.column(0).to_pylist()):
            yield rows.parent


def _count(connection: Connection, table: str, source_id: str) -> int:
    query = text(f'SELECT count(*) FROM {SCHEMA}."{table}" WHERE source_id = :source')
    return int(connection.execute(query, {"source": source_id}).scalar_one())
