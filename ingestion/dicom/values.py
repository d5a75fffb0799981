"""From stored pixels to the values they stand for: one instance at a time, right or refused with a named reason."""

from __future__ import annotations

import itertools
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn, cast

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset, FileDataset
from pydicom.pixels import iter_pixels
from pydicom.uid import (
    JPEG2000,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    JPEGLSNearLossless,
)

from ingestion.dicom.elements import PIXEL_DATA
from ingestion.dicom.guard import PARSER_ERRORS
from ingestion.dicom.refused import RefusedError

RESCALE_NEEDED = frozenset({"CT", "PT"})
"""Modalities whose values mean nothing without rescale (type 1 there: PS3.3, C.8.2.1 and C.8.9.1)."""
MAX_FRAME_PIXELS = 64 * 1024 * 1024
"""Far above any radiological frame (a mammogram has 17 million pixels); whole-slide images are not for this."""
FLOAT32_MAX = float(np.finfo(np.float32).max)

NATIVE = frozenset({ImplicitVRLittleEndian, ExplicitVRLittleEndian, DeflatedExplicitVRLittleEndian})
FASTEST = {
    str(JPEGLSLossless): "pyjpegls",
    str(JPEGLSNearLossless): "pyjpegls",
    str(JPEG2000Lossless): "pylibjpeg",
    str(JPEG2000): "pylibjpeg",
}
"""Of several decoders that are installed; a slice of 512 x 512 takes pyjpegls 4.5 ms, pylibjpeg 20 ms."""


class VolumeRefusal(StrEnum):
    """Why values or a volume were refused."""

    NO_INSTANCES = "no_instances"
    SEVERAL_SERIES = "several_series"
    NO_PIXELS = "no_pixels"
    PIXELS_UNREADABLE = "pixels_unreadable"
    MALFORMED = "malformed"
    COLOUR = "colour"
    MOSAIC = "mosaic"
    OUT_OF_RANGE = "out_of_range"
    RESCALE_MISSING = "rescale_missing"
    RESCALE_INVALID = "rescale_invalid"
    NON_LINEAR_RESCALE = "non_linear_rescale"
    UNITS_VARY = "units_vary"
    TOO_LARGE = "too_large"
    SINGLE_SLICE = "single_slice"
    SEVERAL_VOLUMES = "several_volumes"
    FRAMES_UNKNOWN = "frames_unknown"
    FRAME_OF_REFERENCE_VARIES = "frame_of_reference_varies"
    NO_POSITIONS = "no_positions"
    POSITIONS_INCOMPLETE = "positions_incomplete"
    INVALID_ORIENTATION = "invalid_orientation"
    MIXED_ORIENTATION = "mixed_orientation"
    NO_PIXEL_SPACING = "no_pixel_spacing"
    PIXEL_SPACING_VARIES = "pixel_spacing_varies"
    SIZE_VARIES = "size_varies"
    DUPLICATE_POSITIONS = "duplicate_positions"
    MISSING_SLICES = "missing_slices"
    IRREGULAR_STEPS = "irregular_steps"
    NOT_PARALLEL_TO_NORMAL = "not_parallel_to_normal"


class VolumeRefusedError(RefusedError[VolumeRefusal]):
    """The values cannot be known for right."""


@dataclass(frozen=True, slots=True)
class Rescale:
    """value = slope × stored + intercept (PS3.3, C.11.1.1.2). ``declared``: said by the header, not assumed."""

    slope: float = 1.0
    intercept: float = 0.0
    type: str | None = None
    declared: bool = False

    def apply(self, stored: NDArray[Any], out: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
        """The values, rounded once to float32, in ``out`` where it is given.

        Raises:
            VolumeRefusedError: a value that float32 cannot hold.
        """
        target = np.empty(stored.shape, dtype=np.float32) if out is None else out
        if self._exact(stored.dtype):
            if self.slope == 1:
                return np.add(stored, np.float32(self.intercept), out=target)
            np.multiply(stored, np.float32(self.slope), out=target)
            target += np.float32(self.intercept)
            return target
        exact = stored.astype(np.float64)
        exact *= self.slope
        exact += self.intercept
        if exact.size and max(-exact.min(), exact.max()) > FLOAT32_MAX:
            raise VolumeRefusedError(VolumeRefusal.OUT_OF_RANGE, detail="rescaled values beyond 32-bit floats")
        target[...] = exact
        return target

    def _exact(self, dtype: np.dtype[Any]) -> bool:
        """Whether float32 holds every step of the sum: whole numbers below 2^24, as of nearly all CT."""
        if dtype.kind not in "iu" or dtype.itemsize > 2 or self.slope % 1 or self.intercept % 1:
            return False
        return 2**16 * abs(self.slope) + abs(self.intercept) < 2**24


@dataclass(frozen=True)
class StoredFrame:
    """One frame as stored, and which of its pixels are padding: both (rows, columns). ``padding`` None: none is."""

    stored: NDArray[Any]
    padding: NDArray[np.bool_] | None

    @cached_property
    def measured(self) -> NDArray[Any]:
        """The stored values of the pixels that are not padding."""
        return self.stored if self.padding is None else self.stored[~self.padding]


def stored_frames(dataset: Dataset) -> Iterator[StoredFrame]:
    """Decode the frames of a monochrome instance, in order.

    Raises:
        VolumeRefusedError: no pixels, colour, undecodable, or stored values outside what Bits Stored allows.
    """
    if not any(keyword in dataset for keyword in ("PixelData", "FloatPixelData", "DoubleFloatPixelData")):
        raise VolumeRefusedError(VolumeRefusal.NO_PIXELS, detail="the instance has no pixel data")
    photometric = str(dataset.get("PhotometricInterpretation", ""))[:16]
    if dataset.get("SamplesPerPixel") != 1 or photometric not in {"MONOCHROME1", "MONOCHROME2"}:
        raise VolumeRefusedError(VolumeRefusal.COLOUR, detail="the pixels are not single grey values")
    pixels = (dataset.get("Rows") or 0) * (dataset.get("Columns") or 0)
    if pixels > MAX_FRAME_PIXELS:
        raise VolumeRefusedError(VolumeRefusal.TOO_LARGE, detail=f"{pixels} pixels in a frame")
    frames = _decoded(dataset)
    for stored in frames:
        frame = StoredFrame(stored, _padding(dataset, stored))
        check_range(dataset, frame)
        yield frame


def rescale_of(dataset: Dataset, *, modality: str) -> Rescale:
    """The rescale of an instance, or of a frame's functional group.

    Raises:
        VolumeRefusedError: missing where ``modality`` needs it, not finite, slope 0, or a look-up table.
    """
    if dataset.get("ModalityLUTSequence"):
        raise VolumeRefusedError(VolumeRefusal.NON_LINEAR_RESCALE, detail="Modality LUT Sequence")
    slope, intercept = dataset.get("RescaleSlope"), dataset.get("RescaleIntercept")
    if slope is None and intercept is None:
        if modality in RESCALE_NEEDED:
            raise VolumeRefusedError(VolumeRefusal.RESCALE_MISSING, detail=f"{modality} without Rescale Slope")
        return Rescale()
    try:
        numbers = float(slope), float(intercept)
    except (TypeError, ValueError):
        raise VolumeRefusedError(
            VolumeRefusal.RESCALE_INVALID, detail="Rescale Slope or Intercept is no number"
        ) from None
    if not all(math.isfinite(number) for number in numbers) or numbers[0] == 0:
        raise VolumeRefusedError(VolumeRefusal.RESCALE_INVALID, detail="Rescale Slope is 0, or not finite")
    kind = str(dataset.get("RescaleType") or "").strip()[:16] or None
    return Rescale(slope=numbers[0], intercept=numbers[1], type=kind, declared=True)


def _decoded(dataset: Dataset) -> Iterator[NDArray[Any]]:
    expected = (dataset.get("Rows"), dataset.get("Columns"))
    try:
        frames = _native(dataset)
        for frame in _encoded(dataset) if frames is None else frames:
            if frame.shape != expected:
                raise VolumeRefusedError(
                    VolumeRefusal.PIXELS_UNREADABLE, detail=f"decoded to {frame.shape}, described as {expected}"
                )
            yield frame
    except (RuntimeError, OSError, struct.error, *PARSER_ERRORS) as error:
        raise VolumeRefusedError(VolumeRefusal.PIXELS_UNREADABLE, detail=type(error).__name__) from None


def _native(dataset: Dataset) -> Iterator[NDArray[Any]] | None:
    """Frames of plain little-endian integers as they lie in memory or in the file; None for anything else."""
    bits, syntax = dataset.get("BitsAllocated"), dataset.file_meta.TransferSyntaxUID
    if bits not in {8, 16, 32} or "PixelData" not in dataset or syntax not in NATIVE:
        return None
    number, shape = int(dataset.get("NumberOfFrames") or 1), (int(dataset.Rows), int(dataset.Columns))
    kind = np.dtype(f"<{'i' if dataset.PixelRepresentation == 1 else 'u'}{bits // 8}")
    needed = number * math.prod(shape) * kind.itemsize
    held = dataset.get_item(PIXEL_DATA, keep_deferred=True)
    if isinstance(held, RawDataElement) and held.value is None and isinstance(dataset, FileDataset):
        return _of_file(dataset, held, kind, shape, number) if held.length >= needed else _too_short()
    if len(dataset.PixelData) < needed:
        _too_short()
    return iter(np.frombuffer(dataset.PixelData, dtype=kind, count=number * math.prod(shape)).reshape(number, *shape))


def _of_file(
    dataset: FileDataset, held: RawDataElement, kind: np.dtype[Any], shape: tuple[int, int], number: int
) -> Iterator[NDArray[Any]]:
    """Frames read one by one from where ``ImageReader`` found them."""
    count = math.prod(shape)
    with Path(cast(str, dataset.filename)).open("rb", buffering=0) as stream:
        stream.seek(held.value_tell)
        for _ in range(number):
            frame = np.empty(count, dtype=kind)
            if stream.readinto(frame.data.cast("B")) != frame.nbytes:
                raise ValueError("the file was cut off while it was read")
            yield frame.reshape(shape)


def _too_short() -> NoReturn:
    raise ValueError("less pixel data than described")


def _encoded(dataset: Dataset) -> Iterator[NDArray[Any]]:
    """Frames by the decoder that is fastest for their transfer syntax, measured; by another where that one fails."""
    # Left to itself pydicom cuts bits beyond Bits Stored off, which turns padding of 63536 into a tissue value.
    plugin = FASTEST.get(str(dataset.file_meta.TransferSyntaxUID), "")
    done = 0
    try:
        for frame in iter_pixels(dataset, raw=True, decoding_plugin=plugin, correct_unused_bits=False):
            yield frame
            done += 1
    except (RuntimeError, ValueError, TypeError, NotImplementedError):
        if not plugin:
            raise
        yield from itertools.islice(iter_pixels(dataset, raw=True, correct_unused_bits=False), done, None)


def _padding(dataset: Dataset, stored: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Pixels between Pixel Padding Value and Pixel Padding Range Limit, both included (PS3.3, C.7.5.1.1.2)."""
    prefix = "FloatPixelPadding" if stored.dtype == np.float32 else "PixelPadding"
    if stored.dtype == np.float64:
        prefix = "DoubleFloatPixelPadding"
    bounds = [
        _as_stored(value, stored.dtype)
        for keyword in (f"{prefix}Value", f"{prefix}RangeLimit")
        if (value := dataset.get(keyword)) is not None
    ]
    if f"{prefix}Value" not in dataset or not bounds:
        return None
    found = stored == bounds[0] if len(bounds) == 1 else (stored >= min(bounds)) & (stored <= max(bounds))
    return found if found.any() else None


def _as_stored(value: Any, dtype: np.dtype[Any]) -> float:
    """A padding value in the pixels' own representation: -2000 is often written as the unsigned 63536."""
    if not isinstance(value, (int, float)):
        raise VolumeRefusedError(VolumeRefusal.MALFORMED, detail="Pixel Padding Value is no single number")
    if dtype.kind not in "iu":
        return float(value)
    span = 2 ** (8 * dtype.itemsize)
    number = int(value) % span
    return number - span if dtype.kind == "i" and number >= span // 2 else number


def check_range(dataset: Dataset, frame: StoredFrame) -> None:
    """Refuse values that Bits Stored does not allow: overlay bits, or a wrong sign, would change them."""
    bits, stored = dataset.get("BitsStored"), frame.stored
    if stored.dtype.kind not in "iu" or not isinstance(bits, int) or not 0 < bits < 8 * stored.dtype.itemsize:
        if stored.dtype.kind == "f" and not np.isfinite(frame.measured).all():
            raise VolumeRefusedError(VolumeRefusal.OUT_OF_RANGE, detail="values that are not finite")
        return
    low, high = (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1) if stored.dtype.kind == "i" else (0, 2**bits - 1)
    seen = frame.measured
    if seen.size and (int(seen.min()) < low or int(seen.max()) > high):
        raise VolumeRefusedError(
            VolumeRefusal.OUT_OF_RANGE, detail=f"stored values from {seen.min()} to {seen.max()} in {bits} bits"
        )
