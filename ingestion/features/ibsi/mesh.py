"""Volume and area of a mask's marching-cubes surface, its convex hull and its largest diameter, without a mesh.

At the level 0.5 of a binary mask all vertices lie in the middle of voxel edges, so the surface within a cube of
2 × 2 × 2 voxel centres depends on its corners alone: counting the 256 patterns gives volume and area exactly. The
triangles of each pattern are those of Lewiner et al. (2003), written down by ``tools/marching_cubes_table.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import resources

import numpy as np
from numpy.typing import NDArray

Spacing = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Mesh:
    """In mm³, mm² and mm."""

    volume: float
    area: float


@dataclass(frozen=True, slots=True)
class Hull:
    volume: float
    area: float
    diameter: float


@cache
def _triangles() -> tuple[NDArray[np.float64], ...]:
    """Of each pattern: (triangles, 3 corners, 3 coordinates) in voxels from the cube's first corner."""
    lines = resources.files(__package__).joinpath("marching_cubes.txt").read_text(encoding="ascii").split("\n")[:256]
    return tuple(
        np.array([np.unravel_index(ord(letter) - ord("a"), (3, 3, 3)) for letter in line], dtype=float).reshape(
            -1, 3, 3
        )
        / 2
        for line in lines
    )


def measure_mesh(mask: NDArray[np.uint8], spacing_mm: Spacing) -> Mesh:
    """``mask``: (slice, row, column), with a border of zeros."""
    from ingestion.features.ibsi.kernels.shape import count_cubes

    counts = np.zeros((mask.shape[0] - 1, 256), dtype=np.int64)
    count_cubes(mask, counts)
    areas, fluxes, moments = np.zeros(256), np.zeros(256), np.zeros(256)
    spacing = np.asarray(spacing_mm, dtype=np.float64)
    for number, corners in enumerate(_triangles()):
        scaled = corners * spacing
        areas[number] = np.sqrt((_normals(scaled) ** 2).sum(axis=1)).sum() / 2
        # By the divergence theorem the volume is the sum over triangles of their mean slice times their area seen
        # along the slices. Normals point into the mask, hence the sign.
        flux = -_normals(corners)[:, 0] / 2
        fluxes[number] = flux.sum()
        moments[number] = (flux * corners[:, :, 0].mean(axis=1)).sum()
    # Sums, not matrix products: those of a threaded library can round differently with the number of threads.
    by_slice = (counts * fluxes).sum(axis=1)
    voxels = float((np.arange(len(counts)) * by_slice).sum() + (counts * moments).sum())
    return Mesh(volume=voxels * float(np.prod(spacing)), area=float((counts.sum(axis=0) * areas).sum()))


def _normals(corners: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])


def measure_hull(mask: NDArray[np.uint8], spacing_mm: Spacing) -> Hull:
    """Convex hull of the surface's vertices, largest distance between two of them; ``mask`` has a border of 0."""
    from scipy.spatial import ConvexHull

    from ingestion.features.ibsi.kernels.shape import largest_distance, on_plane_hulls

    points = _outermost(mask)
    points = points[on_plane_hulls(points)]
    hull = ConvexHull(points * (np.asarray(spacing_mm, dtype=np.float64) / 2))
    corners = np.ascontiguousarray(hull.points[hull.vertices])
    return Hull(volume=float(hull.volume), area=float(hull.area), diameter=float(largest_distance(corners)))


def _outermost(mask: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The first and last surface vertex of each line of voxels along each axis, in half voxels, sorted and distinct.

    All other vertices lie between two of these on a straight line.
    """
    found = []
    for axis in range(3):
        along = np.moveaxis(mask, axis, 2)
        lines = np.argwhere(along.any(axis=2))
        first = along.argmax(axis=2)[tuple(lines.T)]
        last = mask.shape[axis] - 1 - np.flip(along, axis=2).argmax(axis=2)[tuple(lines.T)]
        for ends in (2 * first - 1, 2 * last + 1):
            found.append(np.insert(2 * lines, axis, ends, axis=1))
    return np.unique(np.concatenate(found), axis=0).astype(np.int64)
