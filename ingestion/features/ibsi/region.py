"""One region ready for measuring: cropped, interpolated, re-segmented, discretised."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.features.ibsi.mesh import Spacing
from ingestion.features.value_counts import ValueCounts


@dataclass(frozen=True, slots=True)
class Region:
    """The arrays have one shape: the box of the morphological mask.

    ``around`` is the image with a margin for neighbourhoods that reach out of the region, ``around_valid`` where it
    holds measurements, ``offset`` the place of the box in it. ``levels``: grey levels from 1, 0 outside the intensity
    mask, with a ``border`` of zeros around the box; None where they were refused.
    """

    image: NDArray[Any]
    morphological: NDArray[np.uint8]
    intensity: NDArray[np.uint8]
    spacing_mm: Spacing
    counts: ValueCounts
    mean: float
    around: NDArray[Any]
    around_valid: NDArray[np.uint8]
    offset: tuple[int, int, int]
    levels: NDArray[np.uint16] | None
    border: int
    level_count: int

    @property
    def voxels(self) -> int:
        return self.counts.total

    @property
    def constant(self) -> bool:
        return len(self.counts.values) == 1
