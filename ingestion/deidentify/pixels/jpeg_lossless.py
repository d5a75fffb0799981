"""A JPEG lossless encoder: process 14, first-order prediction (ISO/IEC 10918-1 annex H; PS3.5 section 10.2).

No encoder for this syntax comes with the libraries, and objects in it must not change their syntax for a blanked box.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

CATEGORIES = 17
"""Of a difference: 0 to 16 bits (table H.2)."""
CODE_LENGTHS = (2, 2, 3, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16)
"""Of the Huffman codes, for the commonest category first. Kraft's sum is 0.87, so that no code is all ones."""
CHUNK = 1 << 18
"""Samples that are packed at once, for the memory: each takes some 200 bytes meanwhile."""
_SOF3, _SOS, _SOI, _EOI = 0xC3, 0xDA, b"\xff\xd8", b"\xff\xd9"
_APP_KEPT = (0xE0, 0xEE)
"""JFIF and Adobe: decoders read from them whether the components are colours."""


@dataclass(frozen=True, slots=True)
class LosslessHead:
    """What a re-encoded frame takes over from the old one."""

    precision: int
    components: tuple[int, ...]
    """Identifiers."""
    segments: bytes = b""
    """Application segments that decoders need, whole."""


def read_head(frame: bytes) -> LosslessHead:
    """The head of a lossless JPEG frame.

    Raises:
        ValueError: it has no lossless frame header.
    """
    position, segments = 2, b""
    while position + 4 <= len(frame) and frame[position] == 0xFF and frame[position + 1] != _SOS:
        marker, length = frame[position + 1], struct.unpack_from(">H", frame, position + 2)[0]
        if marker == _SOF3:
            count = frame[position + 9]
            ids = tuple(frame[position + 10 + 3 * number] for number in range(count))
            return LosslessHead(precision=frame[position + 4], components=ids, segments=segments)
        if marker in _APP_KEPT:
            segments += frame[position : position + 2 + length]
        position += 2 + length
    raise ValueError("no lossless JPEG frame header")


def encode_lossless(samples: NDArray[np.unsignedinteger], head: LosslessHead) -> bytes:
    """One frame, (rows, columns) or (rows, columns, components), selection value 1, the components interleaved.

    Raises:
        ValueError: a sample needs more bits than the precision, or the components are not those of the head.
    """
    planes = (samples if samples.ndim == 3 else samples[:, :, None]).astype(np.int32)
    rows, columns, count = planes.shape
    if count != len(head.components) or int(planes.max()) >> head.precision:
        raise ValueError("the samples do not fit the frame header")
    differences = _differences(planes, precision=head.precision)
    categories = _categories(differences)
    order = np.argsort(-np.bincount(categories, minlength=CATEGORIES), kind="stable")
    codes = np.zeros(CATEGORIES, dtype=np.int64)
    lengths = np.zeros(CATEGORIES, dtype=np.int64)
    for (code, length), category in zip(_canonical(), order, strict=True):
        codes[category], lengths[category] = code, length
    bits = np.concatenate([*_bits(differences, categories, codes, lengths)])
    padded = np.concatenate([bits, np.ones(-bits.size % 8, dtype=np.uint8)])
    data = np.packbits(padded).tobytes().replace(b"\xff", b"\xff\x00")
    counts = bytes(CODE_LENGTHS.count(length) for length in range(1, 17))
    table = b"\x00" + counts + bytes(int(category) for category in order)
    parts = b"".join(bytes((number, 0x11, 0)) for number in head.components)
    frame = struct.pack(">BHHB", head.precision, rows, columns, count) + parts
    scan = bytes((count,)) + b"".join(bytes((number, 0)) for number in head.components) + b"\x01\x00\x00"
    head_bytes = _segment(_SOF3, frame) + _segment(0xC4, table) + _segment(_SOS, scan)
    return _SOI + head.segments + head_bytes + data + _EOI


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def _differences(planes: NDArray[np.int32], *, precision: int) -> NDArray[np.int32]:
    predicted = np.empty_like(planes)
    predicted[0, 0] = 1 << (precision - 1)
    predicted[1:, 0] = planes[:-1, 0]
    predicted[:, 1:] = planes[:, :-1]
    # Modulo 2^16 (section H.1.2.1), in -32768 to 32767.
    wrapped: NDArray[np.int32] = ((planes - predicted + 0x8000) & 0xFFFF) - 0x8000
    return wrapped.ravel()


def _categories(differences: NDArray[np.int32]) -> NDArray[np.int64]:
    found = np.zeros(differences.size, dtype=np.int64)
    size = np.abs(differences)
    for bits in range(CATEGORIES - 1):
        found += size >= (1 << bits)
    return found


def _canonical() -> Iterator[tuple[int, int]]:
    code, before = 0, CODE_LENGTHS[0]
    for length in CODE_LENGTHS:
        code <<= length - before
        yield code, length
        code, before = code + 1, length


def _bits(
    differences: NDArray[np.int32],
    categories: NDArray[np.int64],
    codes: NDArray[np.int64],
    lengths: NDArray[np.int64],
) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, differences.size, CHUNK):
        category = categories[start : start + CHUNK]
        difference = differences[start : start + CHUNK].astype(np.int64)
        extra = np.where(category == 16, 0, category)  # category 16 has one member and needs no further bits
        rest = np.where(difference < 0, difference + (1 << extra) - 1, difference) & ((1 << extra) - 1)
        word = (codes[category] << extra) | rest
        length = lengths[category] + extra
        which = np.repeat(np.arange(word.size), length)
        ends = np.cumsum(length)
        shift = ends[which] - 1 - np.arange(which.size)
        yield ((word[which] >> shift) & 1).astype(np.uint8)
