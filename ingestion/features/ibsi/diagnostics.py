"""IBSI's 60 diagnostic values: sizes, counts and intensities before and after each step of the processing scheme."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.features.ibsi.grid import Box
from ingestion.features.ibsi.prepare import Interpolated, extent, whole_image
from ingestion.features.ibsi.region import Region
from ingestion.features.ibsi.result import Diagnostic
from ingestion.features.ibsi.settings import IbsiSettings

AXES = ("z", "y", "x")


class Diagnostics:
    """Collects the values: what must be taken before cropping at once, the rest from the crop and the region."""

    def __init__(
        self,
        image: NDArray[Any],
        mask: NDArray[np.bool_],
        box: Box,
        spacing_mm: tuple[float, float, float],
        settings: IbsiSettings,
    ) -> None:
        self._initial = _roi("init_roi", image.shape, box, mask, box, mask, image)
        self._image = _image("init_img", image.shape, spacing_mm, image if settings.image_diagnostics else None)
        self._interpolated = whole_image(image, spacing_mm, settings) if settings.image_diagnostics else None

    def of(self, crop: Interpolated, region: Region) -> tuple[Diagnostic, ...]:
        """All 60, in the order of IBSI's tables."""
        before, after = extent(crop.mask), extent(region.intensity)
        inside, kept = crop.mask.view(np.bool_), region.intensity.view(np.bool_)
        # Of the intensities before a filter, by which the region was re-segmented.
        image = crop.image[tuple(slice(low, high) for low, high in before)]
        return (
            *self._image,
            *_image("interp_img", crop.shape, crop.spacing_mm, self._interpolated),
            *self._initial,
            *_roi("interp_roi", crop.shape, before, inside, before, inside, crop.image),
            *_roi("reseg_roi", crop.shape, after, kept, before, inside, image),
        )


def _image(
    stage: str, shape: tuple[int, ...], spacing_mm: tuple[float, float, float], image: NDArray[Any] | None
) -> list[Diagnostic]:
    values = [(f"img_dim_{axis}", float(size)) for axis, size in _xyz(shape)]
    values += [(f"vox_dim_{axis}", float(step)) for axis, step in _xyz(spacing_mm)]
    found = [Diagnostic(f"{name}_{stage}", value) for name, value in values]
    mean = None if image is None else float(image.mean(dtype=np.float64))
    low = None if image is None else float(image.min())
    high = None if image is None else float(image.max())
    for name, number in (("mean_int", mean), ("min_int", low), ("max_int", high)):
        found.append(Diagnostic(f"{name}_{stage}", number))
    return found


def _roi(
    stage: str,
    shape: tuple[int, ...],
    intensity_box: Box,
    intensity: NDArray[np.bool_],
    morphological_box: Box,
    morphological: NDArray[np.bool_],
    image: NDArray[Any],
) -> list[Diagnostic]:
    values = [(f"int_mask_dim_{axis}", float(size)) for axis, size in _xyz(shape)]
    values += [(f"int_mask_bb_dim_{axis}", float(high - low)) for axis, (low, high) in _xyz(intensity_box)]
    values += [(f"morph_mask_bb_dim_{axis}", float(high - low)) for axis, (low, high) in _xyz(morphological_box)]
    values += [
        ("int_mask_vox_count", float(intensity.sum(dtype=np.int64))),
        ("morph_mask_vox_count", float(morphological.sum(dtype=np.int64))),
    ]
    inside = image[intensity]
    values += [
        ("int_mask_mean_int", float(inside.mean(dtype=np.float64))),
        ("int_mask_min_int", float(inside.min())),
        ("int_mask_max_int", float(inside.max())),
    ]
    return [Diagnostic(f"{name}_{stage}", value) for name, value in values]


def _xyz(by_axis: Any) -> list[tuple[str, Any]]:
    """IBSI names x first; our arrays begin with the slice."""
    return list(zip(AXES, by_axis, strict=True))[::-1]
