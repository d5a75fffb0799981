"""Heads made by code: skin, skull, brain, nose, lips, chin and orbits of ellipsoids, with what is face and brain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


@dataclass(frozen=True, slots=True)
class Head:
    """Arrays (z up from the feet's side, y to the back, x to the left); ``spacing`` likewise, in mm."""

    array: NDArray[np.float32]
    brain: NDArray[np.bool_]
    face_surface: NDArray[np.bool_]
    """Skin from brow to chin that looks to the front."""
    spacing: tuple[float, float, float]


def make_head(
    *,
    modality: str,
    scale: float = 1.0,
    pitch: float = 0.0,
    nose: float = 1.0,
    spacing: tuple[float, float, float] = (3.0, 3.0, 3.0),
    seed: int = 1,
) -> Head:
    """An adult's head times ``scale``; ``pitch`` degrees: the chin up; ``nose`` 0: none.

    Millimetres from the middle between the ears: crown 120 up, forehead 95 ahead, brow 20 up, nose tip 30 down.
    """
    grids = [np.arange(-half, half, step) for half, step in zip((190, 150, 120), spacing, strict=True)]
    z, y, x = np.meshgrid(*grids, indexing="ij")
    angle = np.deg2rad(pitch)
    z, y = (np.cos(angle) * z - np.sin(angle) * y) / scale, (np.sin(angle) * z + np.cos(angle) * y) / scale
    x = x / scale

    def ball(cz: float, cy: float, cx: float, rz: float, ry: float, rx: float) -> NDArray[np.bool_]:
        return ((z - cz) / rz) ** 2 + ((y - cy) / ry) ** 2 + ((x - cx) / rx) ** 2 < 1

    cranium = ball(25, 0, 0, 95, 95, 75)
    jaw = ball(-50, -35, 0, 70, 52, 58)
    neck = (z < -40) & (x**2 + (y - 15) ** 2 < 55**2)
    body = cranium | jaw | neck | ball(-85, -75, 0, 16, 16, 20) | ball(-62, -84, 0, 8, 8, 24)
    if nose:
        slope = np.clip((12 - z) / 42, 0, 1) * 24 * nose
        body |= (np.abs(x) < 6 + slope / 3) & (z < 12) & (z > -38) & (y > -90 - slope) & (y < -55)
    body &= ~(ball(0, -98, 32, 12, 10, 15) | ball(0, -98, -32, 12, 10, 15))
    inside = ball(28, 2, 0, 80, 79, 62) & (z > -5 - 20 * (y > -40))
    ring = ball(25, 0, 0, 88, 87, 68) & ~ball(28, 2, 0, 80, 79, 62) & (z > -10)
    air, skin, bone, brain = (-1000.0, 40.0, 900.0, 35.0) if modality == "CT" else (8.0, 300.0, 40.0, 220.0)
    array = np.where(body, skin, air)
    array[ring] = bone
    array[inside] = brain
    noise = 12 if modality == "CT" else 8
    array = array + np.random.default_rng(seed).normal(0, noise, array.shape)
    front = ndimage.binary_dilation(~body) & body & (np.roll(body, 1, axis=1) == 0)
    face = front & (z < 20) & (z > -100) & (y < -40) & (np.abs(x) < 45)
    return Head(array.astype(np.float32), inside, face, spacing)
