"""The tables of a release as Parquet: rights on every row, provenance in the footer, what links people left out."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Column, Table

from ingestion.catalogue import tables as t
from ingestion.catalogue.frames import ROW_GROUP_ROWS, arrow_type, json_text
from ingestion.catalogue.json_schema import property_of, row_schema

RIGHTS = ("DataUse", "AccessMode")
"""Columns that every row of a release has."""
_UNRELEASED = frozenset({"PersonKey"})
"""Digests that link people over sources stay in the database: the research bucket holds none."""
_FOOTER = "cie."
"""Keys of a file's metadata begin with it."""


def released_columns(table: Table) -> list[Column[Any]]:
    """The columns of a table in a release, in their order."""
    own = [column for column in table.columns if column.name not in _UNRELEASED]
    rights = [t.series.c[name] for name in RIGHTS if name not in table.columns]
    return own + rights


def released_schema(table: Table) -> dict[str, Any]:
    """The JSON schema of one row of a release."""
    return row_schema(table, released_columns(table))


def released_bytes(
    table: Table, frame: pd.DataFrame, *, rights: Mapping[str, Any], provenance: Mapping[str, str]
) -> bytes:
    """The rows, sorted by key, as Zstandard-compressed Parquet with statistics; the same rows give the same bytes.

    Args:
        rights: ``RIGHTS`` of the source, for tables that do not have them; not used for ``collection``.
        provenance: what the rows were made from; kept in the footer as ``cie.<name>``.
    """
    columns = released_columns(table)
    keys = [column.name for column in table.primary_key.columns]
    frame = frame.sort_values(keys, kind="stable", ignore_index=True)
    frame = frame.assign(**{name: rights[name] for name in RIGHTS if name not in frame.columns})
    if "Other" in frame.columns:
        frame = frame.assign(Other=frame["Other"].map(json_text, na_action="ignore"))
    fields = [pa.field(column.name, arrow_type(column), metadata=_field_metadata(column)) for column in columns]
    footer = {f"{_FOOTER}{name}": value for name, value in sorted(provenance.items())} | {f"{_FOOTER}table": table.name}
    schema = pa.schema(fields, metadata=footer)
    arrow = pa.Table.from_pandas(frame[[column.name for column in columns]], schema=schema, preserve_index=False)
    body = io.BytesIO()
    pq.write_table(
        arrow.replace_schema_metadata(footer), body, compression="zstd", row_group_size=ROW_GROUP_ROWS,
        write_statistics=True, write_page_index=True,
        sorting_columns=[pq.SortingColumn(arrow.schema.get_field_index(name)) for name in keys],
    )  # fmt: skip
    return body.getvalue()


def provenance_of(body: bytes) -> dict[str, str]:
    """What a released file says of its making."""
    found = pq.read_schema(io.BytesIO(body)).metadata or {}
    told = {name.decode(): value.decode() for name, value in found.items()}
    return {name.removeprefix(_FOOTER): value for name, value in told.items() if name.startswith(_FOOTER)}


def _field_metadata(column: Column[Any]) -> dict[str, str]:
    said = property_of(column)
    names = {"description": "description", "x-unit": "unit", "x-from": "from"}
    return {ours: json.dumps(said[name]) if not isinstance(said[name], str) else said[name]
            for name, ours in names.items() if name in said}  # fmt: skip
