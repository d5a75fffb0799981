"""A walk over an encoded object that is the verifier's own: not pydicom's reader, not the one that the rewriter uses.

PS3.5 sections 7.1 (elements), 7.5 (sequences), 6.2.2 (UN), A.4 (encapsulated pixel data); PS3.10 section 7.1 (meta).
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from pydicom.datadict import DicomDictionary

UNDEFINED = 0xFFFFFFFF
MAX_DEPTH = 80
"""Deeper than any real object; the reader before this one refuses at 64."""
MAX_ELEMENTS = 4_000_000
MAX_INFLATED = 2 << 30
PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_LONG = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
_SHORT = frozenset({
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS",
    b"ST", b"TM", b"UI", b"UL", b"US",
})  # fmt: skip
_VR = {tag: entry[0][:2].encode() for tag, entry in DicomDictionary.items()}
_TRANSFER_SYNTAX = b"\x02\x00\x10\x00UI"
_IMPLICIT, _DEFLATED, _BIG = b"1.2.840.10008.1.2", b"1.2.840.10008.1.2.1.99", b"1.2.840.10008.1.2.2"

Path = tuple[int, ...]
"""Tags and item numbers from the outside in: (0x00081140, 0, 0x00081155)."""
Leaf = tuple[int, bytes, int, int, Path]
"""Tag, VR, where the value starts, its length, the path of the item around it. A tuple: there are many of them."""


class UnreadableError(ValueError):
    """The bytes are no DICOM object that can be walked to its end. The message quotes nothing of them."""


@dataclass(slots=True)
class Layout:
    """One object taken apart. ``buffer`` is the object, inflated where it was deflated.

    ``pixels``: start and end of the top-level pixel element's value; ``fragments``: those of encapsulated ones.
    """

    buffer: bytes
    little: bool
    syntax: str
    leaves: list[Leaf]
    pixels: tuple[int, int] | None
    fragments: tuple[tuple[int, int], ...]


def read_layout(body: bytes) -> Layout:
    """Take ``body`` apart.

    Raises:
        UnreadableError: it ends early, a length lies, or it is no DICOM.
    """
    start = 132 if body[128:132] == b"DICM" else 0
    if body[start : start + 2] not in (b"\x02\x00", b"\x08\x00"):
        raise UnreadableError("no meta information and no identifying group at the start")
    leaves: list[Leaf] = []
    position, syntax = start, b""
    while body[position : position + 2] == b"\x02\x00":
        tag, vr, value, length = _explicit(body, position, "<")
        if length > len(body) - value:
            raise UnreadableError("the meta information passes the end")
        leaves.append((tag, vr, value, length, ()))
        if body[position : position + 6] == _TRANSFER_SYNTAX:
            syntax = bytes(body[value : value + length]).strip(b" \0")
        position = value + length
    if not syntax:
        looks_explicit = body[position + 4 : position + 6] in _SHORT
        syntax = b"" if looks_explicit else _IMPLICIT
    if syntax == _DEFLATED:
        body = bytes(body[:position]) + _inflate(body[position:])
    walker = _Walker(body, leaves, little=syntax != _BIG)
    walker.run(position, len(body), implicit=syntax == _IMPLICIT, top=True)
    return Layout(
        body, walker.little, syntax.decode("ascii", "replace"), leaves, walker.pixels, tuple(walker.fragments)
    )


def _inflate(data: bytes) -> bytes:
    unpacker = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        found = unpacker.decompress(data, MAX_INFLATED)
    except zlib.error:
        raise UnreadableError("the deflated data set is broken") from None
    if unpacker.unconsumed_tail:
        raise UnreadableError("the deflated data set is too large")
    return found


def _explicit(buffer: bytes, position: int, order: str) -> tuple[int, bytes, int, int]:
    try:
        group, element, vr, short = struct.unpack_from(order + "HH2sH", buffer, position)
        if vr in _SHORT:
            return group << 16 | element, vr, position + 8, short
        if vr in _LONG:
            return group << 16 | element, vr, position + 12, struct.unpack_from(order + "L", buffer, position + 8)[0]
    except struct.error:
        raise UnreadableError("it ends within the head of an element") from None
    raise UnreadableError("an element has no value representation of the standard's")


class _Walker:
    """Follows sequences with a stack of its own; every leaf is noted with its path."""

    def __init__(self, buffer: bytes, leaves: list[Leaf], *, little: bool) -> None:
        self.buffer = buffer
        self.leaves = leaves
        self.little = little
        order = "<" if little else ">"
        self.head, self.head16, self.head32 = (struct.Struct(order + kind) for kind in ("HH2sH", "HHL", "L"))
        self.pixels: tuple[int, int] | None = None
        self.fragments: list[tuple[int, int]] = []

    def run(self, position: int, end: int, *, implicit: bool, top: bool, path: Path = (), depth: int = 0) -> int:
        """Walk one item's (or the data set's) elements from ``position``; the position after them.

        ``end`` UNDEFINED: the item ends with its delimiter.
        """
        if depth > MAX_DEPTH:
            raise UnreadableError("sequences are nested too deep")
        buffer, leaves, size = self.buffer, self.leaves, len(self.buffer)
        head, head16, head32 = self.head, self.head16, self.head32
        stop = size if end == UNDEFINED else end
        if stop > size:
            raise UnreadableError("an item passes the end")
        while position < stop:
            if position + 8 > stop:
                raise UnreadableError("it ends within the head of an element")
            if implicit:
                group, element, length = head16.unpack_from(buffer, position)
                tag, start = group << 16 | element, position + 8
                vr = b"UN" if group & 1 else _VR.get(tag, b"UN")
                if group == 0xFFFE:
                    return self._closed(tag, start, end)
            else:
                group, element, vr, length = head.unpack_from(buffer, position)
                tag, start = group << 16 | element, position + 8
                if vr in _SHORT:
                    pass
                elif vr in _LONG:
                    if position + 12 > stop:
                        raise UnreadableError("it ends within the head of an element")
                    start = position + 12
                    length = head32.unpack_from(buffer, position + 8)[0]
                elif group == 0xFFFE:
                    return self._closed(tag, start, end)
                else:
                    raise UnreadableError("an element has no value representation of the standard's")
            if length == UNDEFINED:
                leaves.append((tag, vr, start, 0, path))
                if top and tag in PIXELS:
                    position = self._encapsulated(start)
                    self.pixels = (start, position)
                else:
                    inside = implicit or vr == b"UN"
                    position = self._items(start, UNDEFINED, implicit=inside, path=(*path, tag), depth=depth)
                continue
            position = start + length
            if position > stop:
                raise UnreadableError("an element passes the end of what holds it")
            leaves.append((tag, vr, start, length, path))
            if len(leaves) > MAX_ELEMENTS:
                raise UnreadableError("too many elements")
            if vr == b"SQ":
                self._items(start, position, implicit=implicit, path=(*path, tag), depth=depth)
            elif vr == b"UN" and length >= 8:
                self._unknown(start, position, path=(*path, tag), depth=depth)
            elif top and tag in PIXELS:
                self.pixels = (start, position)
        if end == UNDEFINED:
            raise UnreadableError("an item has no end")
        return position

    def _closed(self, tag: int, position: int, end: int) -> int:
        if tag == 0xFFFEE00D and end == UNDEFINED:
            return position
        raise UnreadableError("a delimiter that closes nothing")

    def _items(self, position: int, end: int, *, implicit: bool, path: Path, depth: int) -> int:
        head = self.head16
        stop = len(self.buffer) if end == UNDEFINED else end
        number = 0
        while position < stop:
            if position + 8 > stop:
                raise UnreadableError("it ends within the head of an item")
            group, element, length = head.unpack_from(self.buffer, position)
            position += 8
            if (group, element) == (0xFFFE, 0xE0DD) and end == UNDEFINED:
                return position
            if (group, element) != (0xFFFE, 0xE000):
                raise UnreadableError("a sequence holds something that is no item")
            if length != UNDEFINED and position + length > stop:
                raise UnreadableError("an item passes the end of what holds it")
            until = UNDEFINED if length == UNDEFINED else position + length
            position = self.run(position, until, implicit=implicit, top=False, path=(*path, number), depth=depth + 1)
            number += 1
        if end == UNDEFINED:
            raise UnreadableError("a sequence has no end")
        return position

    def _unknown(self, start: int, end: int, *, path: Path, depth: int) -> None:
        """A UN value may be a sequence in implicit little endian: what is inside is noted too, if it is one."""
        if self.buffer[start : start + 4] != b"\xfe\xff\x00\xe0":
            return
        inner = _Walker(self.buffer, [], little=True)
        try:
            inner._items(start, end, implicit=True, path=path, depth=depth)
        except UnreadableError:
            return  # a blob that only begins like a sequence: it stays the leaf that was noted
        self.leaves += inner.leaves

    def _encapsulated(self, position: int) -> int:
        size = len(self.buffer)
        while position + 8 <= size:
            group, element, length = struct.unpack_from("<HHL", self.buffer, position)
            position += 8
            if (group, element) == (0xFFFE, 0xE0DD):
                return position
            if (group, element) != (0xFFFE, 0xE000) or length > size - position:
                raise UnreadableError("encapsulated pixel data holds something that is no fragment")
            self.fragments.append((position, position + length))
            position += length
        raise UnreadableError("encapsulated pixel data has no end")
