"""The response map of a filter (IBSI-2), and how far around a voxel the filter looks."""

from __future__ import annotations

import math
from collections import Counter
from functools import singledispatch
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ingestion.features.ibsi.filters import kernels
from ingestion.features.ibsi.filters.fourier import GaborBank, without_noise
from ingestion.features.ibsi.filters.separable import Extended, Field, Stage, cascades, pooled, rotated
from ingestion.features.ibsi.filters.settings import (
    FilterSettings,
    GaborFilter,
    LaplacianOfGaussianFilter,
    LawsFilter,
    MeanFilter,
    Pooling,
    SimoncelliFilter,
    WaveletFilter,
)
from ingestion.features.ibsi.grid import Box

EVERYWHERE = 2**30
"""The reach of a filter that looks at the whole image."""
ISOTROPY = 1e-3
"""Spacings that differ by less are equal: files keep them as 32-bit floats and decimal strings."""
MAX_REACH = 512
"""Voxels to each side; a kernel of that reach in a plane takes 16 MB, and no region is larger."""
Spacing = tuple[float, float, float]


class FilterRefusedError(ValueError):
    """The filter cannot be applied to an image of this spacing."""


def reach(chosen: FilterSettings, spacing_mm: Spacing) -> tuple[int, int, int]:
    """How many voxels around one the filter looks at, along (slice, row, column).

    Raises:
        FilterRefusedError: the filter needs voxels with sides of one length, or looks too far.
    """
    half = _reach(chosen, spacing_mm)
    if MAX_REACH < half < EVERYWHERE:
        raise FilterRefusedError(f"{chosen.name} reaches {half} voxels, at most {MAX_REACH} are possible: interpolate")
    return (half if chosen.dimension == "3D" else 0, half, half)


def respond(image: NDArray[Any], spacing_mm: Spacing, chosen: FilterSettings, *, needed: Box | None = None) -> Field:
    """The response map of ``image`` (slice, row, column), in float64.

    ``needed``: where the response is asked for; elsewhere it may be anything. By default everywhere.

    Raises:
        FilterRefusedError: as ``reach``.
    """
    values = np.ascontiguousarray(image, dtype=np.float64)
    extended = Extended(values, 0.0 if chosen.constant is None else chosen.constant, chosen.boundary)
    everywhere: Box = ((0, values.shape[0]), (0, values.shape[1]), (0, values.shape[2]))
    return _respond(chosen, extended, spacing_mm, needed or everywhere)


def _voxel(chosen: FilterSettings, spacing_mm: Spacing) -> float:
    """The side of a voxel in mm, along the axes that the filter works on."""
    sides = spacing_mm if chosen.dimension == "3D" else spacing_mm[1:]
    if max(sides) > min(sides) * (1 + ISOTROPY):
        axes = " × ".join(f"{side:g}" for side in sides)
        raise FilterRefusedError(
            f"{chosen.name} in {chosen.dimension} needs voxels with equal sides, these are {axes} mm: interpolate first"
        )
    return spacing_mm[2]


def _wavelet_stages(chosen: WaveletFilter) -> list[Stage]:
    """Low-pass at all levels before the last; letters are x first, array axes slice first."""
    stages = [
        tuple(kernels.wavelet(chosen.family, "L", level) for _ in chosen.response) for level in range(1, chosen.level)
    ]
    return [*stages, tuple(kernels.wavelet(chosen.family, one, chosen.level) for one in reversed(chosen.response))]


def _laws_stage(chosen: LawsFilter) -> Stage:
    return tuple(kernels.laws(name) for name in reversed(chosen.kernels))


@singledispatch
def _reach(chosen: Any, spacing_mm: Spacing) -> int:
    raise TypeError(f"no filter: {type(chosen).__name__}")


@_reach.register
def _(chosen: MeanFilter, spacing_mm: Spacing) -> int:
    return chosen.support // 2


@_reach.register
def _(chosen: LaplacianOfGaussianFilter, spacing_mm: Spacing) -> int:
    return math.floor(chosen.cutoff * chosen.sigma_mm / _voxel(chosen, spacing_mm) + 0.5)


@_reach.register
def _(chosen: LawsFilter, spacing_mm: Spacing) -> int:
    return max(len(kernel) for kernel in _laws_stage(chosen)) // 2 + (chosen.energy_distance or 0)


@_reach.register
def _(chosen: GaborFilter, spacing_mm: Spacing) -> int:
    return kernels.gabor_reach(chosen.sigma_mm / _voxel(chosen, spacing_mm), chosen.gamma)


@_reach.register
def _(chosen: WaveletFilter, spacing_mm: Spacing) -> int:
    return sum(max(len(kernel) for kernel in stage) // 2 for stage in _wavelet_stages(chosen))


@_reach.register
def _(chosen: SimoncelliFilter, spacing_mm: Spacing) -> int:
    return EVERYWHERE


@singledispatch
def _respond(chosen: Any, image: Extended, spacing_mm: Spacing, needed: Box) -> Field:
    raise TypeError(f"no filter: {type(chosen).__name__}")


@_respond.register
def _(chosen: MeanFilter, image: Extended, spacing_mm: Spacing, needed: Box) -> Field:
    kernel = np.full(chosen.support, 1 / chosen.support)
    return image.staged((kernel,) * chosen.axes).values


@_respond.register
def _(chosen: LaplacianOfGaussianFilter, image: Extended, spacing_mm: Spacing, needed: Box) -> Field:
    gaussian, second = kernels.log_parts(chosen.sigma_mm / _voxel(chosen, spacing_mm), chosen.cutoff)
    total = np.zeros_like(image.values)
    sets = [
        [tuple(second if axis == derived else gaussian for axis in range(chosen.axes))]
        for derived in range(chosen.axes)
    ]
    for response in cascades(image, sets):
        total += response.values
    return total


@_respond.register
def _(chosen: LawsFilter, image: Extended, spacing_mm: Spacing, needed: Box) -> Field:
    stage = _laws_stage(chosen)
    sets = rotated([stage]) if chosen.rotation_invariance else [(stage,)]
    response = pooled(cascades(image, sets), chosen.pooling)
    if chosen.energy_distance is not None:
        response = response.averaged(chosen.energy_distance, chosen.axes)
    return response.values


@_respond.register
def _(chosen: WaveletFilter, image: Extended, spacing_mm: Spacing, needed: Box) -> Field:
    stages = _wavelet_stages(chosen)
    sets = rotated(stages) if chosen.rotation_invariance else [tuple(stages)]
    return pooled(cascades(image, sets), chosen.pooling).values


@_respond.register
def _(chosen: GaborFilter, image: Extended, spacing_mm: Spacing, needed: Box) -> Field:
    voxel = _voxel(chosen, spacing_mm)
    made = [
        (times, kernels.gabor(chosen.sigma_mm / voxel, chosen.wavelength_mm / voxel, chosen.gamma, math.radians(angle)))
        for angle, times in _angles(chosen).items()
    ]
    planes = (0, 1, 2) if chosen.dimension == "3D" else (0,)
    total = np.zeros_like(image.values)
    for plane in planes:
        inner = [needed[axis] for axis in range(3) if axis != plane]
        source, target = np.moveaxis(image.values, plane, 0), np.moveaxis(total, plane, 0)
        target = target[:, slice(*inner[0]), slice(*inner[1])]
        bank = GaborBank.of(made, inner, source.shape[1:], image, chosen.pooling)
        for index in range(*needed[plane]):
            bank.add_moduli(target[index], source[index])
    if chosen.pooling is Pooling.AVERAGE:
        total /= len(planes) * sum(times for times, _ in made)
    return total


def _angles(chosen: GaborFilter) -> Counter[float]:
    """The orientations and how often each comes: turning by half a circle leaves the modulus as it is."""
    step = chosen.rotation_step_degrees
    if step is None:
        return Counter([chosen.theta_degrees])
    return Counter(round(number * step % 180, 9) % 180 for number in range(round(360 / step)))


@_respond.register
def _(chosen: SimoncelliFilter, image: Extended, spacing_mm: Spacing, needed: Box) -> Field:
    """Of the whole image: the crop must be it."""
    axes = chosen.axes
    shape = image.values.shape[-axes:]
    band = kernels.simoncelli(shape, chosen.level)
    response = np.empty_like(image.values)
    for index in (...,) if axes == 3 else range(len(response)):
        part = image.values[index]
        spectrum = fft.rfftn(part)
        spectrum *= band
        response[index] = without_noise(
            fft.irfftn(spectrum, shape, overwrite_x=True), float(np.abs(part).max()) * math.sqrt(part.size)
        )
    return response
