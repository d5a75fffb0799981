"""Compressed pixel data as it is written: the fragments of each frame without free bytes, and no frame beyond those
that were looked at (PS3.5 section A.4)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from pydicom.uid import UID, RLELossless

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.deidentify.pixels.codestream import JPEG, JPEG2000, clean_frame
from ingestion.deidentify.pixels.rle_tail import without_tails
from ingestion.dicom.elements import Buffer
from ingestion.dicom.encoding import UNDEFINED
from ingestion.dicom.mapped import let_go

AT_ONCE = 64 << 20
"""Bytes of a mapped object that are looked at before their pages are given back."""
HEAD = 8
"""Bytes of an item's tag and length."""
_ITEM, _END = (0xFFFE, 0xE000), (0xFFFE, 0xE0DD)
_CODESTREAMS = "1.2.840.10008.1.2.4."
"""JPEG, JPEG-LS, JPEG 2000, HTJ2K; and video, whose syntaxes are 100 to 109."""
_VIDEO = range(100, 110)


@dataclass(frozen=True, slots=True)
class Encapsulated:
    """What the header says of the frames. ``samples``: bytes of one frame's RLE segment, decoded."""

    transfer_syntax: str
    frames: int
    samples: int

    @property
    def in_codestreams(self) -> bool:
        """Whether frames are JPEG or JPEG 2000 codestreams."""
        last = self.transfer_syntax.rpartition(".")[2]
        return (
            self.transfer_syntax.startswith(_CODESTREAMS)
            and int(last) not in _VIDEO
            and not UID(self.transfer_syntax).is_private
        )


@dataclass(slots=True)
class _Frame:
    """Places of one frame's fragments: from and to, without their heads."""

    fragments: list[tuple[int, int]] = field(default_factory=list)

    def body(self, buffer: Buffer) -> bytes:
        return b"".join(buffer[start:stop] for start, stop in self.fragments)


def clean_fragments(buffer: Buffer, start: int, stop: int, said: Encapsulated) -> list[bytes | memoryview]:
    """The items from ``start`` to ``stop``, the offset table first; untouched ranges are views.

    No more than one frame is ever copied. An offset table that names places where no fragment is, is emptied: it is
    of no use, and can hold anything.

    Raises:
        InstanceRefusedError: MALFORMED, UNCLEANABLE_CONTENT; PIXELS_UNREADABLE: there are more frames than the header
            says, so that some were not looked at.
    """
    view = memoryview(buffer)
    items = _items(buffer, start, stop)
    if not items:
        return [view[start:stop]] if stop > start else []
    parts: list[bytes | memoryview] = []
    kept_from = let_go_at = start
    table = _offset_table(buffer, items)
    if table is not None:
        parts.append(table)
        kept_from = items[0][1]
    number = 0
    for number, frame in enumerate(_frames(buffer, items[1:], said), start=1):
        if number > said.frames and said.frames:
            break
        body = frame.body(buffer)
        cleaned = _clean(body, said)
        if cleaned is not body:
            parts.append(view[kept_from : frame.fragments[0][0]])
            parts += _apart(view, cleaned, frame)
            kept_from = frame.fragments[-1][1]
        if frame.fragments[-1][1] - let_go_at > AT_ONCE:
            let_go(buffer)
            let_go_at = frame.fragments[-1][1]
    if number > said.frames and said.frames:
        raise InstanceRefusedError(
            Reason.PIXELS_UNREADABLE,
            rule="pixels.frames",
            detail=f"more compressed frames than the {said.frames} that the header tells of",
        )
    parts.append(view[kept_from:stop])
    return [part for part in parts if len(part)]


def _clean(body: bytes, said: Encapsulated) -> bytes:
    if said.transfer_syntax == RLELossless:
        return without_tails(body, samples=said.samples)
    return clean_frame(body) if said.in_codestreams else body


def _apart(view: memoryview, cleaned: bytes, frame: _Frame) -> Iterator[bytes | memoryview]:
    """A frame's bytes in the fragments that it came in, each with its head."""
    at = 0
    for index, (start, stop) in enumerate(frame.fragments):
        if index:
            yield view[start - HEAD : start]
        yield cleaned[at : at + stop - start]
        at += stop - start


def _items(buffer: Buffer, start: int, stop: int) -> list[tuple[int, int]]:
    """Places of the values of all items.

    Raises:
        InstanceRefusedError: MALFORMED.
    """
    found, position = [], start
    while position < stop:
        if stop - position < HEAD:
            raise _malformed("not a row of fragments")
        group, number, length = struct.unpack_from("<HHL", buffer, position)
        if (group, number) == _END:
            break
        value = position + HEAD
        if (group, number) != _ITEM or length == UNDEFINED or value + length > stop:
            raise _malformed("not a row of fragments")
        found.append((value, value + length))
        position = value + length
    return found


def _offset_table(buffer: Buffer, items: list[tuple[int, int]]) -> bytes | None:
    """An empty table for one that names other places than fragments; None where it can stay."""
    start, stop = items[0]
    if stop == start:
        return None
    first = stop
    places = {value - HEAD - first for value, _ in items[1:]}
    if not (stop - start) % 4:
        offsets = struct.unpack_from(f"<{(stop - start) // 4}L", buffer, start)
        wrapped = {place & 0xFFFFFFFF for place in places}
        if wrapped.issuperset(offsets) and len(set(offsets)) == len(offsets):
            return None
    return struct.pack("<HHL", *_ITEM, 0)


def _frames(buffer: Buffer, items: list[tuple[int, int]], said: Encapsulated) -> Iterator[_Frame]:
    """The fragments of each frame: one in RLE (section A.4.2); else up to the next that begins a codestream."""
    if said.transfer_syntax == RLELossless:
        yield from (_Frame([item]) for item in items)
        return
    if not said.in_codestreams:
        if items:
            yield _Frame(items)
        return
    frame = _Frame()
    for start, stop in items:
        begins = bytes(buffer[start : start + 2]) in (JPEG, JPEG2000) or bytes(buffer[start + 4 : start + 8]) == b"jP  "
        if begins and frame.fragments:
            yield frame
            frame = _Frame()
        if not begins and not frame.fragments:
            raise _malformed("a frame that is no JPEG")
        frame.fragments.append((start, stop))
    if frame.fragments:
        yield frame


def _malformed(detail: str) -> InstanceRefusedError:
    return InstanceRefusedError(Reason.MALFORMED, rule="pixels.fragments", detail=detail)
