"""The frame of the commonest kind of object, straight from its bytes: native, little endian, one sample per pixel.

pydicom takes 0.2 ms to set its decoder up, as long as half of all else that a slice needs. Whatever is unusual is left
to it, so that what is refused, and why, stays one place's decision.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset

_NATIVE = frozenset({uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian})
_GREY = frozenset({"MONOCHROME1", "MONOCHROME2"})
_KINDS = {(8, 0): "<u1", (8, 1): "<i1", (16, 0): "<u2", (16, 1): "<i2"}
"""By bits allocated and pixel representation (PS3.5 section 8.1.1)."""
LONGEST_SIDE = 65535
"""Rows and columns are numbers of 16 bits."""


def plain_picture(dataset: Dataset) -> NDArray[Any] | None:
    """The one frame (rows, columns) as stored, read only; None where the object is of another kind, or unusual."""
    meta = getattr(dataset, "file_meta", None)
    if meta is None or meta.get("TransferSyntaxUID") not in _NATIVE:
        return None
    if dataset.get("NumberOfFrames") not in (None, 1) or dataset.get("SamplesPerPixel") != 1:
        return None
    if dataset.get("PhotometricInterpretation") not in _GREY:
        return None
    rows, columns = dataset.get("Rows"), dataset.get("Columns")
    bits, stored, sign = (dataset.get(name) for name in ("BitsAllocated", "BitsStored", "PixelRepresentation"))
    if not all(isinstance(number, int) for number in (rows, columns, bits, stored, sign)):
        return None
    kind = _KINDS.get((bits, sign))
    value = dataset.get("PixelData")
    if kind is None or not 1 <= stored <= bits or not isinstance(value, bytes):
        return None
    if not (0 < rows <= LONGEST_SIDE and 0 < columns <= LONGEST_SIDE):
        return None
    size = rows * columns * bits // 8
    if len(value) != size + size % 2:
        return None
    return np.frombuffer(value, kind, rows * columns).reshape(rows, columns)
