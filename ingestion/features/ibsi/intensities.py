"""Features of intensities without their places: statistics, histogram, intensity-volume histogram, and local peaks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.features.ibsi.catalogue import Family, features_of
from ingestion.features.ibsi.region import Region
from ingestion.features.ibsi.result import Refusal
from ingestion.features.ibsi.settings import Discretisation, IbsiSettings
from ingestion.features.intensity import INTENSITY_FEATURES
from ingestion.features.value_counts import ValueCounts

PEAK_RADIUS_MM = 10 * (3 / (4 * math.pi)) ** (1 / 3)
"""Of a sphere of 1 cm³."""
NEARLY = 1e-9
"""Rounding of quotients that are whole numbers in truth: a share of one bin."""

Values = dict[str, float | Refusal]

_OF_HISTOGRAM = {
    "ih_mean": "Q4LE",
    "ih_var": "ECT3",
    "ih_skew": "KE2A",
    "ih_kurt": "IPH6",
    "ih_median": "Y12H",
    "ih_min": "1GSF",
    "ih_p10": "QG58",
    "ih_p90": "8DWT",
    "ih_max": "84IY",
    "ih_iqr": "SALO",
    "ih_range": "2OJQ",
    "ih_mad": "4FUA",
    "ih_rmad": "1128",
    "ih_medad": "N72L",
    "ih_cov": "7TET",
    "ih_qcod": "9S40",
}
"""Histogram features that are statistical features of the grey levels."""
_UNDEFINED = {"1128": Refusal.NO_VOXELS_IN_RANGE}


def statistics(region: Region) -> Values:
    """The 18 intensity-based statistical features (manual, 3.3, family UHIW)."""
    by_code = _by_code(region.counts)
    return {feature.tag: by_code[feature.code] for feature in features_of(Family.INTENSITY_STATISTICS)}


def _by_code(counts: ValueCounts) -> dict[str, float | Refusal]:
    found: dict[str, float | Refusal] = {}
    for feature in INTENSITY_FEATURES:
        value = feature.function(counts)
        found[feature.code] = _UNDEFINED.get(feature.code, Refusal.ZERO_DENOMINATOR) if value is None else value
    return found


def histogram(region: Region) -> Values:
    """The 23 features of the histogram of grey levels (manual, 3.4, family ZVCW)."""
    if region.levels is None:
        return {feature.tag: Refusal.TOO_MANY_LEVELS for feature in features_of(Family.INTENSITY_HISTOGRAM)}
    heights = np.zeros(region.level_count, dtype=np.int64)
    for levels in region.levels:  # slice by slice: bincount makes a copy eight bytes wide
        heights += np.bincount(levels.reshape(-1), minlength=region.level_count + 1)[1:]
    present = np.flatnonzero(heights)
    by_code = _by_code(ValueCounts((present + 1).astype(np.float64), heights[present]))
    values = {tag: by_code[code] for tag, code in _OF_HISTOGRAM.items()}
    share = heights[present] / heights.sum()
    values["ih_mode"] = _mode(heights, float((share * (present + 1)).sum()))
    values["ih_entropy"] = float(-(share * np.log2(share)).sum()) + 0.0
    values["ih_uniformity"] = float((share * share).sum())
    if len(heights) == 1:
        gradients = ("ih_max_grad", "ih_max_grad_g", "ih_min_grad", "ih_min_grad_g")
        return values | dict.fromkeys(gradients, Refusal.CONSTANT_REGION)
    gradient = np.gradient(heights.astype(np.float64))
    return values | {
        "ih_max_grad": float(gradient.max()),
        "ih_max_grad_g": float(gradient.argmax() + 1),
        "ih_min_grad": float(gradient.min()),
        "ih_min_grad_g": float(gradient.argmin() + 1),
    }


def _mode(heights: NDArray[np.int64], mean: float) -> float:
    """The most frequent level; of several the one nearest to the mean, of two as near the lower."""
    candidates = np.flatnonzero(heights == heights.max()) + 1
    return float(candidates[np.abs(candidates - mean).argmin()])


def volume_histogram(region: Region, settings: IbsiSettings) -> Values:
    """The six standardised features of the intensity-volume histogram (manual, 3.5, family P88C)."""
    chosen, values = settings.intensity_volume_histogram, region.counts.values
    low, high = settings.measured_range
    lowest = low if math.isfinite(low) else float(values[0])
    highest = high if math.isfinite(high) else float(values[-1])
    if chosen.method is Discretisation.FIXED_BIN_NUMBER:
        number = chosen.bin_number or 0
        bins = bin_numbers(values, low=float(values[0]), high=float(values[-1]), number=number) - 1
        low, width, high = 1.0, 1.0, float(number)
    elif chosen.method is Discretisation.FIXED_BIN_SIZE:
        width = chosen.bin_size or 0.0
        lowest = lowest if chosen.lowest is None else chosen.lowest
        bins = bins_of_size(values, low=lowest, size=width) - 1
        low, high = lowest + 0.5 * width, highest - 0.5 * width
    else:
        bins = bins_of_size(values, low=lowest, size=1.0) - 1
        low, width, high = lowest, 1.0, highest
    if high <= low:
        return {feature.tag: Refusal.CONSTANT_REGION for feature in features_of(Family.INTENSITY_VOLUME_HISTOGRAM)}
    total = region.counts.total
    cumulated = np.concatenate([[0], np.cumsum(region.counts.counts)])

    def volume(fraction: float) -> float:
        step = math.ceil(fraction * (high - low) / width - NEARLY)
        return float(total - cumulated[np.searchsorted(bins, step)]) / total

    def intensity(fraction: float) -> float:
        # The first bin above as many voxels as make the volume at it small enough.
        needed = math.ceil((1 - fraction) * total - NEARLY)
        return low + width * (float(bins[np.searchsorted(cumulated[1:], needed)]) + 1 if needed > 0 else 0.0)

    found = {
        "ivh_v10": volume(0.1),
        "ivh_v90": volume(0.9),
        "ivh_i10": intensity(0.1),
        "ivh_i90": intensity(0.9),
    }
    return {
        **found,
        "ivh_diff_v10_v90": found["ivh_v10"] - found["ivh_v90"],
        "ivh_diff_i10_i90": found["ivh_i10"] - found["ivh_i90"],
    }


def bin_numbers(values: NDArray[Any], *, low: float, high: float, number: int) -> NDArray[np.int64]:
    """Fixed bin number: 1 to ``number`` (manual, 2.7)."""
    if high <= low:
        return np.ones(np.shape(values), dtype=np.int64)
    bins = np.floor(number * (np.asarray(values, dtype=np.float64) - low) / (high - low)).astype(np.int64) + 1
    return np.clip(bins, 1, number)


def bins_of_size(values: NDArray[Any], *, low: float, size: float) -> NDArray[np.int64]:
    """Fixed bin size: from 1; values below ``low`` fall into the first bin (manual, 2.7)."""
    bins = np.floor((np.asarray(values, dtype=np.float64) - low) / size).astype(np.int64) + 1
    return np.maximum(bins, 1)


def local_peaks(region: Region) -> Values:
    """The two peaks over spheres of 1 cm³, which reach out of the region (manual, 3.2, family 9ST6)."""
    from ingestion.features.ibsi.kernels.peaks import sphere_means

    inside = np.zeros(region.around.shape, dtype=np.uint8)
    box = tuple(slice(start, start + size) for start, size in zip(region.offset, region.image.shape, strict=True))
    inside[box] = region.intensity
    local, everywhere = sphere_means(
        region.around, region.around_valid, inside, sphere(region.spacing_mm), float(region.counts.values[-1])
    )
    return {"loc_peak_loc": float(local), "loc_peak_glob": float(everywhere)}


def sphere(spacing_mm: tuple[float, float, float]) -> NDArray[np.int64]:
    """The voxels within ``PEAK_RADIUS_MM`` of one, as rows: slice offset, row offset, half length."""
    rows = []
    reach = [int(PEAK_RADIUS_MM / step) for step in spacing_mm]
    for dz in range(-reach[0], reach[0] + 1):
        for dy in range(-reach[1], reach[1] + 1):
            left = PEAK_RADIUS_MM**2 - (dz * spacing_mm[0]) ** 2 - (dy * spacing_mm[1]) ** 2
            if left >= 0:
                rows.append((dz, dy, int(math.sqrt(left) / spacing_mm[2])))
    return np.array(rows, dtype=np.int64)
