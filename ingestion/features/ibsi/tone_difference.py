"""The five features of the neighbourhood grey tone difference matrix (manual, 3.10, family IPET)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ingestion.features.ibsi.result import Refusal

Values = dict[str, float | Refusal]

COARSENESS_LIMIT = 1e6
"""The manual's value of coarseness where no voxel differs from its neighbours."""


def ngtdm_features(voxels: NDArray[np.int64], differences: NDArray[np.int64]) -> Values:
    """By tag.

    ``voxels`` (level): those that have a neighbour. ``differences`` (level, number of neighbours k): sums of
    abs(k level - sum of neighbours).
    """
    with_neighbours = int(voxels.sum())
    share = np.maximum(np.arange(differences.shape[1], dtype=np.float64), 1.0)
    present = np.flatnonzero(voxels)
    n = voxels[present].astype(np.float64)
    s = (differences[present] / share).sum(axis=1)
    p = n / with_neighbours
    i = (present + 1).astype(np.float64)
    weighted = float((p * s).sum())
    total = float(s.sum())
    levels = len(present)
    apart = i[:, np.newaxis] - i[np.newaxis, :]
    values: Values = {"ngt_coarseness": 1 / weighted if weighted > 0 else COARSENESS_LIMIT}
    if levels == 1:
        return values | {
            "ngt_contrast": Refusal.CONSTANT_REGION,
            "ngt_busyness": Refusal.CONSTANT_REGION,
            "ngt_complexity": 0.0,
            "ngt_strength": Refusal.CONSTANT_REGION,
        }
    products = float((p[:, np.newaxis] * p[np.newaxis, :] * apart**2).sum())
    busy = float(np.abs(i[:, np.newaxis] * p[:, np.newaxis] - i[np.newaxis, :] * p[np.newaxis, :]).sum())
    pairs = (p * s)[:, np.newaxis] + (p * s)[np.newaxis, :]
    return values | {
        "ngt_contrast": products / (levels * (levels - 1)) * total / with_neighbours,
        "ngt_busyness": weighted / busy if busy > 0 else Refusal.ZERO_DENOMINATOR,
        "ngt_complexity": float(
            (np.abs(apart) * pairs / (p[:, np.newaxis] + p[np.newaxis, :])).sum() / with_neighbours
        ),
        "ngt_strength": float(((p[:, np.newaxis] + p[np.newaxis, :]) * apart**2).sum()) / total
        if total > 0
        else Refusal.ZERO_DENOMINATOR,
    }
