"""The question that public counts answer: without criteria that move nobody, or so few people that they could be named.

Two queries that differ by one person's place in a small group settle to the same question, and so do all ways of
writing one question with parts that change nothing; the numbers shown depend on the settled question alone. So neither
the difference of two answers nor the mean of many tells of single people. What is left out moves fewer people than the
numbers are rounded to. This is a rule of all public counts and stated beside them, not a remark on single answers: to
say that a criterion was left out would tell what the rule hides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ingestion.catalogue.search.engine import SearchEngine
from ingestion.catalogue.search.evaluate import Evaluator, both
from ingestion.catalogue.search.index import SearchIndex
from ingestion.catalogue.search.query import AllOf, AnyOf, AnyOfValues, Between, Node, Not, normal


def settle(
    engine: SearchEngine,
    query: AllOf,
    *,
    fewest: int,
    bound_of: Callable[[AllOf], float] = lambda _: 0.0,
    among: NDArray[np.bool_] | None = None,
) -> AllOf:
    """``query`` without what moves fewer than ``fewest`` people, in normal form.

    Args:
        bound_of: how many people a criterion or value must have moved to stay, by the question without it; some above
            ``fewest``, so that this number can't be searched for.
        among: (N,) the rows that are counted at all, without those of sources that can't answer.
    """
    trial = _Trial(engine, Evaluator(engine.index), among)
    query = normal(_on_edges(engine.index, query))
    # What does too little goes first, and then has no say in the bounds of the rest.
    bounds: tuple[_Bound, ...] = (lambda _: fewest, lambda simpler: max(fewest, bound_of(simpler)))
    while True:
        for bound in bounds:
            simpler = _without_parts(trial, _without_few_values(trial, query, bound), bound)
            if simpler != query:
                query = simpler
                break
        else:
            return query


_Bound: TypeAlias = Callable[[AllOf], float]
"""Of a question: how many people what was left out for it must have moved to stay."""


@dataclass(slots=True)
class _Trial:
    """How many people questions count otherwise than each other."""

    engine: SearchEngine
    evaluator: Evaluator
    among: NDArray[np.bool_] | None
    _known: dict[tuple[AllOf, AllOf], int] = field(default_factory=dict)
    _last: tuple[AllOf, NDArray[np.bool_]] | None = None

    def moved(self, query: AllOf, other: AllOf) -> int:
        if (query, other) not in self._known:
            if self._last is None or self._last[0] != query:
                self._last = query, self._people(query)
            self._known[query, other] = int(np.count_nonzero(self._last[1] != self._people(other)))
        return self._known[query, other]

    def _people(self, query: AllOf) -> NDArray[np.bool_]:
        return self.engine.people(both(self.evaluator.mask(query), self.among))


def _without_parts(trial: _Trial, query: AllOf, bound: _Bound) -> AllOf:
    """Without the criteria that move too few, one after the other."""
    while True:
        for part in _simpler(query):
            simpler = normal(part)
            if trial.moved(query, simpler) < bound(simpler):
                query = simpler
                break
        else:
            return query


def _without_few_values(trial: _Trial, query: AllOf, bound: _Bound) -> AllOf:
    """Lists without the values that are not there or move too few: else one person more in a list would show."""
    for leaf in list(_leaves(query)):
        if not isinstance(leaf, AnyOfValues):
            continue
        known = trial.engine.index.fields[leaf.field].code_of
        kept = AnyOfValues(leaf.field, tuple(value for value in leaf.values if value in known))
        query = normal(_replaced(query, leaf, kept))
        for value in kept.values:
            fewer = AnyOfValues(leaf.field, tuple(one for one in kept.values if one != value))
            candidate = normal(_replaced(query, kept, fewer))
            if fewer.values and trial.moved(query, candidate) < bound(candidate):
                kept, query = fewer, candidate
    return query


def _on_edges(index: SearchIndex, node: Node) -> Node:
    """Ranges widened to the bins of their field: ends between them would single people out."""
    match node:
        case Between(field, low, high):
            edges = index.fields[field].field.edges
            if not edges:
                return node
            lower = None if low is None else max((edge for edge in edges if edge <= low), default=None)
            higher = None if high is None else min((edge for edge in edges if edge > high), default=None)
            # the largest number below the next edge: ranges include their ends
            end = None if higher is None else float(np.nextafter(np.float32(higher), np.float32(-np.inf)))
            return Between(field, lower, end)
        case Not(child):
            return Not(_on_edges(index, child))
        case AllOf(children) | AnyOf(children):
            return replace(node, children=tuple(_on_edges(index, child) for child in children))
        case _:
            return node


def _simpler(node: Node) -> Iterator[Node]:
    """``node`` with one part left out, smallest parts last, in a fixed order."""
    if isinstance(node, (AllOf, AnyOf)):
        for at, child in enumerate(node.children):
            rest = node.children[:at], node.children[at + 1 :]
            if len(node.children) > 1 or isinstance(node, AllOf):
                yield replace(node, children=(*rest[0], *rest[1]))
            for simpler in _simpler(child):
                yield replace(node, children=(*rest[0], simpler, *rest[1]))
    elif isinstance(node, Not):
        for simpler in _simpler(node.child):
            yield Not(simpler)


def _leaves(node: Node) -> Iterator[Node]:
    if isinstance(node, (AllOf, AnyOf)):
        for child in node.children:
            yield from _leaves(child)
    elif isinstance(node, Not):
        yield from _leaves(node.child)
    else:
        yield node


def _replaced(node: Node, old: Node, new: Node) -> Node:
    if node == old:
        return new
    if isinstance(node, (AllOf, AnyOf)):
        return replace(node, children=tuple(_replaced(child, old, new) for child in node.children))
    return Not(_replaced(node.child, old, new)) if isinstance(node, Not) else node
