"""Whether an object must have an attribute (DICOM PS3.3): what the compound codes of Table E.1-1 ask.

Types 1 and 1C are one here, and so are 2 and 2C: a conditional attribute that is present has met its condition. Below
the top level the sequence around an attribute decides. Objects of unknown kind get the strictest type that any kind
has: a harmless value where none is needed is valid in all of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from functools import cache

from ingestion.deidentify.profile import read_text

TABLE = "iod_types.txt"


class Type(IntEnum):
    """How much an object needs an attribute."""

    VALUE = 1  # types 1, 1C: it must have a value
    PRESENT = 2  # types 2, 2C: it must be there, and may be empty
    OPTIONAL = 3  # type 3, or not in the object's definition at all


@dataclass(frozen=True, slots=True)
class ObjectType:
    """The attributes that one kind of object must have. ``name``: of the IOD, None for a kind that is not known."""

    name: str | None
    top: Mapping[int, Type] = field(repr=False)
    inside: Mapping[int, Mapping[int, Type]] = field(repr=False)
    anywhere: Mapping[int, Type] = field(repr=False)

    def type_of(self, tag: int, *, parent: int | None) -> Type:
        """``parent``: the tag of the sequence around it, None at the top level."""
        if parent is None:
            return self.top.get(tag, Type.OPTIONAL)
        own = self.inside.get(parent, {}).get(tag)
        return self.anywhere.get(tag, Type.OPTIONAL) if own is None else own


@cache
def object_type(sop_class_uid: str) -> ObjectType:
    """What objects of that SOP class must have."""
    tables = _tables()
    name = tables.iods.get(sop_class_uid)
    modules = tables.modules.values() if name is None else [tables.modules[part] for part in tables.parts[name]]
    top: dict[int, Type] = {}
    for module in modules:
        for tag, kind in module.items():
            top[tag] = min(kind, top.get(tag, kind))
    return ObjectType(name, top, tables.inside, tables.anywhere)


@dataclass(frozen=True, slots=True)
class _Tables:
    anywhere: dict[int, Type]
    inside: dict[int, dict[int, Type]]
    modules: dict[str, dict[int, Type]]
    parts: dict[str, list[str]]
    iods: dict[str, str]


@cache
def _tables() -> _Tables:
    tables = _Tables({}, {}, {}, {}, {})
    for line in read_text(TABLE):
        kind, name, *rest = line.split()
        match kind:
            case "any":
                tables.anywhere.update(_types(rest))
            case "in":
                tables.inside[int(name, 16)] = _types(rest)
            case "module":
                tables.modules[name] = _types(rest)
            case "iod":
                tables.parts[name] = rest
            case _:
                tables.iods[name] = rest[0]
    return tables


def _types(words: list[str]) -> dict[int, Type]:
    return {int(word[:8], 16): Type(int(word[8])) for word in words}
