"""Text detection by the network that the rapidocr wheel carries (PP-OCRv6, DB head; Liao et al. 2020, AAAI 34:11474).

Only the detection half of a text recogniser is run: where something is written, never what, so that no text of a
patient exists even in memory. The package is not imported, only its model file is read, by onnxruntime on one thread;
nothing is downloaded. Where either is missing there is no detector, and what needs one stays quarantined.
"""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from ingestion.deidentify.pixels.boxes import Box, box_of
from ingestion.deidentify.pixels.weights import NoModelError, without_denormals

MODEL = "PP-OCRv6_det_small.onnx"
PACKAGE = "rapidocr"
TILE = 960
"""Side of what the network sees at once: what it was trained at, and 1 GB of memory at most."""
OVERLAP = 128
"""Pixels that neighbouring tiles share: more than the height of any line of a screen."""
MARGIN = 32
"""Black pixels around the image: letters that touch the edge of the network's input are missed."""
THIN_MARGIN = 8
"""The same around a cut-out, which shows the surroundings of its letters itself: a wide one makes it a white page."""
SMALL_SIDE = 400
"""Images with a shorter side are looked at twice as large: their letters are six pixels high."""
STRIDE = 32
"""The network halves its input five times."""
PIXEL_THRESHOLD = 0.2
"""Probability from which a pixel counts as text: 0.3 is the model's own; recall is worth more than tightness here."""
MIN_PIXELS = 12
"""Smaller spots are no letters."""
GROWTH = 0.6
"""The network marks the core of a line, shrunk by its design; a box grows by this part of its height on every side."""


@dataclass(frozen=True, slots=True)
class TextBox:
    """Where something seems to be written. ``confidence``: mean probability of its pixels."""

    box: Box
    confidence: float


class TextDetector(Protocol):
    """Finds text in one frame of grey values, 0 to 255."""

    @property
    def name(self) -> str: ...

    @property
    def version(self) -> str: ...

    def find(self, grey: NDArray[np.uint8], *, enlarge: bool = True) -> tuple[TextBox, ...]:
        """All places where text may be, in the frame's own pixels. ``enlarge``: as a whole picture, small ones larger;
        False: as a cut-out with its surroundings."""


@dataclass(frozen=True)
class NetworkDetector:
    """The detection network, loaded."""

    session: Any = field(repr=False)
    version: str
    name: str = "PP-OCRv6 small, detection"

    def find(self, grey: NDArray[np.uint8], *, enlarge: bool = True) -> tuple[TextBox, ...]:
        scale = 2 if enlarge and min(grey.shape) < SMALL_SIDE else 1
        enlarged = np.repeat(np.repeat(grey, scale, axis=0), scale, axis=1) if scale > 1 else grey
        probability = np.zeros(enlarged.shape, dtype=np.float32)
        for rows, columns in _tiles(*enlarged.shape):
            seen = self._look(enlarged[rows, columns], margin=MARGIN if enlarge else THIN_MARGIN)
            np.maximum(probability[rows, columns], seen, out=probability[rows, columns])
        return _boxes(probability, scale=scale, shape=grey.shape)

    def _look(self, tile: NDArray[np.uint8], *, margin: int) -> NDArray[np.float32]:
        rows, columns = tile.shape
        padded = np.zeros((_padded(rows, margin), _padded(columns, margin)), dtype=np.float32)
        padded[margin : margin + rows, margin : margin + columns] = tile
        plane = padded / np.float32(127.5) - np.float32(1)  # mean and deviation 0.5, as the model was trained
        batch = np.broadcast_to(plane, (1, 3, *plane.shape))
        (answer,) = self.session.run(None, {self.session.get_inputs()[0].name: np.ascontiguousarray(batch)})
        seen: NDArray[np.float32] = answer[0, 0, margin : margin + rows, margin : margin + columns]
        return seen


@cache
def find_detector() -> NetworkDetector | None:
    """The detector of this process; None where onnxruntime or the model is not installed."""
    model = _model_file()
    if model is None or importlib.util.find_spec("onnxruntime") is None:
        return None
    import onnxruntime  # 0.2 s and 60 MB: only where pixels are looked at

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # a worker has one core, and sums keep their order
    weights = model.read_bytes()
    with contextlib.suppress(NoModelError):  # then onnxruntime says what it is; denormals cost time, nothing else
        weights = without_denormals(weights)
    session = onnxruntime.InferenceSession(weights, options, providers=["CPUExecutionProvider"])
    version = f"{PACKAGE} {metadata.version(PACKAGE)}, onnxruntime {metadata.version('onnxruntime')}"
    return NetworkDetector(session, version)


def _model_file() -> Path | None:
    package = importlib.util.find_spec(PACKAGE)  # finds, does not import: the import takes a second and OpenCV
    for folder in (package.submodule_search_locations or ()) if package else ():
        file = Path(folder) / "models" / MODEL
        if file.is_file():
            return file
    return None


def _padded(size: int, margin: int) -> int:
    return -(-(size + 2 * margin) // STRIDE) * STRIDE


def _tiles(rows: int, columns: int) -> Iterator[tuple[slice, slice]]:
    for top in _starts(rows):
        for left in _starts(columns):
            yield slice(top, min(top + TILE, rows)), slice(left, min(left + TILE, columns))


def _starts(size: int) -> list[int]:
    if size <= TILE:
        return [0]
    count = -(-(size - OVERLAP) // (TILE - OVERLAP))
    return [round(number * (size - TILE) / (count - 1)) for number in range(count)]


def _boxes(probability: NDArray[np.float32], *, scale: int, shape: tuple[int, ...]) -> tuple[TextBox, ...]:
    labels, _ = ndimage.label(probability > PIXEL_THRESHOLD, structure=np.ones((3, 3)))
    found = []
    for number, place in enumerate(ndimage.find_objects(labels), start=1):
        inside = labels[place] == number
        if np.count_nonzero(inside) < MIN_PIXELS:
            continue
        height = min(place[0].stop - place[0].start, place[1].stop - place[1].start)
        grown = max(2, round(GROWTH * height))
        box = box_of(
            left=(place[1].start - grown) // scale,
            top=(place[0].start - grown) // scale,
            right=-(-(place[1].stop + grown) // scale),
            bottom=-(-(place[0].stop + grown) // scale),
            rows=shape[0],
            columns=shape[1],
        )
        if box is not None:
            found.append(TextBox(box, float(probability[place][inside].mean())))
    return tuple(sorted(found, key=lambda text: text.box))
