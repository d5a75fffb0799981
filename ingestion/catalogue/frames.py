"""Data frames with the columns of a catalogue table, and as Parquet objects of a store named by their content."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import BigInteger, Column, Date, Double, Integer, Table

from ingestion.storage import ObjectStore

ROW_GROUP_ROWS = 65_536
"""Rows per Parquet row group: small enough for a query to skip most by their statistics, large enough to compress."""
UNITS, UNIT = "units", "unit"
"""Key of a frame's ``attrs`` with the unit of each column; key of a Parquet field's metadata with its unit."""
DESCRIPTIONS, DESCRIPTION = "descriptions", "description"
"""Likewise, what each column says."""
_DIGEST_DIGITS = 24


def frame_of(table: Table, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """The rows with the columns of ``table``, in its order and sorted by its key.

    Text is of type object with None; whole numbers are Int64, with NA where the column may be empty; other numbers
    are float64 with NaN.
    """
    names = [column.name for column in table.columns]
    frame = pd.DataFrame(list(rows), columns=names, dtype=object)
    for column in table.columns:
        if isinstance(column.type, (Integer, BigInteger)):
            frame[column.name] = frame[column.name].astype("Int64" if column.nullable else "int64")
        elif isinstance(column.type, Double):
            frame[column.name] = frame[column.name].astype("float64")
    keys = [column.name for column in table.primary_key.columns]
    return frame.sort_values(keys, kind="stable", ignore_index=True)


def arrow_schema(table: Table) -> pa.Schema:
    """The Arrow types of a catalogue table: the same for every source, whatever its rows hold."""
    return pa.schema([pa.field(column.name, arrow_type(column)) for column in table.columns])


def arrow_type(column: Column[Any]) -> pa.DataType:
    """The Arrow type of a column."""
    # BigInteger is an Integer too, so it is asked first.
    kinds = ((BigInteger, pa.int64()), (Integer, pa.int32()), (Double, pa.float64()), (Date, pa.date32()))
    return next((arrow for kind, arrow in kinds if isinstance(column.type, kind)), pa.string())


def parquet_bytes(frame: pd.DataFrame, *, schema: pa.Schema | None = None) -> bytes:
    """Deterministic Parquet: zstd, row groups with statistics and page index; the index is not kept.

    Units and descriptions of columns (``frame.attrs["units"]``, ``["descriptions"]``) are kept as metadata of their
    fields, beside what ``schema`` says there.
    """
    said = {UNIT: frame.attrs.get(UNITS, {}), DESCRIPTION: frame.attrs.get(DESCRIPTIONS, {})}
    table = pa.Table.from_pandas(_plain(frame) if schema is None else frame, schema=schema, preserve_index=False)
    fields = [_saying(field, {key: names.get(field.name) for key, names in said.items()}) for field in table.schema]
    table = pa.Table.from_arrays(table.columns, schema=pa.schema(fields))
    body = io.BytesIO()
    pq.write_table(
        table, body, compression="zstd", row_group_size=ROW_GROUP_ROWS, write_statistics=True, write_page_index=True
    )
    return body.getvalue()


def _saying(field: pa.Field, texts: Mapping[str, str | None]) -> pa.Field:
    said = {**(field.metadata or {}), **{key: text for key, text in texts.items() if text is not None}}
    return field.with_metadata(said or None)


def table_bytes(table: Table, frame: pd.DataFrame) -> bytes:
    """The rows of a catalogue table as Parquet with its types; JSON columns as their texts."""
    if "Other" in frame.columns:
        frame = frame.assign(Other=frame["Other"].map(json_text, na_action="ignore"))
    return parquet_bytes(frame, schema=arrow_schema(table))


def json_text(value: object) -> str:
    """The text of a JSON cell, names sorted."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _plain(frame: pd.DataFrame) -> pd.DataFrame:
    """Columns with nothing in them as text: without a value Arrow has no type, and it would differ by source."""
    empty = [name for name in frame.columns if frame[name].dtype == object and frame[name].isna().all()]
    return frame.astype(dict.fromkeys(empty, "string")) if empty else frame


def store_frame(store: ObjectStore, prefix: str, frame: pd.DataFrame, *, name: str = "") -> str:
    """Store ``frame`` as ``<prefix>/<digest of the bytes><name>.parquet`` and return the key. A no-op when it is there.

    With a ``prefix`` that ends in ``/`` and ``name`` ``/results``: ``<prefix><digest>/results.parquet``.
    """
    body = parquet_bytes(frame)
    key = f"{prefix.rstrip('/')}/{hashlib.sha256(body).hexdigest()[:_DIGEST_DIGITS]}{name}.parquet"
    store.create(key, body, content_type="application/vnd.apache.parquet")
    return key


def store_quality(internal: ObjectStore, source_id: str, results: pd.DataFrame) -> str:
    """Store the quality results of a source: ``quality/<source>/<digest>/results.parquet`` in the internal bucket."""
    return store_frame(internal, f"quality/{source_id}", results, name="/results")


def store_features(
    research: ObjectStore, source_id: str, *, series: pd.DataFrame, regions: pd.DataFrame
) -> tuple[str, str]:
    """Store both feature tables: ``features/<source>/tables/<digest>.{series,regions}.parquet``, research bucket."""
    prefix = f"features/{source_id}/tables"
    return store_frame(research, prefix, series, name=".series"), store_frame(
        research, prefix, regions, name=".regions"
    )


def empty_frame() -> pd.DataFrame:
    """Nothing measured, nothing judged: no rows, no columns."""
    return pd.DataFrame()


def read_frame(store: ObjectStore, key: str | None) -> pd.DataFrame:
    """The frame stored at ``key``; one without rows and columns for no key.

    Raises:
        ObjectMissingError: no such key.
    """
    if key is None:
        return empty_frame()
    table = pq.read_table(io.BytesIO(store.read(key)))
    frame = table.to_pandas()
    frame.attrs[UNITS] = {
        field.name: field.metadata[UNIT.encode()].decode()
        for field in table.schema
        if field.metadata and UNIT.encode() in field.metadata
    }
    return frame
