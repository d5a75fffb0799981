"""All features of one region: IBSI's processing scheme (reference manual, chapter 2), then the families."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.features.ibsi.catalogue import Aggregation, Family, features_of
from ingestion.features.ibsi.diagnostics import Diagnostics
from ingestion.features.ibsi.intensities import histogram, local_peaks, statistics, volume_histogram
from ingestion.features.ibsi.morphology import morphology
from ingestion.features.ibsi.prepare import RefusedRegion, build, extent, filter_reach, interpolate, reach_mm
from ingestion.features.ibsi.region import Region
from ingestion.features.ibsi.result import Diagnostic, FeatureValue, Refusal, RegionFeatures
from ingestion.features.ibsi.settings import IbsiSettings
from ingestion.features.ibsi.texture import texture

MAX_BOX_VOXELS = 2**29
"""Of the region's box: about 6 GB while it is measured. Larger boxes are refused before memory is asked for."""

Values = dict[str, float | Refusal]


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
    try:
        return _compute(image, mask, padding, spacing_mm, settings)
    except RefusedRegion as refusal:
        return refused(settings, refusal.reason, refusal.detail)


def _compute(
    image: NDArray[Any],
    mask: NDArray[np.bool_],
    padding: NDArray[np.bool_] | None,
    spacing_mm: tuple[float, float, float],
    settings: IbsiSettings,
) -> RegionFeatures:
    _check(image, mask, padding, spacing_mm)
    mask = mask if mask.dtype == np.bool_ else mask != 0
    if not mask.any():
        raise RefusedRegion(Refusal.EMPTY_MASK, "no voxel is marked")
    box = extent(mask)
    if math.prod(high - low for low, high in box) > MAX_BOX_VOXELS:
        raise RefusedRegion(Refusal.TOO_LARGE, f"the region's box has more than {MAX_BOX_VOXELS} voxels")
    inner = tuple(slice(low, high) for low, high in box)
    left_out = 0
    if padding is not None:
        left_out = int((mask[inner] & padding[inner]).sum())
        if left_out:
            mask = mask & ~padding
            if not mask.any():
                raise RefusedRegion(Refusal.ALL_PADDING, "every voxel of the region is padding")
            box = extent(mask)
            inner = tuple(slice(low, high) for low, high in box)
    if np.issubdtype(image.dtype, np.floating):
        for z in range(*box[0]):
            if not np.isfinite(image[z][mask[z]]).all():
                raise RefusedRegion(Refusal.NOT_FINITE, "the region holds values that are not finite")
        padding = _without_measurement(image, padding)
    found = Diagnostics(image, mask, box, spacing_mm, settings)
    margin = filter_reach(spacing_mm, settings)
    crop = interpolate(image, mask, padding, box, spacing_mm, settings, reach_mm(settings), margin=margin)
    region = build(crop, settings)
    diagnostics = found.of(crop, region)
    by_family = _families(region, settings)
    return RegionFeatures(
        values=tuple(
            FeatureValue.of(feature, aggregation, by_family[family, aggregation][feature.tag])
            for family, aggregation in _chosen(settings)
            for feature in features_of(family)
        ),
        diagnostics=diagnostics,
        voxels=region.voxels,
        padding_voxels=left_out,
        levels=region.level_count,
    )


def _check(
    image: NDArray[Any],
    mask: NDArray[np.bool_],
    padding: NDArray[np.bool_] | None,
    spacing_mm: tuple[float, float, float],
) -> None:
    if image.ndim != 3 or mask.ndim != 3:
        raise RefusedRegion(Refusal.NOT_3D, f"image has {image.ndim} dimensions, mask {mask.ndim}; three are needed")
    if image.shape != mask.shape or (padding is not None and padding.shape != image.shape):
        raise RefusedRegion(Refusal.SHAPES_DIFFER, f"image {image.shape}, mask {mask.shape}")
    if len(spacing_mm) != 3 or not all(math.isfinite(step) and step > 0 for step in spacing_mm):
        raise RefusedRegion(Refusal.BAD_SPACING, "the spacing must be three positive numbers of mm")


def _without_measurement(image: NDArray[Any], padding: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """``padding``, and outside the region whatever is not finite."""
    if all(np.isfinite(plane).all() for plane in image):  # one by one: the whole would take a quarter of the image
        return padding
    finite = np.isfinite(image)
    return ~finite if padding is None else padding | ~finite


def _chosen(settings: IbsiSettings) -> list[tuple[Family, Aggregation | None]]:
    return [
        (family, aggregation)
        for family in Family
        if family in settings.families
        for aggregation in settings.aggregations(family) or (None,)
    ]


def _families(region: Region, settings: IbsiSettings) -> dict[tuple[Family, Aggregation | None], Values]:
    simple: dict[Family, Callable[[Region], Values]] = {
        Family.MORPHOLOGY: morphology,
        Family.LOCAL_INTENSITY: local_peaks,
        Family.INTENSITY_STATISTICS: statistics,
        Family.INTENSITY_HISTOGRAM: histogram,
        Family.INTENSITY_VOLUME_HISTOGRAM: lambda one: volume_histogram(one, settings),
    }
    found: dict[tuple[Family, Aggregation | None], Values] = {
        (family, None): measure(region) for family, measure in simple.items() if family in settings.families
    }
    return found | texture(region, settings)


def refused(settings: IbsiSettings, reason: Refusal, detail: str) -> RegionFeatures:
    """Every chosen feature without a value, and why."""
    diagnostics: tuple[Diagnostic, ...] = ()
    return RegionFeatures(
        values=tuple(
            FeatureValue.of(feature, aggregation, Refusal.NOT_COMPUTED)
            for family, aggregation in _chosen(settings)
            for feature in features_of(family)
        ),
        diagnostics=diagnostics,
        refusal=reason,
        detail=detail,
    )
