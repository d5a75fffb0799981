"""The grid of an interpolated image: IBSI's "align grid centers" (manual, 2.4.3), and where a crop of it lies."""

from __future__ import annotations

import math
from dataclasses import dataclass

Box = tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
NEARLY = 1e-6
"""A share of a voxel: sizes and places that are whole numbers in truth stay so in spite of rounding."""


@dataclass(frozen=True, slots=True)
class Axis:
    """One axis of the image and of the new grid."""

    size: int
    spacing: float
    new_spacing: float

    @property
    def changed(self) -> bool:
        return self.new_spacing != self.spacing

    @property
    def new_size(self) -> int:
        return max(1, math.ceil(self.size * self.spacing / self.new_spacing - NEARLY)) if self.changed else self.size

    @property
    def step(self) -> float:
        """Distance of new voxels in old ones."""
        return self.new_spacing / self.spacing

    @property
    def origin(self) -> float:
        """Place of the first new voxel in old ones: both grids have the same centre."""
        return 0.5 * (self.size - 1 - self.step * (self.new_size - 1))

    def around(self, low: int, high: int, *, margin: float) -> tuple[int, int]:
        """The new voxels [first, end) that a region of old voxels [low, high) can reach, and ``margin`` more."""
        first = math.ceil((low - 1 - self.origin) / self.step - NEARLY) if self.changed else low
        last = math.floor((high - self.origin) / self.step + NEARLY) if self.changed else high - 1
        start, end = first - margin, last + 1 + margin
        return int(max(0, start)), int(min(self.new_size, end))

    def needed(self, first: int, end: int, *, margin: int) -> tuple[int, int]:
        """The old voxels [low, high) from which the new voxels [first, end) are interpolated."""
        low = math.floor(self.origin + self.step * first) - margin
        high = math.ceil(self.origin + self.step * (end - 1)) + 1 + margin
        # Beyond the edge the outermost voxel goes on, so at least that one is needed.
        return min(max(0, low), self.size - 1), max(min(self.size, high), 1)

    def place(self, first: int, end: int, begin: int) -> tuple[float, int]:
        """(place of new voxel ``first`` in a crop of old voxels from ``begin`` on, number of new voxels)."""
        return self.origin + self.step * first - begin, end - first


def axes_of(
    shape: tuple[int, ...],
    spacing_mm: tuple[float, float, float],
    new_mm: tuple[float | None, float | None, float | None] | None,
) -> tuple[Axis, Axis, Axis]:
    """``new_mm``: None keeps an axis as it is, or all of them."""
    new = new_mm or (None, None, None)
    z, y, x = (
        Axis(size, spacing, spacing if wanted is None else wanted)
        for size, spacing, wanted in zip(shape, spacing_mm, new, strict=True)
    )
    return z, y, x
