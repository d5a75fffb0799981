"""Each value of a field with the question that is answered in its place.

A value of a panel is a question of its own: the others and the value. What moves enough people of the whole question
may move nobody who has the value, and then would only give the value's number another draw; or one, and tell of them.
So criteria are left out for each value as ``settle`` does it for a question. Leaving out a part adds people or takes
some away, never both, so the number of people that it moves is the difference of two counts, and one panel tells it of
all values at once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ingestion.catalogue.search.counting import Counts, FieldCounts
from ingestion.catalogue.search.query import AllOf, AnyOfValues
from ingestion.catalogue.search.settle import Trials, cuts, parts_left_out

Few: TypeAlias = Callable[[str, str, int], bool]
"""Of a field, a value and a number of people from ``fewest`` up: whether they are too few to move it, by secret."""
_Open: TypeAlias = dict[str, NDArray[np.bool_]]
"""(V,) by field: the values that are still to be settled."""
MAX_PANELS = 1_500
"""Counts of a field that one panel may take: a second or two on a million series. Beyond, nothing of it is shown."""
NOBODY = Counts(0, 0, 0)


class TooManyPanelsError(RuntimeError):
    """The question has so many parts that its values can't be settled one by one."""


@dataclass(frozen=True, slots=True)
class SettledValue:
    """A value's counts. ``question``: what they are of; ``asked``: the people of the question that was asked."""

    counts: Counts
    question: AllOf
    asked: int


@dataclass(slots=True)
class ValueSettler:
    """Settles the values of some fields under one question."""

    trials: Trials
    asked: AllOf
    """Settled as a whole."""
    too_few: Few
    _counts: dict[tuple[AllOf, str], FieldCounts] = field(default_factory=dict)
    _totals: dict[AllOf, Counts] = field(default_factory=dict)
    _found: dict[str, list[SettledValue | None]] = field(default_factory=dict)

    def settled(self, names: Sequence[str]) -> dict[str, list[SettledValue]]:
        """By field, one for each of its values, in the order of their codes."""
        counts = self._panel(self.asked, names)
        # Few are hidden as they are, by a bound of which there is one draw only.
        every: _Open = {
            name: ~self._few(name, np.ones(len(found.people), dtype=bool), found.people, limit=self.trials.fewest)
            for name, found in counts.items()
        }
        self._found = {
            name: [None if code else SettledValue(NOBODY, self.asked, 0) for code in still]
            for name, still in every.items()
        }
        self._shorten(self.asked, every)
        return {name: [one for one in found if one is not None] for name, found in self._found.items()}

    def _shorten(self, query: AllOf, still: _Open) -> None:
        """Ranges first, each end against the question asked: see ``settle``."""
        for shorter in cuts(self.trials.engine.index, query):
            taken: _Open = {}
            names = [name for name, codes in still.items() if codes.any()]
            start, now = self._panel(self.asked, names), self._panel(shorter, names)
            for name in names:
                moved = np.abs(now[name].people - start[name].people)
                taken[name] = self._few(name, still[name], moved, limit=self.trials.fewest)
                still[name] = still[name] & ~taken[name]
            if any(codes.any() for codes in taken.values()):
                self._shorten(shorter, taken)
        if any(codes.any() for codes in still.values()):
            self._leave_out(query, still)

    def _leave_out(self, query: AllOf, still: _Open) -> None:
        # what moves fewest goes first
        for limit in range(1, self.trials.fewest + 1):
            for simpler in parts_left_out(query):
                names = [name for name, codes in still.items() if codes.any()]
                if not names:
                    return
                start, now = self._panel(query, names), self._panel(simpler, names)
                taken = {
                    name: self._few(name, still[name], np.abs(now[name].people - start[name].people), limit=limit)
                    for name in names
                }
                for name, codes in taken.items():
                    still[name] = still[name] & ~codes
                if any(codes.any() for codes in taken.values()):
                    self._leave_out(simpler, taken)
        names = [name for name, codes in still.items() if codes.any()]
        counts, asked = self._panel(query, names), self._panel(self.asked, names)
        for name in names:
            for code in np.flatnonzero(still[name]):
                self._found[name][code] = self._value(
                    query, name, int(code), counts[name].at(int(code)), int(asked[name].people[code])
                )

    def _value(self, query: AllOf, name: str, code: int, counts: Counts, asked: int) -> SettledValue:
        value, total = self.trials.engine.index.fields[name].terms[code], self._total(query)
        others = total.people - counts.people
        # all but a few have the value: then it is itself what moves too few
        if counts.people and (others < self.trials.fewest or self.too_few(name, value, others)):
            return SettledValue(total, query, asked)
        return SettledValue(counts, AllOf((*query.children, AnyOfValues(name, (value,)))), asked)

    def _few(self, name: str, codes: NDArray[np.bool_], people: NDArray[np.int64], *, limit: int) -> NDArray[np.bool_]:
        """Which of the values have fewer people than ``limit``; at the highest limit, than the blurred bound."""
        found = codes & (people < limit)
        if limit == self.trials.fewest:
            terms = self.trials.engine.index.fields[name].terms
            for code in np.flatnonzero(codes & ~found & (people < 2 * limit)):
                found[code] = self.too_few(name, terms[code], int(people[code]))
        return found

    def _panel(self, query: AllOf, names: Sequence[str]) -> dict[str, FieldCounts]:
        missing = [name for name in names if (query, name) not in self._counts]
        if missing:
            if len(self._counts) + len(missing) > MAX_PANELS:
                raise TooManyPanelsError
            found = self.trials.engine.count(missing, self.trials.mask(query))
            self._counts.update({(query, name): counts for name, counts in zip(missing, found, strict=True)})
        return {name: self._counts[query, name] for name in names}

    def _total(self, query: AllOf) -> Counts:
        if query not in self._totals:
            self._totals[query] = self.trials.engine.total(self.trials.mask(query))
        return self._totals[query]
