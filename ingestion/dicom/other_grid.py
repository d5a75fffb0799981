"""Masks that lie on a grid of their own, brought to an image's grid in the same coordinates.

The rule: a voxel of the image is inside where the mask (0 outside, 1 inside), interpolated linearly along its three
axes at the voxel's centre, is at least one half (IBSI reference manual, 2.4: partial volume fraction 0.5). Grids that
differ by whole voxels (a mask cropped to its organ) come through unchanged. A mask that reaches beyond the image is
refused: its part outside has no values, and its size would be wrong.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from scipy.ndimage import map_coordinates

from ingestion.dicom.frames import functional_group
from ingestion.dicom.geometry import ORIENTATION_TOLERANCE, STEP_TOLERANCE_MM, STEP_TOLERANCE_SHARE
from ingestion.dicom.region import RegionRefusal, RegionRefusedError
from ingestion.dicom.volume import MAX_VOXELS, Volume

INSIDE = 0.5
"""Part of a voxel that must be inside, as in IBSI's manual."""
ROUNDING = 1e-4
"""Coordinates that text rounds must not decide whether exactly one half is inside: below that it is."""


@dataclass(frozen=True, slots=True)
class OwnGrid:
    """``places``: slice of each frame. ``axes``: (3, 3), row n the unit vector along array axis n. Lengths in mm."""

    places: tuple[int, ...]
    slices: int
    spacing: tuple[float, float, float]
    origin: NDArray[np.float64]
    axes: NDArray[np.float64]

    def resampled(self, values: NDArray[np.uint8], volume: Volume) -> NDArray[np.bool_]:
        """``values`` (0 outside, 1 inside, on this grid) on the grid of ``volume``.

        Raises:
            RegionRefusedError: nothing is marked, or it reaches beyond the image.
        """
        marked = np.argwhere(values > 0)
        if not len(marked):
            raise RegionRefusedError(RegionRefusal.EMPTY_MASK, detail="no voxel is marked")
        low, high = marked.min(axis=0), marked.max(axis=0)
        corners = np.array(list(itertools.product(*zip(low, high, strict=True))), dtype=np.float64)
        world = self.origin + corners * self.spacing @ self.axes
        there = (world - np.array(volume.origin)) @ volume.direction.T / np.array(volume.spacing)
        shape = np.array(volume.array.shape)
        reach = 0.5 + ROUNDING
        if (there.min(axis=0) < -reach).any() or (there.max(axis=0) > shape - 1 + reach).any():
            raise RegionRefusedError(RegionRefusal.OUTSIDE_IMAGE, detail="the region reaches beyond the image")
        # One voxel of the mask around its box can still take part in an interpolation.
        margin = np.ceil(np.max(np.array(self.spacing)) / np.array(volume.spacing)).astype(int) + 1
        start = np.maximum(np.floor(there.min(axis=0)).astype(int) - margin, 0)
        stop = np.minimum(np.ceil(there.max(axis=0)).astype(int) + margin + 1, shape)
        mask = np.zeros(volume.array.shape, dtype=np.bool_)
        turned = volume.direction @ self.axes.T
        offset = (np.array(volume.origin) - self.origin) @ self.axes.T
        columns = np.arange(start[2], stop[2])
        rows = np.arange(start[1], stop[1])
        for k in range(start[0], stop[0]):  # slice by slice: coordinates take 24 bytes a voxel
            place = np.stack(np.broadcast_arrays(np.float64(k), rows[:, None], columns[None, :]), axis=-1)
            own = (place * volume.spacing @ turned + offset) / np.array(self.spacing)
            found = map_coordinates(
                values, np.moveaxis(own, -1, 0), output=np.float32, order=1, mode="grid-constant", cval=0
            )
            mask[k, start[1] : stop[1], start[2] : stop[2]] = found >= INSIDE - ROUNDING
        if not mask.any():
            raise RegionRefusedError(RegionRefusal.EMPTY_MASK, detail="no voxel centre of the image lies inside")
        return mask


def own_grid(seg: Dataset, shared: Dataset, groups: Sequence[Dataset]) -> OwnGrid:
    """The regular grid that the frames of a segmentation lie on.

    Raises:
        RegionRefusedError: a frame without a place, or frames of no one regular grid.
    """
    cosines, spacings, positions = [], [], []
    for index, group in enumerate(groups):
        orientation = functional_group("PlaneOrientationSequence", group, shared)
        measures = functional_group("PixelMeasuresSequence", group, shared)
        position = functional_group("PlanePositionSequence", group, shared)
        if orientation is None or measures is None or position is None:
            raise RegionRefusedError(RegionRefusal.FRAME_WITHOUT_PLACE, detail=f"frame {index + 1}")
        cosines.append([float(value) for value in orientation.ImageOrientationPatient])
        spacings.append([float(value) for value in measures.PixelSpacing])
        positions.append([float(value) for value in position.ImagePositionPatient])
    if np.ptp(cosines, axis=0).max() > ORIENTATION_TOLERANCE or np.ptp(spacings, axis=0).max() > STEP_TOLERANCE_MM:
        raise RegionRefusedError(RegionRefusal.IRREGULAR_GRID, detail="frames differ in orientation or pixel spacing")
    row, column = np.array(cosines[0][:3]), np.array(cosines[0][3:])
    axes = np.array([np.cross(row, column), column, row])
    depths = np.array(positions) @ axes[0]
    order = np.unique(np.round(depths, 3))
    step = _step(order, functional_group("PixelMeasuresSequence", groups[0], shared))
    first = int(np.argmin(depths))
    places = np.round((depths - depths[first]) / step).astype(int)
    off = np.linalg.norm(positions - (np.array(positions[first]) + np.outer(places * step, axes[0])), axis=1)
    if off.max() > max(STEP_TOLERANCE_MM, STEP_TOLERANCE_SHARE * min(step, *spacings[0])):
        raise RegionRefusedError(RegionRefusal.IRREGULAR_GRID, detail=f"a frame is {off.max():.3f} mm off its place")
    slices = int(places.max()) + 1
    if slices * int(seg.Rows) * int(seg.Columns) > MAX_VOXELS:
        raise RegionRefusedError(RegionRefusal.TOO_LARGE, detail=f"{slices} slices")
    rows, columns = spacings[0]
    first_at = np.array(positions[first])
    return OwnGrid(tuple(int(k) for k in places), slices, (step, rows, columns), first_at, axes)


def _step(depths: NDArray[np.float64], measures: Dataset | None) -> float:
    """Distance of slices: Spacing Between Slices where all steps are multiples of it, else the smallest step.

    Empty frames may have been left out, so a step may be any multiple of the distance.

    Raises:
        RegionRefusedError: all frames lie at one place, and Spacing Between Slices does not say the distance.
    """
    said = None if measures is None else measures.get("SpacingBetweenSlices")
    steps = np.diff(depths)
    for step in (abs(float(said)) if said else 0.0, float(steps.min()) if len(steps) else 0.0):
        tolerance = max(STEP_TOLERANCE_MM, STEP_TOLERANCE_SHARE * step)
        if step > tolerance and (np.abs(steps - np.round(steps / step) * step) <= tolerance).all():
            return step
    detail = "steps between frames are no multiples of one" if len(steps) else "one slice, no Spacing Between Slices"
    raise RegionRefusedError(RegionRefusal.IRREGULAR_GRID, detail=detail)
