"""Counts of many questions that are made of the same criteria: of the whole, and of every value of some fields.

By classes and patterns (``classes``, ``patterns``), so that a further question costs next to nothing; where there are
too many of these, question by question over the rows. Both give the same numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ingestion.catalogue.search.classes import Classes, classes_of
from ingestion.catalogue.search.counting import Counts, FieldCounts
from ingestion.catalogue.search.engine import SearchEngine
from ingestion.catalogue.search.evaluate import Evaluator, both
from ingestion.catalogue.search.patterns import Patterns, Sets, joined, met, of_everybody
from ingestion.catalogue.search.query import AllOf, Not, leaves, parts
from ingestion.catalogue.search.units import Postings


@dataclass(slots=True)
class Tallies:
    """Of the questions that are ``asked`` with parts of it left out.

    ``asked``: as ``settle.prepared`` makes it; ``among``: (N,) the rows that are counted at all, without those of
    sources that can't answer; None: all.
    """

    engine: SearchEngine
    asked: AllOf
    among: NDArray[np.bool_] | None = None
    evaluator: Evaluator = field(init=False)
    classes: Classes | None = field(init=False)
    """None: too many."""
    _whole: Patterns | None = None
    _sets: Sets | None = None
    _last: tuple[AllOf, NDArray[np.bool_]] | None = None

    def __post_init__(self) -> None:
        self.evaluator = Evaluator(self.engine.index)
        self.classes = classes_of(self.engine.index, self.evaluator, self.asked, self.among)
        if self.classes is not None:
            every = np.arange(len(self.classes.units), dtype=np.int32)
            postings = Postings(every, np.asarray([0, len(every)], dtype=np.int64))
            (self._whole,) = self.engine.patterns([postings], self.classes, self.classes.counted)

    def mask(self, query: AllOf) -> NDArray[np.bool_] | None:
        """(N,) the rows of a question; None: all."""
        return both(self.evaluator.mask(query), self.among)

    def total(self, query: AllOf) -> Counts:
        if self.classes is None or self._whole is None:
            return self.engine.total(self.mask(query))
        return self._whole.counts_under(self.classes.true_in(query)).at(0)

    def moved(self, query: AllOf, other: AllOf) -> int:
        """How many people count otherwise in ``other`` than in ``query``."""
        if self.classes is None or self._whole is None:
            return int(np.count_nonzero(self._differ(query, other)))
        people, sets = self._whole.people, self._whole.sets
        differ = met(sets, self.classes.true_in(query)) != met(sets, self.classes.true_in(other))
        return int(people.number[differ[people.of]].sum())

    def who(self, query: AllOf, other: AllOf) -> str:
        """The digest of who counts otherwise."""
        return hashlib.sha256(np.packbits(self._differ(query, other)).tobytes()).hexdigest()

    def panel(self, names: Sequence[str]) -> Panel:
        """The values of some fields, to be counted under one question after the other."""
        return Panel(self, tuple(names))

    def _differ(self, query: AllOf, other: AllOf) -> NDArray[np.bool_]:
        """(P,)"""
        if self._last is None or self._last[0] != query:
            self._last = query, self._of(query)
        return self._last[1] != self._of(other)

    def _of(self, query: AllOf) -> NDArray[np.bool_]:
        """(P,) who counts."""
        if self.classes is None:
            return self.engine.people(self.mask(query))
        if self._sets is None:
            self._sets = of_everybody(self.engine.index, self.classes)
        return met(self._sets, self.classes.true_in(query))


@dataclass(slots=True)
class Panel:
    """The V values of the fields ``names``, one field after the other."""

    tallies: Tallies
    names: tuple[str, ...]
    at: dict[str, slice] = field(default_factory=dict)
    """Where the values of each field are."""
    _patterns: Patterns | None = None
    _alive: NDArray[np.bool_] = field(default_factory=lambda: np.ones(0, dtype=bool))

    def __post_init__(self) -> None:
        start = 0
        for name in self.names:
            end = start + len(self.tallies.engine.index.fields[name].terms)
            self.at[name] = slice(start, end)
            start = end
        classes = self.tallies.classes
        if classes is not None and self.names:
            self._alive = _alive(classes, self.tallies)
            fields = [classes.units.postings[name] for name in self.names]
            found = [one for one in self.tallies.engine.patterns(fields, classes, self._alive) if one is not None]
            self._patterns = joined(found) if len(found) == len(fields) else None

    @property
    def quick(self) -> bool:
        """Whether a further question costs next to nothing."""
        return self._patterns is not None

    def people(self, query: AllOf) -> NDArray[np.int64]:
        """(V,)"""
        holds = self._holds(query)
        return self._counted(query).people if holds is None else self._quick().people_under(holds)

    def counts(self, query: AllOf) -> FieldCounts:
        """(V,) each."""
        holds = self._holds(query)
        return self._counted(query) if holds is None else self._quick().counts_under(holds)

    def _quick(self) -> Patterns:
        assert self._patterns is not None
        return self._patterns

    def _holds(self, query: AllOf) -> NDArray[np.bool_] | None:
        """(C,); None: it is not to be had from the patterns."""
        if self.tallies.classes is None or self._patterns is None:
            return None
        holds = self.tallies.classes.true_in(query)
        return None if (holds & ~self._alive).any() else holds

    def _counted(self, query: AllOf) -> FieldCounts:
        each = self.tallies.engine.count(self.names, self.tallies.mask(query))
        return FieldCounts(
            np.concatenate([one.people for one in each]),
            np.concatenate([one.studies for one in each]),
            np.concatenate([one.series for one in each]),
        )


def _alive(classes: Classes, tallies: Tallies) -> NDArray[np.bool_]:
    """(C,) the classes in which any question may hold but the one for everything, which is counted beforehand."""
    if tallies.among is not None or any(isinstance(one, Not) for one in parts(tallies.asked)):
        return classes.counted
    said = [classes.true_in(leaf) for leaf in leaves(tallies.asked)]
    return np.logical_or.reduce(said, axis=0) & classes.counted
