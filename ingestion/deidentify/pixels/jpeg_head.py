"""What a sequential Huffman-coded JPEG frame says of itself (ISO/IEC 10918-1 annex B): tables, components, its data.

Read is only what the blanking of blocks needs. Frames of other processes (progressive, arithmetic, lossless, several
scans) are refused with a reason, so that none is ever taken for what it is not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SOF0, SOF1, DHT, SOI, EOI, SOS, DQT, DNL, DRI, APP0, APP14 = (
    0xC0, 0xC1, 0xC4, 0xD8, 0xD9, 0xDA, 0xDB, 0xDC, 0xDD, 0xE0, 0xEE,
)  # fmt: skip
_OTHER_FRAMES = {
    0xC2: "progressive", 0xC3: "lossless", 0xC5: "hierarchical", 0xC6: "hierarchical", 0xC7: "hierarchical",
    0xC9: "arithmetic-coded", 0xCA: "arithmetic-coded", 0xCB: "arithmetic-coded", 0xCD: "hierarchical",
    0xCE: "hierarchical", 0xCF: "hierarchical",
}  # fmt: skip
BLOCK = 8
"""Samples along a side of a block."""
MOST_BLOCKS = 10
"""Of an MCU (section B.2.3)."""
RGB_IDS = tuple(b"RGB")


class JpegRefusedError(ValueError):
    """The frame is no sequential Huffman-coded JPEG of one scan, or is damaged; the message says which."""


@dataclass(frozen=True, slots=True)
class HuffmanTable:
    """``counts``: codes of 1 to 16 bits; ``symbols`` in the order of their codes (section B.2.4.2)."""

    counts: bytes
    symbols: bytes

    def codes(self) -> Iterator[tuple[int, int, int]]:
        """Symbol, code and its length, as annex C derives them.

        Raises:
            JpegRefusedError: more codes than their lengths allow.
        """
        code, at = 0, 0
        for length, count in enumerate(self.counts, start=1):
            for symbol in self.symbols[at : at + count]:
                if code >= 1 << length:
                    raise JpegRefusedError("a Huffman table with more codes than fit")
                yield symbol, code, length
                code += 1
            at += count
            code <<= 1


@dataclass(frozen=True, slots=True)
class Component:
    """``horizontal`` and ``vertical``: sampling factors; ``quantiser``: of the DC coefficient."""

    identifier: int
    horizontal: int
    vertical: int
    quantiser: int
    dc_table: int
    ac_table: int


@dataclass(frozen=True)
class JpegFrame:
    """``data``: the entropy-coded segment, with restart markers. ``start`` and ``end``: where it lies in the frame."""

    precision: int
    rows: int
    columns: int
    components: tuple[Component, ...]
    dc_tables: dict[int, HuffmanTable]
    ac_tables: dict[int, HuffmanTable]
    restart_interval: int
    start: int
    end: int
    adobe_transform: int | None
    jfif: bool
    raw: bytes = field(repr=False)

    @property
    def data(self) -> NDArray[np.uint8]:
        return np.frombuffer(self.raw, dtype=np.uint8, count=self.end - self.start, offset=self.start)

    @property
    def mcu(self) -> tuple[int, int]:
        """Width and height of an MCU in pixels."""
        if len(self.components) == 1:
            return BLOCK, BLOCK  # one component is never interleaved, whatever its factors (section A.2.2)
        return (
            BLOCK * max(component.horizontal for component in self.components),
            BLOCK * max(component.vertical for component in self.components),
        )

    @property
    def mcus(self) -> tuple[int, int]:
        """How many across and down."""
        width, height = self.mcu
        return -(-self.columns // width), -(-self.rows // height)

    @property
    def blocks(self) -> tuple[int, ...]:
        """The component of each block of an MCU."""
        if len(self.components) == 1:
            return (0,)
        return tuple(n for n, c in enumerate(self.components) for _ in range(c.horizontal * c.vertical))

    @property
    def colour_reach(self) -> tuple[int, int]:
        """Pixels across and down beside a block whose colour a decoder may mix from it: one sample of the coarsest."""
        across = max(c.horizontal for c in self.components) // min(c.horizontal for c in self.components)
        down = max(c.vertical for c in self.components) // min(c.vertical for c in self.components)
        return (across if across > 1 else 0), (down if down > 1 else 0)

    def luminance_first(self, *, rgb: bool) -> bool:
        """Three components that are YCbCr: as the frame says (T.871; Adobe's technical note 5116), else the header."""
        if len(self.components) != 3:
            return False
        if self.adobe_transform is not None:
            return self.adobe_transform != 0
        return self.jfif or not (rgb or tuple(component.identifier for component in self.components) == RGB_IDS)


def read_frame(raw: bytes) -> JpegFrame:
    """The head of one frame.

    Raises:
        JpegRefusedError: another process, several scans, or damaged.
    """
    try:
        return _read(raw)
    except (IndexError, KeyError, struct.error, ZeroDivisionError):
        raise JpegRefusedError("a JPEG frame whose head is damaged") from None


def _read(raw: bytes) -> JpegFrame:
    quantisers: dict[int, int] = {}
    tables: tuple[dict[int, HuffmanTable], dict[int, HuffmanTable]] = ({}, {})
    frame: bytes | None = None
    interval, adobe, jfif = 0, None, False
    for marker, body, end in segments_of(raw):
        if marker in _OTHER_FRAMES:
            raise JpegRefusedError(f"a {_OTHER_FRAMES[marker]} JPEG frame")
        if marker in (SOF0, SOF1):
            frame = body
        elif marker == DQT:
            quantisers |= _quantisers(body)
        elif marker == DHT:
            _huffman(body, tables)
        elif marker == DRI:
            interval = struct.unpack(">H", body[:2])[0]
        elif marker == APP14 and body[:5] == b"Adobe" and len(body) >= 12:
            adobe = body[11]
        elif marker == APP0 and body[:4] == b"JFIF":
            jfif = True
        elif marker == SOS:
            if frame is None:
                raise JpegRefusedError("a JPEG frame without its header")
            precision, rows, columns, components = _components(frame, body, quantisers)
            stop = _end_of_scan(raw, end)
            return JpegFrame(
                precision, rows, columns, components, tables[0], tables[1], interval, end, stop, adobe, jfif, raw
            )
    raise JpegRefusedError("a JPEG frame without a scan")


def segments_of(raw: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Marker, body and the end of each segment."""
    if raw[:2] != bytes((0xFF, SOI)):
        raise JpegRefusedError("no JPEG frame")
    position = 2
    while True:
        if raw[position] != 0xFF:
            raise JpegRefusedError("a JPEG frame whose head is damaged")
        while raw[position + 1] == 0xFF:  # fill bytes (section B.1.1.2)
            position += 1
        marker = raw[position + 1]
        length = struct.unpack_from(">H", raw, position + 2)[0]
        end = position + 2 + length
        if length < 2 or end > len(raw):
            raise JpegRefusedError("a JPEG frame whose head is damaged")
        yield marker, raw[position + 4 : end], end
        position = end


def _quantisers(body: bytes) -> dict[int, int]:
    """The first value, of the DC coefficient, of each table."""
    found, at = {}, 0
    while at < len(body):
        wide, number = body[at] >> 4, body[at] & 15
        found[number] = struct.unpack_from(">H", body, at + 1)[0] if wide else body[at + 1]
        at += 1 + 64 * (2 if wide else 1)
    return found


def _huffman(body: bytes, tables: tuple[dict[int, HuffmanTable], dict[int, HuffmanTable]]) -> None:
    at = 0
    while at < len(body):
        kind, number = body[at] >> 4, body[at] & 15
        counts = body[at + 1 : at + 17]
        symbols = body[at + 17 : at + 17 + sum(counts)]
        if kind > 1 or number > 3 or len(counts) != 16 or len(symbols) != sum(counts) or len(symbols) > 256:
            raise JpegRefusedError("a damaged Huffman table")
        tables[kind][number] = HuffmanTable(counts, symbols)
        at += 17 + len(symbols)


def _components(frame: bytes, scan: bytes, quantisers: dict[int, int]) -> tuple[int, int, int, tuple[Component, ...]]:
    precision, rows, columns, count = struct.unpack_from(">BHHB", frame)
    if rows == 0 or columns == 0:
        raise JpegRefusedError("a JPEG frame that tells its height behind its scan")
    if scan[0] != count or not 1 <= count <= 4:
        raise JpegRefusedError("a JPEG frame of several scans")
    if tuple(scan[1 + 2 * count : 4 + 2 * count]) != (0, 63, 0):
        raise JpegRefusedError("a JPEG scan of some coefficients only")
    if precision not in (8, 12):
        raise JpegRefusedError(f"a JPEG frame of {precision} bits")
    found = []
    for number in range(count):
        identifier, factors, quantiser = frame[6 + 3 * number : 9 + 3 * number]
        selected, tables = scan[1 + 2 * number : 3 + 2 * number]
        across, down = factors >> 4, factors & 15
        if selected != identifier or not 1 <= across <= 4 or not 1 <= down <= 4:
            raise JpegRefusedError("a JPEG scan with its components in another order")
        if quantisers[quantiser] == 0:
            raise JpegRefusedError("a damaged quantisation table")
        found.append(Component(identifier, across, down, quantisers[quantiser], tables >> 4, tables & 15))
    if count > 1 and sum(component.horizontal * component.vertical for component in found) > MOST_BLOCKS:
        raise JpegRefusedError("a JPEG frame with more blocks in an MCU than allowed")
    return precision, rows, columns, tuple(found)


def _end_of_scan(raw: bytes, start: int) -> int:
    """Where the marker behind the entropy-coded data stands: EOI, or the frame goes on in a way that is refused."""
    position = start
    while True:
        position = raw.find(b"\xff", position)
        if position < 0 or position + 1 >= len(raw):
            raise JpegRefusedError("a JPEG frame that is cut off")
        marker = raw[position + 1]
        if marker == 0 or 0xD0 <= marker <= 0xD7:
            position += 2
        elif marker == 0xFF:
            position += 1
        elif marker == EOI:
            return position
        else:
            raise JpegRefusedError("a JPEG frame of several scans, or with segments behind its scan")
