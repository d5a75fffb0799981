"""``classes`` and ``patterns`` in compiled passes. Imported once the catalogue is open, as ``kernels`` is."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray

_UNKNOWN = 0
"""Of a step from one set to another: not taken yet. No step leads to the empty set, which is number 0."""


@numba.njit(nogil=True, cache=True)
def _next(
    sets: NDArray[np.uint64], known: NDArray[np.int64], steps: NDArray[np.int32], slots: NDArray[np.int32],
    at: int, new: int,
) -> int:  # fmt: skip
    """The number of the set that has class ``new`` more than set ``at``; -1: one too many.

    Args:
        sets: (K, W); ``known``: (1,) how many of them there are.
        steps: (K, C) the sets that were reached, ``_UNKNOWN`` elsewhere.
        slots: a hash table of the sets' numbers, 0 where free; a power of two long, more than K.
    """
    words = sets.shape[1]
    wanted = sets[at].copy()
    wanted[new // 64] |= np.uint64(1) << np.uint64(new % 64)
    digest = np.uint64(14695981039346656037)
    for word in range(words):  # FNV-1a over words, with its high bits folded in
        digest = (digest ^ wanted[word]) * np.uint64(1099511628211)
        digest ^= digest >> np.uint64(29)
    size = np.uint64(len(slots) - 1)
    slot = digest & size
    while slots[slot] != 0:
        same = True
        for word in range(words):
            if sets[slots[slot], word] != wanted[word]:
                same = False
                break
        if same:
            steps[at, new] = slots[slot]
            return slots[slot]
        slot = (slot + np.uint64(1)) & size
    number = known[0]
    if number == len(sets):
        return -1
    sets[number] = wanted
    known[0] = number + 1
    slots[slot] = number
    steps[at, new] = number
    return number


@numba.njit(nogil=True, cache=True)
def _told(
    told: NDArray[np.int64], many: int, value: int, numbers: NDArray[np.int64], known: int
) -> tuple[NDArray[np.int64], int]:
    """``told`` (M, 3) with the first ``known`` numbers of a value behind the first ``many``; they are set back to 0."""
    for at in range(known):
        if numbers[at] == 0:
            continue
        if many == len(told):
            longer = np.empty((2 * many, 3), dtype=np.int64)
            longer[:many] = told
            told = longer
        told[many, 0], told[many, 1], told[many, 2] = value, at, numbers[at]
        numbers[at] = 0
        many += 1
    return told, many


@numba.njit(nogil=True, cache=True)
def count_patterns(
    postings: NDArray[np.int32],
    offsets: NDArray[np.int64],
    class_of: NDArray[np.uint16],
    study_of: NDArray[np.int32],
    person_of: NDArray[np.int32],
    series_in: NDArray[np.int32],
    sets: NDArray[np.uint64],
    steps: NDArray[np.int32],
    slots: NDArray[np.int32],
) -> tuple[int, NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """The number of sets (-1: too many), and (M, 3) of value, set and number for people, studies and series.

    Args:
        postings, offsets: the units of each value, rising.
        class_of, study_of, person_of, series_in: (U,) of the units.
        sets, steps, slots: zeros, to be filled: see ``_next``.
    """
    known = np.ones(1, dtype=np.int64)
    of_people = np.zeros(len(sets), dtype=np.int64)
    of_studies = np.zeros(len(sets), dtype=np.int64)
    of_series = np.zeros(steps.shape[1], dtype=np.int64)
    people = np.empty((64, 3), dtype=np.int64)
    studies = np.empty((64, 3), dtype=np.int64)
    series = np.empty((64, 3), dtype=np.int64)
    many_people = many_studies = many_series = 0
    for value in range(len(offsets) - 1):
        study = person = last = -1
        study_set = person_set = 0
        for at in range(offsets[value], offsets[value + 1]):
            unit = postings[at]
            one = class_of[unit]
            of_series[one] += series_in[unit]
            if study_of[unit] == study:
                if one == last:
                    continue
            else:
                if study >= 0:
                    of_studies[study_set] += 1
                study, study_set = study_of[unit], 0
                if person_of[unit] != person:
                    if person >= 0:
                        of_people[person_set] += 1
                    person, person_set = person_of[unit], 0
            last = one
            after = steps[study_set, one]
            if after == _UNKNOWN:
                after = _next(sets, known, steps, slots, study_set, one)
                if after < 0:
                    return -1, people, studies, series
            study_set = after
            after = steps[person_set, one]
            if after == _UNKNOWN:
                after = _next(sets, known, steps, slots, person_set, one)
                if after < 0:
                    return -1, people, studies, series
            person_set = after
        if study >= 0:
            of_studies[study_set] += 1
            of_people[person_set] += 1
        people, many_people = _told(people, many_people, value, of_people, known[0])
        studies, many_studies = _told(studies, many_studies, value, of_studies, known[0])
        series, many_series = _told(series, many_series, value, of_series, steps.shape[1])
    return known[0], people[:many_people], studies[:many_studies], series[:many_series]


@numba.njit(nogil=True, cache=True)
def fold_states(of: NDArray[np.uint32], codes: NDArray[np.integer], state: NDArray[np.uint16], many: int) -> None:
    """(U,) ``of``, the class of each unit, told apart further by ``state[codes]``, of ``many``."""
    for unit in range(len(of)):
        of[unit] = of[unit] * np.uint32(many) + state[codes[unit]]


@numba.njit(nogil=True, cache=True)
def number_classes(of: NDArray[np.uint32], new: NDArray[np.int32], unit_of: NDArray[np.intp]) -> int:
    """How many classes there are, numbered anew in ``of`` without those that no unit has.

    Args:
        new: (number,) of -1; ``unit_of``: (number,) to be filled with the first unit of each.
    """
    known = 0
    for unit in range(len(of)):
        number = new[of[unit]]
        if number < 0:
            number = known
            new[of[unit]] = number
            unit_of[number] = unit
            known += 1
        of[unit] = number
    return known
