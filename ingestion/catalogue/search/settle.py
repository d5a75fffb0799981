"""The question that public counts answer: without criteria that move nobody, or so few people that they could be named.

Two queries that differ by one person's place in a small group settle to the same question, and so do all ways of
writing one question with parts that change nothing; the numbers shown depend on the settled question alone. So neither
the difference of two answers nor the mean of many tells of single people. What is left out moves fewer people than the
numbers are rounded to. This is a rule of all public counts and stated beside them, not a remark on single answers: to
say that a criterion was left out would tell what the rule hides.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ingestion.catalogue.search.engine import SearchEngine
from ingestion.catalogue.search.evaluate import Evaluator, both
from ingestion.catalogue.search.index import SearchIndex
from ingestion.catalogue.search.query import MAX_TRIED_VALUES, AllOf, AnyOf, AnyOfValues, Between, Node, Not, normal


def settle(engine: SearchEngine, query: AllOf, *, fewest: int, among: NDArray[np.bool_] | None = None) -> AllOf:
    """``query`` without what moves fewer than ``fewest`` people, in normal form.

    Args:
        among: (N,) the rows that are counted at all, without those of sources that can't answer.
    """
    index = engine.index
    evaluator = Evaluator(index)
    query = _without_idle_values(engine, evaluator, normal(_on_edges(index, query)), among)
    while True:
        people = engine.people(both(evaluator.mask(query), among))
        for simpler in _simpler(query):
            if np.count_nonzero(engine.people(both(evaluator.mask(simpler), among)) != people) < fewest:
                query = normal(simpler)
                break
        else:
            return query


def _without_idle_values(
    engine: SearchEngine, evaluator: Evaluator, query: AllOf, among: NDArray[np.bool_] | None
) -> AllOf:
    """Values that are not there, or match nobody here, only give a question another face."""
    people = engine.people(both(evaluator.mask(query), among))
    for leaf in list(_leaves(query)):
        if not isinstance(leaf, AnyOfValues):
            continue
        known = engine.index.fields[leaf.field].code_of
        values = [value for value in leaf.values if value in known]
        tried = values if len(values) <= MAX_TRIED_VALUES else []
        kept = AnyOfValues(leaf.field, tuple(values))
        query = normal(_replaced(query, leaf, kept))
        for value in tried:
            fewer = AnyOfValues(leaf.field, tuple(one for one in kept.values if one != value))
            candidate = normal(_replaced(query, kept, fewer))
            if fewer.values and (engine.people(both(evaluator.mask(candidate), among)) == people).all():
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
