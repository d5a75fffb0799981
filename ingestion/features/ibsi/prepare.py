"""IBSI's processing scheme (manual, chapter 2) on a crop: interpolation, rounding, filter, re-segmentation, levels.

The image is cropped to the region with a margin: as far as interpolation, a filter and the spheres of the local
intensity peaks reach. The crop gives the same values as the whole image does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ingestion.features.ibsi.filters.apply import FilterRefusedError, reach, respond
from ingestion.features.ibsi.filters.settings import Boundary
from ingestion.features.ibsi.grid import Axis, Box, axes_of
from ingestion.features.ibsi.intensities import PEAK_RADIUS_MM, bin_numbers, bins_of_size
from ingestion.features.ibsi.region import Region
from ingestion.features.ibsi.result import Refusal
from ingestion.features.ibsi.settings import Discretisation, IbsiSettings, Interpolation
from ingestion.features.value_counts import ValueCounts

SPLINE_DECAY = 27
"""Voxels after which a cubic spline no longer feels a value: its influence falls by 0.268 a voxel, to below 1e-15."""
FRACTION_TOLERANCE = 1e-6
"""A voxel on the partial-volume threshold is in: interpolated fractions carry rounding of about 1e-7."""
WHOLE_MM = 1e6
"""Farther than any image: a margin that takes all of it."""
MAX_FILTERED_VOXELS = 2**27
"""Of the region's box with the filter's margin, or of the whole image: a transform takes up to 50 bytes of each."""
MAX_INTERPOLATED_VOXELS = 2**28
"""Of the new grid that a region needs, or the whole image: 3 GB at three times its size as float32, which is what
measuring may take. A whole body at 1 mm is under it; a finer grid is refused before memory is asked for."""
MAX_LEVELS = 2048
"""Texture matrices of more grey levels are too large to be held, and too empty to mean anything."""


class RefusedRegion(Exception):
    """The whole region has no features."""

    def __init__(self, reason: Refusal, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True, slots=True)
class Interpolated:
    """The crop on the new grid: image, mask and where there are measurements; ``start``: its place on that grid."""

    image: NDArray[Any]
    mask: NDArray[np.uint8]
    valid: NDArray[np.uint8]
    spacing_mm: tuple[float, float, float]
    start: tuple[int, int, int]
    shape: tuple[int, int, int]
    """Of the whole interpolated image."""


def interpolate(
    image: NDArray[Any],
    mask: NDArray[np.bool_],
    invalid: NDArray[np.bool_] | None,
    box: Box,
    spacing_mm: tuple[float, float, float],
    settings: IbsiSettings,
    reach_mm: float,
    *,
    margin: tuple[int, int, int] = (0, 0, 0),
) -> Interpolated:
    """``box``: of the mask; ``reach_mm``: how far around the region intensities are needed.

    ``margin``: so many voxels of the new grid more, along each axis, for a filter.

    Raises:
        RefusedRegion: the new grid, or what a filter needs, has more voxels than the limit; nothing was allocated.
    """
    chosen = settings.interpolation
    axes = axes_of(image.shape, spacing_mm, chosen.spacing_mm if chosen.method is not Interpolation.NONE else None)
    # An axis by itself first: a spacing near 0 has more voxels than can be counted.
    if any(axis.changed and axis.size > MAX_INTERPOLATED_VOXELS * axis.step for axis in axes):
        raise _too_fine(axes)
    spline = chosen.method is Interpolation.TRICUBIC_SPLINE
    target, source = [], []
    periodic = settings.filter is not None and settings.filter.boundary is Boundary.PERIODISE
    for axis, (low, high), more in zip(axes, box, margin, strict=True):
        width = math.ceil(reach_mm / axis.new_spacing) + more
        wanted = axis.around(low, high, margin=width)
        if periodic and more and (wanted[0] == 0 or wanted[1] == axis.new_size):
            wanted = (0, axis.new_size)  # beyond the edge lies the other side
        target.append(wanted)
        source.append(axis.needed(*wanted, margin=SPLINE_DECAY if spline and axis.changed else 1))
    voxels = math.prod(high - low for low, high in target)
    if any(axis.changed for axis in axes) and voxels > MAX_INTERPOLATED_VOXELS:
        raise _too_fine(axes)
    if settings.filter is not None and voxels > MAX_FILTERED_VOXELS:
        raise RefusedRegion(Refusal.TOO_LARGE, f"the filter needs more than {MAX_FILTERED_VOXELS} voxels of the image")
    crop = tuple(slice(low, high) for low, high in source)
    values = np.ascontiguousarray(image[crop])
    if values.dtype not in (np.float32, np.float64):
        values = values.astype(np.float32 if values.dtype.itemsize <= 2 else np.float64)
    inside = np.ascontiguousarray(mask[crop]).view(np.uint8)
    outside = None if invalid is None else invalid[crop]
    if outside is not None and outside.any():
        values = np.where(outside, values.dtype.type(0), values)
    if any(axis.changed for axis in axes):
        order = {Interpolation.NEAREST: 0, Interpolation.TRILINEAR: 1, Interpolation.TRICUBIC_SPLINE: 3}
        places = zip(axes, target, source, strict=True)
        place = [axis.place(low, high, begin) for axis, (low, high), (begin, _) in places]
        values = _resample(values, axes, place, order[chosen.method])
        fraction = _resample(inside.astype(np.float32), axes, place, order[chosen.mask])
        inside = (fraction >= chosen.partial_volume_threshold - FRACTION_TOLERANCE).view(np.uint8)
        del fraction
        if outside is not None and outside.any():
            touched = ndimage.binary_dilation(outside) if spline else outside
            outside = _resample(touched.astype(np.float32), axes, place, 1) > 0
    else:
        cut = tuple(slice(low - begin, high - begin) for (low, high), (begin, _) in zip(target, source, strict=True))
        values, inside = np.ascontiguousarray(values[cut]), np.ascontiguousarray(inside[cut])
        outside = None if outside is None else outside[cut]
    if chosen.round_intensities:
        np.rint(values, out=values)
    valid = np.ones(values.shape, dtype=np.uint8) if outside is None else (~outside).view(np.uint8)
    return Interpolated(
        image=values,
        mask=inside & valid,
        valid=valid,
        spacing_mm=(axes[0].new_spacing, axes[1].new_spacing, axes[2].new_spacing),
        start=(target[0][0], target[1][0], target[2][0]),
        shape=(axes[0].new_size, axes[1].new_size, axes[2].new_size),
    )


def _too_fine(axes: tuple[Axis, Axis, Axis]) -> RefusedRegion:
    steps = " × ".join(f"{axis.new_spacing:g}" for axis in axes)
    return RefusedRegion(
        Refusal.TOO_LARGE,
        f"interpolated to {steps} mm the region and what it needs around it have more than {MAX_INTERPOLATED_VOXELS} "
        "voxels; choose a wider spacing_mm",
    )


def whole_image(image: NDArray[Any], spacing_mm: tuple[float, float, float], settings: IbsiSettings) -> NDArray[Any]:
    """The whole interpolated image, for its diagnostic values."""
    everything: Box = ((0, image.shape[0]), (0, image.shape[1]), (0, image.shape[2]))
    return interpolate(
        image, np.zeros(image.shape, dtype=np.bool_), None, everything, spacing_mm, settings, WHOLE_MM
    ).image


def _resample(
    values: NDArray[Any], axes: tuple[Axis, Axis, Axis], place: list[tuple[float, int]], order: int
) -> NDArray[Any]:
    """On the new grid; beyond the image's edge the outermost voxels go on (manual, 2.4)."""
    return ndimage.affine_transform(
        values,
        np.array([axis.step for axis in axes]),
        offset=[offset for offset, _ in place],
        output_shape=tuple(size for _, size in place),
        output=values.dtype,
        order=order,
        mode="nearest",
        prefilter=order > 1,
    )


def resegment(crop: Interpolated, settings: IbsiSettings) -> NDArray[np.uint8]:
    """The intensity mask: the voxels within the range, and within so many standard deviations of the mean.

    Mean and standard deviation are those of the whole mask: the ranges of both methods are intersected (manual, 2.5).
    """
    chosen = settings.resegmentation
    low, high = chosen.low, chosen.high
    if chosen.outlier_sigma is not None:
        counts = ValueCounts.of(crop.image[crop.mask.view(np.bool_)])
        mean = counts.mean_of(counts.values)
        deviation = math.sqrt(counts.mean_of((counts.values - mean) ** 2))
        low = max(low, mean - chosen.outlier_sigma * deviation)
        high = min(high, mean + chosen.outlier_sigma * deviation)
    if low == -math.inf and high == math.inf:
        return crop.mask
    inside = crop.mask.copy()
    inside &= crop.image >= low
    inside &= crop.image <= high
    return inside


def discretise(
    image: NDArray[Any], mask: NDArray[np.uint8], counts: ValueCounts, settings: IbsiSettings, *, border: int
) -> tuple[NDArray[np.uint16] | None, int]:
    """Grey levels with a border of zeros, and the highest of them; None for more than ``MAX_LEVELS``.

    Raises:
        RefusedRegion: without discretisation intensities must be whole numbers from 1 on.
    """
    chosen = settings.discretisation
    low, high = float(counts.values[0]), float(counts.values[-1])
    if chosen.method is Discretisation.FIXED_BIN_NUMBER:
        number = chosen.bin_number or 0

        def level_of(values: NDArray[Any]) -> NDArray[np.int64]:
            return bin_numbers(values, low=low, high=high, number=number)
    elif chosen.method is Discretisation.FIXED_BIN_SIZE:
        size = chosen.bin_size or 0.0
        bound = settings.measured_range[0]
        begin = chosen.lowest if chosen.lowest is not None else bound if math.isfinite(bound) else low

        def level_of(values: NDArray[Any]) -> NDArray[np.int64]:
            return bins_of_size(values, low=begin, size=size)
    else:
        if low < 1 or not np.array_equal(counts.values, np.rint(counts.values)):
            raise RefusedRegion(
                Refusal.NOT_GREY_LEVELS, "without discretisation intensities must be whole numbers from 1 on"
            )

        def level_of(values: NDArray[Any]) -> NDArray[np.int64]:
            return values.astype(np.int64)

    highest = int(level_of(np.array([high]))[0])
    if highest > MAX_LEVELS:
        return None, highest
    padded = np.zeros([size + 2 * border for size in image.shape], dtype=np.uint16)
    inner = padded[border:-border, border:-border, border:-border]
    for z in range(image.shape[0]):  # slice by slice: the intermediate arrays are eight bytes wide
        inside = mask[z].view(np.bool_)
        inner[z][inside] = level_of(image[z][inside])
    return padded, highest


def build(crop: Interpolated, settings: IbsiSettings) -> Region:
    """The region, measured in the filter's response map where there is a filter.

    Re-segmentation is by the intensities before the filter (IBSI-2).

    Raises:
        RefusedRegion: nothing is left after interpolation or re-segmentation, or the filter cannot be applied.
    """
    if not crop.mask.any():
        raise RefusedRegion(Refusal.EMPTY_AFTER_INTERPOLATION, "no voxel of the new grid holds enough of the region")
    intensity = resegment(crop, settings)
    if not intensity.any():
        raise RefusedRegion(
            Refusal.EMPTY_AFTER_RESEGMENTATION, "no intensity of the region lies in the range of re-segmentation"
        )
    crop = filtered(crop, settings)
    box = extent(crop.mask)
    cut = tuple(slice(low, high) for low, high in box)
    image, inner = np.ascontiguousarray(crop.image[cut]), np.ascontiguousarray(intensity[cut])
    counts = ValueCounts.of(image[inner.view(np.bool_)])
    chosen = settings.texture
    border = max(chosen.glcm_distance, chosen.ngtdm_distance, chosen.ngldm_distance)
    levels, highest = discretise(image, inner, counts, settings, border=border)
    return Region(
        image=image,
        morphological=np.ascontiguousarray(crop.mask[cut]),
        intensity=inner,
        spacing_mm=crop.spacing_mm,
        counts=counts,
        mean=float(counts.values[0]) if len(counts.values) == 1 else counts.mean_of(counts.values),
        around=crop.image,
        around_valid=crop.valid,
        offset=(box[0][0], box[1][0], box[2][0]),
        levels=levels,
        border=border,
        level_count=highest,
    )


def extent(mask: NDArray[Any]) -> Box:
    """[first, end) of the voxels that are set, along each axis; there must be one."""
    found = []
    for axis in range(3):
        used = np.flatnonzero(mask.any(axis=tuple(other for other in range(3) if other != axis)))
        found.append((int(used[0]), int(used[-1]) + 1))
    return found[0], found[1], found[2]


def filter_reach(spacing_mm: tuple[float, float, float], settings: IbsiSettings) -> tuple[int, int, int]:
    """How many voxels of the new grid the filter looks at around one.

    Raises:
        RefusedRegion: the filter cannot be applied to voxels of this spacing.
    """
    if settings.filter is None:
        return 0, 0, 0
    try:
        return reach(settings.filter, new_spacing(spacing_mm, settings))
    except FilterRefusedError as refusal:
        raise RefusedRegion(Refusal.FILTER_NOT_APPLICABLE, str(refusal)) from None


def filtered(crop: Interpolated, settings: IbsiSettings) -> Interpolated:
    """The crop with the response map in the place of the image; valid is what no padding has touched.

    Raises:
        RefusedRegion: the filter would look at voxels without a measurement from inside the region.
    """
    if settings.filter is None:
        return crop
    valid = crop.valid
    if not valid.all():
        size = [2 * min(far, length) + 1 for far, length in zip(reach(settings.filter, crop.spacing_mm), valid.shape,
                                                                 strict=True)]  # fmt: skip
        valid = ndimage.minimum_filter(valid, size=size, mode="nearest")
        if (crop.mask > valid).any():
            raise RefusedRegion(
                Refusal.FILTER_REACHES_PADDING, "the filter looks at padding, or at values that are not finite"
            )
    z, y, x = (
        (max(0, low - math.ceil(reach_mm(settings) / step)), min(size, high + math.ceil(reach_mm(settings) / step)))
        for (low, high), step, size in zip(extent(crop.mask), crop.spacing_mm, valid.shape, strict=True)
    )
    response = respond(crop.image, crop.spacing_mm, settings.filter, needed=(z, y, x))
    return replace(crop, image=response, valid=valid)


def new_spacing(spacing_mm: tuple[float, float, float], settings: IbsiSettings) -> tuple[float, float, float]:
    """The spacing after interpolation."""
    wanted = settings.interpolation.spacing_mm
    z, y, x = (old if new is None else new for old, new in zip(spacing_mm, wanted, strict=True))
    return z, y, x


def reach_mm(settings: IbsiSettings) -> float:
    """How far around the region intensities are needed once they are interpolated."""
    return PEAK_RADIUS_MM
