"""The 18 intensity-based statistical features of the Image Biomarker Standardisation Initiative.

Source: IBSI reference manual, chapter 3.3 (family code UHIW). Each feature has a permanent code there, which is also
its code in DICOM's IBSI coding scheme (PS3.16).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from ingestion.features.value_counts import ValueCounts

FAMILY = "UHIW"


class UnitPower(StrEnum):
    """The unit of a feature, in terms of the unit of the intensities."""

    SAME = "same"
    SQUARED = "squared"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class IntensityFeature:
    """One feature: its code and name in the manual, the keyword of its column, and how it is computed."""

    code: str
    name: str
    keyword: str
    unit: UnitPower
    function: Callable[[ValueCounts], float | None]

    @property
    def column(self) -> str:
        """The table column, for example ``Mean_Q4LE``."""
        return f"{self.keyword}_{self.code}"


def intensity_statistics(counts: ValueCounts) -> dict[str, float | None]:
    """All 18 features by column name; None where one is undefined.

    Raises:
        ValueError: no voxels.
    """
    if counts.total == 0:
        raise ValueError("intensity statistics need at least one voxel")
    return {feature.column: feature.function(counts) for feature in INTENSITY_FEATURES}


def mean(counts: ValueCounts) -> float:
    # A single value is its own mean; the quotient would round it, and give a constant region a spread.
    return float(counts.values[0]) if len(counts.values) == 1 else counts.mean_of(counts.values)


def variance(counts: ValueCounts) -> float:
    """Over all voxels (1/N): the region is the population."""
    deviation = counts.values - mean(counts)
    return counts.mean_of(deviation * deviation)


def _skewness(counts: ValueCounts) -> float:
    spread = variance(counts)
    if spread == 0:
        return 0.0  # by definition in the manual
    deviation = counts.values - mean(counts)
    return counts.mean_of(deviation * deviation * deviation) / (spread * math.sqrt(spread))


def _excess_kurtosis(counts: ValueCounts) -> float:
    spread = variance(counts)
    if spread == 0:
        return 0.0  # by definition in the manual
    square = (counts.values - mean(counts)) ** 2
    return counts.mean_of(square * square) / (spread * spread) - 3


def _percentile(percent: float) -> Callable[[ValueCounts], float]:
    return lambda counts: counts.percentile(percent)


def _minimum(counts: ValueCounts) -> float:
    return float(counts.values[0])


def _maximum(counts: ValueCounts) -> float:
    return float(counts.values[-1])


def _interquartile_range(counts: ValueCounts) -> float:
    return counts.percentile(75) - counts.percentile(25)


def _range(counts: ValueCounts) -> float:
    return _maximum(counts) - _minimum(counts)


def _mean_absolute_deviation(counts: ValueCounts) -> float:
    return counts.mean_of(np.abs(counts.values - mean(counts)))


def _robust_mean_absolute_deviation(counts: ValueCounts) -> float | None:
    """Of the voxels between the 10th and the 90th percentile, both included, about their own mean.

    Undefined where no voxel lies there: in a region of two voxels, say.
    """
    inner = counts.between(counts.percentile(10), counts.percentile(90))
    return _mean_absolute_deviation(inner) if inner.total else None


def _median_absolute_deviation(counts: ValueCounts) -> float:
    """Mean distance to the median: the manual's name is not the usual meaning of the term."""
    return counts.mean_of(np.abs(counts.values - counts.percentile(50)))


def _coefficient_of_variation(counts: ValueCounts) -> float | None:
    return _quotient(math.sqrt(variance(counts)), mean(counts))


def _quartile_coefficient_of_dispersion(counts: ValueCounts) -> float | None:
    low, high = counts.percentile(25), counts.percentile(75)
    return _quotient(high - low, high + low)


def _energy(counts: ValueCounts) -> float:
    return counts.sum_of(counts.values * counts.values)


def _root_mean_square(counts: ValueCounts) -> float:
    return math.sqrt(counts.mean_of(counts.values * counts.values))


def _quotient(numerator: float, denominator: float) -> float | None:
    return None if denominator == 0 else numerator / denominator


_SAME, _SQUARED, _NONE = UnitPower.SAME, UnitPower.SQUARED, UnitPower.NONE
INTENSITY_FEATURES: tuple[IntensityFeature, ...] = (
    IntensityFeature("Q4LE", "Mean intensity", "Mean", _SAME, mean),
    IntensityFeature("ECT3", "Intensity variance", "Variance", _SQUARED, variance),
    IntensityFeature("KE2A", "Intensity skewness", "Skewness", _NONE, _skewness),
    IntensityFeature("IPH6", "(Excess) intensity kurtosis", "ExcessKurtosis", _NONE, _excess_kurtosis),
    IntensityFeature("Y12H", "Median intensity", "Median", _SAME, _percentile(50)),
    IntensityFeature("1GSF", "Minimum intensity", "Minimum", _SAME, _minimum),
    IntensityFeature("QG58", "10th intensity percentile", "Percentile10", _SAME, _percentile(10)),
    IntensityFeature("8DWT", "90th intensity percentile", "Percentile90", _SAME, _percentile(90)),
    IntensityFeature("84IY", "Maximum intensity", "Maximum", _SAME, _maximum),
    IntensityFeature("SALO", "Intensity interquartile range", "InterquartileRange", _SAME, _interquartile_range),
    IntensityFeature("2OJQ", "Intensity range", "Range", _SAME, _range),
    IntensityFeature(
        "4FUA",
        "Intensity-based mean absolute deviation",
        "MeanAbsoluteDeviation",
        _SAME,
        _mean_absolute_deviation,
    ),
    IntensityFeature(
        "1128",
        "Intensity-based robust mean absolute deviation",
        "RobustMeanAbsoluteDeviation",
        _SAME,
        _robust_mean_absolute_deviation,
    ),
    IntensityFeature(
        "N72L",
        "Intensity-based median absolute deviation",
        "MedianAbsoluteDeviation",
        _SAME,
        _median_absolute_deviation,
    ),
    IntensityFeature(
        "7TET",
        "Intensity-based coefficient of variation",
        "CoefficientOfVariation",
        _NONE,
        _coefficient_of_variation,
    ),
    IntensityFeature(
        "9S40",
        "Intensity-based quartile coefficient of dispersion",
        "QuartileCoefficientOfDispersion",
        _NONE,
        _quartile_coefficient_of_dispersion,
    ),
    IntensityFeature("N8CA", "Intensity-based energy", "Energy", _SQUARED, _energy),
    IntensityFeature("5ZWQ", "Root mean square intensity", "RootMeanSquare", _SAME, _root_mean_square),
)
