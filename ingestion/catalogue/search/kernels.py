"""The counting loop, compiled. Imported once the catalogue is open: loading the compiler takes most of a second."""

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
