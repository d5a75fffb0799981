"""What can be chosen about the features, and the digest that says by what a value was computed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

from ingestion.dicom.segmentation import FRACTION_INSIDE
from ingestion.dicom.volume import MAX_VOXELS
from ingestion.features import TOOL_VERSION


@dataclass(frozen=True, slots=True)
class FeatureSettings:
    """``percentiles``: of a series, beside those of IBSI. ``min_voxels``: smaller regions are refused."""

    percentiles: tuple[int, ...] = (1, 99)
    min_voxels: int = 1

    def __post_init__(self) -> None:
        if not all(0 <= percent <= 100 for percent in self.percentiles):
            raise ValueError("percentiles must lie between 0 and 100")
        if self.min_voxels < 1:
            raise ValueError("min_voxels must be at least 1: statistics of nothing are undefined")

    @property
    def digest(self) -> str:
        """16 hex digits of the settings, the limits in code and the tool version: equal digests, equal values."""
        said = {
            **asdict(self),
            "tool_version": TOOL_VERSION,
            "fraction_inside": FRACTION_INSIDE,
            "max_voxels": MAX_VOXELS,
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]
