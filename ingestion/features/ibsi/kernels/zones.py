"""Zones of equal grey level with their sizes, and their distances from the region's border."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.features.ibsi.kernels.compiled import compiled


@compiled("void(u2[:,:,::1], b1)")
def city_block(distance: NDArray[Any], in_plane: bool) -> None:
    """Replace each voxel that is not 0 by its city-block distance to the nearest 0; the border must be 0.

    Exact in two sweeps (Rosenfeld and Pfaltz, 1966). ``in_plane``: within slices only.
    """
    slices, rows, columns = distance.shape
    far = 65535
    for z in range(slices):
        for y in range(rows):
            for x in range(columns):
                if distance[z, y, x]:
                    near = far
                    if z > 0 and not in_plane:
                        near = min(near, int(distance[z - 1, y, x]))
                    near = min(near, int(distance[z, y - 1, x]), int(distance[z, y, x - 1]))
                    distance[z, y, x] = min(near + 1, far)
    for z in range(slices - 1, -1, -1):
        for y in range(rows - 1, -1, -1):
            for x in range(columns - 1, -1, -1):
                near = int(distance[z, y, x])
                if near > 1:
                    if z + 1 < slices and not in_plane:
                        near = min(near, int(distance[z + 1, y, x]) + 1)
                    near = min(near, int(distance[z, y + 1, x]) + 1, int(distance[z, y, x + 1]) + 1)
                    distance[z, y, x] = near


@compiled("i8(i4[::1], i8)")
def _root(parents: NDArray[Any], label: int) -> int:
    while parents[label] != label:
        parents[label] = parents[parents[label]]
        label = parents[label]
    return label


@compiled("i4[::1](i4[::1], i8)")
def _longer(array: NDArray[Any], capacity: int) -> NDArray[Any]:
    longer = np.empty(capacity, dtype=np.int32)
    longer[: len(array)] = array
    return longer


@compiled("u2[::1](u2[::1], i8)")
def _longer16(array: NDArray[Any], capacity: int) -> NDArray[Any]:
    longer = np.empty(capacity, dtype=np.uint16)
    longer[: len(array)] = array
    return longer


@compiled("Tuple((u2[::1], i4[::1], u2[::1], i4[::1]))(u2[:,:,::1], u2[:,:,::1], i8, i8[:,::1])")
def find_zones(
    levels: NDArray[Any], distance: NDArray[Any], border: int, offsets: NDArray[Any]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
    """All zones: (levels, sizes in voxels, smallest distances, slices where they begin), in the order of their start.

    ``offsets`` (n, 3): the half of the neighbourhood that comes before a voxel. Union-find over one sweep; labels are
    kept for two slices only. Zones that turn out to be one are merged into the one that began first.
    """
    slices, rows, columns = levels.shape
    capacity = 1024
    parents = np.empty(capacity, dtype=np.int32)
    level_of = np.empty(capacity, dtype=np.uint16)
    size_of = np.empty(capacity, dtype=np.int32)
    near_of = np.empty(capacity, dtype=np.uint16)
    slice_of = np.empty(capacity, dtype=np.int32)
    found = 0
    labels = np.zeros((2, rows, columns), dtype=np.int32)
    for z in range(border, slices - border):
        here = z & 1
        for y in range(border, rows - border):
            for x in range(border, columns - border):
                level = levels[z, y, x]
                if level == 0:
                    continue
                label = -1
                for n in range(offsets.shape[0]):
                    az, ay, ax = z + offsets[n, 0], y + offsets[n, 1], x + offsets[n, 2]
                    if levels[az, ay, ax] == level:
                        other = _root(parents, labels[az & 1, ay, ax])
                        if label < 0 or other == label:
                            label = other
                        else:
                            keep, lose = min(label, other), max(label, other)
                            parents[lose] = keep
                            size_of[keep] += size_of[lose]
                            near_of[keep] = min(near_of[keep], near_of[lose])
                            label = keep
                if label < 0:
                    if found == capacity:
                        capacity += capacity // 2
                        parents = _longer(parents, capacity)
                        level_of = _longer16(level_of, capacity)
                        size_of = _longer(size_of, capacity)
                        near_of = _longer16(near_of, capacity)
                        slice_of = _longer(slice_of, capacity)
                    label = found
                    found += 1
                    parents[label] = label
                    level_of[label] = level
                    size_of[label] = 0
                    near_of[label] = 65535
                    slice_of[label] = z - border
                labels[here, y, x] = label
                size_of[label] += 1
                near_of[label] = min(near_of[label], distance[z, y, x])
    zones = 0
    for label in range(found):
        if parents[label] == label:
            level_of[zones] = level_of[label]
            size_of[zones] = size_of[label]
            near_of[zones] = near_of[label]
            slice_of[zones] = slice_of[label]
            zones += 1
    return level_of[:zones].copy(), size_of[:zones].copy(), near_of[:zones].copy(), slice_of[:zones].copy()
