"""Noise of CT: the most frequent local standard deviation within soft tissue.

Source: Christianson, Winslow, Frush and Samei, Automated technique to measure noise in clinical CT examinations,
AJR 2015;205:W93 ("global noise level"). It holds under the correlation that reconstruction brings, where an estimate
from the finest wavelet scale reads several times too low. Variant here: tissue is chosen by the mean of the
neighbourhood, not by the value of its centre, which noise would move in and out of the range.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter

NEIGHBOURHOOD_MM = 6.0
SOFT_TISSUE_HU = (0.0, 100.0)
"""Water, blood, muscle and organs, with little contrast medium; neither fat nor bone."""
BIN_HU = 0.25
BINS = 800
"""Up to 200 HU: above that an image shows no soft tissue."""
SMOOTHED_BINS = 9
"""The histogram is smoothed over 2.25 HU before its highest bin is taken: single bins are noisy."""
FEWEST = 5_000
"""Neighbourhoods below which the mode is chance."""


class LocalNoise:
    """Gathers local standard deviations slice by slice."""

    def __init__(self) -> None:
        self._histogram = np.zeros(BINS, dtype=np.int64)

    def add(
        self, values: NDArray[np.float32], padding: NDArray[np.bool_] | None, pixel_mm: tuple[float, float]
    ) -> None:
        """One slice in HU, (row, column); ``pixel_mm``: distance of rows and of columns."""
        size = [max(3, 2 * round((NEIGHBOURHOOD_MM / mm - 1) / 2) + 1) for mm in pixel_mm]
        if any(extent > length for extent, length in zip(size, values.shape, strict=True)):
            return
        # Shifted, so that squares of HU near those of interest keep their precision in float32.
        shifted = np.clip(values, -300, 500) - np.float32(50)
        mean = uniform_filter(shifted, size)
        square = uniform_filter(shifted * shifted, size)
        number = size[0] * size[1]
        tissue = (mean >= SOFT_TISSUE_HU[0] - 50) & (mean <= SOFT_TISSUE_HU[1] - 50)
        rows, columns = size[0] // 2, size[1] // 2
        tissue[:rows] = tissue[-rows:] = False
        tissue[:, :columns] = tissue[:, -columns:] = False
        if padding is not None:
            tissue &= ~padding
        spread = np.sqrt(np.maximum(square[tissue] - mean[tissue] ** 2, 0) * number / (number - 1))
        found = (spread / BIN_HU).astype(np.int64)
        self._histogram += np.bincount(found[found < BINS], minlength=BINS)

    @property
    def level(self) -> float | None:
        """The mode in HU; None with too little soft tissue."""
        if self._histogram.sum() < FEWEST:
            return None
        smooth = np.convolve(self._histogram, np.ones(SMOOTHED_BINS), mode="same")
        return float((int(np.argmax(smooth)) + 0.5) * BIN_HU)
