"""What makes the same image known again: a digest of all pixels, and perceptual hashes of a few frames."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

from ingestion.dicom.geometry import STEP_TOLERANCE_MM

HASH_SIDE = 8
"""A hash has 8 × 8 bits."""
HASH_IMAGE = 32
"""Frames are shrunk to 32 × 32 before the transform, as usual for perceptual hashes (Zauner 2010)."""


def frame_digest(stored: NDArray[Any]) -> str:
    """SHA-256 (hex) of the decoded values of one frame with its shape and kind of values, little endian."""
    values = np.ascontiguousarray(stored)
    if values.dtype.byteorder == ">":
        values = values.astype(values.dtype.newbyteorder("<"))
    made = hashlib.sha256(f"{values.shape}{values.dtype.kind}{values.dtype.itemsize};".encode())
    made.update(values.data)
    return made.hexdigest()


def pixel_digest(frames: Iterable[tuple[float | None, str]]) -> str | None:
    """Digest of a series from the (depth in mm, digest) of its frames, in any order; None without frames.

    Frames at one depth, and all frames where one has no depth, are ordered by their digests: so the order of files and
    the numbering do not matter, while a stack in another spatial order is another image.
    """
    seen = list(frames)
    if not seen:
        return None
    if any(depth is None for depth, _ in seen):
        ordered = sorted(digest for _, digest in seen)
    else:
        ordered = [digest for _, level in _levels(seen) for digest in sorted(digest for _, digest in level)]
    return hashlib.sha256("\n".join(ordered).encode()).hexdigest()


def _levels(frames: list[tuple[float | None, str]]) -> Iterable[tuple[int, list[tuple[float | None, str]]]]:
    """Frames in order of depth, those closer than positions are written together."""
    ordered = sorted(frames, key=lambda one: one[0] or 0.0)
    level, last, numbered = 0, ordered[0][0] or 0.0, []
    for depth, digest in ordered:
        if (depth or 0.0) - last > STEP_TOLERANCE_MM:
            level += 1
        last = depth or 0.0
        numbered.append((level, (depth, digest)))
    return [(key, [one for _, one in group]) for key, group in groupby(numbered, key=lambda pair: pair[0])]


def perceptual_hash(grey: NDArray[np.float64]) -> str:
    """64 bits as 16 hex digits: signs of the lowest frequencies of the windowed frame against their median.

    ``grey``: (rows, columns), 0 to 1. Near images differ in a few bits; the mean brightness has no part in it.
    """
    small = shrink(grey, HASH_IMAGE, HASH_IMAGE)
    low = dctn(small, norm="ortho")[: HASH_SIDE + 1, : HASH_SIDE + 1].ravel()[1 : HASH_SIDE * HASH_SIDE + 1]
    bits = np.packbits(low > np.median(low))
    return bits.tobytes().hex()


def shrink(grey: NDArray[np.float64], rows: int, columns: int) -> NDArray[np.float64]:
    """The mean over blocks: (rows, columns); an image with fewer is repeated."""
    tall, wide = grey.shape
    top = np.linspace(0, tall, rows + 1).astype(int)[:-1]
    left = np.linspace(0, wide, columns + 1).astype(int)[:-1]
    if tall < rows or wide < columns:
        return np.asarray(grey[np.ix_(np.minimum(top, tall - 1), np.minimum(left, wide - 1))])
    sums = np.add.reduceat(np.add.reduceat(grey, top, axis=0), left, axis=1)
    heights, widths = np.diff([*top, tall]), np.diff([*left, wide])
    return np.asarray(sums / np.outer(heights, widths))
