"""What of a result is searched: every byte but the samples of its pixels.

Of native pixels, what lies past the last sample is searched; of compressed ones, everything before the first scan, all
application and comment segments, and what follows the end marker (ISO/IEC 10918-1 B.1.1.3, 14495-1 C.1, 15444-1 A.1).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ingestion.deidentify.verification.walk import Layout

RLE = "1.2.840.10008.1.2.5"
_JPEG_FAMILY = "1.2.840.10008.1.2.4."
_JPEG, _CODESTREAM = b"\xff\xd8", b"\xff\x4f\xff\x51"
_END = b"\xff\xd9"
_SCAN, _TILE = b"\xff\xda", b"\xff\x93"
_SEGMENT = re.compile(rb"\xff[\xe0-\xef\xfe]")
_COMMENT = re.compile(rb"\xff\x64..\0[\0\1]", re.DOTALL)
"""A comment of JPEG 2000 with its registration value: without that, its two bytes are met in every packet."""
_SAMPLES, _PHOTOMETRIC, _FRAMES, _ROWS, _COLUMNS, _BITS = (
    0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011, 0x00280100,
)  # fmt: skip
_BITS_OF = {0x7FE00008: 32, 0x7FE00009: 64}


@dataclass(frozen=True, slots=True)
class Segment:
    """A range of the result that is searched."""

    start: int
    data: bytes = field(repr=False)


def segments(layout: Layout) -> tuple[Segment, ...]:
    """The ranges that are searched as closely as a header."""
    buffer = layout.buffer
    if layout.pixels is None:
        return (Segment(0, bytes(buffer)),)
    start, end = layout.pixels
    found = [Segment(0, bytes(buffer[:start]))]
    if layout.fragments:
        found += _of_fragments(layout)
    else:
        samples = min(start + _native_length(layout), end)
        end = samples if samples < end else end
    if end < len(buffer):
        found.append(Segment(end, bytes(buffer[end:])))
    return tuple(found)


def noise(layout: Layout) -> tuple[Segment, ...]:
    """Fragments of no known shape (video): searched too, but only for what noise cannot spell."""
    if layout.syntax == RLE or not layout.fragments:
        return ()
    known = layout.syntax.startswith(_JPEG_FAMILY) and not layout.syntax.startswith((_JPEG_FAMILY + "10",))
    if known:
        return ()
    return tuple(Segment(start, bytes(layout.buffer[start:end])) for start, end in layout.fragments)


def _native_length(layout: Layout) -> int:
    numbers: dict[int, int] = {_SAMPLES: 1, _FRAMES: 1}
    halved = False
    pixel_tag = 0
    for tag, vr, start, length, path in layout.leaves:
        if path:
            continue
        if tag >> 16 == 0x7FE0:
            pixel_tag = tag
        if tag >> 16 != 0x0028 or not length:
            continue
        value = bytes(layout.buffer[start : start + length])
        if tag in (_SAMPLES, _ROWS, _COLUMNS, _BITS) and length >= 2:
            numbers[tag] = int.from_bytes(value[:2], "little" if layout.little else "big")
        elif tag == _FRAMES and vr in (b"IS", b"UN") and value.strip(b" \0").isdigit():
            numbers[tag] = int(value.strip(b" \0")[:10])
        elif tag == _PHOTOMETRIC:
            halved = value.strip(b" \0") == b"YBR_FULL_422"
    samples = 2 if halved else numbers[_SAMPLES]
    bits = _BITS_OF.get(pixel_tag, numbers.get(_BITS, 0))
    return (numbers.get(_ROWS, 0) * numbers.get(_COLUMNS, 0) * numbers[_FRAMES] * samples * bits + 7) // 8


def _of_fragments(layout: Layout) -> list[Segment]:
    buffer = layout.buffer
    found = []
    for number, (start, end) in enumerate(layout.fragments):
        if number == 0:
            found.append(Segment(start, bytes(buffer[start:end])))  # the offset table
            if buffer[start : start + 2] != _JPEG and buffer[start : start + 4] != _CODESTREAM:
                continue
        if layout.syntax != RLE:
            found += _of_fragment(bytes(buffer[start:end]), start)
    return found


def _of_fragment(data: bytes, start: int) -> list[Segment]:
    codestream = 0 if data.startswith(_JPEG) else data.find(_CODESTREAM, 0, 1 << 16)
    if codestream < 0:
        body = 0  # the rest of a frame that began in another fragment
    else:
        mark = data.find(_SCAN if data.startswith(_JPEG) else _TILE, codestream)
        body = mark if mark >= 0 else len(data)
    found = [Segment(start, data[:body])] if body else []
    for match in (_SEGMENT if codestream < 0 or data.startswith(_JPEG) else _COMMENT).finditer(data, body):
        stop = match.start() + 2 + int.from_bytes(data[match.start() + 2 : match.start() + 4], "big")
        found.append(Segment(start + match.start(), data[match.start() : stop]))
    end = data.find(_END, body)
    if end >= 0 and end + 2 < len(data):
        found.append(Segment(start + end + 2, data[end + 2 :]))
    return found
