"""Which pixels of a frame the scanner filled in (PS3.3, C.7.5.1.1.2: Pixel Padding Value and Range Limit)."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ingestion.dicom.guard import PARSER_ERRORS


def padding_of(header: Dataset, stored: NDArray[Any]) -> NDArray[np.bool_] | None:
    """True where padding, of the frame's shape; None where the header names no padding or the frame is colour."""
    if stored.ndim != 2 or stored.dtype.kind not in "iu" or "PixelPaddingValue" not in header:
        return None
    try:
        bounds = [
            _as_stored(int(header[keyword].value), stored.dtype)
            for keyword in ("PixelPaddingValue", "PixelPaddingRangeLimit")
            if keyword in header
        ]
    except PARSER_ERRORS:
        return None
    low, high = min(bounds), max(bounds)
    return stored == low if low == high else (stored >= low) & (stored <= high)


def _as_stored(value: int, dtype: np.dtype[Any]) -> int:
    """In the pixels' own representation: -2000 is often written as the unsigned 63536."""
    span = 2 ** (8 * dtype.itemsize)
    number = value % span
    return number - span if dtype.kind == "i" and number >= span // 2 else number
