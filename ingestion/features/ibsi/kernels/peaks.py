"""Means over spheres around the voxels of a region, by running sums along rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.features.ibsi.kernels.compiled import compiled

_PEAKS = "Tuple((f8, f8))({}[:,:,::1], u1[:,:,::1], u1[:,:,::1], i8[:,::1], f8)"


@compiled([_PEAKS.format("f4"), _PEAKS.format("f8")])
def sphere_means(
    image: NDArray[Any], valid: NDArray[Any], region: NDArray[Any], segments: NDArray[Any], maximum: float
) -> tuple[float, float]:
    """The largest sphere mean around voxels whose intensity is ``maximum``, and around any voxel of ``region``.

    ``segments`` (n, 3): the sphere as rows: slice and row offset, half length in voxels. Only ``valid`` voxels of the
    image count. Running sums are kept for as many slices as the sphere has.
    """
    slices, rows, columns = image.shape
    depth = int(np.max(segments[:, 0]))
    reach = int(np.max(segments[:, 2]))
    width = columns + 2 * reach + 1
    kept = 2 * depth + 1
    sums = np.zeros((kept, rows, width))
    numbers = np.zeros((kept, rows, width), dtype=np.int32)
    total = np.empty(columns)
    number = np.empty(columns, dtype=np.int32)
    at_maximum, anywhere = -np.inf, -np.inf
    filled = 0
    for z in range(slices):
        wanted = False
        for y in range(rows):
            for x in range(columns):
                wanted |= region[z, y, x] != 0
        if not wanted:
            continue
        for near in range(max(filled, z - depth), min(z + depth + 1, slices)):
            filled = near + 1
            slot = near % kept
            for y in range(rows):
                running, count = 0.0, 0
                for x in range(columns):
                    if valid[near, y, x]:
                        running += image[near, y, x]
                        count += 1
                    sums[slot, y, x + reach + 1] = running
                    numbers[slot, y, x + reach + 1] = count
                for x in range(columns + reach + 1, width):
                    sums[slot, y, x] = running
                    numbers[slot, y, x] = count
        for y in range(rows):
            first, last = columns, -1
            for x in range(columns):
                if region[z, y, x]:
                    first = min(first, x)
                    last = x
            if last < 0:
                continue
            length = last - first + 1
            total[:length] = 0.0
            number[:length] = 0
            for n in range(segments.shape[0]):
                az, ay, half = z + segments[n, 0], y + segments[n, 1], segments[n, 2]
                if 0 <= az < slices and 0 <= ay < rows:
                    row, counts = sums[az % kept, ay], numbers[az % kept, ay]
                    low, high = first + reach - half, first + reach + half + 1
                    for x in range(length):
                        total[x] += row[high + x] - row[low + x]
                        number[x] += counts[high + x] - counts[low + x]
            for x in range(length):
                if region[z, y, first + x]:
                    mean = total[x] / number[x]
                    anywhere = max(anywhere, mean)
                    if image[z, y, first + x] == maximum:
                        at_maximum = max(at_maximum, mean)
    return at_maximum, anywhere
