"""The 25 features of grey level co-occurrence matrices (manual, 3.6, family LFYI)."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ingestion.features.ibsi.result import Refusal

Values = dict[str, float | Refusal]


def glcm_features(pairs: NDArray[np.int64]) -> Values:
    """By tag, of the symmetric counts ``pairs`` (level, level) of neighbouring voxels; levels begin at 1."""
    levels = pairs.shape[0]
    total = int(pairs.sum())
    p = pairs / total
    i = np.arange(1, levels + 1, dtype=np.float64)
    row = p.sum(axis=1)
    mean = float((i * row).sum())
    variance = float(((i - mean) ** 2 * row).sum())
    difference, added = _diagonals(pairs)
    p_difference, p_added = difference / total, added / total
    k = np.arange(levels, dtype=np.float64)
    s = np.arange(2, 2 * levels + 1, dtype=np.float64)
    difference_mean = float((k * p_difference).sum())
    added_mean = float((s * p_added).sum())
    centred = s - 2 * mean
    joint_entropy, row_entropy = _entropy(p), _entropy(row)
    # Of the marginals' product: both forms of the manual's HXY1 and HXY2 are twice the marginal entropy.
    correlation: float | Refusal = Refusal.CONSTANT_REGION
    first: float | Refusal = Refusal.CONSTANT_REGION
    if variance > 0:
        product = float((i[:, np.newaxis] * i[np.newaxis, :] * p).sum())
        correlation = (product - mean * mean) / variance
        first = (joint_entropy - 2 * row_entropy) / row_entropy
    return {
        "cm_joint_max": float(p.max()),
        "cm_joint_avg": mean,
        "cm_joint_var": variance,
        "cm_joint_entr": joint_entropy,
        "cm_diff_avg": difference_mean,
        "cm_diff_var": float(((k - difference_mean) ** 2 * p_difference).sum()),
        "cm_diff_entr": _entropy(p_difference),
        "cm_sum_avg": added_mean,
        "cm_sum_var": float(((s - added_mean) ** 2 * p_added).sum()),
        "cm_sum_entr": _entropy(p_added),
        "cm_energy": float((p * p).sum()),
        "cm_contrast": float((k * k * p_difference).sum()),
        "cm_dissimilarity": difference_mean,
        "cm_inv_diff": float((p_difference / (1 + k)).sum()),
        "cm_inv_diff_norm": float((p_difference / (1 + k / levels)).sum()),
        "cm_inv_diff_mom": float((p_difference / (1 + k * k)).sum()),
        "cm_inv_diff_mom_norm": float((p_difference / (1 + k * k / levels**2)).sum()),
        "cm_inv_var": float((p_difference[1:] / k[1:] ** 2).sum()),
        "cm_corr": correlation,
        "cm_auto_corr": float((i[:, np.newaxis] * i[np.newaxis, :] * p).sum()),
        "cm_clust_tend": float((centred**2 * p_added).sum()),
        "cm_clust_shade": float((centred**3 * p_added).sum()),
        "cm_clust_prom": float((centred**4 * p_added).sum()),
        "cm_info_corr1": first,
        "cm_info_corr2": math.sqrt(max(0.0, 1 - math.exp(-2 * (2 * row_entropy - joint_entropy)))),
    }


def _diagonals(pairs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Counts by absolute difference of the levels (0 to n - 1), and by their sum (2 to 2 n)."""
    levels = pairs.shape[0]
    i, j = np.nonzero(pairs)
    found = pairs[i, j]
    # Counts stay below 2^53, where float64 weights are exact.
    by_difference = np.bincount(np.abs(i - j), weights=found, minlength=levels)
    by_sum = np.bincount(i + j, weights=found, minlength=2 * levels - 1)
    return by_difference.astype(np.int64), by_sum.astype(np.int64)


def _entropy(p: NDArray[np.float64]) -> float:
    some = p[p > 0]
    return float(-(some * np.log2(some)).sum()) + 0.0
