"""The body of a scan on every fourth pixel: the largest connected part above a threshold, its holes filled.

CT: above -500 HU (half-way from air to water). Others: above Otsu's threshold (Otsu, IEEE Trans. SMC 1979;9:62), which
separates the two classes of a histogram best. A table that touches the body counts as body.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_fill_holes, binary_opening, label

STRIDE = 4
"""Pixels taken along rows and columns: a share of the volume needs no more."""
AIR_HU = -500.0
OTSU_BINS = 256


def coarse(values: NDArray[Any], padding: NDArray[np.bool_] | None) -> NDArray[np.float32]:
    """Every fourth pixel; padding as NaN."""
    taken = values[::STRIDE, ::STRIDE].astype(np.float32)
    if padding is not None:
        taken[padding[::STRIDE, ::STRIDE]] = np.nan
    return taken


def otsu(values: NDArray[Any]) -> float | None:
    """The threshold that maximises the variance between classes; None for fewer than two values."""
    low, high = float(values.min()), float(values.max())
    if not low < high:
        return None
    counts, edges = np.histogram(values, bins=OTSU_BINS, range=(low, high))
    centres = (edges[:-1] + edges[1:]) / 2
    below = np.cumsum(counts)[:-1]
    above = below[-1] + counts[-1] - below
    total = np.cumsum(counts * centres)
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (total[:-1] / below - (total[-1] - total[:-1]) / above) ** 2
    return float(edges[1:-1][int(np.nanargmax(between))])


def body_mask(stack: NDArray[np.float32], threshold: float) -> NDArray[np.bool_]:
    """``stack``: (slice, row, column); NaN is outside."""
    with np.errstate(invalid="ignore"):
        inside = stack > threshold
    inside = np.stack([binary_opening(plane) for plane in inside])
    parts, number = label(inside)
    if number == 0:
        return np.zeros(stack.shape, dtype=np.bool_)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    largest = parts == int(np.argmax(sizes))
    return np.stack([binary_fill_holes(plane) for plane in largest])
