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

from ingestion.catalogue.search.counting import Counts
from ingestion.catalogue.search.query import AllOf, AnyOfValues
from ingestion.catalogue.search.settle import CLEAR, Trials, cuts, parts_left_out
from ingestion.catalogue.search.tallies import Panel

Few: TypeAlias = Callable[[str, str, int], bool]
"""Of a field, a value and a number of people from ``fewest`` up: whether they are too few to move it, by secret."""
_Open: TypeAlias = NDArray[np.bool_]
"""(V,) the values of the panel that are still to be settled."""
MAX_QUESTIONS = 1_500
"""Questions that the values of one panel may take, where each costs some 0.1 ms. Beyond, nothing of it is shown."""
MAX_COUNTED = 100
"""The same where each is counted row by row: a second or two on a million series."""
NOBODY = Counts(0, 0, 0)


class TooManyQuestionsError(RuntimeError):
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
    names: Sequence[str]
    _panel: Panel = field(init=False)
    _terms: list[tuple[str, str]] = field(init=False)
    """(V,) the field and the term of each value."""
    _people: dict[AllOf, NDArray[np.int64]] = field(default_factory=dict)
    _found: list[SettledValue | None] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._panel = self.trials.tallies.panel(self.names)
        self._terms = [(name, term) for name in self.names for term in self.trials.index.fields[name].terms]

    def settled(self) -> dict[str, list[SettledValue]]:
        """By field, one for each of its values, in the order of their codes.

        Raises:
            TooManyQuestionsError: it would take too long.
        """
        people = self._counted(self.asked)
        # Few are hidden as they are, by a bound of which there is one draw only.
        still = ~self._few(np.ones(len(people), dtype=bool), people)
        self._found = [None if one else SettledValue(NOBODY, self.asked, 0) for one in still]
        self._shorten(self.asked, still)
        found = [one for one in self._found if one is not None]
        return {name: found[at] for name, at in self._panel.at.items()}

    def _shorten(self, query: AllOf, still: _Open) -> None:
        """Ranges first, each end against the question asked: see ``settle``."""
        for shorter in cuts(self.trials.index, query):
            if not still.any():
                return
            taken = self._few(still, np.abs(self._counted(shorter) - self._counted(self.asked)))
            if taken.any():
                still = still & ~taken
                self._shorten(shorter, taken)
        if still.any():
            self._leave_out(query, still)

    def _leave_out(self, query: AllOf, still: _Open) -> None:
        """What moves fewest goes first, and of parts that move as many the first."""
        simpler = list(parts_left_out(query))
        if simpler:
            moved = np.abs(np.stack([self._counted(one) for one in simpler]) - self._counted(query))
            first = np.argmin(moved, axis=0)
            clearly = still & (np.min(moved, axis=0) < self.trials.fewest - 1)
            for at, one in enumerate(simpler):
                taken = clearly & (first == at)
                # the rest in order: those that move as many as the bound go with those that move one person less
                taken |= self._few(still & ~clearly, moved[at])
                if taken.any():
                    still = still & ~taken
                    self._leave_out(one, taken)
        if still.any():
            self._leave(query, still)

    def _leave(self, query: AllOf, still: _Open) -> None:
        """The values whose question is ``query``."""
        counts, asked, total = self._panel.counts(query), self._counted(self.asked), self.trials.tallies.total(query)
        for at in np.flatnonzero(still).tolist():
            name, value = self._terms[at]
            one = counts.at(at)
            others = total.people - one.people
            # all but a few have the value: then it is itself what moves too few
            if one.people and self._are_few(name, value, others):
                self._found[at] = SettledValue(total, query, int(asked[at]))
            else:
                question = AllOf((*query.children, AnyOfValues(name, (value,))))
                self._found[at] = SettledValue(one, question, int(asked[at]))

    def _few(self, among: _Open, people: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(V,) which of the values ``among`` have fewer of the ``people`` than the blurred bound."""
        found = among & (people < self.trials.fewest)
        for at in np.flatnonzero(among & ~found & (people < CLEAR * self.trials.fewest)).tolist():
            found[at] = self._are_few(*self._terms[at], int(people[at]))
        return found

    def _are_few(self, name: str, value: str, people: int) -> bool:
        fewest = self.trials.fewest
        return people < fewest or (people < CLEAR * fewest and self.too_few(name, value, people))

    def _counted(self, query: AllOf) -> NDArray[np.int64]:
        """(V,) people."""
        if query not in self._people:
            if len(self._people) == (MAX_QUESTIONS if self._panel.quick else MAX_COUNTED):
                raise TooManyQuestionsError
            self._people[query] = self._panel.people(query)
        return self._people[query]
