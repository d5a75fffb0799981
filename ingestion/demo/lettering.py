"""Text drawn into pixels, as ultrasound machines and screenshots do, in Pillow's bitmap font: the same everywhere."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont


def burn_in(canvas: NDArray[np.uint8], lines: list[str], *, top: int = 4, left: int = 6) -> None:
    """Draw ASCII lines in white on ``canvas`` (uint8 [row, column] or [row, column, 3]), in place."""
    font = ImageFont.load_default_imagefont()
    height = 13
    layer = Image.new("L", (canvas.shape[1], canvas.shape[0]), 0)
    draw = ImageDraw.Draw(layer)
    for number, line in enumerate(lines):
        draw.text((left, top + number * height), line, fill=255, font=font)
    canvas[np.asarray(layer) > 127] = 255
