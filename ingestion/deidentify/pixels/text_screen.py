"""A network of 29,000 weights that says in four milliseconds where a frame of a scanner may show lettering.

Trained by ``tests/ingestion/deidentify/pixels/train_screen.py`` on lettering planted over public images and over
pictures made by code. It is far quicker than the detector and far less sure: what it suspects, the detector looks at.
"""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ingestion.deidentify.pixels.boxes import Box, box_of
from ingestion.deidentify.pixels.display import Window

MODEL = "likely_text.onnx"
CELL = 8
"""Pixels along a side of what gets one answer."""
REACH = 64
"""Pixels around a cell that its answer depends on at most: what neighbouring bands share."""
BAND = 1024
"""Rows looked at at once, for the memory."""
CERTAIN = 8.0
"""Log-odds are cut here: one cell is never worth more than a line."""
RUN = 3
"""Cells in a row that are averaged: lettering comes in lines, and a line has more than one cell."""
SUSPICIOUS = 0.3
"""Log-odds from which a run of cells is looked at by the detector."""
ENOUGH = 1
"""Times that a cell was rejected, from which it is looked at again only when it is more suspicious."""
MORE = 0.4
"""Log-odds that make it so."""
ROWS_AT_ONCE = 128
"""Rows that are made ready at once: few enough to stay in a core's own memory from one step to the next."""
SMALLEST_SIDE = 16
"""Smaller pictures show no lettering."""
COARSE_FROM = 1200
"""Pictures with a longer side, radiographs, are looked at in half and quarter size too: their letters are larger."""
Logits = NDArray[np.float32]


@dataclass(frozen=True)
class TextScreen:
    """The network, loaded."""

    session: Any = field(repr=False)
    version: str

    def look(self, looks: NDArray[np.float32]) -> Logits:
        """Log-odds of lettering in each cell. ``looks``: (2, rows, columns), as ``two_looks`` makes them."""
        rows = looks.shape[1]
        if rows <= BAND + REACH:
            return self._run(looks)
        parts = []
        for top in range(0, rows, BAND):
            first, last = max(top - REACH, 0), min(top + BAND + REACH, rows)
            answer = self._run(looks[:, first:last])
            start = (top - first) // CELL
            parts.append(answer[start : start + -(-min(BAND, rows - top) // CELL)])
        return np.concatenate(parts)

    def _run(self, looks: NDArray[np.float32]) -> Logits:
        (answer,) = self.session.run(None, {"looks": looks[None]})
        found: Logits = np.clip(answer[0, 0], -CERTAIN, CERTAIN)
        return found


@cache
def find_screen() -> TextScreen | None:
    """The network of this process; None where onnxruntime is not installed."""
    if importlib.util.find_spec("onnxruntime") is None:
        return None
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # a worker has one core, and sums keep their order
    model = resources.files("ingestion.deidentify.pixels").joinpath("models", MODEL).read_bytes()
    session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return TextScreen(session, f"likely_text {hashlib.sha256(model).hexdigest()[:12]}")


def two_looks(plane: NDArray[Any], window: Window, *, inverted: bool) -> NDArray[np.float32]:
    """(2, rows, columns) from -1 to 1: as shown in ``window``, and over the whole range of values."""
    looks = np.empty((2, *plane.shape), np.float32)
    whole = (float(plane.min()), float(plane.max()))
    for top in range(0, plane.shape[0], ROWS_AT_ONCE):
        some = np.s_[top : top + ROWS_AT_ONCE]
        _look(plane[some], window, looks[0, some], inverted=inverted)
        _look(plane[some], whole, looks[1, some], inverted=inverted)
    return looks


def _look(plane: NDArray[Any], window: Window, look: NDArray[np.float32], *, inverted: bool) -> None:
    """``shown``, stretched to -1 to 1, or the other way around, into ``look``.

    Twice a number is exact, so that the stretching goes into the factor; the bits are those of the plain steps.
    """
    low, high = window
    span = high - low if high > low else 1.0
    look[...] = plane
    look -= np.float32(low)
    look *= np.float32(1 / span) * np.float32(2)
    np.clip(look, 0, 2, out=look)
    if inverted:
        np.subtract(1, look, out=look)
    else:
        look -= 1


def runs(logits: Logits) -> Logits:
    """For each cell the best mean of ``RUN`` cells in a row that it is the middle of, across or down."""
    best = np.full(logits.shape, -CERTAIN, np.float32)
    if logits.shape[1] >= RUN:
        across = (logits[:, :-2] + logits[:, 1:-1] + logits[:, 2:]) / RUN
        best[:, 1:-1] = across
    if logits.shape[0] >= RUN:
        down = (logits[:-2] + logits[1:-1] + logits[2:]) / RUN
        np.maximum(best[1:-1], down, out=best[1:-1])
    return best


@dataclass(frozen=True, slots=True)
class Suspect:
    """A place worth a second look. ``level``: its best run. ``cells``: which they are, of the frame's."""

    box: Box
    level: float
    cells: NDArray[np.bool_] = field(repr=False)


def suspects(
    best: Logits, *, rows: int, columns: int, level: float = SUSPICIOUS, above: Logits | None = None
) -> Iterator[Suspect]:
    """Places of which the best run (of ``runs``) reaches ``level`` and, where given, passes ``above``.

    ``rows`` and ``columns``: of the frame.
    """
    chosen = best >= level
    if above is not None:
        chosen &= best > above
    if not chosen.any():
        return
    near = np.ones((3, 3), np.bool_)
    labels, _ = ndimage.label(ndimage.binary_dilation(chosen, structure=near), structure=near)
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        box = box_of(
            left=place[1].start * CELL,
            top=place[0].start * CELL,
            right=place[1].stop * CELL,
            bottom=place[0].stop * CELL,
            rows=rows,
            columns=columns,
        )
        if box is not None:
            cells = labels == number
            yield Suspect(box, float(best[cells].max()), cells)


@dataclass(slots=True)
class Rejected:
    """Cells of the frames of a series that the detector looked at in vain: a vertebra lies where it lay before."""

    levels: Logits | None = field(default=None, repr=False)
    counts: NDArray[np.int32] | None = field(default=None, repr=False)

    def above(self) -> Logits | None:
        """The level that each cell must pass to be looked at again; None: any."""
        if self.levels is None or self.counts is None:
            return None
        passed: Logits = np.where(self.counts >= ENOUGH, self.levels + MORE, -np.inf).astype(np.float32)
        return passed

    def add(self, suspect: Suspect) -> None:
        """``suspect`` was looked at, and is no lettering."""
        if self.levels is None or self.counts is None:
            self.levels = np.full(suspect.cells.shape, -np.inf, np.float32)
            self.counts = np.zeros(suspect.cells.shape, np.int32)
        self.levels[suspect.cells] = np.maximum(self.levels[suspect.cells], suspect.level)
        self.counts[suspect.cells] += 1
