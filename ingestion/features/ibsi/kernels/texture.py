"""Counts of neighbouring pairs and of runs, over grey levels with a border of zeros (0: outside the region)."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from ingestion.features.ibsi.kernels.compiled import compiled


@compiled("void(u2[:,:,::1], i8, i8, i8, i8, i8, i8, i8[:,::1])")
def count_pairs(
    levels: NDArray[Any], border: int, first: int, last: int, dz: int, dy: int, dx: int, counts: NDArray[Any]
) -> None:
    """Add to ``counts[a - 1, b - 1]`` the voxels of level a in slices [first, last) whose neighbour has level b."""
    _, rows, columns = levels.shape
    for z in range(first, last):
        for y in range(border, rows - border):
            for x in range(border, columns - border):
                level = levels[z, y, x]
                if level:
                    other = levels[z + dz, y + dy, x + dx]
                    if other:
                        counts[level - 1, other - 1] += 1


@compiled("void(u2[:,:,::1], i8, i8, i8, i8, i8, i8, i8[:,::1])")
def count_runs(
    levels: NDArray[Any], border: int, first: int, last: int, dz: int, dy: int, dx: int, counts: NDArray[Any]
) -> None:
    """Add to ``counts[a - 1, n - 1]`` the runs of n voxels of level a that begin in slices [first, last)."""
    _, rows, columns = levels.shape
    for z in range(first, last):
        for y in range(border, rows - border):
            for x in range(border, columns - border):
                level = levels[z, y, x]
                if level and levels[z - dz, y - dy, x - dx] != level:
                    length, az, ay, ax = 1, z + dz, y + dy, x + dx
                    while levels[az, ay, ax] == level:
                        length += 1
                        az += dz
                        ay += dy
                        ax += dx
                    counts[level - 1, length - 1] += 1


@compiled("void(u2[:,:,::1], i8, i8, i8, i8[:,::1], i8, i8[::1], i8[:,::1], i8[:,::1])")
def count_neighbours(
    levels: NDArray[Any],
    border: int,
    first: int,
    last: int,
    offsets: NDArray[Any],
    coarseness: int,
    voxels: NDArray[Any],
    differences: NDArray[Any],
    dependences: NDArray[Any],
) -> None:
    """Count for the neighbourhood matrices of slices [first, last), with ``offsets`` (n, 3) of one neighbourhood.

    ``voxels[a - 1]``: voxels of level a that have a neighbour. ``differences[a - 1, k]``: over those with k neighbours,
    the sum of abs(k a - sum of the neighbours' levels): whole numbers, which divided by k sum up to NGTDM's s.
    ``dependences[a - 1, n]``: voxels of level a with n neighbours whose level differs by at most ``coarseness``.
    """
    _, rows, columns = levels.shape
    for z in range(first, last):
        for y in range(border, rows - border):
            for x in range(border, columns - border):
                level = int(levels[z, y, x])
                if level == 0:
                    continue
                total, number, alike = 0, 0, 0
                for n in range(offsets.shape[0]):
                    other = int(levels[z + offsets[n, 0], y + offsets[n, 1], x + offsets[n, 2]])
                    total += other
                    number += other != 0
                    alike += (other != 0) & (abs(other - level) <= coarseness)
                dependences[level - 1, alike] += 1
                if number:
                    voxels[level - 1] += 1
                    differences[level - 1, number] += abs(number * level - total)
