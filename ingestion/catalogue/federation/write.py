"""A query of the catalogue as the federation's abstract syntax tree, for nodes of two kinds.

A node of this platform takes every criterion, under keys of its own (``cie:AgeAtStudy``). A node of the European
federation takes five categories in their codes and is known to leave out what it does not know, so whatever can't be
said to it exactly is refused here, and the node is not asked at all.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

from ingestion.catalogue.federation.ast import NOT, OWN_KEY, UnsupportedError
from ingestion.catalogue.federation.terms import CATEGORIES, FIELDS, terms, values_of
from ingestion.catalogue.search.query import AllOf, AnyOf, AnyOfValues, Between, Node, Not, Words

_KEYS = {category: key for key, category in reversed(CATEGORIES.items())}
_CATEGORY_OF = {field: category for category, field in FIELDS.items()}


class NodeKind(StrEnum):
    """``CIE``: a node of this platform; ``EUCAIM``: any node of the federation."""

    CIE = "cie"
    EUCAIM = "eucaim"


def to_tree(query: AllOf, kind: NodeKind) -> dict[str, Any]:
    """The value of ``ast`` that asks ``query``.

    Raises:
        UnsupportedError: a node of this kind can't be asked that; each criterion with the reason.
    """
    if kind is NodeKind.CIE:
        return {"operand": "OR", "children": [_own(query)]} if query.children else {"operand": "OR", "children": []}
    problems: list[str] = []
    tree = _shared(query, problems)
    if problems:
        raise UnsupportedError(sorted(set(problems)))
    return {"operand": "OR", "children": [tree] if query.children else []}


def _own(node: Node) -> dict[str, Any]:
    match node:
        case AnyOfValues(field, values):
            return _leaf(OWN_KEY + field, "IN", list(values))
        case Between(field, low, high):
            ends = {"min": low, "max": high}
            return _leaf(OWN_KEY + field, "BETWEEN", {name: end for name, end in ends.items() if end is not None})
        case Words(words):
            return _leaf(f"{OWN_KEY}text", "CONTAINS", " ".join(words))
        case Not(child):
            return {"operand": NOT, "children": [_own(child)]}
        case AllOf(children):
            return {"operand": "AND", "children": [_own(child) for child in children]}
        case AnyOf(()):
            # a group without children asks for everything there: nothing is said as the contrary of it
            return {"operand": NOT, "children": [{"operand": "AND", "children": []}]}
        case AnyOf(children):
            return {"operand": "OR", "children": [_own(child) for child in children]}


def _shared(node: Node, problems: list[str]) -> dict[str, Any]:
    match node:
        case AnyOfValues(field, values):
            return _coded(field, values, problems, kind="EQUALS")
        case Not(AnyOfValues(field, values)):
            return _coded(field, values, problems, kind="NOT_EQUALS")
        case AllOf(children) | AnyOf(children) if children:
            operand = "AND" if isinstance(node, AllOf) else "OR"
            return {"operand": operand, "children": [_shared(child, problems) for child in children]}
        case Between(field, _, _):
            problems.append(f"{field}: the federation's queries have no range of it")
        case Words():
            problems.append("text: the federation's queries have no words")
        case _:
            problems.append("the federation's queries negate single criteria only, and have no empty group")
    return {"operand": "OR", "children": []}


def _coded(field: str, values: Iterable[str], problems: list[str], *, kind: str) -> dict[str, Any]:
    category = _CATEGORY_OF.get(field)
    if category is None:
        problems.append(f"{field}: the federation's queries have no such criterion")
        return {}
    leaves = []
    for value in values:
        code = code_of(category, value)
        if code is None:
            problems.append(f"{field}: the federation has no code for {(value or 'not stated')[:40]!r}")
        else:
            leaves.append(_leaf(_KEYS[category], kind, code))
    return {"operand": "AND" if kind == "NOT_EQUALS" else "OR", "children": leaves}


def code_of(category: str, value: str) -> str | None:
    """The code that a node of the federation is asked for a value by; None where no code means exactly this value.

    Those that the federation's Explorer emits come first: every node knows these.
    """
    exact = [term for term in terms() if term.category == category and term.values == (value,)]
    exact.sort(key=lambda term: not term.explorer)
    if exact and values_of(category, exact[0].written) is not None:
        return exact[0].written
    return None


def _leaf(key: str, kind: str, value: Any) -> dict[str, Any]:
    return {"key": key, "type": kind, "system": "", "value": value}
