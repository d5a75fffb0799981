"""Strokes of one value: what a program's lettering leaves in an image, and an anatomy hardly ever.

Lettering is drawn in one value on top of the picture: a row of pixels that crosses it jumps up (or down), stays at
exactly that value for the width of a stroke, and jumps back. A detector's blur and noise make such crossings rare in
a photographed body, and of many different values where they occur. Counting them costs a fraction of a millisecond.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

MAX_STROKE = 6
"""Columns that the vertical stroke of a letter covers at most."""
MIN_JUMP = 0.2
"""Part of the frame's range that an edge of lettering jumps: text that people are to read stands out."""
MIN_CROSSINGS = 24
"""Crossings of one value that make lettering likely: three letters of eight rows with a vertical stroke each."""
LOSSY_STEPS = 12
"""Grey levels that are told apart after lossy compression: white lettering keeps to the uppermost."""
BAND_ROWS = 32
"""Lettering comes in lines: the crossings counted together lie in one band of rows."""


@dataclass(frozen=True, slots=True)
class StrokeCount:
    """``crossings``: of the commonest value, in the band of rows that has most of them."""

    crossings: int
    bands: tuple[tuple[int, int], ...] = ()
    """Rows from and to (behind) where lettering is likely."""

    @property
    def suspicious(self) -> bool:
        return self.crossings >= MIN_CROSSINGS


def count_strokes(frame: NDArray[Any], *, lossy: bool = False) -> StrokeCount:
    """Crossings of one value in a frame of grey values (rows, columns).

    ``lossy``: compression has spread the value of the lettering, so that values are compared in coarse steps.
    """
    grey = np.ascontiguousarray(frame)
    if grey.size < 2 or grey.dtype.kind not in "iu":
        return StrokeCount(0)
    low, high = int(grey.min()), int(grey.max())
    if lossy and high > low:
        grey = ((grey.astype(np.int64) - low) * LOSSY_STEPS // (high - low)).astype(np.int16)
        low, high = 0, LOSSY_STEPS
    jump = max(int((high - low) * MIN_JUMP), 2)
    wide = np.int16 if high - low < 1 << 15 and low >= -(1 << 15) and high < 1 << 15 else np.int64
    flat: NDArray[Any] = grey.astype(wide, copy=False).ravel()
    steps = flat[1:] - flat[:-1]  # a step over the end of a row is one more edge, in one column: it changes no count
    edges = _edges(steps, jump)
    if edges.size < MIN_CROSSINGS:
        return StrokeCount(0)
    return _crossings(flat, steps, edges, columns=grey.shape[1], rows=grey.shape[0])


def _edges(steps: NDArray[Any], jump: int) -> NDArray[np.intp]:
    """Where ``steps`` (signed) go up or down by ``jump`` at least, in one comparison: in between are 2 x jump - 1
    numbers, moved to start at 0, and what lies below them has become a large unsigned number."""
    moved = steps + steps.dtype.type(jump - 1)
    return np.flatnonzero(moved.view(moved.dtype.str.replace("i", "u")) > 2 * (jump - 1))


def _crossings(
    flat: NDArray[Any], steps: NDArray[Any], edges: NDArray[np.intp], *, columns: int, rows: int
) -> StrokeCount:
    """Pairs of neighbouring edges, one up and one down, at most a stroke apart, with one value between them."""
    first, last = edges[:-1] + 1, edges[1:]  # the first and the last pixel between the two edges
    width = last - first + 1
    opposite = (steps[edges[:-1]] > 0) != (steps[edges[1:]] > 0)
    narrow = opposite & (width <= MAX_STROKE) & (first // columns == last // columns)
    first, last = first[narrow], last[narrow]
    same = flat[first] == flat[last]
    first, last = first[same], last[same]
    for inner in range(1, MAX_STROKE - 1):
        at = np.minimum(first + inner, last)
        keep = flat[at] == flat[first]
        first, last = first[keep], last[keep]
    if first.size < MIN_CROSSINGS:
        return StrokeCount(0)
    values, row = flat[first], first // columns
    found = []
    lowest, bands = int(values.min()), rows // BAND_ROWS + 2
    for offset in (0, BAND_ROWS // 2):
        band = (row + offset) // BAND_ROWS
        pairs, counts = np.unique((values.astype(np.int64) - lowest) * bands + band, return_counts=True)
        found += [
            (int(count), max(int(number) * BAND_ROWS - offset, 0), min((int(number) + 1) * BAND_ROWS - offset, rows))
            for number, count in zip(pairs % bands, counts, strict=True)
        ]
    most = max(count for count, _, _ in found)
    likely = tuple(sorted({(top, bottom) for count, top, bottom in found if count >= MIN_CROSSINGS}))
    return StrokeCount(most, likely)
