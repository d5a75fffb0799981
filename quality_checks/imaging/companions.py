"""The images that an annotation was drawn on, as their manifests describe them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ingestion.accounting.manifest import Manifest
from ingestion.dicom.geometry import ORIENTATION_TOLERANCE
from quality_checks.imaging.series import floats


@dataclass(frozen=True, slots=True)
class Stack:
    """Parallel slices of one series: voxel (row, column) of a slice lies on ``axes`` from its corner; mm."""

    axes: NDArray[np.float64]
    """(3, 3): unit vectors along columns (from left to right), along rows (downwards), and the normal."""
    spacing: tuple[float, float]
    """Between rows, between columns."""
    rows: int
    columns: int
    corner: NDArray[np.float64]
    depths: NDArray[np.float64]
    """Of the slices along the normal, sorted."""

    @property
    def step(self) -> float:
        return float(np.median(np.diff(self.depths))) if self.depths.size > 1 else 0.0

    def outside(self, points: NDArray[np.float64]) -> float:
        """How far the farthest of ``points`` (n, 3) lies beyond the voxels, in mm; 0 where all are within."""
        local = (points - self.corner) @ self.axes.T
        along_row, along_column, depth = local[:, 0], local[:, 1], points @ self.axes[2]
        half_row, half_column, half_step = self.spacing[1] / 2, self.spacing[0] / 2, self.step / 2
        beyond = np.stack([
            -half_row - along_row, along_row - (self.columns - 0.5) * self.spacing[1],
            -half_column - along_column, along_column - (self.rows - 0.5) * self.spacing[0],
            self.depths[0] - half_step - depth, depth - self.depths[-1] - half_step,
        ])  # fmt: skip
        return max(float(beyond.max()), 0.0)

    def off_slice(self, points: NDArray[np.float64]) -> float:
        """How far the farthest of ``points`` lies from the slice that is nearest to their middle, in mm."""
        depths = points @ self.axes[2]
        nearest = self.depths[int(np.argmin(np.abs(self.depths - np.median(depths))))]
        return float(np.abs(depths - nearest).max())


class Companions:
    """The other series of the patient, by their UIDs."""

    def __init__(self, manifests: Sequence[Manifest]) -> None:
        self._series = {manifest.SeriesInstanceUID: manifest for manifest in manifests}
        self._owner = {item.SOPInstanceUID: m.SeriesInstanceUID for m in manifests for item in m.instances}

    def has_series(self, uid: str) -> bool:
        return uid in self._series

    def has_instance(self, uid: str) -> bool:
        return uid in self._owner

    def series_of(self, series: Iterable[str], instances: Iterable[str]) -> Manifest | None:
        """The one series that is referred to, if it is there; None for several."""
        found = {uid for uid in series if uid in self._series} | {
            self._owner[uid] for uid in instances if uid in self._owner
        }
        return self._series[found.pop()] if len(found) == 1 else None


def stack_of(manifest: Manifest) -> Stack | None:
    """None where the manifest's instances are not parallel slices with positions (an enhanced object's frames are
    not in it)."""
    placed = []
    for item in manifest.instances:
        said = item.attributes
        position, cosines = floats(said.get("ImagePositionPatient"), 3), floats(said.get("ImageOrientationPatient"), 6)
        spacing = floats(said.get("PixelSpacing"), 2)
        if position is None or cosines is None or spacing is None or not said.get("Rows") or not said.get("Columns"):
            return None
        placed.append((np.array(position), np.array(cosines), spacing, said))
    if not placed:
        return None
    corner, cosines_0, spacing, said = placed[0]
    if any(np.abs(cosines - cosines_0).max() > ORIENTATION_TOLERANCE for _, cosines, _, _ in placed):
        return None
    normal = np.cross(cosines_0[:3], cosines_0[3:])
    depths = np.unique(np.round([position @ normal for position, *_ in placed], 3))
    return Stack(
        axes=np.array([cosines_0[:3], cosines_0[3:], normal]),
        spacing=(spacing[0], spacing[1]),
        rows=int(str(said["Rows"])),
        columns=int(str(said["Columns"])),
        corner=corner,
        depths=depths,
    )
