"""Writes ``marching_cubes.txt``: the triangles of a binary mask's surface in a cube of 2 × 2 × 2 voxel centres.

    python -m tools.marching_cubes_table ingestion/features/ibsi/marching_cubes.txt

Needs scikit-image (not a package of the product), whose marching cubes of Lewiner et al. (2003) the peers of IBSI use:
each of the 256 cubes is triangulated by it at the level 0.5, and the triangles are written down. Line ``n`` belongs to
the cube whose corner ``c`` (4 · slice + 2 · row + column) is in the mask where bit ``c`` of ``n`` is set. A letter is a
vertex: ``a`` plus 9 · slice + 3 · row + column, each in half voxels (0, 1 or 2).
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np


def triangles(number: int) -> str:
    """The vertices of the cube's triangles, three letters each, wound so that the normals point out of the mask."""
    from skimage.measure import marching_cubes

    if number in {0, 255}:
        return ""
    cube = np.array([number >> corner & 1 for corner in range(8)], dtype=np.float32).reshape(2, 2, 2)
    vertices, faces, _, _ = marching_cubes(cube, level=0.5, method="lewiner", allow_degenerate=False)
    halves = np.rint(vertices * 2).astype(int)
    if not np.allclose(halves, vertices * 2):
        raise ValueError(f"cube {number} has a vertex that is not in the middle of an edge")
    return "".join(chr(97 + 9 * a + 3 * b + c) for a, b, c in halves[faces].reshape(-1, 3))


def main() -> None:
    Path(sys.argv[1]).write_text("".join(triangles(number) + "\n" for number in range(256)), encoding="ascii")


if __name__ == "__main__":
    main()
