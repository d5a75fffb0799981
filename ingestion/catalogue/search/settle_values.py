"""Each value of a field with the question that is answered in its place.

A value of a panel is a question of its own: the others and the value. What moves enough people of the whole question
may move nobody who has the value, and then would only give the value's number another draw; or one, and tell of them.
So criteria are left out for each value as ``settle`` does it for a question, in the order of the question.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from ingestion.catalogue.search.counting import Counts, FieldCounts
from ingestion.catalogue.search.query import AllOf, AnyOfValues, Between, leaves
from ingestion.catalogue.search.settle import CLEAR, Trials, parts_left_out, shortened, with_range
from ingestion.catalogue.search.tallies import NOTHING, Moved, Panel, Question, named, with_sources

_Open: TypeAlias = NDArray[np.bool_]
"""(V,) the values of the panel that are still to be settled."""
MAX_QUESTIONS = 20_000
"""Questions that the values of one panel may take, where each costs some 0.1 ms. Beyond, nothing of it is shown; what
people ask takes some dozens, and a question whose criteria all hold for few some thousands."""
MAX_COUNTED = 100
"""The same where each is counted row by row: a second or two on a million series."""
NOBODY = Counts(0, 0, 0)
WORTH_A_LOOK = 2
"""Values near the bound from which it is looked up first whether all of them are of the same people."""


class TooManyQuestionsError(RuntimeError):
    """The question has so many parts that its values can't be settled one by one."""


@dataclass(frozen=True, slots=True)
class SettledValue:
    """A value's counts; where people are settled (``Moved.PEOPLE``), of people alone.

    ``query``: what they are of; ``others``: that without the value, and who is refused.
    """

    counts: Counts
    query: AllOf
    others: Question


@dataclass(slots=True)
class ValueSettler:
    """Settles the values of a panel under one question."""

    trials: Trials
    panel: Panel
    asked: AllOf
    """Settled as a whole."""
    answering: Callable[[AllOf], Collection[int]]
    """The codes of the sources that can answer a query."""
    _terms: list[tuple[str, str]] = field(init=False)
    """(V,) the field and the term of each value."""
    _asked: int = 0
    _found: list[SettledValue] = field(default_factory=list)

    def __post_init__(self) -> None:
        fields = self.trials.index.fields
        self._terms = [(name, term) for name in self.panel.names for term in fields[name].terms]

    def many(self) -> NDArray[np.bool_]:
        """(V,) which values have enough people to be settled: others are hidden as they are, which costs no draw."""
        every = np.ones(len(self._terms), dtype=bool)
        # as many as it would move to ask of nobody
        return ~self._few(every, self._of(self.asked), Question(NOTHING))

    def settled(self, many: NDArray[np.bool_]) -> dict[str, list[SettledValue]]:
        """By field, one for each of its values, in the order of their codes.

        Args:
            many: see ``many``; others have nobody.

        Raises:
            TooManyQuestionsError: it would take too long.
        """
        self._found = [SettledValue(NOBODY, self.asked, self._of(self.asked))] * len(self._terms)
        self._shorten(self.asked, many)
        return {name: self._found[at] for name, at in self.panel.at.items()}

    def _shorten(self, query: AllOf, still: _Open) -> None:
        """Ranges first, each end against the question asked: see ``settle``."""
        groups = [(query, still)]
        for leaf in dict.fromkeys(leaves(query)):
            if isinstance(leaf, Between):
                groups = [
                    (with_range(one, leaf, (low, high)), values)
                    for one, open_ones in groups
                    for low, of_low in self._ends(one, leaf, 0, open_ones).items()
                    for high, values in self._ends(one, leaf, 1, of_low).items()
                    if values.any()
                ]
        for one, values in groups:
            self._leave_out(one, values)

    def _ends(self, query: AllOf, leaf: Between, end: int, still: _Open) -> dict[Between, _Open]:
        """How far the range is cut at one end, and for which values."""
        found, now = {}, leaf
        for shorter in shortened(self.trials.index, leaf, end):
            one = with_range(query, leaf, (shorter, leaf) if end == 0 else (leaf, shorter))
            taken = self._few(still, self._of(query), self._of(one))
            found[now] = still & ~taken
            now, still = shorter, taken
            if not still.any():
                break
        return {**found, now: still}

    def _leave_out(self, query: AllOf, still: _Open) -> None:
        asked = self._of(query)
        if query not in self.panel.tried:
            self.panel.tried[query] = tuple(parts_left_out(query))
        for simpler in self.panel.tried[query]:
            if not still.any():
                return
            taken = self._few(still, asked, self._of(simpler))
            if taken.any():
                still = still & ~taken
                self._leave_out(simpler, taken)
        if still.any():
            self._readmit(self._of(query), still)

    def _readmit(self, question: Question, still: _Open) -> None:
        """See ``Trials.readmitted``: all sources at once for most values, one by one for those with people in some."""
        back = sorted(question.refused & set(self.answering(question.query)))
        if back:
            everyone = with_sources(question, back)
            clearly = still & (self._moving(question, everyone, still) < self.trials.fewest)
            if clearly.any():
                self._leave(everyone, clearly)
                still = still & ~clearly
            back = back if still.any() else []
        groups: dict[bytes, _Open] = {}
        self._spend(len(back))
        moved = self.panel.moved_back(question, back, self.trials.moved, of=still) if back else ()
        few = np.asarray(
            [
                self._of_few(still, people, question, with_sources(question, [one]))
                for one, people in zip(back, moved, strict=True)
            ]
        )
        for at in np.flatnonzero(still).tolist():
            groups.setdefault(few[:, at].tobytes() if back else b"", np.zeros_like(still))[at] = True
        for which, values in groups.items():
            chosen = np.frombuffer(which, dtype=bool)
            self._leave(with_sources(question, [one for one, yes in zip(back, chosen, strict=True) if yes]), values)

    def _of(self, query: AllOf) -> Question:
        return Question(query, self.trials.refused)

    def _leave(self, question: Question, still: _Open) -> None:
        """The values whose question it is."""
        total = self.trials.tallies.total(question)
        counts = self._counts(question)
        for at in np.flatnonzero(still).tolist():
            name, value = self._terms[at]
            one = counts.at(at)
            # all but a few have the value: then it is itself what moves too few
            if one.people and self._moves_few(question, at, one, total):
                self._found[at] = SettledValue(total, question.query, question)
            else:
                narrowed = AllOf((*question.query.children, AnyOfValues(name, (value,))))
                self._found[at] = SettledValue(one, narrowed, question)

    def _counts(self, question: Question) -> FieldCounts:
        if self.trials.moved is Moved.SERIES:
            return self.panel.counts(question)
        people = self.panel.people(question)
        return FieldCounts(people, np.zeros_like(people), np.zeros_like(people))

    def _moves_few(self, question: Question, at: int, one: Counts, total: Counts) -> bool:
        """Whether a value moves too few against all under the question."""
        fewest, others = self.trials.fewest, total.people - one.people
        if others >= CLEAR * fewest or (self.trials.moved is Moved.SERIES and one.series == total.series):
            return others < CLEAR * fewest
        name, code = self._terms[at][0], at - self.panel.at[self._terms[at][0]].start
        if self.trials.moved is Moved.SERIES:
            lacking = self.panel.without(question, name, code)
            return len(lacking) < fewest or self._are_few(len(lacking), named(self.trials.tallies.digest(lacking)))
        if others < fewest:
            return True
        return self._are_few(others, self.panel.who_lacks(question, name, code))

    def _few(self, among: _Open, one: Question, other: Question) -> NDArray[np.bool_]:
        """(V,) which of the values ``among`` have fewer people whom ``other`` moves than the blurred bound."""
        return self._of_few(among, self._moving(one, other, among), one, other)

    def _of_few(self, among: _Open, people: NDArray[np.int64], one: Question, other: Question) -> NDArray[np.bool_]:
        found = among & (people < self.trials.fewest)
        near = np.flatnonzero(among & ~found & (people < CLEAR * self.trials.fewest)).tolist()
        if not near:
            return found
        who_of = self.panel.who(one, other, self.trials.moved)
        most, all_of_them = -1, ""
        if len(near) > WORTH_A_LOOK:
            # no value moves others than those of whom any series is moved: where it moves as many, it is these
            most = self.trials.tallies.moved(one, other, Moved.SERIES)
            if most < CLEAR * self.trials.fewest:
                all_of_them = self.trials.tallies.who(one, other, Moved.SERIES)
        for at in near:
            name = self._terms[at][0]
            who = all_of_them if people[at] == most else who_of(name, at - self.panel.at[name].start)
            found[at] = self._are_few(int(people[at]), who)
        return found

    def _are_few(self, people: int, who: str) -> bool:
        return people < CLEAR * self.trials.fewest and people < self.trials.bound_of(who)

    def _moving(self, one: Question, other: Question, of: _Open) -> NDArray[np.int64]:
        """(V,) people, of the values ``of``."""
        self._spend(1)
        return self.panel.moved(one, other, self.trials.moved, of=of if np.count_nonzero(of) < len(of) // 4 else None)

    def _spend(self, questions: int) -> None:
        """Raises ``TooManyQuestionsError`` where these are too many."""
        self._asked += questions
        if self._asked > (MAX_QUESTIONS if self.panel.quick else MAX_COUNTED):
            raise TooManyQuestionsError
