"""A set of intensities as distinct values with their counts: exact, small for images, and the same in any order."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class ValueCounts:
    """``values``: distinct and ascending, float64. ``counts``: how many voxels have each, int64."""

    values: NDArray[np.float64]
    counts: NDArray[np.int64]

    @staticmethod
    def of(values: NDArray[Any]) -> ValueCounts:
        """The distinct values of an array of any shape."""
        if values.dtype.kind in "iu" and values.dtype.itemsize <= 2 and values.size:
            # Counting is ten times faster than sorting. Signed values follow the unsigned ones as 65535 follows -1.
            unsigned = np.ascontiguousarray(values).view(f"u{values.dtype.itemsize}")
            tally = np.bincount(unsigned.ravel())
            present = np.flatnonzero(tally)
            found, counts = present.astype(unsigned.dtype).view(values.dtype), tally[present]
            order = np.argsort(found, kind="stable")
            return ValueCounts(found[order].astype(np.float64), counts[order].astype(np.int64))
        found, counts = np.unique(values, return_counts=True)
        return ValueCounts(found.astype(np.float64), counts.astype(np.int64))

    @staticmethod
    def merged(parts: Iterable[ValueCounts]) -> ValueCounts:
        """All voxels of ``parts`` together."""
        listed = list(parts)
        if not listed:
            return ValueCounts(np.empty(0, dtype=np.float64), np.empty(0, dtype=np.int64))
        values, inverse = np.unique(np.concatenate([part.values for part in listed]), return_inverse=True)
        counts = np.zeros(len(values), dtype=np.int64)
        np.add.at(counts, inverse, np.concatenate([part.counts for part in listed]))
        return ValueCounts(values, counts)

    @property
    def total(self) -> int:
        """Number of voxels."""
        return int(self.counts.sum())

    def mapped(self, function: Callable[[NDArray[np.float64]], NDArray[Any]]) -> ValueCounts:
        """The same voxels with another value each."""
        return ValueCounts.merged([ValueCounts(function(self.values).astype(np.float64), self.counts)])

    def between(self, low: float, high: float) -> ValueCounts:
        """The voxels from ``low`` to ``high``, both included."""
        inside = (self.values >= low) & (self.values <= high)
        return ValueCounts(self.values[inside], self.counts[inside])

    def mean_of(self, terms: NDArray[np.float64]) -> float:
        """Mean over voxels of a term computed for each value.

        Summed exactly (``math.fsum``): neither the order nor the processor's vector width changes the result.
        """
        return self.sum_of(terms) / self.total

    def sum_of(self, terms: NDArray[np.float64]) -> float:
        return math.fsum((terms * self.counts).tolist())

    def percentile(self, percent: float) -> float:
        """Percentile with linear interpolation between the two voxels nearest in rank (ranks from 0 to n - 1)."""
        cumulated = np.cumsum(self.counts)
        rank = (self.total - 1) * percent / 100
        below = math.floor(rank)
        low = float(self.values[np.searchsorted(cumulated, below, side="right")])
        if below + 1 >= self.total:
            return low
        high = float(self.values[np.searchsorted(cumulated, below + 1, side="right")])
        return low + (high - low) * (rank - below)
