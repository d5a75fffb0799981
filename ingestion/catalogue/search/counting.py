"""Counts of series, studies and people under a mask of rows, for every value of a field.

The rows of a value rise, and rows of one study and of one person stand together: a new study, or a new person, begins
wherever the number of the row's study, or person, differs from the one before.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ingestion.catalogue.search.index import FieldIndex, SearchIndex


@dataclass(frozen=True, slots=True)
class Counts:
    """How many under one predicate."""

    people: int
    studies: int
    series: int


@dataclass(frozen=True, slots=True)
class FieldCounts:
    """(V,) each: the counts of every value of a field."""

    people: NDArray[np.int64]
    studies: NDArray[np.int64]
    series: NDArray[np.int64]

    def at(self, code: int) -> Counts:
        return Counts(int(self.people[code]), int(self.studies[code]), int(self.series[code]))


Kernel: TypeAlias = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Kernels:
    """The same counts, compiled: see ``kernels``."""

    count_postings: Kernel
    count_codes: Kernel
    mark_people: Kernel
    count_mask: Kernel
    count_patterns: Kernel
    fold_states: Kernel
    number_classes: Kernel


@dataclass(frozen=True, slots=True)
class Selected:
    """(K,) each: the rows under a mask, rising, and who they belong to."""

    rows: NDArray[np.intp]
    study: NDArray[np.int32]
    person: NDArray[np.int32]

    @staticmethod
    def under(index: SearchIndex, mask: NDArray[np.bool_]) -> Selected:
        rows = np.flatnonzero(mask)
        return Selected(rows, index.study_of_row[rows], index.person_of_row[rows])


def people_under(index: SearchIndex, mask: NDArray[np.bool_] | None, kernels: Kernels | None) -> NDArray[np.bool_]:
    """(P,) who has a row under the mask (None: everybody)."""
    if mask is None:
        return np.ones(index.people, dtype=bool)
    found = np.zeros(index.people, dtype=bool)
    if kernels is not None:
        kernels.mark_people(mask, np.asarray(index.person_of_row), found)
    else:
        found[index.person_of_row[mask]] = True
    return found


def count_selected(
    index: SearchIndex, field: FieldIndex, selected: Selected, kernels: Kernels | None
) -> FieldCounts | None:
    """The counts of every value of ``field`` among ``selected``; None for a field of several values a row."""
    if field.codes is None:
        return None
    values = len(field.offsets) - 1
    if kernels is None:
        codes = field.codes[selected.rows]
        # stable: rows of one value stay in their order; numpy sorts small integers by radix, in linear time
        order = np.argsort(codes, kind="stable")
        bounds = _summed(np.bincount(codes, minlength=values))
        return _counted(selected.study[order], selected.person[order], bounds)
    found = FieldCounts(*(np.zeros(values, dtype=np.int64) for _ in range(3)))
    last = np.full((values, 2), -1, dtype=np.int32)
    kernels.count_codes(
        np.asarray(field.codes), selected.rows, selected.study, selected.person, last, found.people, found.studies,
        found.series,
    )  # fmt: skip
    return found


def count_rows(index: SearchIndex, mask: NDArray[np.bool_] | None, kernels: Kernels | None = None) -> Counts:
    """The counts of the rows under ``mask`` ((N,); None: all)."""
    if mask is None:
        return Counts(index.people, index.studies, index.series)
    if kernels is not None:
        people, studies, series = kernels.count_mask(
            mask, np.asarray(index.study_of_row), np.asarray(index.person_of_row)
        )
        return Counts(int(people), int(studies), int(series))
    study = index.study_of_row[mask]
    new = first(study)
    person = index.person_of_study[study[new]]
    return Counts(int(first(person).sum()), int(new.sum()), len(study))


def count_field(
    index: SearchIndex,
    field: FieldIndex,
    mask: NDArray[np.bool_] | None,
    *,
    kernels: Kernels | None,
) -> FieldCounts:
    """The counts of every value of ``field`` under ``mask`` ((N,); None: all rows)."""
    if kernels is not None:
        return _compiled(index, field, mask, kernels.count_postings)
    postings, bounds = field.postings, np.asarray(field.offsets)
    if mask is not None:
        chosen = mask[postings]
        before = np.concatenate(([0], np.cumsum(chosen, dtype=np.int64)))
        postings, bounds = postings[chosen], before[bounds]
    study = index.study_of_row[postings]
    return _counted(study, index.person_of_row[postings], bounds)


def _counted(study: NDArray[np.int32], person: NDArray[np.int32], bounds: NDArray[np.int64]) -> FieldCounts:
    """From the study and the person of each row, value by value; a value's rows are those between two bounds."""
    series = np.diff(bounds)
    new = first(study, bounds)
    bounds = _summed(new)[bounds]
    studies = np.diff(bounds)
    new = first(person[new], bounds)
    return FieldCounts(np.diff(_summed(new)[bounds]), studies, series)


def _compiled(
    index: SearchIndex,
    field: FieldIndex,
    mask: NDArray[np.bool_] | None,
    kernel: Kernel,
) -> FieldCounts:
    values = len(field.offsets) - 1
    found = FieldCounts(*(np.zeros(values, dtype=np.int64) for _ in range(3)))
    kernel(
        np.asarray(field.postings),
        np.asarray(field.offsets),
        np.asarray(index.study_of_row),
        np.asarray(index.person_of_row),
        np.ones(0, dtype=np.bool_) if mask is None else mask,
        found.people,
        found.studies,
        found.series,
    )
    return found


def first(ordinals: NDArray[np.int32], bounds: NDArray[np.int64] | None = None) -> NDArray[np.bool_]:
    """Where a new ordinal begins; always at the bounds."""
    new = np.ones(len(ordinals), dtype=bool)
    np.not_equal(ordinals[1:], ordinals[:-1], out=new[1:])
    if bounds is not None:
        new[bounds[bounds < len(ordinals)]] = True
    return new


def _summed(values: NDArray[np.generic]) -> NDArray[np.int64]:
    return np.concatenate(([0], np.cumsum(values, dtype=np.int64)))
