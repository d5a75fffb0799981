"""Convolution of planes with large kernels that are not separable, by Fourier's transform."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from ingestion.features.ibsi.filters.separable import Extended
from ingestion.features.ibsi.filters.settings import Boundary, Pooling

NOISE = 2.0**-40
"""Of the largest value that a sum can take: Fourier's transform is exact to about 2**-50 of it."""
PADS: dict[Boundary, Any] = {Boundary.NEAREST: "edge", Boundary.PERIODISE: "wrap", Boundary.MIRROR: "symmetric"}
"""numpy's names."""

Plane = NDArray[np.float64]


def without_noise(values: Plane, largest: float) -> Plane:
    """Rounded in place to what the transform can tell apart, so that what is constant in truth comes out constant."""
    quantum = NOISE * largest
    if quantum > 0:
        values /= quantum
        np.rint(values, out=values)
        values *= quantum
    return values


@dataclass(frozen=True, slots=True)
class GaborBank:
    """Kernels of several orientations, transformed once for all planes of one shape.

    ``places``: along each axis of a plane which voxel stands where: the part that is asked for and half a kernel's
    width around it, continued beyond the edge; -1 is beyond where the boundary condition is a constant.
    """

    kernels: tuple[tuple[int, float, NDArray[np.complex128]], ...]
    """How often each comes, the sum of its moduli, its spectrum."""
    places: tuple[NDArray[np.int64], NDArray[np.int64]]
    half: int
    size: tuple[int, int]
    beyond: float
    pooling: Pooling

    @staticmethod
    def of(
        made: Sequence[tuple[int, NDArray[np.complex128]]],
        inner: Sequence[tuple[int, int]],
        shape: Sequence[int],
        image: Extended,
        pooling: Pooling,
    ) -> GaborBank:
        """``made``: square kernels, each after how often it comes. ``inner``: what is asked for of a plane."""
        half = made[0][1].shape[0] // 2
        rows, columns = (
            _places(length, low - half, high + half, image.boundary)
            for length, (low, high) in zip(shape, inner, strict=True)
        )
        # No longer than the part: what wraps around lies in the margin that is cut off.
        size = (fft.next_fast_len(len(rows)), fft.next_fast_len(len(columns)))
        spectra = tuple((times, float(np.abs(kernel).sum()), fft.fft2(kernel, size)) for times, kernel in made)
        return GaborBank(spectra, (rows, columns), half, size, image.beyond, pooling)

    def add_moduli(self, total: Plane, plane: Plane) -> None:
        """Pool into ``total`` (the part asked for) the moduli of the responses of ``plane``."""
        rows, columns = self.places
        part = plane[np.ix_(rows, columns)]
        part[rows < 0, :] = self.beyond
        part[:, columns < 0] = self.beyond
        largest = float(np.abs(part).max())
        spectrum = fft.fft2(part, self.size)
        cut = tuple(slice(2 * self.half, 2 * self.half + length) for length in total.shape)
        for times, moduli, kernel in self.kernels:
            modulus = without_noise(np.abs(fft.ifft2(spectrum * kernel)[cut]), largest * moduli)
            if self.pooling is Pooling.MAXIMUM:
                np.maximum(total, modulus, out=total)
            else:
                total += times * modulus


def _places(length: int, low: int, high: int, boundary: Boundary) -> NDArray[np.int64]:
    """The voxels of an axis from ``low`` to ``high``, of which some may lie beyond it."""
    before, after = max(0, -low), max(0, high - length)
    inside = np.arange(length)
    mode = PADS.get(boundary, "constant")
    more = {"constant_values": -1} if mode == "constant" else {}
    return np.pad(inside, (before, after), mode=mode, **more)[low + before : high + before]
