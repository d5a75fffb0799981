"""The pectoral muscle of a mammogram: there in an oblique view, not in a cranio-caudal one.

In the medio-lateral oblique view the muscle is a bright triangle in the upper corner at the chest wall, and its edge is
nearly a straight line that runs from the upper rim down to the wall. Lines of that kind are tried out, as in the Hough
transform of Karssemeijer, "Automated classification of parenchymal patterns in mammograms", Phys Med Biol 43 (1998),
365-378; taken is the line along which the picture steps down most steadily.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from quality_checks.imaging.digests import shrink

ROWS = 96
"""Of the shrunk picture: a line of a few millimetres is a pixel, glands and noise are averaged."""
NARROWEST, WIDEST = 32, 160
ANGLES = (6.0, 60.0)
"""Degrees between edge and wall. A flatter edge is the fold under the arm, a steeper one the thin band of muscle that
a cranio-caudal view may show along the wall."""
SHORTEST, LONGEST = 0.2, 1.2
"""Where the edge meets the wall, of the image's height; beyond 1 it leaves the image below."""
NEAR, FAR = 1.5, 3.5
"""Distances from the edge, in shrunk pixels, between which its two sides are compared: the edge itself is blurred."""
STEADY = 0.2
"""Quantile of the steps along a line: four in five of its points step down at least as much. Edges of glands are
curved, and step along a part of any line only."""
INSIDE_SHARE = 0.85
"""Of a line's points with breast on both sides: the rim of the breast is an edge against air."""
BREAST_OVER_AIR = 0.12
"""Of the picture's range, as for the side of the chest wall."""
AIR_STRIP = 0.08
"""Of the width, opposite the chest wall: air even where a large breast fills most of the image."""
FEWEST_POINTS = 20
LEAST_BREAST = 0.05
"""Of the picture: with less of it there is nothing to go by."""
MUSCLE_STEP = 0.4
"""Of the breast's range of brightness. The highest of 576 made cranio-caudal views, a third of them with a band of
muscle along the wall, has 0.34; most of the made oblique ones more, a real one 0.46."""
CORNER_ROWS, CORNER_WIDTH, CORNER_EMPTY = (0.03, 0.12), 0.1, 0.2
"""Where the arm pit lies in an oblique view, clear of a frame of collimation, and the share of tissue that is none."""
FILLED_SHARE = 0.8
"""Of the triangle: muscle is bright throughout, stripes of glandular tissue are not."""
TRIED = 200
"""The steadiest lines looked at for a filled triangle; lines beside each other differ little."""
_POINTS = np.linspace(0.04, 0.92, 32)
_OFFSETS = np.linspace(NEAR, FAR, 3)


def view_shown(stored: NDArray[np.generic], *, wall: str, head_below: bool = False) -> str | None:
    """``MLO`` where a muscle's straight edge is seen, ``CC`` where the corner for it is air; None: cannot be told.

    Args:
        stored: (rows, columns) in either polarity: tissue is taken for what differs from air.
        wall: ``left`` or ``right``, the side of the chest wall.
        head_below: the image stands on its head.
    """
    found = _prepared(stored, wall=wall, head_below=head_below)
    if found is None:
        return None
    bright, breast = found
    if muscle_edge(bright, breast) >= MUSCLE_STEP:
        return "MLO"
    (top, bottom), width = (round(part * ROWS) for part in CORNER_ROWS), round(CORNER_WIDTH * breast.shape[1])
    return "CC" if float(breast[top:bottom, 1:width].mean()) < CORNER_EMPTY else None


def _prepared(
    stored: NDArray[np.generic], *, wall: str, head_below: bool
) -> tuple[NDArray[np.float64], NDArray[np.bool_]] | None:
    """Shrunk, chest wall left and head up: brightness over air in shares of the breast's range, and where tissue is."""
    tall, wide = stored.shape
    columns = int(np.clip(round(ROWS * wide / tall), NARROWEST, WIDEST))
    small = shrink(stored.astype(np.float64), ROWS, columns)
    small = small[:, ::-1] if wall == "right" else small
    small = small[::-1] if head_below else small
    low, high = np.percentile(small, (1, 99))
    if high <= low:
        return None
    air = float(np.median(small[:, -max(round(AIR_STRIP * columns), 1) :]))
    breast = np.abs(small - air) > BREAST_OVER_AIR * (high - low)
    if breast.mean() < LEAST_BREAST:
        return None
    bright = (small - air) * (1.0 if np.median(small[breast]) > air else -1.0)
    darkest, brightest = np.percentile(bright[breast], (5, 95))
    return None if brightest <= darkest else (bright / (brightest - darkest), breast)


def muscle_edge(bright: NDArray[np.float64], breast: NDArray[np.bool_]) -> float:
    """The most steady step down along any line with a filled triangle behind it; ``bright`` in shares of the breast's
    range. 0: there is no such line."""
    rows, columns = bright.shape
    tops, feet = np.meshgrid(np.arange(4, columns), np.arange(int(SHORTEST * rows), int(LONGEST * rows), 2))
    top, foot = tops.ravel().astype(float), feet.ravel().astype(float)
    narrow, flat = (math.tan(math.radians(angle)) for angle in ANGLES)
    steep = (top / foot >= narrow) & (top / foot <= flat)
    top, foot = top[steep, None], foot[steep, None]
    length = np.hypot(top, foot)
    row, column = foot * _POINTS, top * (1 - _POINTS)
    inner, outer = np.zeros_like(row), np.zeros_like(row)
    seen = np.ones(row.shape, dtype=bool)
    tissue = np.ones(row.shape, dtype=bool)
    for distance in _OFFSETS:
        for side, total in ((-distance, inner), (distance, outer)):
            at_row = np.rint(row + side * top / length).astype(int)
            at_column = np.rint(column + side * foot / length).astype(int)
            seen &= (at_row >= 0) & (at_row < rows) & (at_column >= 0) & (at_column < columns)
            at = (np.clip(at_row, 0, rows - 1), np.clip(at_column, 0, columns - 1))
            np.add(total, bright[at] / len(_OFFSETS), out=total)
            tissue &= breast[at]
    number = seen.sum(axis=1)
    good = (number >= FEWEST_POINTS) & ((seen & tissue).sum(axis=1) >= INSIDE_SHARE * number)
    if not good.any():
        return 0.0
    seen, inner, outer, top, foot = seen[good], inner[good], outer[good], top[good, 0], foot[good, 0]
    steps = np.nanquantile(np.where(seen, inner - outer, np.nan), STEADY, axis=1)
    for at in np.argsort(-steps, kind="stable")[:TRIED]:
        if steps[at] <= 0:
            break
        beyond = float(outer[at][seen[at]].mean())
        if _filled(bright, top[at], foot[at], beyond + float(steps[at]) / 2):
            return float(steps[at])
    return 0.0


def _filled(bright: NDArray[np.float64], top: float, foot: float, least: float) -> bool:
    """Whether the whole triangle is as bright as ``least``, not its rim alone."""
    row, column = np.mgrid[0 : bright.shape[0], 0 : bright.shape[1]]
    inside = row / foot + (column + NEAR) / top < 1
    return bool(inside.any()) and float((bright[inside] > least).mean()) >= FILLED_SHARE
