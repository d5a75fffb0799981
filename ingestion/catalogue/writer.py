"""Writes and reads the catalogue's rows. A source's rows are replaced in one transaction: a reader sees old or new."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from sqlalchemy import Connection, Engine, Table, delete, insert, select, text, update

from ingestion.accounting.database import transaction
from ingestion.catalogue import tables as t
from ingestion.catalogue.collection import Row
from ingestion.catalogue.frames import frame_of
from ingestion.catalogue.publication import Published
from ingestion.catalogue.results import Level, feature_rows, plain, quality_rows, segmentation_rows
from ingestion.catalogue.rows import SourceTables

_BATCH = 2_000
"""Rows per statement: large enough for the driver to be busy, small enough to keep in memory."""
_LOCK = 0x636965_02
"""Class of the advisory lock that one source's rows are replaced behind: the letters "cie", and 2."""


@dataclass(frozen=True, slots=True)
class RowCounts:
    """Rows written by table; none where the source's rows were those of the publication already."""

    by_table: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.by_table.values())


def replace_source(
    engine: Engine, source_id: str, tables: SourceTables, *, quality: pd.DataFrame, features_series: pd.DataFrame,
    features_regions: pd.DataFrame, publication: Published, force: bool = False,
) -> RowCounts:  # fmt: skip
    """Make the rows of ``source_id`` those given, all or none of them. A no-op when ``publication`` is shown already,
    unless by ``force``.

    Raises:
        LedgerError: the database failed; the rows are what they were.
    """
    named = publication.publication
    with transaction(engine, f"writing the catalogue rows of {source_id}") as connection:
        _one_writer(connection, source_id)
        if not force and _shown_digest(connection, source_id) == named.digest:
            return RowCounts()
        for table in (t.publication, *t.ROW_TABLES):
            connection.execute(delete(table).where(table.c.source_id == source_id))
        rows: tuple[tuple[Table, Iterable[Row]], ...] = (
            (t.collection, _frame_rows(tables.collection)),
            (t.patient, _frame_rows(tables.patient)),
            (t.study, _frame_rows(tables.study)),
            (t.series, _frame_rows(tables.series)),
            (t.instance_manifest, _frame_rows(tables.instance_manifest)),
            (t.lineage, _frame_rows(tables.lineage)),
            (t.quarantine, _frame_rows(tables.quarantine)),
            (t.quality, quality_rows(source_id, quality)),
            (t.segmentation, segmentation_rows(source_id, features_regions)),
            (
                t.feature,
                itertools.chain(
                    feature_rows(source_id, Level.SERIES, features_series),
                    feature_rows(source_id, Level.REGION, features_regions),
                ),
            ),
        )
        counts = {table.name: _insert(connection, table, some) for table, some in rows}
        _insert(connection, t.publication, [_publication_row(publication)])
        mark_released(connection, source_id)
    return RowCounts(counts)


def mark_released(connection: Connection, source_id: str) -> None:
    """Tell a source's rows of ``series`` in which releases they are. Waits for a writer of its rows."""
    _one_writer(connection, source_id)
    known = t.release_series
    query = update(t.series).where(
        t.series.c.source_id == source_id,
        known.c.source_id == source_id,
        t.series.c.SeriesInstanceUID == known.c.SeriesInstanceUID,
    )
    connection.execute(
        query.values(
            FirstRelease=known.c.FirstRelease,
            RevisedRelease=known.c.RevisedRelease,
            LastRelease=known.c.LastRelease,
        )
    )


def remove_source(engine: Engine, source_id: str) -> None:
    """Take all catalogue rows of a source away. What is stored of it stays."""
    with transaction(engine, f"removing the catalogue rows of {source_id}") as connection:
        _one_writer(connection, source_id)
        for table in (t.publication, *t.ROW_TABLES):
            connection.execute(delete(table).where(table.c.source_id == source_id))


def shown_digest(engine: Engine, source_id: str) -> str | None:
    """Digest of the publication whose rows the catalogue holds of a source; None when it holds none."""
    with transaction(engine, f"reading the publication of {source_id}") as connection:
        return _shown_digest(connection, source_id)


def read(engine: Engine, table: Table, *, source_id: str | None = None) -> pd.DataFrame:
    """The rows of one catalogue table, of one source or of all, sorted by key."""
    with transaction(engine, f"reading {table.name}") as connection:
        return read_rows(connection, table, source_id=source_id)


def read_rows(connection: Connection, table: Table, *, source_id: str | None = None) -> pd.DataFrame:
    """As ``read``, within a transaction of the caller's."""
    query = select(table)
    if source_id is not None:
        query = query.where(table.c.source_id == source_id)
    return frame_of(table, [dict(row) for row in connection.execute(query).mappings()])


def _one_writer(connection: Connection, source_id: str) -> None:
    """Two processes that replace the same source at once do it one after the other."""
    connection.execute(
        text("SELECT pg_advisory_xact_lock(:kind, hashtext(:source))"), {"kind": _LOCK, "source": source_id}
    )


def _shown_digest(connection: Connection, source_id: str) -> str | None:
    return connection.execute(
        select(t.publication.c.Digest).where(t.publication.c.source_id == source_id)
    ).scalar_one_or_none()


def _publication_row(published: Published) -> Row:
    named = published.publication
    return {
        "source_id": named.source_id,
        "Number": published.number,
        "Digest": named.digest,
        "StateNumber": named.state_number,
        "StateDigest": named.state_digest,
        "QualityKey": named.quality_key,
        "FeaturesSeriesKey": named.features_series_key,
        "FeaturesRegionsKey": named.features_regions_key,
        "EntryDigest": named.entry_digest,
        "TablesVersion": named.tables_version,
    }


def _frame_rows(frame: pd.DataFrame) -> Iterator[Row]:
    names = list(frame.columns)
    for values in frame.itertuples(index=False, name=None):
        yield dict(zip(names, (plain(value) for value in values), strict=True))


def _insert(connection: Connection, table: Table, rows: Iterable[Mapping[str, Any]]) -> int:
    names = [column.name for column in table.columns]
    written = 0
    remaining = iter(rows)
    while batch := [{name: row.get(name) for name in names} for row in itertools.islice(remaining, _BATCH)]:
        connection.execute(insert(table), batch)
        written += len(batch)
    return written
