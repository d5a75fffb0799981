"""A walk over the elements of an encoded data set that never recurses, never trusts a length and always ends.

pydicom recurses into sequences and believes declared lengths; this walk goes first and refuses what would hurt it.
Encodings: PS3.5 sections 7.1 (data elements), 7.5 (sequences), A.4 (encapsulated pixel data).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from pydicom.datadict import dictionary_has_tag, dictionary_VR

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason

Buffer = bytes | mmap.mmap
"""What can be sliced into ``bytes``: a whole object in memory, or mapped when it is large."""
UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
PIXEL_DATA = 0x7FE00010
MAX_DEPTH = 64
"""Deepest nesting of sequences: real objects (structured reports) reach about 20."""
MAX_ELEMENTS = 2_000_000
"""Most elements of one object: an enhanced multi-frame object of 2,000 frames has about 200,000."""
_LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT_VRS = frozenset({
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS",
    b"ST", b"TM", b"UI", b"UL", b"US",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Element:
    """One element. ``start`` and ``length`` are of its value, in bytes; ``depth`` 0 is the top level."""

    tag: int
    vr: bytes
    start: int
    length: int
    depth: int


@dataclass(slots=True)
class _Level:
    """An open sequence or item. ``end`` None: it ends with a delimiter. ``implicit``: how its elements are encoded."""

    is_item: bool
    end: int | None
    implicit: bool


def walk(buffer: Buffer, start: int, *, implicit: bool, little: bool, stop_at: int | None = None) -> Iterator[Element]:
    """All elements from ``start``, those inside sequences too, in the order of the file.

    Sequences and items are followed, not yielded, but for a sequence's own element (its length as declared). The walk
    ends before the first top-level element whose tag is ``stop_at`` or higher.

    Raises:
        InstanceRefusedError: TRUNCATED, MALFORMED, NESTED_TOO_DEEP or TOO_LARGE.
    """
    order = "<" if little else ">"
    tag_of, u16, u32 = struct.Struct(order + "HH"), struct.Struct(order + "H"), struct.Struct(order + "L")
    size, position, count = len(buffer), start, 0
    levels: list[_Level] = []
    while True:
        while levels and levels[-1].end is not None and position >= levels[-1].end:
            if position > levels[-1].end:
                raise _malformed("dicom.length", "an element passes the end of its item")
            levels.pop()
        if position == size and not levels:
            return
        if position + 8 > size:
            raise _truncated("the file ends within an element's head")
        count += 1
        if count > MAX_ELEMENTS:
            raise InstanceRefusedError(
                Reason.TOO_LARGE, rule="dicom.elements", detail=f"more than {MAX_ELEMENTS} elements"
            )
        group, number = tag_of.unpack_from(buffer, position)
        tag = group << 16 | number
        top = levels[-1] if levels else None
        if group == 0xFFFE:
            position = _delimiter(tag, u32.unpack_from(buffer, position + 4)[0], position + 8, levels, size)
            continue
        if top is not None and not top.is_item:
            raise _malformed("dicom.sequence", "a sequence holds something that is no item")
        depth = sum(1 for level in levels if level.is_item) if levels else 0
        if depth == 0 and stop_at is not None and tag >= stop_at:
            return
        encoded_implicit = top.implicit if top is not None else implicit
        if encoded_implicit:
            vr, length, value = _implicit_vr(tag), u32.unpack_from(buffer, position + 4)[0], position + 8
        else:
            vr = buffer[position + 4 : position + 6]
            if vr in _SHORT_VRS:
                length, value = u16.unpack_from(buffer, position + 6)[0], position + 8
            elif vr in _LONG_VRS:
                if position + 12 > size:
                    raise _truncated("the file ends within an element's head")
                length, value = u32.unpack_from(buffer, position + 8)[0], position + 12
            else:
                raise _malformed("dicom.vr", "an element has no value representation of the standard's")
        yield Element(tag, vr, value, length, depth)
        if length == UNDEFINED:
            if tag == PIXEL_DATA and depth == 0:
                position = _fragments(buffer, value, tag_of, u32)
                continue
            if vr not in (b"SQ", b"UN"):
                raise _malformed("dicom.length", "an element that is no sequence has no length")
            # A UN sequence of undefined length is implicit little endian inside (PS3.5 section 6.2.2, note 5).
            _open(levels, _Level(False, None, encoded_implicit or vr == b"UN"))
            position = value
            continue
        bound = min((level.end for level in levels if level.end is not None), default=size)
        if length > bound - value:
            if length > size - value:
                raise _truncated("an element's value passes the end of the file")
            raise _malformed("dicom.length", "an element passes the end of its item")
        if vr == b"SQ":
            _open(levels, _Level(False, value + length, encoded_implicit))
            position = value
        else:
            position = value + length


def _delimiter(tag: int, length: int, value: int, levels: list[_Level], size: int) -> int:
    """Open an item, or close what is open; the position after it."""
    if not levels:
        raise _malformed("dicom.sequence", "an item or a delimiter outside a sequence")
    top = levels[-1]
    if tag == ITEM:
        if top.is_item:
            raise _malformed("dicom.sequence", "an item directly within an item")
        if length != UNDEFINED and value + length > size:
            raise _truncated("an item passes the end of the file")
        _open(levels, _Level(True, None if length == UNDEFINED else value + length, top.implicit))
    elif (tag == ITEM_END and top.is_item and top.end is None) or (
        tag == SEQUENCE_END and not top.is_item and top.end is None
    ):
        levels.pop()
    else:
        raise _malformed("dicom.sequence", "a delimiter that closes nothing")
    return value


def _open(levels: list[_Level], level: _Level) -> None:
    if len(levels) >= 2 * MAX_DEPTH:
        raise InstanceRefusedError(
            Reason.NESTED_TOO_DEEP, rule="dicom.depth", detail=f"sequences nested deeper than {MAX_DEPTH}"
        )
    levels.append(level)


def _fragments(buffer: Buffer, position: int, tag_of: struct.Struct, u32: struct.Struct) -> int:
    """The position after encapsulated pixel data (PS3.5 section A.4)."""
    size = len(buffer)
    while True:
        if position + 8 > size:
            raise _truncated("the encapsulated pixel data has no end")
        group, number = tag_of.unpack_from(buffer, position)
        length = u32.unpack_from(buffer, position + 4)[0]
        tag = group << 16 | number
        position += 8
        if tag == SEQUENCE_END:
            return position
        if tag != ITEM or length == UNDEFINED:
            raise _malformed("dicom.fragments", "encapsulated pixel data holds something that is no fragment")
        if length > size - position:
            raise _truncated("a fragment of the pixel data passes the end of the file")
        position += length


def _implicit_vr(tag: int) -> bytes:
    if tag >> 16 & 1 or not dictionary_has_tag(tag):
        return b"UN"
    return dictionary_VR(tag)[:2].encode()


def _truncated(detail: str) -> InstanceRefusedError:
    return InstanceRefusedError(Reason.TRUNCATED, rule="dicom.length", detail=detail)


def _malformed(rule: str, detail: str) -> InstanceRefusedError:
    return InstanceRefusedError(Reason.MALFORMED, rule=rule, detail=detail)
