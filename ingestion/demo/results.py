"""Everything that the pipeline has written, as bytes to be searched: objects, tables, logs, run metadata."""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pyarrow.parquet as pq
from sqlalchemy import create_engine, text

from ingestion.settings import Settings
from ingestion.storage.open import open_stores

NOT_RESULTS = ("sources", "keys", "postgres", "store")
"""Folders of the data folder: what was delivered, the keys, and what is read through its server here."""
_TABLES = text(
    "select quote_ident(table_schema) || '.' || quote_ident(table_name) from information_schema.tables "
    "where table_type = 'BASE TABLE' and table_schema not in ('pg_catalog', 'information_schema') order by 1"
)


def everything(settings: Settings) -> Iterator[tuple[str, bytes]]:
    """(place, bytes) of all objects of both buckets, all tables of the database, all other files of the data folder.

    Columns of Parquet files come a second time as text: their pages are compressed.

    Raises:
        StoreError, SQLAlchemyError: a service failed.
    """
    yield from _objects(settings)
    yield from _tables(settings)
    yield from _files(settings.data_dir)


def _objects(settings: Settings) -> Iterator[tuple[str, bytes]]:
    stores = open_stores(settings)
    for bucket, store in ((settings.bucket_research, stores.research), (settings.bucket_internal, stores.internal)):
        for item in store.list():
            place = f"s3://{bucket}/{item.key}"
            yield f"key of {place}", item.key.encode()
            body = store.read(item.key)
            yield place, body
            if body[:4] == b"PAR1":
                yield f"{place} (columns)", _columns(body)


def _columns(body: bytes) -> bytes:
    table = pq.read_table(BytesIO(body))
    metadata = {**(table.schema.metadata or {})}
    return b"\n".join([*metadata.keys(), *metadata.values(), *(repr(row).encode() for row in table.to_pylist())])


def _tables(settings: Settings) -> Iterator[tuple[str, bytes]]:
    engine = create_engine(settings.sqlalchemy_url())
    try:
        with engine.connect() as connection:
            names = list(connection.execute(_TABLES).scalars())
            cursor = connection.connection.cursor()
            for name in names:
                copied = BytesIO()
                cursor.copy_expert(f"copy {name} to stdout (format binary)", copied)
                yield f"table {name}", copied.getvalue()
    finally:
        engine.dispose()


def _files(data_dir: Path) -> Iterator[tuple[str, bytes]]:
    for file in sorted(data_dir.rglob("*")):
        if file.is_file() and file.relative_to(data_dir).parts[0] not in NOT_RESULTS:
            place = str(file.relative_to(data_dir))
            yield f"name of {place}", place.encode("utf-8", "surrogateescape")
            yield place, file.read_bytes()
