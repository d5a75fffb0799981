"""Sums over all pairs of voxels, weighted by the inverse of their distance, without going through the pairs.

Moran's I and Geary's C (manual, 3.1.28 and 3.1.29) need, with w = 1 / distance over ordered pairs of different voxels,
the sums of w, of w x y and of w x². Each is a correlation of two images at all lags times w: by Parseval's theorem a
sum over frequencies. Both images are padded with zeros to twice their size, so nothing wraps around: the sums are those
of all pairs, up to rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import fft

BUFFER_BYTES = 8 * 2**20
"""Size of one block of spectrum: the transform along columns is made anew for each block of column frequencies, so that
memory stays far below that of the whole spectrum."""
BUFFER_SHARE = 0.25
"""Of the region's box as float32: larger regions get larger blocks."""


@dataclass(frozen=True, slots=True)
class PairSums:
    """Over ordered pairs of different voxels a, b of the region, weighted by 1 / distance in mm.

    ``weights``: of 1. ``products``: of x(a) x(b). ``squares``: of x(a)². x is the intensity minus the region's mean.
    """

    weights: float
    products: float
    squares: float


def pair_sums(
    image: NDArray[Any], mask: NDArray[np.uint8], *, mean: float, spacing_mm: tuple[float, float, float]
) -> PairSums:
    """The three sums for the voxels of ``mask`` (both arrays are the region's box)."""
    padded = _sizes(mask.shape)
    block = _block(mask.shape, padded)
    half = padded[2] // 2 + 1
    weights, products, squares = 0.0, 0.0, 0.0

    def plain(z: int) -> NDArray[np.float64]:
        return mask[z].astype(np.float64)

    def centred(z: int) -> NDArray[np.float64]:
        return np.where(mask[z], image[z].astype(np.float64) - mean, 0.0)

    def squared(z: int) -> NDArray[np.float64]:
        return centred(z) ** 2

    for first in range(0, half, block):
        last = min(first + block, half)
        kernel = _kernel(padded, spacing_mm, first, last)
        # A real image's spectrum holds each column frequency but the first and the last twice.
        kernel[:, :, (0 if first else 1) : (last - first) - (last == half)] *= 2
        spectrum = _spectrum(centred, mask.shape, padded, first, last)
        products += _weighted(kernel, _power(spectrum, spectrum))
        del spectrum
        mask_spectrum = _spectrum(plain, mask.shape, padded, first, last)
        weights += _weighted(kernel, _power(mask_spectrum, mask_spectrum))
        squared_spectrum = _spectrum(squared, mask.shape, padded, first, last)
        squares += _weighted(kernel, _power(squared_spectrum, mask_spectrum))
    number = float(padded[0]) * padded[1] * padded[2]
    return PairSums(weights / number, products / number, squares / number)


def _sizes(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Even sizes of at least twice ``shape`` for which transforms are fast."""
    z, y, x = (2 * fft.next_fast_len(size, real=True) for size in shape)
    return z, y, x


def _block(shape: tuple[int, ...], padded: tuple[int, int, int]) -> int:
    voxels = shape[0] * shape[1] * shape[2]
    allowed = max(BUFFER_BYTES, int(BUFFER_SHARE * 4 * voxels))
    return max(1, allowed // (16 * padded[0] * padded[1]))


def _spectrum(
    slices: Callable[[int], NDArray[np.float64]],
    shape: tuple[int, ...],
    padded: tuple[int, int, int],
    first: int,
    last: int,
) -> NDArray[np.complex128]:
    """The column frequencies [first, last) of the padded image whose slices ``slices`` gives."""
    lines = np.zeros((shape[0], padded[1], last - first), dtype=np.complex128)
    for z in range(shape[0]):
        lines[z, : shape[1]] = fft.rfft(slices(z), n=padded[2], axis=1)[:, first:last]
    lines = fft.fft(lines, axis=1, overwrite_x=True)
    return fft.fft(lines, n=padded[0], axis=0, overwrite_x=True)


def _power(one: NDArray[np.complex128], other: NDArray[np.complex128]) -> NDArray[np.float64]:
    """Real part of one times the conjugate of the other; the imaginary parts cancel over a real image's spectrum."""
    power = one.real * other.real
    power += one.imag * other.imag
    return power


def _weighted(kernel: NDArray[np.float64], power: NDArray[np.float64]) -> float:
    """Sum of kernel times power; the kernel is even, and given for frequencies up to the half only."""
    for axis in (0, 1):
        size = power.shape[axis]
        folded = np.moveaxis(power, axis, 0)
        folded[1 : size // 2] += folded[size // 2 + 1 :][::-1]
        power = np.moveaxis(folded[: size // 2 + 1], 0, axis)
    return float(np.sum(kernel * power))


def _kernel(
    padded: tuple[int, int, int], spacing_mm: tuple[float, float, float], first: int, last: int
) -> NDArray[np.float64]:
    """Spectrum of 1 / distance (0 at distance 0) for column frequencies [first, last), others up to the half.

    The kernel is real and even along each axis: cosine transforms of one eighth of it.
    """
    half = [size // 2 + 1 for size in padded]
    lines = np.empty((half[0], half[1], last - first))
    for z, distance in enumerate(_distances(half, spacing_mm)):
        with np.errstate(divide="ignore"):
            inverse = 1.0 / distance
        inverse[~np.isfinite(inverse)] = 0.0
        lines[z] = fft.dct(inverse, type=1, axis=1, overwrite_x=True)[:, first:last]
    lines = fft.dct(lines, type=1, axis=1, overwrite_x=True)
    return fft.dct(lines, type=1, axis=0, overwrite_x=True)


def _distances(half: list[int], spacing_mm: tuple[float, float, float]) -> Iterator[NDArray[np.float64]]:
    rows = (np.arange(half[1]) * spacing_mm[1])[:, np.newaxis] ** 2
    columns = (np.arange(half[2]) * spacing_mm[2])[np.newaxis, :] ** 2
    in_plane = rows + columns
    for z in range(half[0]):
        yield np.sqrt(in_plane + (z * spacing_mm[0]) ** 2)
