"""The detector's close look at a place that the screen suspects: cut out, enlarged, in two windows.

Looked at whole, a body is one large text to the network; cut out, it is background and the lettering stands on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ingestion.deidentify.pixels.boxes import Box, box_of
from ingestion.deidentify.pixels.detector import TextBox, TextDetector

MARGIN = 24
"""Pixels around the suspected place that are shown with it."""
ORDER = ((0, 1), (0, 2), (1, 2))
"""Looks and enlargements, in turn until one shows lettering: small letters are found better at twice their size, noisy
ones at their own, and some only over the whole range of values."""
LARGEST = 480
"""Pixels of a cut-out's longer side up to which it is enlarged."""
SURE = 0.55
"""Confidence from which a box counts here."""
LONG = 2.0
"""Times that a line is longer than high, at least: a side marker of one letter names nobody, and spots are round."""
HIGHEST = 72
"""Pixels that a line is high at most."""
FULLEST = 0.6
"""Part of the cut-out that a line fills at most; more is the picture itself, taken for text."""
MOST_EDGES = 1
"""Edges of the cut-out that a line touches at most: what goes from edge to edge is the picture itself."""
ENOUGH = 3
"""Times that a place was rejected, after which it is looked at again only when it is more suspicious."""
MORE = 0.3
"""Log-odds that make it so."""


@dataclass(slots=True)
class Rejected:
    """Places of a series that the detector looked at in vain: a vertebra lies where it lay in the slice before."""

    _places: list[tuple[Box, float, int]] = field(default_factory=list, repr=False)

    def known(self, place: Box, level: float) -> bool:
        """Whether as suspicious a place, there, was rejected often enough."""
        return any(
            count >= ENOUGH and level <= most + MORE and _covers(known, place) for known, most, count in self._places
        )

    def add(self, place: Box, level: float) -> None:
        for number, (known, most, count) in enumerate(self._places):
            if _covers(known, place) and _covers(place, known):
                self._places[number] = (known, max(most, level), count + 1)
                return
        self._places.append((place, level, 1))


def _covers(one: Box, other: Box) -> bool:
    """Whether ``one`` holds ``other``, but for a margin."""
    return (
        one.left - MARGIN <= other.left
        and one.top - MARGIN <= other.top
        and one.right + MARGIN >= other.right
        and one.bottom + MARGIN >= other.bottom
    )


def second_look(looks: NDArray[np.float32], place: Box, detector: TextDetector) -> tuple[TextBox, ...]:
    """Lines of lettering that the detector finds in or beside ``place``, in the frame's own pixels.

    ``looks``: (2, rows, columns), -1 to 1, as ``two_looks`` makes them.
    """
    rows, columns = looks.shape[1:]
    area = box_of(
        left=place.left - MARGIN,
        top=place.top - MARGIN,
        right=place.right + MARGIN,
        bottom=place.bottom + MARGIN,
        rows=rows,
        columns=columns,
    )
    if area is None:
        return ()
    cut = ((looks[:, area.top : area.bottom, area.left : area.right] + 1) * 127.5).astype(np.uint8)
    large = max(cut.shape[1:]) > LARGEST
    for number, scale in dict.fromkeys((number, 1 if large else scale) for number, scale in ORDER):
        grey = cut[number]
        found = tuple(_lines(detector.find(_enlarged(grey, scale), enlarge=False), scale=scale, area=area))
        if found:
            return found
    return ()


def _enlarged(grey: NDArray[np.uint8], scale: int) -> NDArray[np.uint8]:
    if scale == 1:
        return grey
    size = (grey.shape[1] * scale, grey.shape[0] * scale)
    return np.asarray(Image.fromarray(grey).resize(size, Image.Resampling.BICUBIC))


def _lines(texts: tuple[TextBox, ...], *, scale: int, area: Box) -> Iterator[TextBox]:
    for text in texts:
        box = text.box
        left, top = box.left // scale, box.top // scale
        right, bottom = min(-(-box.right // scale), area.width), min(-(-box.bottom // scale), area.height)
        short, long = sorted((right - left, bottom - top))
        edges = (left <= 1) + (top <= 1) + (right >= area.width - 1) + (bottom >= area.height - 1)
        shape = long >= LONG * short and short <= HIGHEST and short * long <= FULLEST * area.width * area.height
        if text.confidence >= SURE and shape and edges <= MOST_EDGES:
            yield TextBox(Box(area.left + left, area.top + top, right - left, bottom - top), text.confidence)
