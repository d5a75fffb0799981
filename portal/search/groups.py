"""Groups of criteria (all of, any of, none of) in the address: each is one ``q`` in the JSON form of a query.

A page shows what it understands of a ``q`` as a group that can be edited by links and a form; any other query is shown
as it is written, and taken out as a whole.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ingestion.catalogue.search.fields import FieldKind, SearchSchema
from ingestion.catalogue.search.json_text import NoJSONError, read_json
from ingestion.catalogue.search.query import QueryError
from portal.search.state import NOT_STATED_WORD, Pairs, address

MODES = ("any", "all", "none")
NEW = "new"
_RANGE = re.compile(r"^\s*(-?[\d.]*)\s*(?:to|à|\.\.|–|-)\s*(-?[\d.]*)\s*$")


class GroupError(ValueError):
    """A criterion that can't be added; ``key``: of the message that says why."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


@dataclass(frozen=True, slots=True)
class GroupLine:
    """One criterion of a group, and the address without it."""

    label: str
    href: str


@dataclass(frozen=True, slots=True)
class GroupBox:
    """``mode``: any, all, none, or query where it is of another form; ``href``: the address without the group."""

    number: int
    mode: str
    lines: tuple[GroupLine, ...]
    href: str


def groups(pairs: Pairs, label: Callable[[dict[str, Any]], str]) -> list[GroupBox]:
    """The groups of an address, numbered from 1. ``label``: how a criterion without parts is called."""
    boxes = []
    written = [value for name, value in pairs if name == "q"]
    for number, text in enumerate(written, start=1):
        others = _without(pairs, number)
        mode, children = _read(text)
        lines = []
        for at, child in enumerate(children):
            rest = children[:at] + children[at + 1 :]
            kept = [*others, ("q", _written(mode, rest))] if rest else others
            lines.append(GroupLine(label(child), address(kept)))
        if not children:
            lines.append(GroupLine(text, address(others)))
        boxes.append(GroupBox(number, mode, tuple(lines), address(others)))
    return boxes


def added(pairs: Pairs, asked: dict[str, str], schema: SearchSchema) -> Pairs:
    """The parameters with one criterion more, by the form's ``mode``, ``field``, ``value``, ``to`` (a number, new).

    Raises:
        GroupError: no such field or mode, no value, or a value that the field can't have.
    """
    criterion = _criterion(asked.get("field", ""), asked.get("value", "").strip(), schema)
    mode, target = asked.get("mode", "any"), asked.get("to", NEW)
    if mode not in MODES:
        raise GroupError("groups.no_mode")
    written = [value for name, value in pairs if name == "q"]
    if target == NEW:
        return [*pairs, ("q", _written(mode, [criterion]))]
    if not target.isdecimal() or not 0 < int(target) <= len(written):
        raise GroupError("groups.no_group")
    mode, children = _read(written[int(target) - 1])
    if not children:
        raise GroupError("groups.not_editable")
    return [*_without(pairs, int(target)), ("q", _written(mode, [*children, criterion]))]


def _criterion(name: str, value: str, schema: SearchSchema) -> dict[str, Any]:
    if not value:
        raise GroupError("groups.no_value")
    if name == "text":
        return {"text": value}
    field = schema.get(name)
    if field is None:
        raise GroupError("groups.no_field")
    if field.kind is not FieldKind.NUMBER:
        return {"field": name, "in": ["" if value == NOT_STATED_WORD else value]}
    found = _RANGE.match(value)
    low, high = found.groups() if found else (value, value)
    try:
        ends = {end: float(text) for end, text in (("from", low), ("to", high)) if text}
    except ValueError:
        raise GroupError("groups.no_range") from None
    if not ends or not all(math.isfinite(end) for end in ends.values()):
        raise GroupError("groups.no_range")
    return {"field": name, **ends}


def _read(text: str) -> tuple[str, list[dict[str, Any]]]:
    """Mode and criteria of a group; no criteria where the query has another form."""
    try:
        said = read_json(text)
    except (NoJSONError, QueryError):
        return "query", []
    mode, inner = "all", said
    if isinstance(said, dict) and set(said) == {"not"}:
        mode, inner = "none", said["not"]
        inner = inner["any"] if isinstance(inner, dict) and set(inner) == {"any"} else [inner]
    elif isinstance(said, dict) and set(said) in ({"any"}, {"all"}):
        [mode] = said
        inner = said[mode]
    else:
        inner = [said]
    if isinstance(inner, list) and inner and all(_is_plain(child) for child in inner):
        return mode, inner
    return "query", []


def _is_plain(child: Any) -> bool:
    """Whether a criterion has no criteria in it."""
    if not isinstance(child, dict):
        return False
    return set(child) == {"text"} or ("field" in child and set(child) <= {"field", "in", "from", "to"})


def _written(mode: str, children: list[dict[str, Any]]) -> str:
    said: Any = {"not": {"any": children}} if mode == "none" else {mode: children}
    return json.dumps(said, ensure_ascii=False, separators=(",", ":"))


def _without(pairs: Pairs, number: int) -> Pairs:
    """The parameters without the ``number``-th group."""
    kept, seen = [], 0
    for name, value in pairs:
        seen += name == "q"
        if name != "q" or seen != number:
            kept.append((name, value))
    return kept
