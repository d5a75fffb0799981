"""Structural similarity of two thumbnails: what tells a copy from another image of like outline."""

from __future__ import annotations

import base64
import binascii
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from scipy.ndimage import uniform_filter

SIDE = 64
"""Thumbnails are compared at 64 × 64 pixels, whatever the size they were made at."""
WINDOW = 7
ALIKE = 0.9
"""Structural similarity from which two thumbnails show one image: copies scaled or compressed keep over 0.95."""
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def picture(thumbnail: str | None) -> NDArray[np.float64] | None:
    """(64, 64) grey values from 0 to 255 of a PNG in base64; None where there is none."""
    if thumbnail is None:
        return None
    try:
        with Image.open(io.BytesIO(base64.b64decode(thumbnail))) as image:
            small = image.convert("L").resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    except (binascii.Error, UnidentifiedImageError, OSError):
        return None
    return np.asarray(small, dtype=np.float64)


def structural_similarity(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Mean over windows of 7 × 7 (Wang, Bovik, Sheikh and Simoncelli, IEEE TIP 2004, equation 13); 1: equal."""
    mean_a, mean_b = uniform_filter(first, WINDOW), uniform_filter(second, WINDOW)
    var_a = uniform_filter(first * first, WINDOW) - mean_a**2
    var_b = uniform_filter(second * second, WINDOW) - mean_b**2
    both = uniform_filter(first * second, WINDOW) - mean_a * mean_b
    over = (2 * mean_a * mean_b + _C1) * (2 * both + _C2)
    return float((over / ((mean_a**2 + mean_b**2 + _C1) * (var_a + var_b + _C2))).mean())
