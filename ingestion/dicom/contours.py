"""Polygons to pixels by one rule: a pixel is inside when its centre is, by the even-odd count of crossings.

A centre exactly on an edge belongs to the side of growing indices, so that two polygons which share an edge share no
pixel and leave none out. Holes come out as such in each of the ways they are written: as a contour within a contour,
as a keyhole (the outline walks in and back along one line, which cancels itself), or as CLOSEDPLANAR_XOR.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def even_odd(polygons: Sequence[NDArray[np.float64]], shape: tuple[int, int]) -> tuple[NDArray[np.bool_], bool]:
    """The pixels inside an odd number of ``polygons``, and whether any pixel is inside more than one.

    Args:
        polygons: each (n, 2), (row, column) in pixels, the centre of the first pixel at (0, 0). They close themselves.
        shape: rows and columns of the image.
    """
    inside = np.zeros(shape, dtype=np.bool_)
    touched = np.zeros(shape, dtype=np.bool_) if len(polygons) > 1 else inside
    overlap = False
    for polygon in polygons:
        window, own = _inside(polygon, shape)
        if len(polygons) > 1:
            overlap = overlap or bool((own & touched[window]).any())
            touched[window] |= own
        inside[window] ^= own
    return inside, overlap


def _inside(
    polygon: NDArray[np.float64], shape: tuple[int, int]
) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:  # fmt: skip
    """The pixels whose centres lie inside one polygon, in the window of the image that it covers."""
    (top, left), (bottom, right) = (
        np.clip(np.ceil(edge), 0, shape).astype(np.int64) for edge in (polygon.min(axis=0), polygon.max(axis=0))
    )
    window = slice(top, bottom), slice(left, right)
    rows, columns = bottom - top, right - left
    start, end = polygon, np.roll(polygon, -1, axis=0)
    low, high = np.minimum(start[:, 0], end[:, 0]), np.maximum(start[:, 0], end[:, 0])
    # An edge crosses the rows from its lower end on up to, but without, its upper end.
    first = np.clip(np.ceil(low), top, bottom).astype(np.int64)
    last = np.clip(np.ceil(high), top, bottom).astype(np.int64)
    spans = np.maximum(last - first, 0)
    edge = np.repeat(np.arange(len(spans)), spans)
    toggles = np.zeros((rows, columns + 1), dtype=np.uint8)
    row = first[edge] + np.arange(len(edge)) - np.repeat(np.cumsum(spans) - spans, spans)
    # Computed from the lower end, so that an edge walked both ways gives one and the same crossing.
    downward = (start[:, 0] <= end[:, 0])[:, None]
    base, tip = np.where(downward, start, end), np.where(downward, end, start)
    share = (row - base[edge, 0]) / (tip[edge, 0] - base[edge, 0])
    column = base[edge, 1] + share * (tip[edge, 1] - base[edge, 1])
    crossed = np.clip(np.ceil(column), left, right).astype(np.int64) - left
    np.bitwise_xor.at(toggles, (row - top, crossed), np.uint8(1))
    return window, np.bitwise_xor.accumulate(toggles[:, :columns], axis=1).astype(np.bool_)
