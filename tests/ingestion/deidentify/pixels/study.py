"""The figures of docs/pixels.md: planted lettering, by background, height and contrast.

Run: python -m tests.ingestion.deidentify.pixels.study
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
from matplotlib import get_data_path
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import gaussian_filter

from ingestion.deidentify.pixels.boxes import Box, mask_of
from ingestion.deidentify.pixels.detector import find_detector
from ingestion.deidentify.pixels.looking import MIN_CONFIDENCE
from ingestion.deidentify.pixels.strokes import count_strokes

SIDE = 512
LINES = ("MUSTERMANN, ERIKA", "ID 4711-0815", "12.08.1964", "Klinikum Nord", "DOE^JOHN", "F 57Y", "ACC 20190619")
HEIGHTS = (8, 10, 12, 16, 24, 40)
COVERED = 0.9
"""Part of a line's ink that must lie in boxes for the line to count as found."""
PICTURES = 4


def backgrounds(rng: np.random.Generator) -> dict[str, NDArray[np.float64]]:
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE / 2
    body = (x / (SIDE * 0.42)) ** 2 + (y / (SIDE * 0.33)) ** 2 < 1
    breast = np.exp(-((x + SIDE / 2) ** 2 + y**2) / (2 * (SIDE * 0.4) ** 2))
    return {
        "black (capture)": np.zeros((SIDE, SIDE)),
        "body and noise (CT, MR)": body * 120 + rng.normal(0, 6, (SIDE, SIDE)),
        "speckle (US)": gaussian_filter(rng.rayleigh(1, (SIDE, SIDE)), 1.2) * 70,
        "breast (MG)": breast * 180 + rng.normal(0, 5, (SIDE, SIDE)),
        "bright, dark letters": 190 + rng.normal(0, 8, (SIDE, SIDE)),
    }


def planted(
    background: NDArray[np.float64], rng: np.random.Generator, *, height: int, step: int | None, smooth: bool
) -> tuple[NDArray[np.uint8], list[NDArray[np.bool_]]]:
    """Four lines on a background; ``step`` None: full contrast. Returns the picture and the ink of each line."""
    picture, inks = background.copy(), []
    name = "DejaVuSansMono.ttf" if rng.random() < 0.5 else "DejaVuSans.ttf"
    font = ImageFont.truetype(str(Path(get_data_path()) / "fonts" / "ttf" / name), height)
    dark = background.mean() > 150
    for number in range(4):
        layer = Image.new("L", (SIDE, SIDE), 0)
        draw = ImageDraw.Draw(layer)
        draw.fontmode = "L" if smooth else "1"
        line = LINES[rng.integers(len(LINES))]
        left = int(rng.integers(0, max(1, int(SIDE - draw.textlength(line, font=font)))))
        draw.text((left, number * 128 + int(rng.integers(0, 128 - height - 2))), line, fill=255, font=font)
        ink = np.asarray(layer) / 255.0
        full = 0.0 if dark else 255.0
        value = full if step is None else np.median(picture[ink > 0.5]) + (-step if dark else step)
        picture = picture * (1 - ink) + value * ink
        inks.append(ink > 0.4)
    return np.clip(picture, 0, 255).astype(np.uint8), inks


def measure(find: Callable[[NDArray[np.uint8]], Iterable[Box]], *, heights: tuple[int, ...] = HEIGHTS) -> None:
    for step in (None, 60):
        for height in heights:
            rng = np.random.default_rng(7)
            cells, cpu = [], 0.0
            for background in backgrounds(rng).values():
                found = lines = alarms = 0
                for number in range(PICTURES):
                    picture, inks = planted(background, rng, height=height, step=step, smooth=number >= PICTURES // 2)
                    start = time.process_time()
                    covered = mask_of(find(picture), rows=SIDE, columns=SIDE)
                    cpu += time.process_time() - start
                    found += sum(covered[ink].mean() >= COVERED for ink in inks)
                    lines += len(inks)
                    alarms += count_strokes(picture).suspicious
                cells.append(f"{100 * found / lines:.0f} ({100 * alarms / PICTURES:.0f})")
            label = "full" if step is None else f"{step} of 255"
            print(f"| {height} | {label} | " + " | ".join(cells) + f" | {cpu / PICTURES / len(cells):.2f} |")  # noqa: T201


def tesseract(picture: NDArray[np.uint8]) -> list[Box]:
    """Words of the installed tesseract, for comparison only."""
    with tempfile.NamedTemporaryFile(suffix=".png") as file:
        Image.fromarray(picture).save(file.name)
        command = ["tesseract", file.name, "-", "--psm", "11", "tsv"]
        answer = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    rows = [line.split("\t") for line in answer.splitlines()[1:]]
    places = [[int(number) for number in row[6:10]] for row in rows if row[0] == "5" and row[11].strip()]
    return [
        Box(max(left - 2, 0), max(top - 2, 0), min(width + 4, SIDE - left + 2), min(height + 4, SIDE - top + 2))
        for left, top, width, height in places
    ]


def main() -> None:
    detector = find_detector()
    if detector is None:
        raise SystemExit("no text detector is installed")
    print(f"| height | contrast | {' | '.join(backgrounds(np.random.default_rng(7)))} | CPU s |")  # noqa: T201
    measure(lambda picture: [text.box for text in detector.find(picture) if text.confidence >= MIN_CONFIDENCE])
    if shutil.which("tesseract"):
        print("tesseract")  # noqa: T201
        measure(tesseract, heights=(10, 16, 24))


if __name__ == "__main__":
    main()
