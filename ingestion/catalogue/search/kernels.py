"""The counting loops, compiled. Imported once the catalogue is open: loading the compiler takes most of a second."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray


@numba.njit(nogil=True, cache=True)
def count_postings(
    postings: NDArray[np.int32],
    offsets: NDArray[np.int64],
    study_of_row: NDArray[np.int32],
    person_of_row: NDArray[np.int32],
    mask: NDArray[np.bool_],
    people: NDArray[np.int64],
    studies: NDArray[np.int64],
    series: NDArray[np.int64],
) -> None:
    """As ``counting.count_field``; an empty ``mask`` takes all rows."""
    every = len(mask) == 0
    for code in range(len(offsets) - 1):
        last_study = last_person = -1
        number_series = number_studies = number_people = 0
        for at in range(offsets[code], offsets[code + 1]):
            row = postings[at]
            if not (every or mask[row]):
                continue
            number_series += 1
            study = study_of_row[row]
            if study == last_study:
                continue
            last_study = study
            number_studies += 1
            person = person_of_row[row]
            if person != last_person:
                last_person = person
                number_people += 1
        series[code] = number_series
        studies[code] = number_studies
        people[code] = number_people


@numba.njit(nogil=True, cache=True)
def count_codes(
    codes: NDArray[np.integer],
    rows: NDArray[np.intp],
    study_of: NDArray[np.int32],
    person_of: NDArray[np.int32],
    last: NDArray[np.int32],
    people: NDArray[np.int64],
    studies: NDArray[np.int64],
    series: NDArray[np.int64],
) -> None:
    """As ``count_postings`` for a field of one value a row: costs what the matching rows cost, not all.

    Args:
        rows: (K,) the rows that match, rising; ``study_of`` and ``person_of``: (K,) of these.
        last: (V, 2) of -1: the last study and the last person seen of each value.
    """
    for at in range(len(rows)):
        code = codes[rows[at]]
        series[code] += 1
        study = study_of[at]
        if study == last[code, 0]:
            continue
        last[code, 0] = study
        studies[code] += 1
        person = person_of[at]
        if person != last[code, 1]:
            last[code, 1] = person
            people[code] += 1


@numba.njit(nogil=True, cache=True)
def mark_people(mask: NDArray[np.bool_], person_of_row: NDArray[np.int32], found: NDArray[np.bool_]) -> None:
    """(P,) ``found``: who has a row under the mask."""
    for row in range(len(mask)):
        if mask[row]:
            found[person_of_row[row]] = True


@numba.njit(nogil=True, cache=True)
def count_mask(
    mask: NDArray[np.bool_], study_of_row: NDArray[np.int32], person_of_row: NDArray[np.int32]
) -> tuple[int, int, int]:
    """People, studies and series under the mask."""
    last_study = last_person = -1
    people = studies = series = 0
    for row in range(len(mask)):
        if not mask[row]:
            continue
        series += 1
        if study_of_row[row] == last_study:
            continue
        last_study = study_of_row[row]
        studies += 1
        if person_of_row[row] != last_person:
            last_person = person_of_row[row]
            people += 1
    return people, studies, series
