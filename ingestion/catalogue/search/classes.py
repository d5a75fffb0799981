"""The units of an index by what a question asks of them: units of one class answer every part of it alike.

Settling a question (``settle``) counts it again and again with a part less. All those questions are made of the same
criteria, so it is enough to know of each unit which of them it meets: then a question is decided once for each class,
not for each row.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ingestion.catalogue.search.counting import Kernels
from ingestion.catalogue.search.evaluate import Evaluator, inside
from ingestion.catalogue.search.index import SearchIndex
from ingestion.catalogue.search.query import AllOf, AnyOf, AnyOfValues, Between, Node, Not, Words, leaves
from ingestion.catalogue.search.units import Units, tells_groups

MAX_CLASSES = 4_096
"""More are not worth it: each may stand in a set of its own with each other."""
_DENSE = 1 << 16
"""Numbers up to which classes are renumbered only at the end: a table of that size stays in the nearest cache."""
_Key: TypeAlias = Node | tuple[str, str] | str
"""What tells rows apart: a criterion, one value of a field of several values a row, or the field itself."""


@dataclass(frozen=True, slots=True)
class Classes:
    """C classes of the U units.

    ``of``: (U,) the class of each unit; ``row_of``: (C,) one row of each; ``apart``: codes of the sources of which no
    class has units of others too.
    """

    index: SearchIndex
    units: Units
    of: NDArray[np.uint16]
    row_of: NDArray[np.intp]
    apart: frozenset[int]
    _met: dict[_Key, NDArray[np.bool_]] = field(default_factory=dict)
    _away: dict[frozenset[int], NDArray[np.bool_]] = field(default_factory=dict)
    _sources: list[NDArray[np.integer[Any]]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.row_of)

    def true_in(self, query: Node, refused: frozenset[int] = frozenset()) -> NDArray[np.bool_]:
        """(C,) in which classes ``query`` holds. It is the question asked, or less.

        Args:
            refused: codes of sources whose units don't count, of those that the classes tell apart.
        """
        holds = self._holds(query)
        if refused:
            if refused not in self._away:
                self._away[refused] = np.logical_or.reduce([self.of_source(code) for code in refused])
            holds = holds & ~self._away[refused]
        return holds

    def units_in(self, which: NDArray[np.bool_]) -> NDArray[np.intp]:
        """The units of some classes ((C,)), rising."""
        units = self.of_one_source(which)
        return np.flatnonzero(which[self.of]) if units is None else units[which[self.of[units]]].astype(np.intp)

    def of_one_source(self, which: NDArray[np.bool_]) -> NDArray[np.int32] | None:
        """All units of the one source that some classes ((C,)) are of; None: they may be of several."""
        source = self._source()[which]
        postings = self.units.postings.get(self.index.schema.source)
        if postings is None or not len(source) or source[0] not in self.apart or (source != source[0]).any():
            return None
        return postings.units[postings.offsets[source[0]] : postings.offsets[source[0] + 1]]

    def of_source(self, code: int) -> NDArray[np.bool_]:
        """(C,) which classes are of a source, of those that the classes tell apart."""
        found: NDArray[np.bool_] = self._source() == code
        return found

    def _source(self) -> NDArray[np.integer[Any]]:
        """(C,) the code of the source of one row of each class."""
        if not self._sources:
            source = self.index.fields[self.index.schema.source].codes
            assert source is not None
            self._sources.append(source[self.row_of])
        return self._sources[0]

    def _holds(self, node: Node) -> NDArray[np.bool_]:
        match node:
            case AllOf(children):
                return np.logical_and.reduce([self._holds(child) for child in children], axis=0) & self._every()
            case AnyOf(children):
                return np.logical_or.reduce([self._holds(child) for child in children], axis=0) & self._every()
            case Not(child):
                return ~self._holds(child)
            case _:
                if node not in self._met:
                    self._met[node] = self._leaf(node)
                return self._met[node]

    def _every(self) -> NDArray[np.bool_]:
        return np.ones(len(self), dtype=bool)

    def _leaf(self, node: AnyOfValues | Between | Words) -> NDArray[np.bool_]:
        match node:
            case AnyOfValues(name, values):
                one = self.index.fields[name]
                if one.codes is None:
                    return np.logical_or.reduce([self._met[name, value] for value in values], axis=0) & self._every()
                wanted = np.zeros(len(one.terms), dtype=bool)
                wanted[[one.code_of[value] for value in values]] = True
                return wanted[one.codes[self.row_of]]
            case Between(name, low, high):
                return inside(self.index.fields[name].numbers[self.row_of], low, high)
            case Words():
                raise KeyError(node)


@dataclass(frozen=True, slots=True)
class _States:
    """What tells units apart by one key: unit ``u`` is in state ``state[codes[u]]``, of ``many``."""

    codes: NDArray[np.integer[Any]]
    state: NDArray[np.uint16]
    many: int


def classes_of(
    index: SearchIndex,
    evaluator: Evaluator,
    query: AllOf,
    apart: Collection[int] = (),
    *,
    kernels: Kernels | None = None,
) -> Classes | None:
    """The classes by the criteria of ``query`` (as ``settle.prepared`` makes it); None: more than ``MAX_CLASSES``.

    Args:
        apart: codes of sources that are told from all others.
    """
    grouped = all(
        not isinstance(leaf, Words) and tells_groups(index.fields[leaf.field].field) for leaf in leaves(query)
    )
    units = index.groups if grouped else index.rows
    states = dict(_states(index, units, evaluator, query, apart))
    of, number = np.zeros(len(units), dtype=np.uint32), 1
    for one in states.values():
        if number * one.many > _DENSE:
            of, unit_of = _numbered(of, number, kernels)
            number = len(unit_of)
            if number > MAX_CLASSES:
                return None
        if kernels is None:
            of *= np.uint32(one.many)
            of += one.state[one.codes]
        else:
            kernels.fold_states(of, np.asarray(one.codes), one.state, one.many)
        number *= one.many
    of, unit_of = _numbered(of, number, kernels)
    if len(unit_of) > MAX_CLASSES:
        return None
    met = {key: one.state[one.codes[unit_of]].astype(bool) for key, one in states.items() if one.many == 2}
    row_of = unit_of if units.row_of is None else units.row_of[unit_of].astype(np.intp)
    return Classes(index, units, of.astype(np.uint16), row_of, frozenset(apart), met)


def _states(
    index: SearchIndex, units: Units, evaluator: Evaluator, query: AllOf, apart: Collection[int]
) -> Iterator[tuple[_Key, _States]]:
    codes: dict[str, set[int]] = {index.schema.source: set(apart)} if apart else {}
    for leaf in dict.fromkeys(leaves(query)):
        match leaf:
            case AnyOfValues(name, values) if index.fields[name].codes is not None:
                codes.setdefault(name, set()).update(index.fields[name].code_of[value] for value in values)
            case AnyOfValues(name, values):
                for value in values:
                    yield (name, value), _two(units, evaluator.mask(AnyOfValues(name, (value,))))
            case Between(name, low, high) if index.fields[name].field.edges:
                # ranges are on the bins, and get shorter by one
                edges = np.asarray(index.fields[name].field.edges, dtype=np.float32)
                codes.setdefault(name, set()).update((np.flatnonzero(inside(edges, low, high)) + 1).tolist())
            case _:
                yield leaf, _two(units, evaluator.mask(leaf))
    for name, wanted in codes.items():
        state = np.zeros(len(index.fields[name].terms), dtype=np.uint16)
        state[sorted(wanted)] = np.arange(1, len(wanted) + 1)
        yield name, _States(units.codes[name], state, len(wanted) + 1)


def _two(units: Units, mask: NDArray[np.bool_] | None) -> _States:
    codes = np.ones(len(units), dtype=np.int16) if mask is None else units.of_rows(mask).astype(np.int16)
    return _States(codes, np.arange(2, dtype=np.uint16), 2)


def _numbered(
    of: NDArray[np.uint32], number: int, kernels: Kernels | None
) -> tuple[NDArray[np.uint32], NDArray[np.intp]]:
    """(U,) without the numbers that no unit has, and (C,) a unit of each."""
    if kernels is not None:
        unit_of = np.empty(number, dtype=np.intp)
        return of, unit_of[: kernels.number_classes(of, np.full(number, -1, dtype=np.int32), unit_of)]
    seen = np.zeros(number, dtype=bool)
    seen[of] = True
    of = (np.cumsum(seen) - 1).astype(np.uint32)[of]
    unit_of = np.zeros(np.count_nonzero(seen), dtype=np.intp)
    unit_of[of] = np.arange(len(of))
    return of, unit_of
