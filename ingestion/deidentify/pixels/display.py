"""How a frame is shown: in the window of its header, else in one of its own values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

EVERY = 4
"""Of rows and columns, one in so many is looked at for percentiles."""
TAILS = (1.0, 99.0)
"""Percentiles between which a frame without a window is shown."""
LEAST_SHOWN = 0.02
"""Part of a frame's pixels that a window of the header must tell apart; else it is the window of something else."""
Window = tuple[float, float]
"""The stored values that are shown black and white."""


def header_window(dataset: Dataset) -> Window | None:
    """The first window of the header (PS3.3 section C.11.2.1.2), in stored values; None where there is none."""
    centre, width = _first(dataset.get("WindowCenter")), _first(dataset.get("WindowWidth"))
    slope, intercept = _first(dataset.get("RescaleSlope")), _first(dataset.get("RescaleIntercept"))
    slope = 1.0 if slope is None else slope
    if centre is None or width is None or not width >= 1 or slope == 0:
        return None
    low = (centre - width / 2 - (intercept or 0.0)) / slope
    high = (centre + width / 2 - (intercept or 0.0)) / slope
    return (low, high) if np.isfinite([low, high]).all() and high > low else None


def _first(value: Any) -> float | None:
    if isinstance(value, MultiValue):
        value = value[0] if len(value) else None
    try:
        return None if value is None or value == "" else float(value)
    except (TypeError, ValueError):
        return None


def window_of(plane: NDArray[Any], window: Window | None) -> Window:
    """``window`` where it shows something of ``plane``, else the plane's own percentiles, else its range."""
    some = plane[::EVERY, ::EVERY]
    if window is not None:
        low, high = window
        if np.count_nonzero((some > low) & (some < high)) >= LEAST_SHOWN * some.size:
            return window
    low, high = (float(value) for value in np.percentile(some, TAILS))
    if not high > low:
        low, high = float(plane.min()), float(plane.max())
    return low, high


def shown(plane: NDArray[Any], window: Window) -> NDArray[np.float32]:
    """``plane`` between black (0) and white (1)."""
    low, high = window
    span = high - low if high > low else 1.0
    values = plane.astype(np.float32)
    values -= np.float32(low)
    values *= np.float32(1 / span)
    return np.clip(values, 0, 1, out=values)
