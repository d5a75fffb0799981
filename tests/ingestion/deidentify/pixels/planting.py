"""Lettering planted over pictures, as programs draw it: in fonts that the screen was not trained with."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib import get_data_path
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from ingestion.deidentify.pixels.boxes import Box
from ingestion.deidentify.pixels.display import shown

LINES = ("MUSTERMANN, ERIKA", "ID 4711-0815", "12.08.1964", "Klinikum Nord", "DOE^JOHN", "F 57Y", "ACC 20190619")
FONTS = ("STIXGeneral.ttf", "STIXGeneralBol.ttf", "cmss10.ttf", "cmtt10.ttf", "")
"""Of matplotlib; the empty name stands for the one that Pillow brings (Aileron)."""
LEAST_SEEN = 50 / 255
"""Mean difference that lettering makes in the window; what is planted on something as bright nobody can read."""
TRIES = 60


@dataclass(frozen=True, slots=True)
class Way:
    """How lettering is drawn. ``step``: grey levels of 255 above (below) what lies under it; None: the window's white.

    ``alpha``: part of the white that is mixed in.
    """

    name: str
    step: int | None = None
    alpha: float = 1.0


WAYS = (
    Way("white"),
    Way("half transparent white", alpha=0.5),
    Way("100 of 255 brighter", step=100),
    Way("60 of 255 brighter", step=60),
    Way("60 of 255 darker", step=-60),
)


def ink_of(
    line: str, shape: tuple[int, int], *, left: int, top: int, height: int, smooth: bool, font: str
) -> NDArray[np.float64]:
    """0 to 1, of ``shape``; ``height``: of the font, in pixels."""
    path = Path(get_data_path()) / "fonts" / "ttf" / font
    face = ImageFont.truetype(str(path), height) if font else ImageFont.load_default(height)
    layer = Image.new("L", (shape[1], shape[0]), 0)
    draw = ImageDraw.Draw(layer)
    draw.fontmode = "L" if smooth else "1"
    draw.text((left, top), line, fill=255, font=face)
    return np.asarray(layer) / 255.0


def written(
    plane: NDArray[np.integer], ink: NDArray[np.float64], way: Way, window: tuple[float, float]
) -> NDArray[np.integer]:
    """``plane`` with the ink on it."""
    low, high = window
    value = high if way.step is None else float(np.median(plane[ink > 0.4])) + way.step / 255 * (high - low)
    mixed = plane * (1 - ink * way.alpha) + value * ink * way.alpha
    return np.round(mixed).astype(plane.dtype)


def planted(
    plane: NDArray[np.integer],
    rng: np.random.Generator,
    way: Way,
    *,
    height: int,
    smooth: bool,
    window: tuple[float, float],
    body: NDArray[np.bool_],
) -> tuple[NDArray[np.integer], Box] | None:
    """A line over the body, and the box of its ink; None where none that can be read finds room."""
    rows, columns = plane.shape
    for _ in range(TRIES):
        line, font = LINES[rng.integers(len(LINES))], FONTS[rng.integers(len(FONTS))]
        left, top = int(rng.integers(0, columns)), int(rng.integers(0, rows))
        ink = ink_of(line, (rows, columns), left=left, top=top, height=height, smooth=smooth, font=font)
        whole = ink_of(line, (rows * 2, columns * 3), left=left, top=top, height=height, smooth=smooth, font=font)
        found = np.nonzero(ink > 0.4)
        if found[0].size < np.count_nonzero(whole > 0.4) or body[found].mean() < 0.8:
            continue  # cut off by the picture's edge, or beside the body
        drawn = written(plane, ink, way, window)
        seen = np.abs(shown(drawn, window) - shown(plane, window))[ink > 0.5]
        if seen.mean() >= LEAST_SEEN:
            y, x = found
            return drawn, Box(int(x.min()), int(y.min()), int(np.ptp(x)) + 1, int(np.ptp(y)) + 1)
    return None
