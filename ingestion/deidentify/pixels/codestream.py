"""One compressed frame without what no decoder needs: comments, free segments, thumbnails, bytes between and behind.

JPEG (ISO/IEC 10918-1 annex B), JPEG-LS (14495-1 annex C), JPEG 2000 and HTJ2K (15444-1 annex A). Lengths stay.
"""

from __future__ import annotations

import re

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason

JPEG, JPEG2000 = b"\xff\xd8", b"\xff\x4f"
"""How a frame begins: start of image, start of codestream."""
_KEPT_APPS = {0xE0: (b"JFIF\0", 12), 0xE8: (b"mrfx", 5), 0xEE: (b"Adobe", 12)}
"""Application segments that a decoder needs, and how many of their bytes: JFIF up to its density, without the size of
a thumbnail; the colour transform of JPEG-LS; Adobe's colour transform."""
_JPEG_NEEDED = frozenset({*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDC, 0xDD, 0xDE, 0xDF, 0xF7, 0xF8})
"""Frames, tables, scans, restart interval, hierarchy; JPEG-LS's frame and parameters. All others hold free bytes."""
_LOSSLESS_LS, _SCAN, _END = 0xF7, 0xDA, 0xD9
_ALONE = frozenset({0x01, *range(0xD0, 0xD9)})
"""Markers without a segment."""
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_AFTER_LS_SCAN = re.compile(rb"\xff[\x80-\xcf\xd8-\xfe]")
"""The next marker in entropy-coded data: JPEG stuffs a zero byte after FF, JPEG-LS a zero bit."""
_J2K_NEEDED = frozenset({*range(0x50, 0x64), *range(0x72, 0x7A)})
"""Sizes, styles, quantisers, lengths, packed headers; of part 2 the transforms. Not the comment, 64."""
_TILE, _TILE_DATA, _J2K_END, _COMMENT = 0x90, 0x93, 0xD9, 0x64


def clean_frame(data: bytes) -> bytes:
    """``data`` of one frame with all free bytes set to 0; the same object where there are none.

    Raises:
        InstanceRefusedError: MALFORMED: a segment that cannot be followed; UNCLEANABLE_CONTENT: a JP2 container,
            whose boxes can hold anything.
    """
    if data[4:8] == b"jP  ":
        raise InstanceRefusedError(
            Reason.UNCLEANABLE_CONTENT, rule="pixels.jp2", detail="JPEG 2000 in a container with free boxes"
        )
    free = _free_of_jpeg(data) if data.startswith(JPEG) else _free_of_jpeg2000(data)
    free = [(start, stop) for start, stop in free if data.count(0, start, stop) < stop - start]
    if not free:
        return data
    cleaned = bytearray(data)
    for start, stop in free:
        cleaned[start:stop] = bytes(stop - start)
    return bytes(cleaned)


def _free_of_jpeg(data: bytes) -> list[tuple[int, int]]:
    free: list[tuple[int, int]] = []
    position, next_marker = 2, _AFTER_SCAN
    while position < len(data):
        # Decoders pass over bytes before a marker and over fill bytes (section B.1.1.2).
        mark = data.find(b"\xff", position)
        if mark < 0 or mark + 1 >= len(data):
            free.append((position, len(data)))
            break
        free.append((position, mark))
        marker = data[mark + 1]
        if marker in (0x00, 0xFF):
            position = mark + 1
            if marker == 0:
                free.append((mark, mark + 2))
            continue
        position = mark + 2
        if marker == _END:
            free.append((position, len(data)))
            break
        if marker in _ALONE:
            continue
        stop = _segment_end(data, position)
        if marker not in _JPEG_NEEDED:
            free.append((position + 2 + _needed_of_app(data, marker, position + 2), stop))
        position = stop
        if marker == _LOSSLESS_LS:
            next_marker = _AFTER_LS_SCAN
        if marker == _SCAN:
            found = next_marker.search(data, position)
            if found is None:
                break  # the frame has no end marker: all the rest is its scan
            position = found.start()
    return free


def _needed_of_app(data: bytes, marker: int, value: int) -> int:
    name, needed = _KEPT_APPS.get(marker, (b"", 0))
    return needed if name and data.startswith(name, value) else 0


def _free_of_jpeg2000(data: bytes) -> list[tuple[int, int]]:
    free: list[tuple[int, int]] = []
    position = 2
    tile_end: int | None = None
    while position + 2 <= len(data):
        if data[position] != 0xFF:
            raise _malformed("no marker where one must be")
        marker = data[position + 1]
        if marker == _J2K_END:
            free.append((position + 2, len(data)))
            break
        if marker == _TILE_DATA:
            if tile_end is None:
                raise _malformed("data of a tile outside of one")
            if tile_end < position + 2:
                raise _malformed("a tile that ends before its data")
            position, tile_end = tile_end, None
            continue
        stop = _segment_end(data, position + 2)
        if marker == _TILE:
            length = int.from_bytes(data[position + 6 : position + 10], "big")
            tile_end = position + length if length else _last_end(data)
            if stop - position != 12:
                raise _malformed("a tile of unknown length")
        elif marker == _COMMENT:
            free.append((position + 6, stop))  # the registration value says how to read the comment
        elif marker not in _J2K_NEEDED:
            free.append((position + 4, stop))
        position = stop
    return free


def _last_end(data: bytes) -> int:
    """Where the last tile ends whose length is not told: at the end marker, which no packet holds."""
    end = data.find(b"\xff\xd9")
    return end if end >= 0 else len(data)


def _segment_end(data: bytes, position: int) -> int:
    length = int.from_bytes(data[position : position + 2], "big")
    if length < 2 or position + length > len(data):
        raise _malformed("a segment that passes its end")
    return position + length


def _malformed(detail: str) -> InstanceRefusedError:
    return InstanceRefusedError(Reason.MALFORMED, rule="pixels.codestream", detail=f"a compressed frame with {detail}")
