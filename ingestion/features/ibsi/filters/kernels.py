"""The kernels of IBSI-2's filters as arrays of numbers (manual arXiv:2006.05470v9)."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

LAWS: dict[str, tuple[float, ...]] = {
    "L3": (1, 2, 1),
    "L5": (1, 4, 6, 4, 1),
    "E3": (-1, 0, 1),
    "E5": (-1, -2, 0, 2, 1),
    "S3": (-1, 2, -1),
    "S5": (-1, 0, 2, 0, -1),
    "W5": (-1, 2, 0, -2, 1),
    "R5": (1, -4, 6, -4, 1),
}
"""Before normalisation: level, edge, spot, wave, ripple."""
GABOR_CUTOFF = 6.0
"""Standard deviations after which a Gabor kernel, which has no end in the manual, is below 2e-8 of its peak."""

Kernel = NDArray[np.float64]


def laws(name: str) -> Kernel:
    """Of unit energy."""
    kernel = np.array(LAWS[name], dtype=np.float64)
    return kernel / math.sqrt(float((kernel**2).sum()))


def log_parts(sigma: float, cutoff: float) -> tuple[Kernel, Kernel]:
    """The Gaussian of ``sigma`` voxels along one axis, sampled, and its second derivative.

    The Laplacian of the sampled Gaussian is the sum over axes of the derivative along one and the Gaussian along the
    others, cut off as a cube of half width ``cutoff`` standard deviations.
    """
    half = math.floor(cutoff * sigma + 0.5)
    places = np.arange(-half, half + 1, dtype=np.float64)
    gaussian = np.exp(-(places**2) / (2 * sigma**2)) / (math.sqrt(2 * math.pi) * sigma)
    return gaussian, gaussian * (places**2 / sigma**4 - 1 / sigma**2)


def wavelet(family: str, letter: str, level: int) -> Kernel:
    """The decomposition kernel of one axis with holes for ``level`` (à trous).

    A zero is appended to kernels of even length, so that they have a centre: the rotation of the kernel is then the
    rotation of the image.
    """
    low, high = _wavelet(family)
    kernel = np.array(low if letter == "L" else high, dtype=np.float64)
    if len(kernel) % 2 == 0:
        kernel = np.append(kernel, 0.0)
    step = 2 ** (level - 1)
    spread = np.zeros((len(kernel) - 1) * step + 1)
    spread[::step] = kernel
    return spread


@cache
def _wavelet(family: str) -> tuple[tuple[float, ...], tuple[float, ...]]:
    import pywt

    found = pywt.Wavelet(family)
    return tuple(found.dec_lo), tuple(found.dec_hi)


def gabor_reach(sigma: float, gamma: float) -> int:
    """Half width of the kernel in voxels."""
    return math.ceil(GABOR_CUTOFF * sigma * max(1.0, 1.0 / gamma))


def gabor(sigma: float, wavelength: float, gamma: float, theta: float) -> NDArray[np.complex128]:
    """The complex kernel (row, column): ``sigma`` and ``wavelength`` in voxels, ``theta`` in radians, clockwise."""
    half = gabor_reach(sigma, gamma)
    places = np.arange(-half, half + 1, dtype=np.float64)
    y, x = places[:, np.newaxis], places[np.newaxis, :]
    along = x * math.cos(theta) + y * math.sin(theta)
    across = x * math.sin(theta) - y * math.cos(theta)
    envelope = np.exp(-(along**2 + (gamma * across) ** 2) / (2 * sigma**2))
    return envelope * np.exp(2j * math.pi * along / wavelength)


def simoncelli(shape: tuple[int, ...], level: int) -> NDArray[np.float64]:
    """The transfer function of the band ``level``, 1 for the highest, for the transform of a real image.

    Frequencies run from -1 to 1 over the grid of the image's size, whose centre is moved to the first place. Along even
    sizes that grid is not symmetric; the mean over opposite frequencies, of which the half grid of a real transform
    has one, is what the real part of the response comes from.
    """
    return 0.5 * (_band(shape, level, opposite=False) + _band(shape, level, opposite=True))


def _band(shape: tuple[int, ...], level: int, *, opposite: bool) -> NDArray[np.float64]:
    squares = np.zeros((*shape[:-1], shape[-1] // 2 + 1))
    for axis, size in enumerate(shape):
        centre = max((size - 1) / 2, 0.5)
        place = np.fft.ifftshift((np.arange(size) - (size - 1) / 2) / centre) ** 2
        if opposite:
            place = np.roll(place[::-1], 1)
        place = place[: squares.shape[axis]]
        squares += place.reshape([-1 if other == axis else 1 for other in range(len(shape))])
    top = 0.25 ** (level - 1)
    inside = (squares > top / 16) & (squares <= top)
    band = np.zeros_like(squares)
    band[inside] = np.cos(0.25 * math.pi * np.log2(4 * squares[inside] / top))
    return band
