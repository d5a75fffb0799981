"""Rectangles of pixels: the one currency of rules, detectors, people and the blanking code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, order=True)
class Box:
    """Columns ``left`` to ``left + width - 1``, rows ``top`` to ``top + height - 1``; ``frame`` None: every frame."""

    left: int
    top: int
    width: int
    height: int
    frame: int | None = None

    def __post_init__(self) -> None:
        if self.left < 0 or self.top < 0 or self.width < 1 or self.height < 1:
            raise ValueError("a box starts within the image and has at least one pixel")
        if self.frame is not None and self.frame < 0:
            raise ValueError("a frame is counted from 0")

    @property
    def right(self) -> int:
        """The first column behind it."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """The first row below it."""
        return self.top + self.height

    def concerns(self, frame: int) -> bool:
        return self.frame is None or self.frame == frame

    def within(self, *, rows: int, columns: int) -> bool:
        return self.right <= columns and self.bottom <= rows


def box_of(*, left: int, top: int, right: int, bottom: int, rows: int, columns: int) -> Box | None:
    """The part of a rectangle (``right`` and ``bottom`` behind it) that lies in the image; None: nothing of it."""
    left, top, right, bottom = max(left, 0), max(top, 0), min(right, columns), min(bottom, rows)
    return Box(left, top, right - left, bottom - top) if right > left and bottom > top else None


def mask_of(boxes: Iterable[Box], *, rows: int, columns: int, frame: int = 0) -> NDArray[np.bool_]:
    """True for the pixels of ``frame`` that any box covers."""
    mask = np.zeros((rows, columns), dtype=np.bool_)
    for box in boxes:
        if box.concerns(frame):
            mask[box.top : box.bottom, box.left : box.right] = True
    return mask


def outside(kept: Sequence[Box], *, rows: int, columns: int) -> tuple[Box, ...]:
    """Boxes that cover exactly what no box of ``kept`` covers, in few pieces: bands of equal rows, cut by columns."""
    edges = sorted({0, rows, *(min(y, rows) for box in kept for y in (box.top, box.bottom))})
    open_pieces: dict[tuple[int, int], int] = {}
    found: list[Box] = []
    for top, bottom in pairwise(edges):
        crossing = sorted((box.left, box.right) for box in kept if box.top <= top and box.bottom >= bottom)
        free, at = [], 0
        for left, right in crossing:
            if left > at:
                free.append((at, min(left, columns)))
            at = max(at, right)
        if at < columns:
            free.append((at, columns))
        for piece in [piece for piece in open_pieces if piece not in free]:
            found.append(_piece(piece, open_pieces.pop(piece), top))
        for piece in free:
            open_pieces.setdefault(piece, top)
    found += [_piece(piece, top, rows) for piece, top in open_pieces.items()]
    return tuple(sorted(found))


def _piece(columns: tuple[int, int], top: int, bottom: int) -> Box:
    return Box(columns[0], top, columns[1] - columns[0], bottom - top)
