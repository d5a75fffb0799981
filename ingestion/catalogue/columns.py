"""How a catalogue column is declared: its description, unit and source stand beside it, and make the documentation."""

from __future__ import annotations

from typing import Any

from sqlalchemy import BigInteger, Column, Date, Double, Integer, String, Text
from sqlalchemy.types import TypeEngine

SOURCE_ID_LENGTH = 40
UID_LENGTH = 64
"""Characters of a DICOM UID (PS3.5, section 9)."""


def column(
    name: str, kind: type[TypeEngine[Any]] | TypeEngine[Any], description: str, *, source: str, unit: str | None = None,
    key: bool = False, required: bool = False, index: bool = False,
) -> Column[Any]:  # fmt: skip
    """A column whose comment is ``description``; ``unit`` and ``source`` (where a value comes from) are in ``info``."""
    return Column(
        name,
        kind,
        primary_key=key,
        nullable=not (key or required),
        index=index,
        comment=description,
        info={"unit": unit, "source": source},
        autoincrement=False,
    )


def source_id(*, references: str = "registry: id") -> Column[Any]:
    return column(
        "source_id", String(SOURCE_ID_LENGTH), "Source database, by its registry id", source=references, key=True
    )


def uid(name: str, description: str, *, key: bool = False, required: bool = True, index: bool = False) -> Column[Any]:
    """A pseudonymised DICOM UID."""
    return column(name, String(UID_LENGTH), description, source="manifest", key=key, required=required, index=index)


def text(
    name: str, description: str, *, source: str = "manifest header", required: bool = False, key: bool = False
) -> Column[Any]:
    return column(name, Text, description, source=source, required=required, key=key)


def whole(
    name: str, description: str, *, source: str = "manifest header", unit: str | None = None, required: bool = False,
    key: bool = False,
) -> Column[Any]:  # fmt: skip
    return column(name, Integer, description, source=source, unit=unit, required=required, key=key)


def count(name: str, description: str, *, source: str, required: bool = True) -> Column[Any]:
    return column(name, BigInteger, description, source=source, unit="1", required=required)


def size(name: str, description: str, *, source: str) -> Column[Any]:
    return column(name, BigInteger, description, source=source, unit="byte", required=True)


def number(name: str, description: str, *, unit: str, source: str = "manifest header") -> Column[Any]:
    return column(name, Double, description, source=source, unit=unit)


def day(name: str, description: str, *, source: str, required: bool = False) -> Column[Any]:
    return column(name, Date, description, source=source, required=required)
