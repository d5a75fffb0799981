"""What a question asks, whatever way it is written: equal digests for questions that are the same by logic alone.

A group can be written in many ways of which no part does nothing: ages from 30 to 69 as one range or as two, both of
two criteria as neither of their opposites, a list as what is left of all others. If each had a draw of its own, their
mean would be the exact count. So questions become decision diagrams (Bryant, Graph-Based Algorithms for Boolean
Function Manipulation, 1986, with several branches at each field): field by field, in one order, each value leads to
what is left to ask. Reduced, such a diagram is the same for all ways to write a question. No row has a say in it.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from ingestion.catalogue.search.fields import FieldKind, SearchField, SearchSchema
from ingestion.catalogue.search.query import AllOf, AnyOf, AnyOfValues, Between, Node, Not, Words
from ingestion.catalogue.search.query import leaves as leaves_of

MAX_STEPS = 2_000
"""Parts of a diagram, for a question of some 40 criteria that are all entangled; people's have a few dozen."""
KEPT_DIGESTS = 20_000
"""Questions of which the digest is kept, some 20 MB: values of the same criteria are asked of by panel after panel."""
_Leaf: TypeAlias = AnyOfValues | Between | Words
_Variable: TypeAlias = tuple[str, str]
"""A field of one value a row, and ""; else a field and what is asked of it, which is true of a row or not."""
_TRUE, _FALSE = AllOf(()), AnyOf(())
_ALL, _NONE = "all", "none"


class EntangledError(RuntimeError):
    """The diagram of a question has more than ``MAX_STEPS`` parts."""


@dataclass(slots=True)
class Meaning:
    """Digests of questions on one schema, of sources that can answer.

    Args:
        states: of these sources, what stands for each and the rows that it has now. A source that no row can match of
            has no say in a digest.
    """

    schema: SearchSchema
    states: Mapping[str, str]
    _fields: dict[str, SearchField] = field(init=False)
    _digests: dict[Node, str] = field(default_factory=dict)
    _told: dict[tuple[str, ...], str] = field(default_factory=dict)
    _rest: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._fields = {one.name: one for one in self.schema.fields}

    def digest(self, query: Node) -> str:
        """Of ``query`` with its ranges on the bins of their fields. Raises ``EntangledError``."""
        found = self._digests.get(query)
        if found is None:
            if len(self._digests) >= KEPT_DIGESTS:
                for kept in (self._digests, self._told, self._rest):
                    kept.clear()
            found = self._digests[query] = self._of_chain(query) or self.of_diagram(query)
        return found

    def _of_chain(self, query: Node) -> str | None:
        """As ``of_diagram``, where one value or range after the other is asked for: that diagram is a chain."""
        leaves: dict[str, AnyOfValues | Between] = {}
        for leaf in query.children if isinstance(query, AllOf) else (query,):
            if not isinstance(leaf, (AnyOfValues, Between)) or self._variable(leaf)[1] or leaf.field in leaves:
                return None
            if isinstance(leaf, AnyOfValues) and not leaf.values:
                return None
            leaves[leaf.field] = leaf
        found = _ALL
        for name in sorted(leaves.keys() - {self.schema.source}, reverse=True):
            one = leaves[name]
            edges = (-math.inf, *self._fields[name].edges)
            values = one.values if isinstance(one, AnyOfValues) else [f"{e:g}" for e in edges if _holds(one, e)]
            if not values:
                return None
            found = _hashed(((name, ""), sorted((value, found) for value in values), _NONE))
        named = leaves.get(self.schema.source)
        sources = self._others(()) if named is None else tuple(each for each in _named(named) if each in self.states)
        return _hashed([(found, self._of([sources]))] if sources else [])

    def of_diagram(self, query: Node) -> str:
        """As ``digest``, of any question."""
        known: dict[Node, str] = {}
        single = _with(query, self._one_by_one)
        leaves = [leaf for leaf in dict.fromkeys(leaves_of(single)) if self._variable(leaf) == (self.schema.source, "")]
        named = dict.fromkeys(value for leaf in leaves for value in _named(leaf) if value in self.states)
        told: dict[str, list[tuple[str, ...]]] = {}
        for held, sources in _alike(named, leaves).items():
            left = _with(single, dict(zip(leaves, held, strict=True)).get)
            told.setdefault(self._digest(left, known), []).append(tuple(sources))
        if len(named) < len(self.states):
            left = _with(single, dict.fromkeys(leaves, False).get) if leaves else single
            told.setdefault(self._digest(left, known), []).append(self._others(tuple(named)))
        return _hashed(sorted((found, self._of(groups)) for found, groups in told.items() if found != _NONE))

    def _others(self, named: tuple[str, ...]) -> tuple[str, ...]:
        """The sources that are not named."""
        found = self._rest.get(named)
        if found is None:
            found = self._rest[named] = tuple(one for one in self.states if one not in named)
        return found

    def _of(self, groups: list[tuple[str, ...]]) -> str:
        """What stands for some sources together."""
        sources = groups[0] if len(groups) == 1 else tuple(one for group in groups for one in group)
        found = self._told.get(sources)
        if found is None:
            found = self._told[sources] = _hashed(sorted(self.states[one] for one in sources))
        return found

    def _digest(self, node: Node, known: dict[Node, str]) -> str:
        """``known``: of the parts met before, of this question only: how many there may be hangs on nothing else."""
        if node in known:
            return known[node]
        if len(known) >= MAX_STEPS:
            raise EntangledError
        leaves = list(dict.fromkeys(leaves_of(node)))
        if leaves:
            first = min(map(self._variable, leaves))
            leaves = [leaf for leaf in leaves if self._variable(leaf) == first]
            rest = self._digest(_with(node, dict.fromkeys(leaves, False).get), known)
            told = []
            for held, values in self._values(first, leaves).items():
                found = self._digest(_with(node, dict(zip(leaves, held, strict=True)).get), known)
                told += [(value, found) for value in values if found != rest]
            found = _hashed((first, sorted(told), rest)) if told else rest
        else:
            found = _ALL if node == _TRUE else _NONE
        known[node] = found
        return found

    def _variable(self, leaf: _Leaf) -> _Variable:
        if isinstance(leaf, Words):
            return "", " ".join(leaf.words)
        known = self._fields[leaf.field]
        if known.kind is FieldKind.TERM or (known.kind is FieldKind.NUMBER and known.edges):
            return leaf.field, ""
        return leaf.field, repr(leaf)

    def _values(self, first: _Variable, leaves: list[_Leaf]) -> dict[tuple[bool, ...], list[str]]:
        """The values of a variable by what they make of the leaves; those that are not named make all of them false."""
        if first[1] or not first[0]:
            return {(True,) * len(leaves): ["yes"]}
        known = self._fields[first[0]]
        if known.kind is FieldKind.TERM:
            return _alike(dict.fromkeys(value for leaf in leaves for value in _named(leaf)), leaves)
        found: dict[tuple[bool, ...], list[str]] = {}
        # what is below the first edge, where the data have that, is in ranges that begin nowhere
        for edge in (-math.inf, *known.edges):
            found.setdefault(tuple(_holds(leaf, edge) for leaf in leaves), []).append(f"{edge:g}")
        return found

    def _one_by_one(self, leaf: _Leaf) -> Node | None:
        """Values of a field of several a row are criteria of their own."""
        known = None if isinstance(leaf, Words) else self._fields[leaf.field]
        if known is None or known.kind is not FieldKind.TERMS:
            return None
        return AnyOf(tuple(AnyOfValues(known.name, (value,)) for value in _named(leaf)))


def _hashed(said: object) -> str:
    return hashlib.sha256(repr(said).encode()).hexdigest()[:32]


def _named(leaf: _Leaf) -> tuple[str, ...]:
    return leaf.values if isinstance(leaf, AnyOfValues) else ()


def _alike(values: Iterable[str], leaves: list[_Leaf]) -> dict[tuple[bool, ...], list[str]]:
    listed = [frozenset(_named(leaf)) for leaf in leaves]
    found: dict[tuple[bool, ...], list[str]] = {}
    for value in values:
        found.setdefault(tuple(value in one for one in listed), []).append(value)
    return found


def _holds(leaf: _Leaf, edge: float) -> bool:
    """Whether a range holds the bin that begins at ``edge``."""
    if not isinstance(leaf, Between):
        return False
    return (leaf.low is None or leaf.low <= edge) and (leaf.high is None or edge <= leaf.high)


def _with(node: Node, known: Callable[[_Leaf], Node | bool | None]) -> Node:
    """``node`` with others in the place of some leaves, without what that settles."""
    match node:
        case AllOf(children) | AnyOf(children):
            kind, idle, deciding = (AllOf, _TRUE, _FALSE) if isinstance(node, AllOf) else (AnyOf, _FALSE, _TRUE)
            left: dict[Node, None] = {}
            for child in children:
                one = _with(child, known)
                if one == deciding:
                    return deciding
                if one != idle:
                    left[one] = None
            return idle if not left else next(iter(left)) if len(left) == 1 else kind(tuple(left))
        case Not(child):
            one = _with(child, known)
            return _FALSE if one == _TRUE else _TRUE if one == _FALSE else Not(one)
        case _:
            found = known(node)
            if found is None:
                return node
            return (_TRUE if found else _FALSE) if isinstance(found, bool) else found
