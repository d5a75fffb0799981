"""The federation's query, an abstract syntax tree in JSON, into a query of the catalogue.

``{"ast": {"operand": "OR", "children": [{"operand": "AND", "children": [...]}]}, "id": "..."}``; a leaf is
``{"key": "...", "type": "EQUALS", "system": "...", "value": "..."}``. The shape is samply/focus's (``src/ast.rs``).
A criterion that this node can't answer is an error that names it, never left out; so is a member that it does not know.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Mapping
from typing import Any

from ingestion.catalogue.federation.terms import CATEGORIES, FIELDS, values_of
from ingestion.catalogue.search.fields import FieldKind
from ingestion.catalogue.search.json_text import TOO_DEEP, NoJSONError, read_json, short
from ingestion.catalogue.search.query import EVERYTHING, MAX_DEPTH, MAX_NODES, AllOf, QueryError, parse_query
from ingestion.catalogue.search.release_index import RELEASE_SCHEMA

MAX_BYTES = 256_000
"""A query of the Explorer has some thousand."""
OWN_KEY = "cie:"
"""Before the name of a field: keys by which nodes of this platform ask each other for what the federation has no code
for. ``IN`` takes values, ``BETWEEN`` an object of min and max, ``CONTAINS`` words (``cie:text``)."""
WRAPPING = 2
"""Groups that every tree has around its question; what is left of them is bounded again as a query."""
MAX_FACETS = 50
"""More than there are fields."""
TOP = frozenset({"ast", "id", "facets"})
GROUP = frozenset({"operand", "children", "key", "nodeType"})
CRITERION = frozenset({"key", "type", "system", "value", "nodeType"})
"""Members of each part. The federation's Explorer (samply/lens, ``src/types/ast.ts``, over its versions) marks parts by
``nodeType`` and groups by the ``key`` of what is in them: neither asks for anything."""
RANGE = frozenset({"min", "max"})
NOT = "NOT"
"""Operand of a group of one child, likewise between nodes of this platform."""


class UnsupportedError(QueryError):
    """The query asks what this node can't answer. ``problems`` names each criterion and says why."""


def decode(body: bytes) -> AllOf:
    """The query in a request's body: JSON, or JSON in base64.

    Raises:
        QueryError: it is neither, too large, or of another shape; all problems with their places.
        UnsupportedError: it is well formed, and this node can't answer it.
    """
    if len(body) > MAX_BYTES:
        raise QueryError([f"a query has at most {MAX_BYTES:,} bytes, this one {len(body):,}"])
    said = _json(body)
    tree = said.get("ast") if isinstance(said, Mapping) else None
    if not isinstance(tree, Mapping):
        raise QueryError(["the query is an object with the member 'ast'"])
    reader = _Reader()
    reader.known(said, TOP, "the query")
    read = reader.read(tree, "ast", depth=1)
    if reader.malformed:
        raise QueryError(reader.malformed)
    if reader.unsupported:
        raise UnsupportedError(reader.unsupported)
    return parse_query(_unwrapped(read), RELEASE_SCHEMA)


def facets_of(body: bytes) -> tuple[str, ...]:
    """The fields whose values are to be counted too: the member ``facets``, which nodes of this platform send.

    Raises:
        QueryError: the body is no JSON, or the member no list of counted fields.
    """
    said = _json(body)
    asked = said.get("facets", []) if isinstance(said, Mapping) else []
    if not isinstance(asked, list) or len(asked) > MAX_FACETS or not all(isinstance(one, str) for one in asked):
        raise QueryError([f"'facets' is a list of at most {MAX_FACETS} names of fields"])
    unknown = uncounted(asked)
    if unknown:
        raise QueryError([f"facets: no such counted field: {', '.join(one[:40] for one in unknown[:10])}"])
    return tuple(dict.fromkeys(asked))


def uncounted(names: Iterable[str]) -> list[str]:
    """Those of the names that are no field whose values are counted."""
    return sorted(set(names) - {field.name for field in RELEASE_SCHEMA.fields if field.counted})


def _unwrapped(read: dict[str, Any]) -> dict[str, Any]:
    """Without the groups of one that a tree has around its question."""
    while True:
        (inner,) = read.values() if len(read) == 1 else (None,)
        if not isinstance(inner, list) or len(inner) != 1:
            return read
        read = inner[0]


def _json(body: bytes) -> Any:
    for text in (body, _unpacked(body)):
        if text is not None:
            try:
                return read_json(text)
            except NoJSONError:
                continue
    raise QueryError(["the body is neither JSON nor JSON in base64"])


def _unpacked(body: bytes) -> bytes | None:
    try:
        return base64.b64decode(body.strip(), validate=True)
    except (binascii.Error, ValueError):
        return None


class _Reader:
    """Turns a tree into the catalogue's JSON form."""

    def __init__(self) -> None:
        self._nodes = 0
        self.malformed: list[str] = []
        self.unsupported: list[str] = []

    def read(self, said: Any, place: str, *, depth: int) -> dict[str, Any]:
        self._nodes += 1
        if depth > MAX_DEPTH + WRAPPING:
            return self._once(TOO_DEEP)
        if self._nodes > MAX_NODES + WRAPPING:
            return self._once(f"more than {MAX_NODES} criteria: ask in several queries")
        if not isinstance(said, Mapping):
            return self._wrong(place, "is no object")
        if "operand" in said:
            self.known(said, GROUP, place)
            children = said.get("children")
            if said["operand"] == NOT and isinstance(children, list) and len(children) == 1:
                return {"not": self.read(children[0], f"{place}.children[0]", depth=depth + 1)}
            if said["operand"] not in ("AND", "OR") or not isinstance(children, list):
                what = "a group has the operand AND or OR and a list of children, or NOT and a list of one"
                return self._wrong(place, what)
            if not children:
                return {"all": []}  # the Explorer asks for everything by a group without children
            read = [
                self.read(child, f"{place}.children[{at}]", depth=depth + 1)
                for at, child in enumerate(children[: MAX_NODES + 1])
            ]
            return {"all" if said["operand"] == "AND" else "any": read}
        return self._criterion(said, place)

    def _criterion(self, said: Mapping[str, Any], place: str) -> dict[str, Any]:
        self.known(said, CRITERION, place)
        key, kind, value = said.get("key"), said.get("type"), said.get("value")
        if not isinstance(key, str) or not isinstance(kind, str) or value is None:
            return self._wrong(place, "a criterion has key, type and value")
        if key.startswith(OWN_KEY):
            return self._own(key.removeprefix(OWN_KEY), kind, value, place)
        category = CATEGORIES.get(key)
        if category is None:
            return self._cannot(place, f"nothing is held here about {key[:80]!r}")
        if kind not in ("EQUALS", "NOT_EQUALS", "IN"):
            return self._cannot(place, f"{category} can be EQUALS, NOT_EQUALS or IN, not {kind[:40]!r}")
        asked = value if isinstance(value, list) else [value]
        if not asked or not all(isinstance(one, str) for one in asked):
            return self._wrong(place, f"the value of {category} is a code, or a list of codes")
        found: set[str] = set()
        for one in asked:
            values = values_of(category, one)
            if values is None:
                return self._cannot(place, f"the code {one[:80]!r} of {category} is not known here")
            found.update(values)
        criterion = {"field": FIELDS[category], "in": sorted(found)}
        return {"not": criterion} if kind == "NOT_EQUALS" else criterion

    def _own(self, name: str, kind: str, value: Any, place: str) -> dict[str, Any]:
        field = RELEASE_SCHEMA.get(name)
        if (name, kind) == ("text", "CONTAINS"):
            return {"text": value}
        if field is None or field.kind is FieldKind.TEXT:
            return self._cannot(place, f"nothing is held here about {name[:80]!r}")
        if kind == "IN":
            return {"field": name, "in": value}
        if kind == "BETWEEN" and isinstance(value, Mapping):
            self.known(value, RANGE, f"{place}.value")
            return {"field": name, **{to: value[end] for end, to in (("min", "from"), ("max", "to")) if end in value}}
        return self._cannot(place, f"{name} can be IN or BETWEEN, not {kind[:40]!r}")

    def known(self, said: Mapping[str, Any], allowed: frozenset[str], place: str) -> None:
        """A member that is not known here may narrow the question: it is refused, not left out."""
        unknown = sorted(map(short, set(said) - allowed))
        if unknown:
            self._wrong(place, f"unknown member {', '.join(unknown[:10])}; allowed: {', '.join(sorted(allowed))}")

    def _once(self, problem: str) -> dict[str, Any]:
        if problem not in self.malformed:
            self.malformed.append(problem)
        return {"all": []}

    def _wrong(self, place: str, what: str) -> dict[str, Any]:
        self.malformed.append(f"{place}: {what}")
        return {"all": []}

    def _cannot(self, place: str, what: str) -> dict[str, Any]:
        self.unsupported.append(f"{place}: {what}")
        return {"all": []}


def from_parameters(pairs: list[tuple[str, str]]) -> AllOf:
    """The query in the parameters that Focus sends to a node's own API: ``?gender=male&modality=MR``.

    Values of one category are alternatives, as in the explorer: ``?modality=MR&modality=CT``.

    Raises:
        UnsupportedError: a parameter or value that this node doesn't know.
    """
    problems: list[str] = []
    found: dict[str, set[str]] = {}
    for name, value in pairs:
        category = CATEGORIES.get(name)
        values = values_of(category, value) if category else None
        if category is None or values is None:
            problems.append(f"{name[:40]}={value[:80]}: nothing is held here about it")
        else:
            found.setdefault(FIELDS[category], set()).update(values)
    if problems:
        raise UnsupportedError(problems)
    children = [{"field": field, "in": sorted(values)} for field, values in found.items()]
    return parse_query({"all": children}, RELEASE_SCHEMA) if children else EVERYTHING
