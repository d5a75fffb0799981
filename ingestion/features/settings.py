"""What can be chosen about the features, and the digest that says by what a value was computed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingestion.dicom.other_grid import INSIDE
from ingestion.dicom.segmentation import FRACTION_INSIDE
from ingestion.dicom.structure_set import PLANE_TOLERANCE_MM
from ingestion.dicom.volume import MAX_VOXELS
from ingestion.features import TOOL_VERSION
from ingestion.features.ibsi import IbsiSettings, SettingsError
from ingestion.strict_yaml import YamlFileError, read_yaml


@dataclass(frozen=True, slots=True)
class FeatureSettings:
    """``percentiles``: of a series, beside those of IBSI. ``min_voxels``: smaller regions are refused.

    ``ibsi``: how the features of regions are computed, in IBSI's vocabulary.
    """

    percentiles: tuple[int, ...] = (1, 99)
    min_voxels: int = 1
    ibsi: IbsiSettings = field(default_factory=IbsiSettings)

    def __post_init__(self) -> None:
        wrong = []
        if not all(0 <= percent <= 100 for percent in self.percentiles):
            wrong.append("percentiles must lie between 0 and 100")
        if self.min_voxels < 1:
            wrong.append("min_voxels must be at least 1: statistics of nothing are undefined")
        if wrong:
            raise ValueError("; ".join(wrong))

    @property
    def digest(self) -> str:
        """16 hex digits of the settings, the limits in code and the versions: equal digests, equal values."""
        said = {
            "percentiles": self.percentiles,
            "min_voxels": self.min_voxels,
            "ibsi": self.ibsi.digest,
            "tool_version": TOOL_VERSION,
            "fraction_inside": FRACTION_INSIDE,
            "other_grid_inside": INSIDE,
            "contour_plane_mm": PLANE_TOLERANCE_MM,
            "max_voxels": MAX_VOXELS,
        }
        return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:16]

    def record(self) -> dict[str, Any]:
        """The settings in words, to stand beside a table."""
        return {
            "percentiles": list(self.percentiles),
            "min_voxels": self.min_voxels,
            **self.ibsi.model_dump(mode="json"),
            "settings_digest": self.digest,
            "tool_version": TOOL_VERSION,
        }

    @staticmethod
    def from_yaml(path: Path) -> FeatureSettings:
        """Settings from a file: IBSI's own entries, and ``percentiles`` and ``min_voxels`` beside them.

        Raises:
            SettingsError: no such file, not readable as YAML, a key given twice, or wrong entries; the message names
                them.
        """
        try:
            content = read_yaml(path)
        except YamlFileError as error:
            raise SettingsError(str(error)) from None
        if not isinstance(content, dict):
            raise SettingsError(f"{path}: settings are a mapping of names to values")
        own: dict[str, Any] = {}
        wrong: list[str] = []
        for name in ("percentiles", "min_voxels"):
            if name in content:
                value = content.pop(name)
                numbers = value if isinstance(value, list) else [value]
                if (name == "percentiles") != isinstance(value, list) or any(type(item) is not int for item in numbers):
                    wrong.append(f"{name} takes whole numbers: percentiles [1, 99], min_voxels 1")
                    continue
                own[name] = tuple(numbers) if isinstance(value, list) else value
        ibsi = IbsiSettings()
        try:
            ibsi = IbsiSettings.from_mapping(content, place=str(path))
        except SettingsError as error:
            wrong.append(str(error).removeprefix(f"{path}: "))
        try:
            chosen = FeatureSettings(**own, ibsi=ibsi)
        except ValueError as error:
            wrong.append(str(error))
        if wrong:
            raise SettingsError(f"{path}: " + "; ".join(wrong))
        return chosen
