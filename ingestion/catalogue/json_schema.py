"""JSON schemas of the catalogue's tables, from the models: what one row is, with unit and origin of each column."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import BigInteger, Column, Date, Double, Integer, String, Table
from sqlalchemy.dialects.postgresql import JSONB

DIALECT = "https://json-schema.org/draft/2020-12/schema"
INTEGER_BOUNDS = {Integer: 2**31, BigInteger: 2**63}
"""One above the greatest value of the database's types."""


def row_schema(table: Table, columns: list[Column[Any]]) -> dict[str, Any]:
    """The schema of one row with these columns."""
    return {
        "$schema": DIALECT,
        "$id": f"urn:cie:schema:{table.name}",
        "title": table.name,
        "description": f"{table.comment}.",
        "type": "object",
        "properties": {column.name: property_of(column) for column in columns},
        "required": [column.name for column in columns if not column.nullable],
        "additionalProperties": False,
    }


def property_of(column: Column[Any]) -> dict[str, Any]:
    """One column: its type, what it is, ``x-unit`` and ``x-from``."""
    kinds = _type(column)
    said: dict[str, Any] = {"type": [kinds["type"], "null"] if column.nullable else kinds["type"]}
    said |= {name: value for name, value in kinds.items() if name != "type"}
    said["description"] = column.comment or ""
    if column.info["unit"]:
        said["x-unit"] = column.info["unit"]
    said["x-from"] = column.info["source"]
    return said


def to_bytes(schema: dict[str, Any]) -> bytes:
    """Same schema, same bytes."""
    return json.dumps(schema, indent=1, ensure_ascii=False).encode() + b"\n"


def _type(column: Column[Any]) -> dict[str, Any]:
    kind = column.type
    if isinstance(kind, Integer):
        bound = INTEGER_BOUNDS[BigInteger if isinstance(kind, BigInteger) else Integer]
        return {"type": "integer", "minimum": -bound, "maximum": bound - 1}
    if isinstance(kind, Double):
        return {"type": "number"}
    if isinstance(kind, Date):
        return {"type": "string", "format": "date"}
    if isinstance(kind, String) and kind.length:
        return {"type": "string", "maxLength": kind.length}
    # JSON is stored as its text in Parquet.
    return {"type": "string", "contentMediaType": "application/json"} if isinstance(kind, JSONB) else {"type": "string"}
