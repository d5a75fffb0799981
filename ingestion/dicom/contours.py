"""Polygons to pixels by one rule: a pixel is inside when its centre is, by the even-odd count of crossings.

A centre exactly on an edge belongs to the side of growing indices, so that two polygons which share an edge share no
pixel and leave none out. Holes come out as such in each of the ways they are written: as a contour within a contour,
as a keyhole (the outline walks in and back along one line, which cancels itself), or as CLOSEDPLANAR_XOR.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def crossings(polygon: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels of an image of ``shape`` (rows, columns) whose centres lie inside ``polygon``.

    Args:
        polygon: (n, 2), (row, column) in pixels, the centre of the first pixel at (0, 0). It is closed by itself.
    """
    rows, columns = shape
    start, end = polygon, np.roll(polygon, -1, axis=0)
    low, high = np.minimum(start[:, 0], end[:, 0]), np.maximum(start[:, 0], end[:, 0])
    # An edge crosses the rows from its lower end on up to, but without, its upper end.
    first = np.clip(np.ceil(low), 0, rows).astype(np.int64)
    last = np.clip(np.ceil(high), 0, rows).astype(np.int64)
    spans = np.maximum(last - first, 0)
    edge = np.repeat(np.arange(len(spans)), spans)
    if not len(edge):
        return np.zeros(shape, dtype=np.bool_)
    row = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(spans) - spans, spans)
    # Computed from the lower end, so that an edge walked both ways gives one and the same crossing.
    downward = start[:, 0] <= end[:, 0]
    base, tip = np.where(downward[:, None], start, end), np.where(downward[:, None], end, start)
    share = (row - base[edge, 0]) / (tip[edge, 0] - base[edge, 0])
    column = base[edge, 1] + share * (tip[edge, 1] - base[edge, 1])
    toggles = np.zeros((rows, columns + 1), dtype=np.int32)
    np.add.at(toggles, (row, np.clip(np.ceil(column), 0, columns).astype(np.int64)), 1)
    return np.cumsum(toggles[:, :columns], axis=1) % 2 == 1


def even_odd(polygons: Sequence[NDArray[np.float64]], shape: tuple[int, int]) -> tuple[NDArray[np.bool_], bool]:
    """The pixels inside an odd number of ``polygons``, and whether any pixel is inside more than one."""
    inside = np.zeros(shape, dtype=np.bool_)
    touched = np.zeros(shape, dtype=np.bool_)
    overlap = False
    for polygon in polygons:
        own = crossings(polygon, shape)
        overlap = overlap or bool((own & touched).any())
        touched |= own
        inside ^= own
    return inside, overlap
