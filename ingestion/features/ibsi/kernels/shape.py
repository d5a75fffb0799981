"""Counts over a mask's surface, extents of its slices, and sums that locate intensities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.features.ibsi.kernels.compiled import compiled


@compiled("void(u1[:,:,::1], i8[:,::1])")
def count_cubes(mask: NDArray[Any], counts: NDArray[Any]) -> None:
    """Count the cubes of 2 × 2 × 2 voxels of ``mask`` by their pattern, in ``counts`` (slices - 1, 256).

    Bit 4 · slice + 2 · row + column of a pattern is set where that corner is in the mask. The border must be 0.
    """
    slices, rows, columns = mask.shape
    for z in range(slices - 1):
        for y in range(rows - 1):
            left = np.int64(0)  # of one type throughout: numba makes a float of signed and unsigned
            for x in range(1, columns):
                near = np.int64(mask[z, y, x]) | np.int64(mask[z, y + 1, x]) << 2
                right = near | np.int64(mask[z + 1, y, x]) << 4 | np.int64(mask[z + 1, y + 1, x]) << 6
                counts[z, left | right << 1] += 1
                left = right


@compiled("b1[::1](i8[:,::1])")
def on_plane_hulls(points: NDArray[Any]) -> NDArray[Any]:
    """Which of ``points`` (n, 3), sorted and distinct, are corners of the convex hull of those with the same first
    coordinate (monotone chain, Andrew 1979; exact in whole numbers). The others cannot be corners in space.
    """
    total = points.shape[0]
    keep = np.zeros(total, dtype=np.bool_)
    chain = np.empty(total + 1, dtype=np.int64)
    start = 0
    while start < total:
        end = start
        while end < total and points[end, 0] == points[start, 0]:
            end += 1
        for backwards in range(2):
            length = 0
            for step in range(end - start):
                at = end - 1 - step if backwards else start + step
                while length >= 2:
                    a, b = chain[length - 2], chain[length - 1]
                    turn = (points[b, 1] - points[a, 1]) * (points[at, 2] - points[a, 2]) - (
                        points[b, 2] - points[a, 2]
                    ) * (points[at, 1] - points[a, 1])
                    if turn > 0:
                        break
                    length -= 1
                chain[length] = at
                length += 1
            for n in range(length):
                keep[chain[n]] = True
        start = end
    return keep


@compiled("f8(f8[:,::1])")
def largest_distance(points: NDArray[Any]) -> float:
    """Between any two of ``points`` (n, 3)."""
    largest = 0.0
    for a in range(points.shape[0]):
        for b in range(a):
            dz = points[a, 0] - points[b, 0]
            dy = points[a, 1] - points[b, 1]
            dx = points[a, 2] - points[b, 2]
            largest = max(largest, dz * dz + dy * dy + dx * dx)
    return np.sqrt(largest)


_SUMS = "f8[::1]({}[:,:,::1], u1[:,:,::1], f8)"


@compiled([_SUMS.format("f4"), _SUMS.format("f8")])
def located_sums(image: NDArray[Any], mask: NDArray[Any], middle: float) -> NDArray[Any]:
    """Over the mask: sums of v and v², of v times slice, row and column, with v = intensity - ``middle``.

    Rows are summed first, then slices, so that rounding stays small.
    """
    slices, rows, columns = image.shape
    totals = np.zeros(5)
    for z in range(slices):
        of_slice = np.zeros(5)
        for y in range(rows):
            one, square, along = 0.0, 0.0, 0.0
            for x in range(columns):
                if mask[z, y, x]:
                    value = float(image[z, y, x]) - middle
                    one += value
                    square += value * value
                    along += value * x
            of_slice[0] += one
            of_slice[1] += square
            of_slice[3] += one * y
            of_slice[4] += along
        of_slice[2] = of_slice[0] * z
        totals += of_slice
    return totals
