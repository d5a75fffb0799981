"""Where the pixels of an object lie, and whether an overlay hides in their unused bits; nothing is decoded."""

from __future__ import annotations

from dataclasses import dataclass, field

from ingestion.deidentify.study import RawObject
from ingestion.dicom.encoding import IMPLICIT_LITTLE, UNDEFINED
from ingestion.dicom.header import PIXEL_GROUP, end_of_fragments, end_of_sequence, read_head

PIXEL_DATA = 0x7FE00010
PIXEL_TAGS = frozenset({PIXEL_DATA, 0x7FE00008, 0x7FE00009})
"""Pixel Data, Float and Double Float Pixel Data."""
_OVERLAY_GROUPS = range(0x6000, 0x6020, 2)
_BIT_POSITION, _OVERLAY_DATA = 0x0102, 0x3000


@dataclass(frozen=True, slots=True)
class PixelPlace:
    """``value``: the bytes of the pixel data, a view; of encapsulated ones without their delimiter."""

    tag: int
    value: memoryview = field(repr=False)
    encapsulated: bool


@dataclass(frozen=True, slots=True)
class AfterHeader:
    """What stands behind the describing groups. ``pixels`` None: the object has none."""

    pixels: PixelPlace | None
    embedded_overlay: bool


def find_pixels(opened: RawObject) -> AfterHeader:
    """Walk over what is left of the top level.

    Raises:
        InstanceRefusedError: TRUNCATED, MALFORMED or NESTED_TOO_DEEP.
    """
    buffer, encoding = opened.buffer, opened.encoding
    position, end = max((place[3] for place in opened.header.places.values()), default=opened.start), len(buffer)
    placed: set[int] = set()
    with_data: set[int] = set()
    pixels: PixelPlace | None = None
    while position < end:
        group, number, vr, value, length = read_head(buffer, position, encoding)
        tag = group << 16 | number
        if group == PIXEL_GROUP and tag in PIXEL_TAGS:
            encapsulated = length == UNDEFINED
            stop = end_of_fragments(buffer, value, encoding) if encapsulated else min(value + length, end)
            pixels = PixelPlace(tag, memoryview(buffer)[value:stop], encapsulated)
            break
        if group in _OVERLAY_GROUPS and number == _OVERLAY_DATA:
            with_data.add(group)
        elif group in _OVERLAY_GROUPS and number == _BIT_POSITION and any(buffer[value : value + length]):
            placed.add(group)
        if length == UNDEFINED:
            position = end_of_sequence(buffer, value, IMPLICIT_LITTLE if vr == b"UN" else encoding, depth=1)
        else:
            position = value + length
    return AfterHeader(pixels, bool(placed - with_data))
