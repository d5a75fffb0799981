"""The question that is answered in place of the one asked: without the parts that move too few people.

A visitor who asks for a group, and again for the group and a cell that holds one person, gets the same question
answered twice, and so the same numbers. That needs no memory of what was asked before, and no answer gives the cell
away, whether it holds nobody or a few. What is left out moves fewer people than the bound, a little blurred. This is a
rule of all public counts and stated beside them, not a remark on single answers: to say that a criterion was left out
would tell what the rule hides. ``settle_values`` does the same for each value of a field by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeAlias

import numpy as np

from ingestion.catalogue.search.evaluate import Evaluator
from ingestion.catalogue.search.index import SearchIndex
from ingestion.catalogue.search.protection import BLUR
from ingestion.catalogue.search.query import AllOf, AnyOf, AnyOfValues, Between, Node, Not, Words, leaves, normal
from ingestion.catalogue.search.tallies import Moved, Question, Tallies

BoundOf: TypeAlias = Callable[[str], float]
"""How many people a part must move to stay, by the digest of who they are: some above ``fewest``, the same wherever
they are met, so that it can't be searched for."""


CLEAR = 1 + BLUR
"""Times the bound from which a part stays whatever is drawn."""


@dataclass(frozen=True, slots=True)
class Trials:
    """How many people questions on one index count otherwise than each other.

    ``refused``: codes of the sources that can't answer the question asked, and are not counted by any of its parts.
    """

    tallies: Tallies
    refused: frozenset[int]
    fewest: int
    moved: Moved = Moved.PEOPLE
    bound_of: BoundOf = lambda _: 0.0

    @property
    def index(self) -> SearchIndex:
        return self.tallies.engine.index

    def few(self, query: AllOf, other: AllOf, *, blurred: bool) -> bool:
        """Whether too few count otherwise in ``other`` than in ``query``."""
        return self._few(Question(query, self.refused), Question(other, self.refused), blurred=blurred)

    def readmitted(self, query: AllOf, answering: Collection[int]) -> Question:
        """``query`` with the refused sources that would move too few people, of those that can answer it.

        That others can't answer a criterion that moves nobody would give the rest of its people another draw.
        """
        asked = Question(query, self.refused)
        back = {
            code
            for code in self.refused & set(answering)
            if self._few(asked, replace(asked, refused=self.refused - {code}), blurred=True)
        }
        return replace(asked, refused=self.refused - back)

    def _few(self, one: Question, other: Question, *, blurred: bool) -> bool:
        count = self.tallies.moved(one, other, self.moved)
        if count < self.fewest:
            return True
        if not blurred or count >= CLEAR * self.fewest:
            return False
        return count < self.bound_of(self.tallies.who(one, other, self.moved))


def settle(trials: Trials, query: AllOf) -> AllOf:
    """``query`` (as ``prepared``) without what moves too few people, in normal form."""
    query = _tightened(trials, query)
    # What does too little goes first, and then has no say in the bounds of the rest.
    while True:
        for blurred in (False, True):
            simpler = _without_parts(trials, _without_few_values(trials, query, blurred=blurred), blurred=blurred)
            if simpler != query:
                query = simpler
                break
        else:
            return query


def prepared(index: SearchIndex, query: AllOf) -> AllOf:
    """``query`` in the form that is settled: ranges on the bins of their fields, values that are known, words apart."""
    return normal(_prepared(index, query))


def shortened(index: SearchIndex, leaf: Between, end: int) -> Iterator[Between]:
    """``leaf`` without its first bin, its first two, and so on (``end`` 0), or without its last (1)."""
    while len(shorter := _shorter(index, leaf)) == 2:
        leaf = shorter[end]
        yield leaf


def with_range(query: AllOf, leaf: Between, ends: tuple[Between, Between]) -> AllOf:
    """``query`` with ``leaf`` from the low end of one range to the high end of the other, where that is a range."""
    low, high = ends[0].low, ends[1].high
    if low is not None and high is not None and low >= high:
        return query
    return normal(_replaced(query, leaf, Between(leaf.field, low, high)))


def parts_left_out(query: AllOf) -> Iterator[AllOf]:
    """``query`` with one value of a list, or one part, left out at one place, in a fixed order.

    At one place, so that it either adds rows or takes some away.
    """
    for leaf, put in _places(query):
        if isinstance(leaf, AnyOfValues) and len(leaf.values) > 1:
            for value in leaf.values:
                yield normal(put(_fewer(leaf, value)))
    for _, part in sorted(_simpler(query), key=lambda one: one[0]):
        yield normal(part)


def by_rows(evaluator: Evaluator, node: Node) -> Node:
    """The question with words named by the rows that they match: fragments that match the same are one question."""
    match node:
        case Words():
            mask = evaluator.mask(node)
            return Words(("rows", "" if mask is None else hashlib.sha256(np.packbits(mask).tobytes()).hexdigest()))
        case Not(child):
            return Not(by_rows(evaluator, child))
        case AllOf(children) | AnyOf(children):
            return replace(node, children=tuple(by_rows(evaluator, child) for child in children))
        case _:
            return node


def _tightened(trials: Trials, query: AllOf) -> AllOf:
    """Ranges without the bins at their ends that hold too few together: else each longer range were a new question.

    Together, against the question as it was, so that a range over bins of few people each is not eaten up.
    """
    for leaf in dict.fromkeys(leaves(query)):
        if isinstance(leaf, Between):
            low, high = (_end(trials, query, leaf, end) for end in (0, 1))
            query = with_range(query, leaf, (low, high))
    return query


def _end(trials: Trials, query: AllOf, leaf: Between, end: int) -> Between:
    now = leaf
    for shorter in shortened(trials.index, leaf, end):
        if not trials.few(query, normal(_replaced(query, leaf, shorter)), blurred=True):
            break
        now = shorter
    return now


def _shorter(index: SearchIndex, leaf: Between) -> tuple[Between, ...]:
    """The range without its first bin, and without its last; () where it has one only."""
    edges = index.fields[leaf.field].field.edges
    inside = [
        edge for edge in edges
        if (leaf.low is None or edge > leaf.low) and (leaf.high is None or _below(edge) < leaf.high)
    ]  # fmt: skip
    if not inside:
        return ()
    # values below the first edge count in the first bin
    first = next((edge for edge in inside if edge != edges[0]), None)
    if first is None:
        return ()
    return Between(leaf.field, first, leaf.high), Between(leaf.field, leaf.low, _below(inside[-1]))


def _without_parts(trials: Trials, query: AllOf, *, blurred: bool) -> AllOf:
    """Without the criteria that move too few, one after the other: whole groups before what is in them.

    The order hangs on the question alone. What moves fewest first would be an answer: of two criteria that say nearly
    the same, which one stays would tell which of them one person more is in.
    """
    while True:
        found = (normal(part) for _, part in sorted(_simpler(query), key=lambda one: one[0]))
        first = next((one for one in found if trials.few(query, one, blurred=blurred)), None)
        if first is None:
            return query
        query = first


def _without_few_values(trials: Trials, query: AllOf, *, blurred: bool) -> AllOf:
    """Lists without the values that move too few: else one person more in a list would show."""
    for leaf in list(leaves(query)):
        if not isinstance(leaf, AnyOfValues):
            continue
        kept = leaf
        for value in leaf.values:
            candidate = _less(query, kept, value)
            if len(kept.values) > 1 and trials.few(query, candidate, blurred=blurred):
                kept, query = _fewer(kept, value), candidate
    return query


def _less(query: AllOf, leaf: AnyOfValues, value: str) -> AllOf:
    return normal(_replaced(query, leaf, _fewer(leaf, value)))


def _fewer(leaf: AnyOfValues, value: str) -> AnyOfValues:
    return AnyOfValues(leaf.field, tuple(one for one in leaf.values if one != value))


def _prepared(index: SearchIndex, node: Node) -> Node:
    match node:
        case Between(name, low, high):
            edges = index.fields[name].field.edges
            if not edges:
                return node
            # ends between the bins would single people out; below the first edge is its bin
            lower = None if low is None else max((edge for edge in edges if edge <= low), default=None)
            lower = None if lower == edges[0] else lower
            # below the first edge counts in the first bin
            higher = None if high is None else min((edge for edge in edges[1:] if edge > high), default=None)
            # the largest number below the next edge: ranges include their ends
            return Between(name, lower, None if higher is None else _below(higher))
        case AnyOfValues(name, values):
            known = index.fields[name].code_of
            return AnyOfValues(name, tuple(value for value in values if value in known))
        case Words(words):
            return AllOf(tuple(Words((word,)) for word in words))
        case Not(child):
            return Not(_prepared(index, child))
        case AllOf(children) | AnyOf(children):
            return replace(node, children=tuple(_prepared(index, child) for child in children))


def _below(edge: float) -> float:
    return float(np.nextafter(np.float32(edge), np.float32(-np.inf)))


def _simpler(node: Node, depth: int = 0) -> Iterator[tuple[int, Node]]:
    """``node`` with one part left out, and how deep in it the part stood, in a fixed order."""
    if isinstance(node, (AllOf, AnyOf)):
        for at, child in enumerate(node.children):
            rest = node.children[:at], node.children[at + 1 :]
            if len(node.children) > 1 or isinstance(node, AllOf):
                yield depth, replace(node, children=(*rest[0], *rest[1]))
            for below, simpler in _simpler(child, depth + 1):
                yield below, replace(node, children=(*rest[0], simpler, *rest[1]))
    elif isinstance(node, Not):
        for below, simpler in _simpler(node.child, depth + 1):
            yield below, Not(simpler)


def _places(node: Node) -> Iterator[tuple[Node, Callable[[Node], Node]]]:
    """Each criterion, and what puts another one in its place."""
    if isinstance(node, (AllOf, AnyOf)):
        for at, child in enumerate(node.children):
            for leaf, put in _places(child):
                yield leaf, partial(_put_child, node, at, put)
    elif isinstance(node, Not):
        for leaf, put in _places(node.child):
            yield leaf, partial(_put_within, put)
    else:
        yield node, _itself


def _put_child(node: AllOf | AnyOf, at: int, put: Callable[[Node], Node], new: Node) -> Node:
    return replace(node, children=(*node.children[:at], put(new), *node.children[at + 1 :]))


def _put_within(put: Callable[[Node], Node], new: Node) -> Node:
    return Not(put(new))


def _itself(new: Node) -> Node:
    return new


def _replaced(node: Node, old: Node, new: Node) -> Node:
    if node == old:
        return new
    if isinstance(node, (AllOf, AnyOf)):
        return replace(node, children=tuple(_replaced(child, old, new) for child in node.children))
    return Not(_replaced(node.child, old, new)) if isinstance(node, Not) else node
