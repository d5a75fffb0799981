"""Counts of many questions that are made of the same criteria: of the whole, and of every value of some fields.

By classes and patterns (``classes``, ``patterns``), so that a further question costs next to nothing; where there are
too many of these, question by question over the rows. Both give the same numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.catalogue.search.classes import Classes
from ingestion.catalogue.search.counting import Counts, FieldCounts
from ingestion.catalogue.search.engine import SearchEngine
from ingestion.catalogue.search.evaluate import Evaluator, both
from ingestion.catalogue.search.patterns import Patterns, Sets, joined, met, of_everybody
from ingestion.catalogue.search.query import AllOf, AnyOf


class Moved(Enum):
    """Whom one question moves against another: ``PEOPLE`` who count in one only, or also those of whom only other
    ``SERIES`` count."""

    PEOPLE = "people"
    SERIES = "series"


NOTHING = AllOf((AnyOf(()),))
"""What no row matches."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is counted: the rows that match ``query``, without those of the sources with the codes ``refused``."""

    query: AllOf
    refused: frozenset[int] = frozenset()


@dataclass(slots=True)
class Tallies:
    """Of the question that is ``asked``, and of those with parts of it left out, or fewer sources refused.

    Its query is as ``settle.prepared`` makes it. ``names``: fields whose values will be wanted: all are made at once.
    """

    engine: SearchEngine
    asked: Question
    names: Sequence[str] = ()
    evaluator: Evaluator = field(init=False)
    classes: Classes | None = field(init=False)
    """None: too many."""
    _whole: Patterns | None = None
    _sets: Sets | None = None
    _held: tuple[Question, NDArray[np.bool_]] | None = None
    _of_fields: dict[str, Patterns | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.evaluator = Evaluator(self.engine.index)
        self.classes = self.engine.classes(self.evaluator, self.asked.query, self.asked.refused)
        if self.classes is not None:
            whole = self.classes.units.whole()
            fields = [self.classes.units.postings[name] for name in self.names]
            self._whole, *found = self.engine.patterns([whole, *fields], self.classes)
            self._of_fields.update(zip(self.names, found, strict=True))

    def mask(self, question: Question) -> NDArray[np.bool_] | None:
        """(N,) the rows of a question; None: all."""
        return both(self.evaluator.mask(question.query), self.engine.without_sources(question.refused))

    def total(self, question: Question) -> Counts:
        if self.classes is None or self._whole is None:
            return self.engine.total(self.mask(question))
        return self._whole.counts_under(self.holds(question)).at(0)

    def moved(self, one: Question, other: Question, what: Moved) -> int:
        """How many people ``other`` moves against ``one``."""
        if self.classes is None or self._whole is None:
            return int(np.count_nonzero(self._differ(one, other, what)))
        people, sets = self._whole.people, self._whole.sets
        differ = met_otherwise(sets, self.holds(one), self.tried(other), what)
        return int(people.number[differ[people.of]].sum())

    def who(self, one: Question, other: Question, what: Moved) -> str:
        """What stands for who they are, in every release."""
        if self.classes is None:
            return named(self.digest(np.flatnonzero(self._differ(one, other, what))))
        return named(self.digest_of_moved(self.classes, self.holds(one), self.holds(other), what))

    def digest_of_moved(
        self, classes: Classes, before: NDArray[np.bool_], after: NDArray[np.bool_], what: Moved, *,
        value: tuple[str, int] | None = None,
    ) -> int:  # fmt: skip
        """Of the people who are moved, from the units of the classes that make the difference.

        Args:
            before, after: (C,) in which classes the two questions hold.
            value: a field of one value a row and the code of its value, where only rows with it count.
        """
        units = classes.units_in(before ^ after)
        people = np.unique(classes.units.person_of[_with_value(classes, units, value)])
        if what is Moved.SERIES:
            return self.digest(people)
        # of these all units: they may count by others
        first = np.searchsorted(classes.units.person_of, people)
        many = np.searchsorted(classes.units.person_of, people, side="right") - first
        units = np.repeat(first - np.cumsum(many) + many, many) + np.arange(many.sum())
        units = _with_value(classes, units, value)
        which, whose = classes.of[units], classes.units.person_of[units]
        return self.digest(whose[before[which]]) ^ self.digest(whose[after[which]])

    def digest(self, people: NDArray[np.integer[Any]]) -> int:
        """Of some people: (K,) rising, with repeats. The exclusive or of theirs, so that of those who are in one of two
        sets is the exclusive or of both."""
        once = people[np.diff(people, prepend=-1) != 0]
        return int(np.bitwise_xor.reduce(self.engine.index.person_digest[once], initial=0))

    def holds(self, question: Question) -> NDArray[np.bool_]:
        """(C,) in which classes, where there are any, rows count. One question is tried against many, so it is kept."""
        assert self.classes is not None
        if self._held is None or self._held[0] is not question:
            self._held = question, self.classes.true_in(question.query, question.refused)
        return self._held[1]

    def patterns(self, names: Sequence[str]) -> list[Patterns | None]:
        """Of some fields, kept."""
        assert self.classes is not None
        missing = [name for name in names if name not in self._of_fields]
        fields = [self.classes.units.postings[name] for name in missing]
        self._of_fields.update(zip(missing, self.engine.patterns(fields, self.classes), strict=True))
        return [self._of_fields[name] for name in names]

    def tried(self, question: Question) -> NDArray[np.bool_]:
        """As ``holds``, of a question that is met but once: the one that is held stays."""
        assert self.classes is not None
        return self.classes.true_in(question.query, question.refused)

    def panel(self, names: Sequence[str]) -> Panel:
        """The values of some fields, to be counted under one question after the other."""
        return Panel(self, tuple(names))

    def people(self, question: Question) -> NDArray[np.bool_]:
        """(P,) who counts."""
        if self.classes is None:
            return self.engine.people(self.mask(question))
        return met(self._sets_of(self.classes), self.holds(question))

    def _sets_of(self, classes: Classes) -> Sets:
        if self._sets is None:
            self._sets = of_everybody(self.engine.index, classes)
        return self._sets

    def _differ(self, one: Question, other: Question, what: Moved) -> NDArray[np.bool_]:
        """(P,)"""
        if self.classes is None:
            before, after = self.mask(one), self.mask(other)
            if what is Moved.SERIES:
                return self.engine.people(_otherwise(before, after, self.engine.index.series))
            return self.engine.people(before) != self.engine.people(after)
        return met_otherwise(self._sets_of(self.classes), self.holds(one), self.tried(other), what)


@dataclass(slots=True)
class Panel:
    """The V values of the fields ``names``, one field after the other."""

    tallies: Tallies
    names: tuple[str, ...]
    at: dict[str, slice] = field(default_factory=dict)
    """Where the values of each field are."""
    tried: dict[AllOf, tuple[AllOf, ...]] = field(default_factory=dict)
    """By query, those that are tried in its place: the same for people and for series."""
    _patterns: Patterns | None = None

    def __post_init__(self) -> None:
        start = 0
        for name in self.names:
            end = start + len(self.tallies.engine.index.fields[name].terms)
            self.at[name] = slice(start, end)
            start = end
        classes = self.tallies.classes
        if classes is not None and self.names:
            found = [one for one in self.tallies.patterns(self.names) if one is not None]
            self._patterns = joined(found) if len(found) == len(self.names) else None

    @property
    def quick(self) -> bool:
        """Whether a further question costs next to nothing."""
        return self._patterns is not None

    def counts(self, question: Question) -> FieldCounts:
        """(V,) each."""
        if self._patterns is None:
            return self._counted(self.tallies.mask(question))
        return self._patterns.counts_under(self.tallies.holds(question))

    def people(self, question: Question) -> NDArray[np.int64]:
        """(V,)"""
        if self._patterns is None:
            return self._counted(self.tallies.mask(question)).people
        return self._patterns.people_under(self.tallies.holds(question))

    def moved(
        self, one: Question, other: Question, what: Moved, *, of: NDArray[np.bool_] | None = None
    ) -> NDArray[np.int64]:
        """(V,) how many people who have the value ``other`` moves against ``one``.

        Args:
            of: (V,) the values that are asked of, others may have 0; None: all.
        """
        if self._patterns is None:
            return self._counted_moved(one, other, what)
        people, sets, values = self._patterns.people, self._patterns.sets, self._patterns.values
        before, after = self.tallies.holds(one), self.tallies.tried(other)
        if of is None:
            return people.total(met_otherwise(sets, before, after, what), values)
        chosen = np.flatnonzero(of[people.value])
        differ = met_otherwise(sets[:, people.of[chosen]], before, after, what)
        found = np.bincount(people.value[chosen], weights=people.number[chosen] * differ, minlength=values)
        return found.astype(np.int64)

    def moved_back(
        self, question: Question, codes: Sequence[int], what: Moved, *, of: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """(len(codes), V) ``moved`` against the question with one of the refused sources counted again, for each."""
        found = np.zeros((len(codes), len(of)), dtype=np.int64)
        if self._patterns is None or self.tallies.classes is None:
            for at, code in enumerate(codes):
                found[at] = self.moved(question, with_sources(question, [code]), what, of=of)
            return found
        people = self._patterns.people
        chosen = np.flatnonzero(of[people.value])
        sets, value, number = self._patterns.sets[:, people.of[chosen]], people.value[chosen], people.number[chosen]
        counted = met(sets, self.tallies.holds(question)) if what is Moved.PEOPLE else np.zeros(len(chosen), dtype=bool)
        everyone = self.tallies.holds(Question(question.query))
        for at, code in enumerate(codes):
            more = met(sets, everyone & self.tallies.classes.of_source(code)) & ~counted
            found[at] = np.bincount(value, weights=number * more, minlength=len(of))
        return found

    def who(self, one: Question, other: Question, what: Moved) -> Callable[[str, int], str]:
        """What gives, of a field and a code of its values, what stands for who has the value and is moved."""
        classes = self.tallies.classes
        if classes is None:
            return partial(self._who_by_rows, self.tallies.mask(one), self.tallies.mask(other), what)
        before, after = self.tallies.holds(one), self.tallies.tried(other)
        source = classes.of_one_source(before ^ after)
        many = len(classes.units) if source is None else len(source)
        return partial(self._who_by_units, classes, before, after, many, what)

    def _who_by_rows(
        self, one: NDArray[np.bool_] | None, other: NDArray[np.bool_] | None, what: Moved, name: str, code: int
    ) -> str:
        rows = self.tallies.engine.index.fields[name].rows_of(code)
        every = np.ones(len(rows), dtype=bool)
        before, after = (every if mask is None else mask[rows] for mask in (one, other))
        return self._named(self.tallies.engine.index.person_of_row[rows], before, after, what)

    def _who_by_units(
        self, classes: Classes, before: NDArray[np.bool_], after: NDArray[np.bool_], many: int, what: Moved,
        name: str, code: int,
    ) -> str:  # fmt: skip
        """``many``: the units among which are those that make the difference: one looks at these, or at the value's."""
        postings = classes.units.postings[name]
        if name in classes.units.codes and many < postings.offsets[code + 1] - postings.offsets[code]:
            return named(self.tallies.digest_of_moved(classes, before, after, what, value=(name, code)))
        units = postings.units[postings.offsets[code] : postings.offsets[code + 1]]
        which = classes.of[units]
        return self._named(classes.units.person_of[units], before[which], after[which], what)

    def _named(
        self, people: NDArray[np.int32], before: NDArray[np.bool_], after: NDArray[np.bool_], what: Moved
    ) -> str:
        digest = self.tallies.digest
        if what is Moved.SERIES:
            return named(digest(people[before ^ after]))
        return named(digest(people[before]) ^ digest(people[after]))

    def who_lacks(self, question: Question, name: str, code: int) -> str:
        """What stands for who counts under a question and has the value in no row."""
        everybody = self.tallies.digest(np.flatnonzero(self.tallies.people(question)))
        having = self.who(question, Question(NOTHING), Moved.PEOPLE)(name, code)
        return named(everybody ^ int(having, 16))

    def without(self, question: Question, name: str, code: int) -> NDArray[np.integer[Any]]:
        """(K,) the people who have rows under a question that lack a value."""
        index, classes = self.tallies.engine.index, self.tallies.classes
        if classes is None:
            mask = self.tallies.mask(question)
            lacks = np.ones(index.series, dtype=bool) if mask is None else mask.copy()
            lacks[index.fields[name].rows_of(code)] = False
            return np.flatnonzero(self.tallies.engine.people(lacks))
        postings = classes.units.postings[name]
        lacks = self.tallies.holds(question)[classes.of]
        lacks[postings.units[postings.offsets[code] : postings.offsets[code + 1]]] = False
        people = classes.units.person_of[np.flatnonzero(lacks)]
        return people[np.diff(people, prepend=-1) != 0]

    def _counted_moved(self, one: Question, other: Question, what: Moved) -> NDArray[np.int64]:
        before, after = self.tallies.mask(one), self.tallies.mask(other)
        if what is Moved.SERIES:
            return self._counted(_otherwise(before, after, self.tallies.engine.index.series)).people
        either = None if before is None or after is None else before | after
        return 2 * self._counted(either).people - self._counted(before).people - self._counted(after).people

    def _counted(self, mask: NDArray[np.bool_] | None) -> FieldCounts:
        each = self.tallies.engine.count(self.names, mask)
        return FieldCounts(
            np.concatenate([one.people for one in each]),
            np.concatenate([one.studies for one in each]),
            np.concatenate([one.series for one in each]),
        )


def _with_value(classes: Classes, units: NDArray[np.intp], value: tuple[str, int] | None) -> NDArray[np.intp]:
    return units if value is None else units[classes.units.codes[value[0]][units] == value[1]]


def with_sources(question: Question, back: Collection[int]) -> Question:
    """The question with some of its refused sources counted again."""
    return Question(question.query, question.refused - set(back))


def named(digest: int) -> str:
    """What stands for some people, by ``Tallies.digest``."""
    return f"{digest:016x}"


def met_otherwise(sets: Sets, one: NDArray[np.bool_], two: NDArray[np.bool_], what: Moved) -> NDArray[np.bool_]:
    """(K,) which sets count otherwise under a question that holds in the classes ``two`` ((C,)) than in ``one``."""
    return met(sets, one ^ two) if what is Moved.SERIES else met(sets, one) != met(sets, two)


def _otherwise(one: NDArray[np.bool_] | None, two: NDArray[np.bool_] | None, rows: int) -> NDArray[np.bool_]:
    every = np.ones(rows, dtype=bool)
    return (every if one is None else one) ^ (every if two is None else two)
