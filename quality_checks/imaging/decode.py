"""Decoding the frames of a stored object once, as stored values; native pixels are read in place, without a copy."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import iter_pixels
from pydicom.uid import ExplicitVRBigEndian, JPEGLSLossless, JPEGLSNearLossless

from ingestion.dicom.guard import PARSER_ERRORS
from ingestion.dicom.values import MAX_FRAME_PIXELS
from quality_checks.imaging.objects import StoredObject

Array = NDArray[Any]
FASTER = {JPEGLSLossless: "pyjpegls", JPEGLSNearLossless: "pyjpegls"}
"""Measured for 512 × 512 of 16 bits: 5 ms instead of 23 ms. What it does not decode, the others try. Of JPEG baseline
Pillow is three times as fast as pydicom's choice, but rounds otherwise: features and digests would not be of one image.
"""
_FLOATS = {"FloatPixelData": "<f4", "DoubleFloatPixelData": "<f8"}


class UndecodableError(Exception):
    """A frame cannot be decoded. ``detail`` holds numbers and our own words."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


def expected_bytes(stored: StoredObject) -> int:
    """Bytes of native pixels that the header asks for, without padding to even length (PS3.5 section 8.1.1)."""
    samples = stored.number("SamplesPerPixel", 1) or 1
    if stored.header.get("PhotometricInterpretation") == "YBR_FULL_422":
        samples = 2  # two chroma values per two pixels (PS3.3 section C.7.6.3.1.2)
    pixels = stored.number("Rows") * stored.number("Columns") * (stored.number("NumberOfFrames", 1) or 1)
    bits = {"FloatPixelData": 32, "DoubleFloatPixelData": 64}.get(
        stored.pixels.keyword if stored.pixels else "", stored.number("BitsAllocated")
    )
    return (pixels * samples * bits + 7) // 8


def frames(stored: StoredObject) -> Iterator[Array]:
    """The frames in stored order, each (rows, columns) or (rows, columns, samples).

    Raises:
        UndecodableError: at the first frame that cannot be decoded.
    """
    if stored.pixels is None:
        raise UndecodableError("no pixel data")
    rows, columns = stored.number("Rows"), stored.number("Columns")
    if rows < 1 or columns < 1:
        raise UndecodableError(f"Rows {rows}, Columns {columns}")
    if rows * columns > MAX_FRAME_PIXELS:
        raise UndecodableError(f"{rows * columns} pixels in a frame, at most {MAX_FRAME_PIXELS} are read")
    yield from _native(stored, rows, columns) if _in_place(stored) else _by_pydicom(stored)


def _in_place(stored: StoredObject) -> bool:
    assert stored.pixels is not None
    plain = not stored.pixels.encapsulated and stored.syntax != ExplicitVRBigEndian
    return plain and stored.header.get("PhotometricInterpretation") != "YBR_FULL_422"


def _native(stored: StoredObject, rows: int, columns: int) -> Iterator[Array]:
    place = stored.pixels
    assert place is not None
    samples = stored.number("SamplesPerPixel", 1) or 1
    bits, size = stored.number("BitsAllocated"), rows * columns * samples
    signed = stored.number("PixelRepresentation") == 1
    if bits not in {1, 8, 16, 32, 64} and place.keyword == "PixelData":
        raise UndecodableError(f"BitsAllocated {bits}")
    for index in range(stored.number("NumberOfFrames", 1) or 1):
        if bits == 1 and place.keyword == "PixelData":
            yield _unpacked(stored.data, place.start, place.stop, index, size).reshape(rows, columns)
            continue
        dtype = np.dtype(_FLOATS.get(place.keyword, f"<{'i' if signed else 'u'}{max(bits // 8, 1)}"))
        start = place.start + index * size * dtype.itemsize
        if start + size * dtype.itemsize > place.stop:
            raise UndecodableError(f"frame {index + 1} lies beyond the end of the pixel data")
        flat = np.frombuffer(stored.data, dtype=dtype, count=size, offset=start)
        if samples == 1:
            yield flat.reshape(rows, columns)
        elif stored.number("PlanarConfiguration") == 1:
            yield np.moveaxis(flat.reshape(samples, rows, columns), 0, -1)
        else:
            yield flat.reshape(rows, columns, samples)


def _unpacked(data: bytes, start: int, stop: int, index: int, size: int) -> NDArray[np.uint8]:
    """One frame of bit-packed pixels: the lowest bit first, frames without a gap (PS3.5 section 8.1.1)."""
    (first, skip), last = divmod(index * size, 8), -(-(index + 1) * size // 8)
    if start + last > stop:
        raise UndecodableError(f"frame {index + 1} lies beyond the end of the pixel data")
    packed = np.frombuffer(data, dtype=np.uint8, offset=start + first, count=last - first)
    return np.unpackbits(packed, bitorder="little")[skip : skip + size]


def _by_pydicom(stored: StoredObject) -> Iterator[Array]:
    place = stored.pixels
    assert place is not None
    dataset = Dataset()
    dataset.update(stored.header)
    dataset.file_meta = stored.header.file_meta
    dataset.set_original_encoding(*stored.header.original_encoding)
    dataset.add_new(0x7FE00010, "OB", stored.data[place.start : place.stop])
    dataset["PixelData"].is_undefined_length = place.encapsulated
    plugin = FASTER.get(stored.syntax, "")
    done = 0
    try:
        try:
            # Bits beyond Bits Stored stay: cut off, padding of 63536 would become a tissue value.
            for frame in iter_pixels(dataset, raw=True, correct_unused_bits=False, decoding_plugin=plugin):
                yield frame
                done += 1
        except (RuntimeError, OSError, struct.error, *PARSER_ERRORS):
            if not plugin:
                raise
            rest = range(done, max(stored.number("NumberOfFrames", 1), 1))
            yield from iter_pixels(dataset, raw=True, correct_unused_bits=False, indices=rest)
    except (RuntimeError, OSError, struct.error, *PARSER_ERRORS) as error:
        raise UndecodableError(f"the decoder of its transfer syntax gives up ({type(error).__name__})") from None
