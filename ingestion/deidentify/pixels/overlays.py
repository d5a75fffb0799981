"""Overlays that old machines hide in unused bits of the pixels (retired; PS3.3-2004 section C.9.2).

The header's overlay groups go with the header. Their bits would stay behind: a graphic with a name in it, invisible
to most viewers.
"""

from __future__ import annotations

import numpy as np
from pydicom.dataset import Dataset

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason

_GROUPS = range(0x6000, 0x6020, 2)
_BIT_POSITION, _DATA = 0x0102, 0x3000


def clear_embedded_overlays(dataset: Dataset) -> int:
    """Set to 0 the bits that overlays occupy in native pixels, in place; how many planes. To be called first.

    Raises:
        InstanceRefusedError: UNCLEANABLE_CONTENT where the pixels are compressed, or the bit is one of the image's.
    """
    planes = {bit for group in _GROUPS if (bit := _embedded_bit(dataset, group)) is not None}
    if not planes or "PixelData" not in dataset:
        return 0
    bits = int(dataset.BitsAllocated)
    high = int(dataset.get("HighBit") or 0)
    image = range(high - int(dataset.BitsStored) + 1, high + 1)
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated or bits not in (8, 16) or any(bit in image or bit >= bits for bit in planes):
        raise InstanceRefusedError(
            Reason.UNCLEANABLE_CONTENT, rule="pixels.embedded_overlay", detail="an overlay in bits that cannot be cut"
        )
    keep = ((1 << bits) - 1) & ~sum(1 << bit for bit in planes)
    values = np.frombuffer(bytearray(dataset.PixelData), dtype=f"{'<' if syntax.is_little_endian else '>'}u{bits // 8}")
    values &= values.dtype.type(keep)
    dataset["PixelData"].value = values.tobytes()
    return len(planes)


def _embedded_bit(dataset: Dataset, group: int) -> int | None:
    position = dataset.get((group, _BIT_POSITION))
    if position is None or (group, _DATA) in dataset or not position.value:
        return None  # bit 0 with data of its own is an overlay of today
    return int(position.value)
