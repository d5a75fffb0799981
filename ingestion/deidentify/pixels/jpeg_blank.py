"""Blocks of a sequential JPEG frame set to black, without decoding a pixel: every other coefficient stays as it is.

The entropy-coded data are decoded to quantised coefficients, the MCUs that a box touches get a flat black block, and
the coefficients are coded again with the frame's own tables. Where those lack a symbol that a flat block needs, the
tables are made anew from the frame's symbols (ISO/IEC 10918-1 annex K.2). No pixel is quantised a second time.
"""

from __future__ import annotations

import heapq
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingestion.deidentify.pixels import jpeg_kernels
from ingestion.deidentify.pixels.boxes import Box, box_of
from ingestion.deidentify.pixels.jpeg_head import (
    BLOCK,
    DHT,
    EOI,
    SOS,
    HuffmanTable,
    JpegFrame,
    JpegRefusedError,
    read_frame,
    segments_of,
)

_AC = 4
"""AC tables stand behind the four DC tables."""
MOST_BITS = 16
"""Of a Huffman code (section C)."""
_DAMAGED = {
    jpeg_kernels.BAD_CODE: "a JPEG frame with a code that its tables do not have",
    jpeg_kernels.BAD_RESTART: "a JPEG frame without its restart marker",
    jpeg_kernels.OVERRUN: "a JPEG frame that ends before its last block",
}


def touched(frame: JpegFrame, box: Box) -> Box:
    """The box widened to whole MCUs, cut at the image: what becomes black."""
    width, height = frame.mcu
    found = box_of(
        left=box.left // width * width,
        top=box.top // height * height,
        right=-(-box.right // width) * width,
        bottom=-(-box.bottom // height) * height,
        rows=frame.rows,
        columns=frame.columns,
    )
    return _same_frame(found, box)


def reached(frame: JpegFrame, box: Box) -> Box:
    """The box outside which no decoder shows a change.

    Where colours are stored at half the size, decoders mix the colour of a pixel from the two samples nearest to it:
    the colours of pixels beside a black MCU can shift by what its neighbouring colour sample lost.
    """
    black = touched(frame, box)
    across, down = frame.colour_reach
    found = box_of(
        left=black.left - across,
        top=black.top - down,
        right=black.right + across,
        bottom=black.bottom + down,
        rows=frame.rows,
        columns=frame.columns,
    )
    return _same_frame(found, box)


def _same_frame(found: Box | None, box: Box) -> Box:
    if found is None:
        raise JpegRefusedError("a box outside the JPEG frame")
    return Box(found.left, found.top, found.width, found.height, box.frame)


def blank_blocks(raw: bytes, boxes: Sequence[Box], *, rgb: bool, inverted: bool) -> bytes:
    """``raw`` with the MCUs of ``boxes`` black. ``rgb``: so the header says; ``inverted``: MONOCHROME1.

    Raises:
        JpegRefusedError: another process than sequential Huffman coding in one scan, or damaged.
    """
    frame = read_frame(raw)
    coefficients = decode(frame)
    across, down = frame.mcus
    grid = coefficients.reshape(down, across, *coefficients.shape[1:])
    width, height = frame.mcu
    black = np.zeros(coefficients.shape[1:], np.int16)
    black[:, 0] = _black_dc(frame, rgb=rgb, inverted=inverted)
    for box in boxes:
        grid[box.top // height : -(-box.bottom // height), box.left // width : -(-box.right // width)] = black
    done = encode(frame, coefficients)
    if not np.array_equal(decode(read_frame(done)), coefficients):
        raise JpegRefusedError("the JPEG frame cannot be coded again with the same coefficients")
    return done


def decode(frame: JpegFrame) -> NDArray[np.int16]:
    """All quantised coefficients: (MCUs, blocks of an MCU, 64 in zigzag order).

    Raises:
        JpegRefusedError: the data are damaged.
    """
    across, down = frame.mcus
    out = np.zeros((across * down, len(frame.blocks), BLOCK * BLOCK), np.int16)
    luts = np.zeros((2 * _AC, 1 << MOST_BITS), np.int32)
    for number, table in _numbered(frame).items():
        for symbol, code, length in table.codes():
            luts[number, code << (MOST_BITS - length) : (code + 1) << (MOST_BITS - length)] = length << 8 | symbol
    loop = jpeg_kernels.compiled(jpeg_kernels.decode)
    answer = int(loop(frame.data, luts, _block_tables(frame), frame.restart_interval, out))
    if answer != jpeg_kernels.DONE:
        raise JpegRefusedError(_DAMAGED[answer])
    return out


def encode(frame: JpegFrame, coefficients: NDArray[np.int16]) -> bytes:
    """The frame with these coefficients; its segments stay, but for Huffman tables that lack a symbol."""
    blocks, interval = _block_tables(frame), frame.restart_interval
    loop = jpeg_kernels.compiled(jpeg_kernels.encode)
    counts = np.zeros((2 * _AC, 256), np.int64)
    unused = np.zeros((2 * _AC, 256), np.int64)
    loop(coefficients, unused, unused, blocks, interval, counts, np.zeros(0, np.uint8))
    tables, complete = _numbered(frame), True
    codes, lengths = _code_arrays(tables)
    if ((counts > 0) & (lengths == 0)).any():
        tables = {number: optimal_table(counts[number]) for number in np.flatnonzero(counts.any(axis=1)).tolist()}
        codes, lengths = _code_arrays(tables)
        complete = False
    bits = int((counts * (lengths + _extra_bits())).sum())
    restarts = coefficients.shape[0] // interval if interval else 0
    out = np.empty(2 * (bits // 8 + 1) + 6 * (restarts + 1), np.uint8)  # twice: each byte may need a stuffed one
    size = int(loop(coefficients, codes, lengths, blocks, interval, counts, out))
    if size < 0:
        raise JpegRefusedError("a symbol without a code")
    head = frame.raw[: frame.start] if complete else _with_tables(frame, tables)
    return head + out[:size].tobytes() + bytes((0xFF, EOI))


def _extra_bits() -> NDArray[np.int64]:
    """That follow a symbol at most, DC tables first: a DC symbol is the number itself, of an AC symbol the low half."""
    symbols = np.arange(256)
    return np.stack([symbols if number < _AC else symbols & 15 for number in range(2 * _AC)])


def _numbered(frame: JpegFrame) -> dict[int, HuffmanTable]:
    return dict(frame.dc_tables) | {_AC + number: table for number, table in frame.ac_tables.items()}


def _block_tables(frame: JpegFrame) -> NDArray[np.int64]:
    parts = [(n, frame.components[n].dc_table, _AC + frame.components[n].ac_table) for n in frame.blocks]
    if any(dc not in frame.dc_tables or ac - _AC not in frame.ac_tables for _, dc, ac in parts):
        raise JpegRefusedError("a JPEG frame that lacks a Huffman table")
    return np.array(parts, np.int64)


def _code_arrays(tables: dict[int, HuffmanTable]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    codes, lengths = np.zeros((2, 2 * _AC, 256), np.int64)
    for number, table in tables.items():
        for symbol, code, length in table.codes():
            codes[number, symbol], lengths[number, symbol] = code, length
    return codes, lengths


def _black_dc(frame: JpegFrame, *, rgb: bool, inverted: bool) -> list[int]:
    """The DC coefficient of a flat black block, for each block of an MCU.

    A flat block of DC coefficient d decodes to d * quantiser / 8 above the middle; rounded outwards, it is clamped to
    the end of the range.
    """
    middle = 1 << (frame.precision - 1)
    found = []
    for number in frame.blocks:
        quantiser = frame.components[number].quantiser
        if number > 0 and frame.luminance_first(rgb=rgb):
            found.append(0)  # no colour
        elif inverted and len(frame.components) == 1:
            found.append(-(-(middle - 1) * BLOCK // quantiser))
        else:
            found.append(-middle * BLOCK // quantiser)
    return found


@dataclass(frozen=True, slots=True, order=True)
class _Node:
    count: int
    order: int
    symbols: tuple[int, ...]


def optimal_table(counts: NDArray[np.int64]) -> HuffmanTable:
    """A table for symbols that occur so often, of codes of at most 16 bits, none of them all ones (annex K.2)."""
    present = np.flatnonzero(counts).tolist()
    reserved = 256
    depth = dict.fromkeys([*present, reserved], 0)
    heap = [_Node(int(counts[symbol]), -symbol, (symbol,)) for symbol in present] + [_Node(0, -reserved, (reserved,))]
    heapq.heapify(heap)
    while len(heap) > 1:
        one, other = heapq.heappop(heap), heapq.heappop(heap)
        for symbol in one.symbols + other.symbols:
            depth[symbol] += 1
        heapq.heappush(heap, _Node(one.count + other.count, min(one.order, other.order), one.symbols + other.symbols))
    most = max(MOST_BITS, *depth.values())
    lengths = [0] * (most + 1)
    for length in depth.values():
        lengths[length] += 1
    for length in range(most, MOST_BITS, -1):  # figure K.3: the longest codes in pairs under shorter ones
        while lengths[length] > 0:
            shorter = next(n for n in range(length - 2, 0, -1) if lengths[n])
            lengths[length] -= 2
            lengths[length - 1] += 1
            lengths[shorter + 1] += 2
            lengths[shorter] -= 1
    longest = max(length for length in range(1, MOST_BITS + 1) if lengths[length])
    lengths[longest] -= 1  # the reserved code, the last of the longest: all ones
    symbols = sorted(present, key=lambda symbol: (-int(counts[symbol]), symbol))
    return HuffmanTable(bytes(lengths[1 : MOST_BITS + 1]), bytes(symbols))


def _with_tables(frame: JpegFrame, tables: dict[int, HuffmanTable]) -> bytes:
    """The head with other Huffman tables, which stand before the scan."""
    head = frame.raw[:2]
    for marker, body, _ in segments_of(frame.raw):
        if marker == SOS:
            for number, table in sorted(tables.items()):
                kind = bytes(((0x10 if number >= _AC else 0) | number % _AC,))
                head += _segment(DHT, kind + table.counts + table.symbols)
            return head + _segment(SOS, body)
        if marker != DHT:
            head += _segment(marker, body)
    raise JpegRefusedError("a JPEG frame without a scan")


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
