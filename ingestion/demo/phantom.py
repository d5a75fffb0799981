"""Labelled bodies: a few ellipsoids per region, with a lesion where the cancer sits.

Only additions, products and divisions touch the pixels: those are exact alike on all processors, so the bytes are too.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

import numpy as np
from numpy.typing import NDArray


class Tissue(IntEnum):
    AIR = 0
    LUNG = 1
    FAT = 2
    MUSCLE = 3
    ORGAN = 4
    BONE = 5
    FLUID = 6
    LESION = 7
    CORE = 8


class Region(StrEnum):
    THORAX = "thorax"
    ABDOMEN = "abdomen"
    PELVIS = "pelvis"
    HEAD = "head"
    BREAST = "breast"


class Contrast(StrEnum):
    CT = "ct"
    T1 = "t1"
    T2 = "t2"
    DWI = "dwi"
    PET = "pet"


@dataclass(frozen=True, slots=True)
class Ellipsoid:
    """Centre and radii as (x, y, z) in halves of the field of view: the image spans -1 to 1 in each direction."""

    tissue: Tissue
    centre: tuple[float, float, float]
    radii: tuple[float, float, float]


_E, _T = Ellipsoid, Tissue
TALL = 9.0
"""A radius along z that makes an ellipsoid a cylinder within the image."""

ANATOMY: dict[Region, tuple[Ellipsoid, ...]] = {
    Region.THORAX: (
        _E(_T.FAT, (0, 0, 0), (0.86, 0.62, TALL)), _E(_T.MUSCLE, (0, 0, 0), (0.8, 0.56, TALL)),
        _E(_T.LUNG, (-0.38, -0.03, 0), (0.3, 0.42, 1.6)), _E(_T.LUNG, (0.38, -0.03, 0), (0.3, 0.42, 1.6)),
        _E(_T.ORGAN, (0.08, -0.12, -0.2), (0.24, 0.22, 0.9)), _E(_T.BONE, (0, 0.36, 0), (0.12, 0.11, TALL)),
    ),
    Region.ABDOMEN: (
        _E(_T.FAT, (0, 0, 0), (0.84, 0.64, TALL)), _E(_T.MUSCLE, (0, 0, 0), (0.76, 0.56, TALL)),
        _E(_T.FAT, (0, -0.05, 0), (0.66, 0.42, TALL)), _E(_T.ORGAN, (-0.34, -0.08, 0.1), (0.34, 0.32, 1.2)),
        _E(_T.ORGAN, (0.46, 0.08, 0.2), (0.16, 0.2, 0.7)), _E(_T.FLUID, (0.14, -0.2, 0), (0.2, 0.12, 0.8)),
        _E(_T.BONE, (0, 0.36, 0), (0.13, 0.12, TALL)),
    ),
    Region.PELVIS: (
        _E(_T.FAT, (0, 0, 0), (0.88, 0.6, TALL)), _E(_T.MUSCLE, (0, 0, 0), (0.8, 0.52, TALL)),
        _E(_T.BONE, (-0.54, 0.02, 0), (0.16, 0.18, 1.1)), _E(_T.BONE, (0.54, 0.02, 0), (0.16, 0.18, 1.1)),
        _E(_T.FLUID, (0, -0.2, 0.3), (0.26, 0.18, 0.8)), _E(_T.ORGAN, (0, 0.08, -0.1), (0.2, 0.16, 0.8)),
        _E(_T.FAT, (0, 0.32, 0), (0.14, 0.12, TALL)), _E(_T.BONE, (0, 0.46, 0), (0.12, 0.06, TALL)),
    ),
    Region.HEAD: (
        _E(_T.FAT, (0, 0, 0), (0.7, 0.84, 1.5)), _E(_T.BONE, (0, 0, 0), (0.66, 0.8, 1.45)),
        _E(_T.ORGAN, (0, 0, 0), (0.58, 0.72, 1.35)), _E(_T.FLUID, (-0.1, 0, 0), (0.06, 0.24, 0.7)),
        _E(_T.FLUID, (0.1, 0, 0), (0.06, 0.24, 0.7)),
    ),
    Region.BREAST: (
        _E(_T.MUSCLE, (0, 0.62, 0), (0.95, 0.3, TALL)), _E(_T.FAT, (-0.45, 0.02, 0), (0.4, 0.5, 1.2)),
        _E(_T.FAT, (0.45, 0.02, 0), (0.4, 0.5, 1.2)), _E(_T.ORGAN, (-0.45, -0.02, 0), (0.22, 0.32, 0.8)),
        _E(_T.ORGAN, (0.45, -0.02, 0), (0.22, 0.32, 0.8)),
    ),
}  # fmt: skip

SITE: dict[str, tuple[Region, tuple[float, float, float]]] = {
    "prostate": (Region.PELVIS, (0.07, 0.11, 0.0)),
    "rectum": (Region.PELVIS, (0.02, 0.32, 0.05)),
    "lung": (Region.THORAX, (-0.36, -0.06, 0.05)),
    "breast": (Region.BREAST, (0.44, -0.05, 0.0)),
    "colon": (Region.ABDOMEN, (0.36, -0.16, 0.0)),
    "liver": (Region.ABDOMEN, (-0.38, -0.1, 0.05)),
    "neuroblastoma": (Region.ABDOMEN, (0.2, 0.14, 0.05)),
    "glioma": (Region.HEAD, (0.0, 0.3, -0.1)),
    "glioblastoma": (Region.HEAD, (-0.26, -0.2, 0.05)),
}
"""Where the lesion of each cancer lies."""

VALUES: dict[Contrast, tuple[int, ...]] = {
    # In the order of Tissue: HU for CT, arbitrary for MR, Bq/ml for PET.
    Contrast.CT: (-1000, -830, -95, 52, 68, 640, 8, 38, 18),
    Contrast.T1: (4, 12, 640, 300, 360, 90, 130, 410, 240),
    Contrast.T2: (5, 15, 520, 170, 330, 70, 900, 260, 640),
    Contrast.DWI: (3, 6, 60, 120, 240, 30, 190, 520, 300),
    Contrast.PET: (20, 900, 700, 1700, 4200, 1200, 2500, 26000, 11000),
}
LESION_LABELS = {Tissue.LESION: 1, Tissue.CORE: 2}


def label_volume(
    cancer: str, *, slices: int, size: int, wobble: tuple[int, int, int]
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Tissues and lesion (0, 1 rim, 2 core), both uint8 [slice, row, column].

    ``wobble``: patient to patient variation of lesion and body, three numbers from 0 to 99.
    """
    region, centre = SITE.get(cancer, (Region.ABDOMEN, (0.2, 0.0, 0.0)))
    moved = (centre[0] + (wobble[0] - 50) / 2500, centre[1] + (wobble[1] - 50) / 2500, centre[2])
    radius = 0.12 + wobble[2] / 1500
    parts = (
        *ANATOMY[region],
        Ellipsoid(Tissue.LESION, moved, (radius, radius * 0.875, 0.75)),
        Ellipsoid(Tissue.CORE, moved, (radius * 0.5, radius * 0.4375, 0.4)),
    )
    stretch = 1 + (wobble[0] - 50) / 1000
    axis = (2 * np.arange(size, dtype=np.float64) + 1 - size) / size
    depth = (2 * np.arange(slices, dtype=np.float64) + 1 - slices) / slices
    labels = np.zeros((slices, size, size), np.uint8)
    for part in parts:
        x = (axis - part.centre[0]) / (part.radii[0] * stretch)
        y = (axis - part.centre[1]) / (part.radii[1] * stretch)
        z = (depth - part.centre[2]) / part.radii[2]
        inside = (x * x)[None, None, :] + (y * y)[None, :, None] + (z * z)[:, None, None] <= 1
        labels[inside] = part.tissue
    lesions = np.zeros_like(labels)
    for tissue, number in LESION_LABELS.items():
        lesions[labels == tissue] = number
    return labels, lesions


def image(
    labels: NDArray[np.uint8], contrast: Contrast, *, noise: int, chance: np.random.Generator
) -> NDArray[np.int32]:
    """Intensities int32 of ``labels``' shape, with noise of about 0.8 times ``noise`` standard deviation."""
    clean = np.array(VALUES[contrast], np.int32)[labels]
    shape = labels.shape
    rough = chance.integers(-noise, noise + 1, shape, np.int32) + chance.integers(-noise, noise + 1, shape, np.int32)
    return clean + rough
