"""Queries: parsed and bounded on the way in, put into one normal form, never altered in meaning.

The text form is JSON: ``{"all": [...]}``, ``{"any": [...]}``, ``{"not": {...}}``, ``{"text": "t2 tse"}``,
``{"field": "Modality", "in": ["CT", "MR"]}``, ``{"field": "AgeAtStudy", "from": 50, "to": 60}``.
A criterion that is not understood is an error with its place, never left out.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

from ingestion.catalogue.search.fields import FieldKind, SearchSchema

MAX_NODES = 200
"""Criteria of one query: a person clicks a few dozen; each costs a pass over the rows."""
MAX_DEPTH = 8
"""Groups within groups: more can't be read by a person."""
MAX_VALUES = 1000
"""Values of one criterion. Settling tries each: in a list not tried, one value more would tell of one person."""
MAX_TEXT = 200
"""Characters of a value or of free text."""
MAX_TRIALS = 1_000
"""Counts that settling a question for the public may take (``settle``): some seconds on a million series. 40 criteria,
or 20 of 30 values each; a list of values of one field is one criterion."""
MAX_NUMBER = 1e15
"""No column holds more, and a double still tells whole numbers apart."""


@dataclass(frozen=True, slots=True)
class AnyOfValues:
    """The field has one of the values; ``""`` stands for: not stated."""

    field: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Between:
    """``low <= value <= high``; an end that is None is open. Rows without a value are not in any range."""

    field: str
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Words:
    """Every word occurs in one of the text fields of the row, in any case, also within a longer word."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class AnyOf:
    children: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    child: Node


Node: TypeAlias = AnyOfValues | Between | Words | AllOf | AnyOf | Not
EVERYTHING = AllOf(())


class QueryError(ValueError):
    """A query that can't be answered. ``problems``: each with its place in the query, and what to do."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))


def parse_query(said: Any, schema: SearchSchema) -> AllOf:
    """The query in normal form.

    Args:
        said: a JSON value, already decoded; None asks for everything.

    Raises:
        QueryError: with all problems found, not just the first.
    """
    if said is None:
        return EVERYTHING
    reader = _Reader(schema)
    node = reader.query(said)
    if reader.problems:
        raise QueryError(reader.problems)
    query = normal(node)
    if trials(query) > MAX_TRIALS:
        raise QueryError(["too many criteria: name the values of a field in one list, or ask in several queries"])
    return query


def trials(query: AllOf) -> int:
    """How many counts settling a question takes at most: each part is tried again for each that was left out.

    By the question alone, so that a refusal tells nothing of the data.
    """
    parts = sum(len(one.words) if isinstance(one, Words) else 1 for one in _parts(query)) - 1
    lists = [len(one.values) for one in _parts(query) if isinstance(one, AnyOfValues)]
    return parts * (parts + 1) // 2 + sum(lists)


def _parts(node: Node) -> Iterator[Node]:
    yield node
    if isinstance(node, Not):
        yield from _parts(node.child)
    elif isinstance(node, (AllOf, AnyOf)):
        for child in node.children:
            yield from _parts(child)


def normal(node: Node) -> AllOf:
    """The same question in one form, which is a fixed point: its text is read back as itself.

    Groups are flattened, groups of one child and double negations removed, values and children sorted and without
    repeats. Public numbers are drawn by the digest of this form, so one question must have one only.
    """
    simple = _simple(node)
    return simple if isinstance(simple, AllOf) else AllOf((simple,))


def to_json(node: Node) -> dict[str, Any]:
    """The text form of a query, as ``parse_query`` reads it."""
    match node:
        case AnyOfValues(field, values):
            return {"field": field, "in": list(values)}
        case Between(field, low, high):
            ends = {"from": low, "to": high}
            return {"field": field, **{name: end for name, end in ends.items() if end is not None}}
        case Words(words):
            return {"text": " ".join(words)}
        case Not(child):
            return {"not": to_json(child)}
        case AllOf(children):
            return {"all": [to_json(child) for child in children]}
        case AnyOf(children):
            return {"any": [to_json(child) for child in children]}


def digest(node: Node) -> str:
    """Digest (24 hex digits) of the normal form."""
    return hashlib.sha256(_text(normal(node)).encode()).hexdigest()[:24]


def fields_of(node: Node) -> Iterator[str]:
    """The fields that a query asks about, in order, with repeats."""
    match node:
        case AnyOfValues(field, _) | Between(field, _, _):
            yield field
        case Not(child):
            yield from fields_of(child)
        case AllOf(children) | AnyOf(children):
            for child in children:
                yield from fields_of(child)


def _text(node: Node) -> str:
    return json.dumps(to_json(node), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def _simple(node: Node) -> Node:
    match node:
        case AnyOfValues(field, values):
            return AnyOfValues(field, tuple(sorted(set(values))))
        case Words(words):
            return Words(tuple(sorted({word.casefold() for word in words})))
        case Not(child):
            return _negated(_simple(child))
        case AllOf() | AnyOf():
            return _group(node)
        case _:
            return node


def _negated(simple: Node) -> Node:
    match simple:
        case Not(child):
            return child
        case AllOf(()):
            return AnyOf(())
        case AnyOf(()):
            return AllOf(())
        case _:
            return Not(simple)


def _group(group: AllOf | AnyOf) -> Node:
    kind = type(group)
    flat: dict[str, Node] = {}
    for child in group.children:
        simple = _simple(child)
        for one in simple.children if isinstance(simple, kind) else (simple,):
            flat[_text(one)] = one
    if kind is AnyOf:
        flat = _merged(flat)
    children = tuple(flat[text] for text in sorted(flat))
    return children[0] if len(children) == 1 else kind(children)


def _merged(flat: Mapping[str, Node]) -> dict[str, Node]:
    """One criterion for all values of a field: a list of values and a group of single ones ask the same."""
    values: dict[str, set[str]] = {}
    rest = []
    for node in flat.values():
        if isinstance(node, AnyOfValues):
            values.setdefault(node.field, set()).update(node.values)
        else:
            rest.append(node)
    merged: list[Node] = []
    for field, known in values.items():
        ordered = sorted(known)
        pieces = range(0, len(ordered), MAX_VALUES)  # so that the text can be read back
        merged += [AnyOfValues(field, tuple(ordered[at : at + MAX_VALUES])) for at in pieces]
    return {_text(node): node for node in [*rest, *merged]}


class _Reader:
    """Reads a decoded query; gathers problems with their places."""

    def __init__(self, schema: SearchSchema) -> None:
        self._schema = schema
        self._nodes = 0
        self.problems: list[str] = []

    def query(self, said: Any) -> Node:
        """The outermost ``all`` is free: the normal form has one also where the question had none."""
        if isinstance(said, Mapping) and set(said) == {"all"}:
            return AllOf(self._children(said["all"], "query.all", depth=0))
        return self.read(said, "query", depth=1)

    def read(self, said: Any, place: str, *, depth: int) -> Node:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            self._once(f"more than {MAX_NODES} criteria: ask in several queries")
            return EVERYTHING
        if depth > MAX_DEPTH:
            self._once(f"groups nested deeper than {MAX_DEPTH}: write the query flatter")
            return EVERYTHING
        if not isinstance(said, Mapping):
            return self._wrong(place, "a criterion is an object such as {'field': 'Modality', 'in': ['CT']}")
        keys = set(said)
        for name, kind in (("all", AllOf), ("any", AnyOf)):
            if keys == {name}:
                return kind(self._children(said[name], f"{place}.{name}", depth))
        if keys == {"not"}:
            return Not(self.read(said["not"], f"{place}.not", depth=depth + 1))
        if keys == {"text"}:
            return self._words(said["text"], place)
        if keys == {"field", "in"}:
            return self._values(said, place)
        if "field" in keys and keys <= {"field", "from", "to"} and len(keys) > 1:
            return self._range(said, place)
        named = ", ".join(sorted(_short(key) for key in keys)[:10]) or "nothing"
        return self._wrong(place, f"has {named}; expected all, any, not, text, field and in, or field with from or to")

    def _children(self, said: Any, place: str, depth: int) -> tuple[Node, ...]:
        if not isinstance(said, list):
            self._wrong(place, "is a list of criteria")
            return ()
        return tuple(self.read(one, f"{place}[{at}]", depth=depth + 1) for at, one in enumerate(said[: MAX_NODES + 1]))

    def _words(self, said: Any, place: str) -> Node:
        # folded first: some letters become two
        words = tuple(said[: MAX_TEXT + 1].casefold().split()) if isinstance(said, str) else ()
        if not isinstance(said, str) or len(said) > MAX_TEXT or not _is_text(" ".join(words)):
            return self._wrong(place, f"text is a string of at most {MAX_TEXT} characters")
        return Words(words) if words else self._wrong(place, "text holds no word")

    def _values(self, said: Mapping[str, Any], place: str) -> Node:
        field = self._schema.get(said["field"]) if isinstance(said["field"], str) else None
        values = said["in"]
        if field is None or field.kind not in (FieldKind.TERM, FieldKind.TERMS):
            return self._wrong(place, f"{_short(said['field'])!r} is no field with values; see the list of fields")
        if not isinstance(values, list) or not 0 < len(values) <= MAX_VALUES:
            return self._wrong(place, f"'in' is a list of 1 to {MAX_VALUES} values")
        if not all(isinstance(value, str) and _is_text(value) for value in values):
            return self._wrong(place, f"values are strings of at most {MAX_TEXT} characters; '' means: not stated")
        return AnyOfValues(field.name, tuple(values))

    def _range(self, said: Mapping[str, Any], place: str) -> Node:
        field = self._schema.get(said["field"]) if isinstance(said["field"], str) else None
        if field is None or field.kind is not FieldKind.NUMBER:
            return self._wrong(place, f"{_short(said['field'])!r} is no number field; see the list of fields")
        low, high = said.get("from"), said.get("to")
        if not all(end is None or _is_number(end) for end in (low, high)):
            return self._wrong(place, "'from' and 'to' are finite numbers")
        if low is None and high is None:
            return self._wrong(place, "neither 'from' nor 'to' is a number")
        if low is not None and high is not None and low > high:
            return self._wrong(place, f"from {low:g} to {high:g} holds nothing: swap the ends")
        # plus zero: -0 and 0 are one number and must have one text
        return Between(field.name, None if low is None else low + 0.0, None if high is None else high + 0.0)

    def _wrong(self, place: str, what: str) -> Node:
        self.problems.append(f"{place}: {what}")
        return EVERYTHING

    def _once(self, what: str) -> None:
        if what not in self.problems:
            self.problems.append(what)


def _is_number(value: Any) -> bool:
    return (
        isinstance(value, (int, float))
        and not isinstance(value, bool)
        and abs(value) < MAX_NUMBER
        and math.isfinite(value)
    )


def _is_text(value: str) -> bool:
    """Short enough, and text at all: half a surrogate pair can be said in JSON, but not written."""
    return len(value) <= MAX_TEXT and not any("\ud800" <= letter <= "\udfff" for letter in value)


def _short(said: Any) -> str:
    """What was said, short and in ASCII, so that it can stand in any answer."""
    text = said if isinstance(said, str) else f"a {type(said).__name__}"
    return text[:40].encode("ascii", "backslashreplace").decode()
