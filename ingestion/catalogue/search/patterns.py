"""Of every value of a field: how many people have rows of which classes (``classes``), by one pass over the rows.

A person counts under a question where one of the person's rows is of a class in which it holds. So people with rows of
the same classes count alike under all questions, and once it is known how many there are of each such set, a question
is answered from the sets: some dozens, where rows are a million. Studies likewise; series are of one class each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ingestion.catalogue.search.classes import Classes
from ingestion.catalogue.search.counting import FieldCounts, first
from ingestion.catalogue.search.index import SearchIndex
from ingestion.catalogue.search.units import Postings

MAX_SETS = 4_096
"""Sets of classes that one pass keeps apart. A question of more is counted row by row."""
_WORD = 64
_DENSE = 1 << 20
"""Numbers up to which a table of all is faster than sorting those that there are."""
Sets: TypeAlias = NDArray[np.uint64]
"""(W, K): sets of classes, one bit each."""


@dataclass(frozen=True, slots=True)
class Tally:
    """(M,) each: ``number`` people (studies) with value ``value`` have rows of the classes in set ``of``."""

    value: NDArray[np.int64]
    of: NDArray[np.int64]
    number: NDArray[np.int64]

    def total(self, hit: NDArray[np.bool_], values: int) -> NDArray[np.int64]:
        found = np.bincount(self.value, weights=self.number * hit[self.of], minlength=values)
        return found.astype(np.int64)


@dataclass(frozen=True, slots=True)
class Patterns:
    """One field of V values. ``series``: by class, not by set."""

    values: int
    sets: Sets
    people: Tally
    studies: Tally
    series: Tally

    def people_under(self, holds: NDArray[np.bool_]) -> NDArray[np.int64]:
        """(V,) people of each value under a question that holds in the classes ``holds`` (C,)."""
        return self.people.total(met(self.sets, holds), self.values)

    def counts_under(self, holds: NDArray[np.bool_]) -> FieldCounts:
        hit = met(self.sets, holds)
        return FieldCounts(
            self.people.total(hit, self.values),
            self.studies.total(hit, self.values),
            self.series.total(holds, self.values),
        )


def joined(fields: Sequence[Patterns]) -> Patterns:
    """Of several fields under the same classes: their values one field after the other."""
    values = np.cumsum([0, *(one.values for one in fields)])
    sets, number = _numbered(np.concatenate([one.sets for one in fields], axis=1))
    numbers = np.split(number, np.cumsum([one.sets.shape[1] for one in fields])[:-1])

    def tallies(which: Callable[[Patterns], Tally], numbered: Sequence[NDArray[np.intp]]) -> Tally:
        each = [which(one) for one in fields]
        return Tally(
            np.concatenate([one.value + at for one, at in zip(each, values, strict=False)]),
            np.concatenate([to[one.of] for one, to in zip(each, numbered, strict=True)]),
            np.concatenate([one.number for one in each]),
        )

    every = np.arange(_WORD * len(sets))  # series are of classes, which are the same
    return Patterns(
        int(values[-1]),
        sets,
        tallies(lambda one: one.people, numbers),
        tallies(lambda one: one.studies, numbers),
        tallies(lambda one: one.series, [every] * len(fields)),
    )


def met(sets: Sets, holds: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(K,) which sets have one of the classes."""
    bits = np.zeros(len(sets) * _WORD, dtype=bool)
    bits[: len(holds)] = holds
    words = np.packbits(bits, bitorder="little").view(np.uint64)
    found = (sets[0] & words[0]) != 0
    for word in range(1, len(words)):
        found |= (sets[word] & words[word]) != 0
    return found


def patterns(postings: Postings, classes: Classes, *, compiled: Callable[..., Any] | None) -> Patterns | None:
    """The patterns of a field; None: more than ``MAX_SETS`` sets."""
    units, values, words = classes.units, len(postings.offsets) - 1, -(-len(classes) // _WORD)
    if compiled is None:
        return _patterns(postings, classes)
    sets = np.zeros((MAX_SETS, words), dtype=np.uint64)
    steps = np.zeros((MAX_SETS, len(classes)), dtype=np.int32)
    slots = np.zeros(4 * MAX_SETS, dtype=np.int32)
    known, *told = compiled(
        np.asarray(postings.units), np.asarray(postings.offsets), classes.of, np.asarray(units.study_of),
        np.asarray(units.person_of), np.asarray(units.series_in), sets, steps, slots,
    )  # fmt: skip
    if known < 0:
        return None
    return Patterns(values, sets[:known].T.copy(), *(Tally(*one.T) for one in told))


def of_everybody(index: SearchIndex, classes: Classes) -> Sets:
    """(W, P) the set of classes that each person has rows of."""
    return _or(classes, classes.of, np.searchsorted(classes.units.person_of, np.arange(index.people)))


def _patterns(postings: Postings, classes: Classes) -> Patterns | None:
    """Without the compiled loop."""
    units, values, many = classes.units, len(postings.offsets) - 1, len(classes)
    of, bounds = postings.units, np.asarray(postings.offsets)
    one = classes.of[of]
    study_starts = np.flatnonzero(first(units.study_of[of], bounds))
    # a person begins where a study does
    of_study = np.searchsorted(study_starts, bounds)
    person_starts = np.flatnonzero(first(units.person_of[of[study_starts]], of_study))
    found = _or(classes, one, study_starts)
    both = np.concatenate([found, np.bitwise_or.reduceat(found, person_starts, axis=1)], axis=1) if len(of) else found
    alone = one[study_starts]
    sets, number = _told_apart(both, np.concatenate([alone, alone[person_starts]]), many)
    if sets.shape[1] >= MAX_SETS:  # as the compiled loop, which has the empty set too
        return None
    value = np.repeat(np.arange(values), np.diff(of_study))
    studies = _tally(value, number[: len(study_starts)], sets.shape[1])
    people = _tally(value[person_starts], number[len(study_starts) :], sets.shape[1])
    keys = np.repeat(np.arange(values) * many, np.diff(bounds))
    keys += one
    series = _tally_of(keys, many, weights=units.series_in[of])
    return Patterns(values, sets, people, studies, series)


def _told_apart(found: Sets, alone: NDArray[np.uint16], classes: int) -> tuple[Sets, NDArray[np.int64]]:
    """The sets there are, and the number of each that was found; most are of one class, ``alone``."""
    of_class = np.zeros((len(found), classes), dtype=np.uint64)
    every = np.arange(classes)
    of_class[every // _WORD, every] = np.uint64(1) << (every % _WORD).astype(np.uint64)
    several = np.flatnonzero((found != of_class[:, alone]).any(axis=0))
    number = alone.astype(np.int64)
    sets, place = _numbered(found[:, several])
    number[several] = classes + place
    return np.concatenate([of_class, sets], axis=1), number


def _or(classes: Classes, one: NDArray[np.uint16], starts: NDArray[np.intp]) -> Sets:
    """(W, R) the sets of the runs that begin at ``starts``; ``one``: the class of each unit."""
    words = -(-len(classes) // _WORD)
    found = np.zeros((words, len(starts)), dtype=np.uint64)
    if not len(starts):
        return found
    number = np.arange(len(classes))
    for word in range(words):
        inside = number // _WORD == word
        bit = np.where(inside, np.uint64(1) << (number % _WORD).astype(np.uint64), np.uint64(0))
        found[word] = np.bitwise_or.reduceat(bit[one], starts)
    return found


def _numbered(found: Sets) -> tuple[Sets, NDArray[np.intp]]:
    """The distinct sets, and the number of each that was found."""
    if len(found) == 1:
        sets, number = _distinct(found[0])
        return sets[None], number
    combined = np.zeros(found.shape[1], dtype=np.uint64)
    for word in found:  # one after the other: rows are slow to compare
        _, of_word = _distinct(word)
        many = np.uint64(int(of_word.max(initial=0)) + 1)
        _, number = _distinct(combined * many + of_word.astype(np.uint64))
        combined = number.astype(np.uint64)
    sets = np.zeros((len(found), int(number.max(initial=-1)) + 1), dtype=np.uint64)
    sets[:, number] = found
    return sets, number


def _distinct(numbers: NDArray[np.uint64]) -> tuple[NDArray[np.uint64], NDArray[np.intp]]:
    """The distinct numbers, and the place of each that was given."""
    if (most := int(numbers.max(initial=0))) < _DENSE:
        seen = np.zeros(most + 1, dtype=bool)
        seen[numbers] = True
        return np.flatnonzero(seen).astype(np.uint64), (np.cumsum(seen) - 1)[numbers]
    found = np.unique(numbers)
    return found, np.searchsorted(found, numbers)


def _tally(value: NDArray[np.int64], of: NDArray[np.int64], many: int) -> Tally:
    return _tally_of(value * many + of, many)


def _tally_of(keys: NDArray[np.int64], many: int, weights: NDArray[np.int32] | None = None) -> Tally:
    """``keys``: the values times ``many``, and what of these."""
    if keys.max(initial=0) < _DENSE:
        numbers = np.bincount(keys, weights=weights).astype(np.int64)
        found = np.flatnonzero(numbers)
        return Tally(found // max(many, 1), found % max(many, 1), numbers[found])
    found, place = np.unique(keys, return_inverse=True)
    return Tally(found // many, found % many, np.bincount(place, weights=weights).astype(np.int64))
