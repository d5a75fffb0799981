"""Answers to queries: the rows that match, how many they are, and the counts of every value beside them.

People, studies and series are counted under one predicate. A source that can't answer a criterion, since it states
that field nowhere, is left out of the counts and named with the reason: never counted as zero, and the criterion never
dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from ingestion.catalogue.search.classes import Classes, classes_of
from ingestion.catalogue.search.counting import (
    Counts,
    FieldCounts,
    Kernels,
    Selected,
    count_field,
    count_rows,
    count_selected,
    people_under,
)
from ingestion.catalogue.search.evaluate import Evaluator, both
from ingestion.catalogue.search.fields import NOT_STATED
from ingestion.catalogue.search.index import FieldIndex, SearchIndex
from ingestion.catalogue.search.patterns import Patterns, patterns
from ingestion.catalogue.search.query import EVERYTHING, AllOf, AnyOfValues, Between, Node, fields_of
from ingestion.catalogue.search.units import Postings

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


_Of = TypeVar("_Of")
_Found = TypeVar("_Found")
COUNTING_THREADS = 2
"""The compiled loops hold no lock of the interpreter: fields are counted side by side."""
MANY_ROWS = 100_000
"""Rows from which that is worth a hand-over: some 0.3 ms a field."""


@dataclass(frozen=True, slots=True)
class RefusedSource:
    """A source that can't answer the query: it states ``fields`` for none of its series."""

    source_id: str
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Facet:
    """The values of one field with their counts."""

    name: str
    terms: tuple[str, ...]
    counts: FieldCounts


@dataclass(frozen=True, slots=True)
class Answer:
    """The exact answer. What leaves the platform goes through ``protection`` first."""

    total: Counts
    facets: tuple[Facet, ...]
    refused: tuple[RefusedSource, ...]


class SearchEngine:
    """Answers queries on one open index. Safe to use from several threads."""

    def __init__(self, index: SearchIndex) -> None:
        self.index = index
        self._kernels: Kernels | None = None
        self._pool: ThreadPoolExecutor | None = None

    def compile(self) -> None:
        """Load the compiled counting loops; until then the same counts are made without, several times slower."""
        from ingestion.catalogue.search import kernels
        from ingestion.catalogue.search.pattern_kernel import count_patterns, fold_states, number_classes

        loaded = Kernels(
            kernels.count_postings, kernels.count_codes, kernels.mark_people, kernels.count_mask, count_patterns,
            fold_states, number_classes,
        )  # fmt: skip
        everybody = np.ones(self.index.series, dtype=bool)
        kinds = {None if one.codes is None else one.codes.dtype: one for one in self.index.fields.values()}
        for field in kinds.values():  # one kind of each: the loops are compiled by type, or read from their cache
            if count_selected(self.index, field, Selected.under(self.index, everybody[:1]), loaded) is None:
                count_field(self.index, field, everybody, kernels=loaded)
        people_under(self.index, everybody[:0], loaded)
        count_rows(self.index, everybody[:0], loaded)
        for field in kinds.values():
            codes = self.index.groups.codes.get(field.field.name)
            if codes is not None:
                fold_states(np.zeros(1, dtype=np.uint32), np.asarray(codes[:1]), np.zeros(1, dtype=np.uint16), 1)
        classes = classes_of(self.index, Evaluator(self.index), EVERYTHING, kernels=loaded)
        if classes is not None:
            for postings in list(self.index.groups.postings.values())[:1]:
                patterns(postings, classes, compiled=count_patterns)
        self._kernels = loaded

    def people(self, mask: NDArray[np.bool_] | None) -> NDArray[np.bool_]:
        """(P,) who has a row under the mask (None: everybody)."""
        return people_under(self.index, mask, self._kernels)

    def total(self, mask: NDArray[np.bool_] | None) -> Counts:
        """The counts of the rows under the mask (None: all)."""
        return count_rows(self.index, mask, self._kernels)

    def answer(
        self,
        query: AllOf = EVERYTHING,
        *,
        facets: Sequence[str] | None = None,
        refused: tuple[RefusedSource, ...] | None = None,
        cross_filtered: bool = True,
    ) -> Answer:
        """The counts of ``query`` and of the values of ``facets`` (names; None: every counted field).

        Args:
            refused: the sources to leave out; None: those that can't answer this very query.
            cross_filtered: values of a field are counted without the query's criteria on that field.
        """
        names = [one.field.name for one in self.index.fields.values() if one.field.counted]
        wanted = names if facets is None else [name for name in names if name in set(facets)]
        if refused is None:
            refused = self.refused(query)
        evaluator = Evaluator(self.index)
        # one mask for each field that the query asks of by itself, and one for the rest
        own: dict[str, list[Node]] = {}
        shared: list[Node] = []
        for child in query.children:
            name = child.field if isinstance(child, (AnyOfValues, Between)) else None
            (own.setdefault(name, []) if cross_filtered and name in wanted else shared).append(child)
        base = both(evaluator.every(shared), self.answering(refused))
        masks = {name: evaluator.every(children) for name, children in own.items()}
        everything = both(base, *masks.values())
        found = {}
        same = [name for name in wanted if name not in masks]
        for name, counts in zip(same, self.count(same, everything), strict=True):
            found[name] = counts
        for name in masks:
            (found[name],) = self.count([name], both(base, *(mask for own, mask in masks.items() if own != name)))
        facets_found = tuple(Facet(name, self.index.fields[name].terms, found[name]) for name in wanted)
        return Answer(self.total(everything), facets_found, refused)

    def rows(self, query: AllOf) -> NDArray[np.intp]:
        """The numbers of the rows that match, rising; rows of refused sources are not among them."""
        mask = both(Evaluator(self.index).every(query.children), self.answering(self.refused(query)))
        return np.arange(self.index.series) if mask is None else np.flatnonzero(mask)

    def refused(self, query: AllOf, *, stated: NDArray[np.bool_] | None = None) -> tuple[RefusedSource, ...]:
        """The sources that state a field of the query for none of their series.

        Args:
            stated: (sources, fields): which are taken to state a field; None: those that do.
        """
        asked = sorted(set(fields_of(query)) - {self.index.schema.source})
        if not asked:
            return ()
        stated = self.index.stating >= 1 if stated is None else stated
        columns = [list(self.index.fields).index(name) for name in asked]
        terms = self.index.fields[self.index.schema.source].terms
        lacks = ~stated[:, columns]
        refused = (code for code in np.flatnonzero(lacks.any(axis=1)).tolist() if code)
        return tuple(
            RefusedSource(terms[code], tuple(name for name, one in zip(asked, lacks[code], strict=True) if one))
            for code in refused
        )

    def answering(self, refused: tuple[RefusedSource, ...]) -> NDArray[np.bool_] | None:
        """(N,) the rows of all sources but those; None: all rows."""
        source = self.index.fields[self.index.schema.source]
        return self.without_sources([source.code_of[one.source_id] for one in refused])

    def without_sources(self, codes: Collection[int]) -> NDArray[np.bool_] | None:
        """(N,) the rows of all sources but those with ``codes``; None: all rows."""
        if not codes:
            return None
        source = self.index.fields[self.index.schema.source]
        mask = np.ones(self.index.series, dtype=bool)
        for code in codes:
            mask[source.rows_of(code)] = False
        return mask

    def count(self, names: Sequence[str], mask: NDArray[np.bool_] | None) -> list[FieldCounts]:
        """The counts of some fields under one mask ((N,); None: all rows)."""
        fields = [self.index.fields[name] for name in names]
        if not fields:
            return []
        if mask is None:
            return [FieldCounts(people, studies, series) for series, studies, people in (one.totals for one in fields)]
        kernels = self._kernels
        selected = Selected.under(self.index, mask)

        def count(field: FieldIndex) -> FieldCounts:
            counts = count_selected(self.index, field, selected, kernels)
            return counts or count_field(self.index, field, mask, kernels=kernels)

        return self._each(count, fields, rows=len(selected.rows))

    def classes(self, evaluator: Evaluator, query: AllOf, apart: Collection[int]) -> Classes | None:
        """See ``classes.classes_of``."""
        return classes_of(self.index, evaluator, query, apart, kernels=self._kernels)

    def patterns(self, fields: Sequence[Postings], classes: Classes) -> list[Patterns | None]:
        """The patterns of some fields: see ``patterns.patterns``."""
        compiled = None if self._kernels is None else self._kernels.count_patterns

        def count(postings: Postings) -> Patterns | None:
            return patterns(postings, classes, compiled=compiled)

        return self._each(count, fields, rows=len(classes.units))

    def _each(self, count: Callable[[_Of], _Found], of: Sequence[_Of], *, rows: int) -> list[_Found]:
        """``count`` of each, side by side where it is worth it."""
        if len(of) < 2 or rows < MANY_ROWS:
            return [count(one) for one in of]
        if self._pool is None:
            from concurrent.futures import ThreadPoolExecutor

            self._pool = ThreadPoolExecutor(COUNTING_THREADS, thread_name_prefix="search-count")
        return list(self._pool.map(count, of))


def facet_value(term: str) -> str:
    """What a value is called where people read it."""
    return "not stated" if term == NOT_STATED else term
