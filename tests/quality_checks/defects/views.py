"""Breasts in the two usual views, made by code: to measure how the view is read from the picture.

Four densities and three sizes, both sides and polarities. Oblique views have the pectoral muscle: of other widths,
lengths and brightness, with a slightly curved edge, and glands that reach over it. Cranio-caudal ones have none, or a
thin band of it along the wall.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from . import series as good

DENSITIES = {"fatty": 0.1, "scattered": 0.35, "heterogeneous": 0.65, "dense": 1.0}
"""How much of the breast's disc is gland."""
SIZES = {"small": (0.35, 0.5), "medium": (0.6, 0.75), "large": (0.85, 0.95)}
"""Depth from the wall and height, of the image."""
ROWS, COLUMNS = 192, 144
FAT, GLAND, MUSCLE = 900.0, 800.0, (750.0, 1300.0)
"""Above air: fat; above fat: gland and muscle."""


@dataclass(frozen=True)
class ViewOfBreast:
    """``view``: CC or MLO, as the picture is. ``side``: L has the chest wall left."""

    view: str
    density: str
    size: str
    side: str
    inverted: bool
    pixels: NDArray[np.float64]


def made(each: int, *, seed: int = 19980001) -> Iterator[ViewOfBreast]:
    """``each`` of every view, density, size, side; every third is shown as a negative."""
    chance = np.random.default_rng(seed)
    count = 0
    for view in ("CC", "MLO"):
        for density in DENSITIES:
            for size in SIZES:
                for side in "LR":
                    for _ in range(each):
                        count += 1
                        picture = _left(view, density, size, chance)
                        picture = picture if side == "L" else picture[:, ::-1]
                        inverted = count % 3 == 0
                        picture = 4095 - picture if inverted else picture
                        yield ViewOfBreast(view, density, size, side, inverted, picture)


def dataset_of(breast: ViewOfBreast, *, said: str | None = None) -> Dataset:
    """``said``: the view that the header states; default: the true one."""
    dataset = good.mammogram(breast.side)[0]
    dataset.ViewPosition = said or breast.view
    code = {"CC": ("399162004", "cranio-caudal"), "MLO": ("399368009", "medio-lateral oblique")}[dataset.ViewPosition]
    dataset.ViewCodeSequence[0].CodeValue, dataset.ViewCodeSequence[0].CodeMeaning = code
    dataset = good.pixels(dataset, breast.pixels)
    if breast.inverted:
        dataset.PhotometricInterpretation, dataset.PresentationLUTShape = "MONOCHROME1", "INVERSE"
    return dataset


def _left(view: str, density: str, size: str, chance: np.random.Generator) -> NDArray[np.float64]:
    row, column = np.mgrid[0:ROWS, 0:COLUMNS].astype(float)
    depth, height = (part * chance.uniform(0.92, 1.08) for part in SIZES[size])
    middle = ROWS * (chance.uniform(0.45, 0.55) if view == "CC" else chance.uniform(0.52, 0.6))
    radius = (column / (COLUMNS * depth)) ** 2 + ((row - middle) / (ROWS * height / 2)) ** 2
    if view == "MLO":  # the arm pit: tissue up to the upper rim
        radius = np.minimum(radius, np.where(row < middle, (column / (COLUMNS * max(depth * 0.75, 0.3))) ** 2, 9.0))
    breast = radius < 1
    picture = FAT * np.clip((1 - radius) * 5, 0.35, 1)  # thinner towards the rim
    share = DENSITIES[density]
    for _ in range(24):
        at = (middle + ROWS * height * chance.normal(0, 0.16), COLUMNS * depth * chance.uniform(0.15, 0.8))
        wide = chance.uniform(3, 14) * (0.6 + share), chance.uniform(3, 14) * (0.6 + share)
        lump = np.exp(-(((row - at[0]) / wide[0]) ** 2 + ((column - at[1]) / wide[1]) ** 2))
        picture += GLAND * share * chance.uniform(0.2, 0.7) * lump
    if view == "MLO":
        foot, top = ROWS * chance.uniform(0.4, 0.85), COLUMNS * min(chance.uniform(0.16, 0.4), depth * 0.8)
        bow = chance.uniform(-0.05, 0.08) * top * np.sin(np.pi * np.clip(row / foot, 0, 1))
        edge = top * (1 - row / foot) + bow
        picture += chance.uniform(*MUSCLE) / (1 + np.exp(-(edge - column) / 1.2))
    elif chance.random() < 0.3:
        picture += chance.uniform(*MUSCLE) / (1 + np.exp(-(COLUMNS * chance.uniform(0.02, 0.05) - column) / 1.2))
    picture = np.where(breast, picture, 0.0)
    return np.clip(picture + chance.normal(0, 35, picture.shape) + 60, 0, 4095)
