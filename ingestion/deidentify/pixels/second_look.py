"""The detector's close look at a place that the screen suspects: cut out, enlarged, in two windows.

Looked at whole, a body is one large text to the network; cut out, it is background and the lettering stands on it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ingestion.deidentify.pixels.boxes import Box
from ingestion.deidentify.pixels.detector import TextBox, TextDetector

MARGIN = 24
"""Pixels around the suspected place that are shown with it."""
WIDER = 88
"""The same for a line that the first cut-out cuts off."""
ORDER = ((0, 1), (0, 2), (1, 2))
"""Looks and enlargements, in turn until one shows lettering: small letters are found better at twice their size, noisy
ones at their own, and some only over the whole range of values."""
WHITE = 255
LARGEST = 480
"""Pixels of a cut-out's longer side up to which it is enlarged."""
SURE = 0.55
"""Confidence from which a box counts here."""
SURER = 0.7
"""The same in the wider cut-out, which shows more that may be taken for lettering."""
LONG = 2.0
"""Times that a line is longer than high, at least: a side marker of one letter names nobody, and spots are round."""
STUBBY, CERTAIN = 1.7, 0.9
"""The same where the detector is that certain: large lines of four or five letters."""
HIGHEST = 56
"""Pixels that a line is high at most."""
FULLEST = 0.6
"""Part of the cut-out that a line fills at most; more is the picture itself, taken for text."""
MOST_EDGES = 1
"""Edges of the cut-out that a line touches at most: what goes from edge to edge is the picture itself."""
NEAR = 8
"""Pixels between what is found and what was suspected."""
SATURATED = 0.01
"""Part of a cut-out at the ends of the window from which it is looked at over the whole range too."""


def second_look(looks: NDArray[np.float32], place: Box, detector: TextDetector) -> tuple[TextBox, ...]:
    """Lines of lettering that the detector finds in or beside ``place``, in the frame's own pixels.

    ``looks``: (2, rows, columns), -1 to 1, as ``two_looks`` makes them.
    """
    for margin, sure in ((MARGIN, SURE), (WIDER, SURER)):
        area = _around(place, margin, rows=looks.shape[1], columns=looks.shape[2])
        found, cut_off = _look(looks, area, detector, sure)
        found = tuple(text for text in found if _meet(text.box, place))
        if found or not cut_off:
            return found
    return ()


def _meet(one: Box, other: Box) -> bool:
    """Whether they overlap, or nearly: what was suspected must be what is found."""
    return (
        one.left < other.right + NEAR
        and one.right > other.left - NEAR
        and one.top < other.bottom + NEAR
        and one.bottom > other.top - NEAR
    )


def _around(place: Box, margin: int, *, rows: int, columns: int) -> Box:
    left, top = max(place.left - margin, 0), max(place.top - margin, 0)
    right, bottom = min(place.right + margin, columns), min(place.bottom + margin, rows)
    return Box(left, top, right - left, bottom - top)


def _look(
    looks: NDArray[np.float32], area: Box, detector: TextDetector, sure: float
) -> tuple[tuple[TextBox, ...], bool]:
    """The lines found; or whether something that may be one is cut off by the area's edges."""
    cut = ((looks[:, area.top : area.bottom, area.left : area.right] + 1) * 127.5).astype(np.uint8)
    large = max(cut.shape[1:]) > LARGEST
    hidden = np.count_nonzero((cut[0] == 0) | (cut[0] == WHITE)) > SATURATED * cut[0].size
    cut_off = False
    for number, scale in dict.fromkeys((number, 1 if large else scale) for number, scale in ORDER):
        if number > 0 and not hidden:
            continue
        texts = detector.find(_enlarged(cut[number], scale), enlarge=False)
        found = [text for text in texts if text.confidence >= sure]
        lines = tuple(line for text in found if (line := _line(text, scale, area)) is not None)
        if lines:
            return lines, False
        cut_off |= any(_is_cut_off(text, scale, area) for text in found)
    return (), cut_off


def _enlarged(grey: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    if scale == 1:
        return grey
    size = (grey.shape[1] * scale, grey.shape[0] * scale)
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC))


def _within(text: TextBox, scale: int, area: Box) -> tuple[Box, tuple[bool, bool, bool, bool]]:
    """The box in the pixels of the cut-out, and whether it touches its left, top, right and bottom edge."""
    box = text.box
    left, top = box.left // scale, box.top // scale
    right, bottom = min(-(-box.right // scale), area.width), min(-(-box.bottom // scale), area.height)
    edges = (left <= 1, top <= 1, right >= area.width - 1, bottom >= area.height - 1)
    return Box(left, top, right - left, bottom - top), edges


def _line(text: TextBox, scale: int, area: Box) -> TextBox | None:
    """``text`` in the frame's pixels, where it has the shape of a line of lettering."""
    box, edges = _within(text, scale, area)
    short, long = sorted((box.width, box.height))
    longer = STUBBY if text.confidence >= CERTAIN else LONG
    if long < longer * short or short > HIGHEST or sum(edges) > MOST_EDGES:
        return None
    if short * long > FULLEST * area.width * area.height:
        return None
    return TextBox(Box(area.left + box.left, area.top + box.top, box.width, box.height), text.confidence)


def _is_cut_off(text: TextBox, scale: int, area: Box) -> bool:
    """Whether it goes on beyond edges of the cut-out, but is no more than a line high there."""
    box, edges = _within(text, scale, area)
    left, top, right, bottom = edges
    across = (left or right) and not (top or bottom)
    down = (top or bottom) and not (left or right)
    return (across and box.height <= HIGHEST) or (down and box.width <= HIGHEST)
