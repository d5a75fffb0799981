"""Mammograms of many shapes made by code, to measure how the side check reads the chest wall.

Breast outlines of other widths, heights and places, glandular texture, a pectoral muscle for oblique views, a bright
frame of collimation, noise, both polarities, a label in the air: what real mammograms differ by.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from . import series as good


@dataclass(frozen=True)
class Breast:
    """``side``: L or R, shown with the chest wall left for L. ``kind``: what is special about it."""

    side: str
    kind: str
    pixels: NDArray[np.float64]
    inverted: bool


KINDS = ("plain", "oblique", "small", "large", "noisy", "inverted", "label", "framed", "taller")


def made(each: int, *, seed: int = 20261125) -> Iterator[Breast]:
    """``each`` of every kind and side."""
    chance = np.random.default_rng(seed)
    for kind in KINDS:
        for side in "LR":
            for _ in range(each):
                picture = _left(kind, chance)
                inverted = kind == "inverted"
                picture = picture if side == "L" else picture[:, ::-1]
                yield Breast(side, kind, 4095 - picture if inverted else picture, inverted)


def dataset_of(breast: Breast, *, mirrored: bool = False) -> Dataset:
    """As an object with laterality and orientation; ``mirrored``: the pixels alone are turned."""
    dataset = good.mammogram(breast.side)[0]
    dataset = good.pixels(dataset, breast.pixels[:, ::-1] if mirrored else breast.pixels)
    if breast.inverted:
        dataset.PhotometricInterpretation, dataset.PresentationLUTShape = "MONOCHROME1", "INVERSE"
    return dataset


def _left(kind: str, chance: np.random.Generator) -> NDArray[np.float64]:
    """A left breast, chest wall on the left; (128, 96) of 0 to 4095."""
    rows, columns = 128, 96
    row, column = np.mgrid[0:rows, 0:columns]
    depth, height = {"small": (0.28, 0.35), "large": (0.92, 1.05), "taller": (0.8, 1.6)}.get(kind, (0.6, 0.75))
    depth *= chance.uniform(0.85, 1.1)
    height *= chance.uniform(0.85, 1.1)
    middle = rows * chance.uniform(0.42, 0.58)
    breast = (column / (columns * depth)) ** 2 + ((row - middle) / (rows * height / 2)) ** 2 < 1
    waves = sum(
        np.sin(column * chance.uniform(0.05, 0.4) + row * chance.uniform(-0.4, 0.4) + chance.uniform(0, 6))
        for _ in range(6)
    )
    picture = breast * (
        1400 + (0 if kind == "taller" else 180) * waves
    )  # even: the breast's value is the most frequent
    if kind == "oblique":
        muscle = column < (columns * 0.45) * (1 - row / (rows * chance.uniform(0.55, 0.8)))
        picture = np.where(muscle, 2200 + 60 * waves, picture)
    if kind == "label":
        picture[6:14, columns - 30 : columns - 8] = 4000
    if kind == "framed":
        picture[:3], picture[-3:] = 3500, 3500
        picture[:, :2], picture[:, -2:] = 3500, 3500
    return np.clip(picture + chance.normal(0, 220 if kind == "noisy" else 40, picture.shape) + 60, 0, 4095)
