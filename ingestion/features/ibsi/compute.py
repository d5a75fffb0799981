"""All features of one region: IBSI's processing scheme (reference manual, chapter 2), then the families."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.features.ibsi.catalogue import Family, features_of
from ingestion.features.ibsi.result import FeatureValue, Refusal, RegionFeatures
from ingestion.features.ibsi.settings import IbsiSettings


def compute(
    image: NDArray[Any],
    mask: NDArray[np.bool_],
    *,
    spacing_mm: tuple[float, float, float],
    settings: IbsiSettings,
    padding: NDArray[np.bool_] | None = None,
) -> RegionFeatures:
    """Every feature of the families and aggregations that ``settings`` choose.

    Args:
        image: intensities, (slice, row, column); any real number type.
        mask: the region, of the same shape.
        spacing_mm: distance of voxel centres along (slice, row, column).
        padding: voxels that hold no measurement; they are left out of the region and of every neighbourhood.

    Never raises on data: what cannot be measured has a named refusal. Same input, same bits.
    """
    return refused(settings, Refusal.NOT_COMPUTED, "")


def refused(settings: IbsiSettings, reason: Refusal, detail: str) -> RegionFeatures:
    """Every chosen feature without a value, and why."""
    return RegionFeatures(
        values=tuple(
            FeatureValue.of(feature, aggregation, Refusal.NOT_COMPUTED)
            for family in Family
            if family in settings.families
            for aggregation in settings.aggregations(family) or (None,)
            for feature in features_of(family)
        ),
        diagnostics=(),
        refusal=reason,
        detail=detail,
    )
