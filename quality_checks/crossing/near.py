"""Images that look the same: perceptual hashes within a few bits, found by bands, so that not all pairs are compared.

Two hashes of 64 bits that differ in at most seven differ in at most one bit of one of four bands of 16 (pigeonhole), so
looking up each band and its 16 neighbours finds all such pairs (multi-index hashing, Norouzi, Punjani and Fleet, CVPR
2012). Candidates are compared by structure afterwards (``quality_checks.crossing.likeness``).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

NEAR_BITS = 6
"""Of 64: scaling, windowing and lossy compression change some two to four; other patients' slices over ten."""
BANDS = 4
BAND_BITS = 64 // BANDS
FRAMES_ALIKE = 2 / 3
"""Share of the frames of the series with fewer of them that must have a like frame in the other."""
PAIRS_AT_ONCE = 4_000_000
"""Pairs of hashes compared at once: some 100 MB."""
NO_PICTURE = frozenset({0, 2**64 - 1})
"""Hashes of frames of one brightness."""
CROWD = 200
"""Of more frames with one and the same hash only so many are paired: it is a test image or a cover page."""


@dataclass(frozen=True, slots=True)
class NearPair:
    """Two series by their rows in the index given, ``first`` < ``second``, and the bits that their frames differ in."""

    first: int
    second: int
    bits: int


def hash_values(text: object) -> tuple[int, ...]:
    """``FrameHashes`` of the index as numbers."""
    return tuple(int(part, 16) for part in text.split()) if isinstance(text, str) else ()


def near_pairs(index: pd.DataFrame, *, own: int) -> list[NearPair]:
    """Pairs of series that look alike, of different studies and one modality; one of each is among the first ``own``
    rows. In the order of the rows."""
    rows, values = _frames(index)
    if not len(rows):
        return []
    modality = pd.factorize(index["Modality"])[0].astype(np.int64)
    study = pd.factorize(index["source_id"].astype(str) + "/" + index["StudyInstanceUID"].astype(str))[0]
    kind = modality[rows]
    # equal hashes of one modality are compared once
    unique, inverse = np.unique(np.stack([kind.astype(np.uint64), values]), axis=1, return_inverse=True)
    members = np.argsort(inverse, kind="stable")
    starts = np.searchsorted(inverse[members], np.arange(unique.shape[1] + 1))
    alike: dict[tuple[int, int], _Alike] = {}
    for left, right, bits in _near_values(unique[0].astype(np.int64), unique[1]):
        for a, b, apart in zip(left.tolist(), right.tolist(), bits.tolist(), strict=True):
            if a == b and starts[a + 1] - starts[a] < 2:
                continue
            mine, theirs = members[starts[a] : starts[a + 1]], members[starts[b] : starts[b + 1]]
            _pair_up(alike, rows[mine], rows[theirs], mine, theirs, apart, study=study, own=own)
    counts = np.bincount(rows, minlength=len(index))
    found = []
    for (first, second), frames in sorted(alike.items()):
        # of the one with fewer frames; of two with as many both, so that their order makes no difference
        fewest = min(counts[first], counts[second])
        sides = [side for side, row in ((frames.first, first), (frames.second, second)) if counts[row] == fewest]
        if all(len(side) >= max(1, FRAMES_ALIKE * fewest) for side in sides):
            found.append(NearPair(first, second, max(max(side.values()) for side in sides)))
    return found


@dataclass(slots=True)
class _Alike:
    """Frames of each series that have a like one in the other, and the fewest bits that they differ in."""

    first: dict[int, int] = field(default_factory=dict)
    second: dict[int, int] = field(default_factory=dict)


def _frames(index: pd.DataFrame) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    """Row and value of every hash that shows something."""
    rows, values = [], []
    for row, text in enumerate(index["FrameHashes"]):
        for value in hash_values(text):
            if value not in NO_PICTURE:
                rows.append(row)
                values.append(value)
    return np.array(rows, dtype=np.int64), np.array(values, dtype=np.uint64)


def _pair_up(
    alike: dict[tuple[int, int], _Alike],
    left: NDArray[np.int64],
    right: NDArray[np.int64],
    left_frames: NDArray[np.int64],
    right_frames: NDArray[np.int64],
    bits: int,
    *,
    study: NDArray[np.int64],
    own: int,
) -> None:
    """Note, for each pair of series, which frames of each have a like one in the other."""
    for a, frame_a in zip(left[:CROWD].tolist(), left_frames[:CROWD].tolist(), strict=True):
        for b, frame_b in zip(right[:CROWD].tolist(), right_frames[:CROWD].tolist(), strict=True):
            if study[a] == study[b] or (a >= own and b >= own):
                continue
            known = alike.setdefault((min(a, b), max(a, b)), _Alike())
            of_a, of_b = (known.first, known.second) if a < b else (known.second, known.first)
            of_a[frame_a] = min(bits, of_a.get(frame_a, 64))
            of_b[frame_b] = min(bits, of_b.get(frame_b, 64))


def _near_values(
    kind: NDArray[np.int64], values: NDArray[np.uint64]
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Positions of pairs of values of one kind within ``NEAR_BITS``, each pair once (a <= b), and their distances."""
    every = np.arange(len(values))
    yield every, every, np.zeros(len(values), dtype=np.int64)  # equal hashes: a group with itself
    neighbours = np.array([0, *(1 << bit for bit in range(BAND_BITS))], dtype=np.int64)
    for band in range(BANDS):
        part = ((values >> np.uint64(band * BAND_BITS)) & np.uint64((1 << BAND_BITS) - 1)).astype(np.int64)
        keys = (kind << BAND_BITS) | part
        order = np.argsort(keys, kind="stable")
        ordered = keys[order]
        for neighbour in neighbours:
            wanted = keys ^ neighbour
            begin, end = np.searchsorted(ordered, wanted, "left"), np.searchsorted(ordered, wanted, "right")
            yield from _within(values, order, begin, end, band)


def _within(
    values: NDArray[np.uint64], order: NDArray[np.int64], begin: NDArray[np.int64], end: NDArray[np.int64], band: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    lengths = end - begin
    totals = np.cumsum(lengths)
    start = 0
    while start < len(values):
        base = int(totals[start - 1]) if start else 0
        stop = max(start + 1, int(np.searchsorted(totals, base + PAIRS_AT_ONCE, "right")))
        count = lengths[start:stop]
        left = np.repeat(np.arange(start, stop), count)
        shift = np.repeat(np.cumsum(count) - count, count)
        right = order[np.repeat(begin[start:stop], count) + np.arange(len(left)) - shift]
        keep = left < right
        left, right = left[keep], right[keep]
        apart = values[left] ^ values[right]
        bits = np.bitwise_count(apart).astype(np.int64)
        near = bits <= NEAR_BITS
        left, right, bits, apart = left[near], right[near], bits[near], apart[near]
        yield from _once(left, right, bits, apart, band)
        start = stop


def _once(
    left: NDArray[np.int64], right: NDArray[np.int64], bits: NDArray[np.int64], apart: NDArray[np.uint64], band: int
) -> Iterable[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]]:
    """Leave out what an earlier band found: there the two differed in at most one bit."""
    fresh = np.ones(len(left), dtype=bool)
    for earlier in range(band):
        part = (apart >> np.uint64(earlier * BAND_BITS)) & np.uint64((1 << BAND_BITS) - 1)
        fresh &= np.bitwise_count(part) > 1
    if fresh.any():
        yield left[fresh], right[fresh], bits[fresh]
