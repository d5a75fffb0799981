"""Blur of an image: how much of its edges is lost when it is blurred once more; from 0 (sharp) to 1.

Source: Crété, Dolmiere, Ladret and Nicolas, The blur effect, SPIE 6492 (2007), as scikit-image's ``blur_effect``
defines it: averages over 11 pixels, Sobel edges, the larger of the two directions.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import sobel, uniform_filter1d

WINDOW = 11


def blur_effect(image: NDArray[Any]) -> float | None:
    """Of a two-dimensional image; None where it has no edges at all, or is smaller than the window."""
    if min(image.shape) < WINDOW + 3:
        return None
    values = image.astype(np.float64)
    found = []
    for axis in (0, 1):
        again = uniform_filter1d(values, WINDOW, axis=axis)
        sharp, blurred = np.abs(sobel(values, axis=axis)), np.abs(sobel(again, axis=axis))
        lost = np.maximum(0, sharp - blurred)
        whole, part = float(sharp[2:-1, 2:-1].sum()), float(lost[2:-1, 2:-1].sum())
        if whole == 0:
            return None
        found.append(abs(whole - part) / whole)
    return max(found)
