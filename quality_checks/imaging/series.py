"""What all checks of a series share: what the manifest says of it, and each object and frame as it passes by."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ingestion.accounting.manifest import Manifest, ManifestInstance
from ingestion.dicom.values import Rescale, VolumeRefusedError
from quality_checks.examination import CheckOutcome
from quality_checks.imaging.objects import StoredObject

SAMPLED_PIXELS = 400_000
"""Pixels of a series that are kept for its distribution of values: a percentile of them is off by 0.2 % of ranks."""
FEWEST_SAMPLED = 64
"""Of each frame at least, so that no frame of a long series goes unseen."""


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """What is kept of a frame after it has passed: no pixels."""

    uid: str
    index: int
    attributes: Mapping[str, Any]
    depth: float | None
    """Distance from the origin along the frame's own normal, in mm."""
    sha256: str
    """Of the decoded pixels; empty where they do not decode."""
    constant: bool

    @property
    def decoded(self) -> bool:
        return bool(self.sha256)

    @property
    def where(self) -> str:
        return f"{self.uid}#{self.index + 1}"

    @property
    def number(self) -> float:
        """InstanceNumber; infinite where there is none."""
        return as_float(self.attributes.get("InstanceNumber"), math.inf)


@dataclass(frozen=True)
class SeriesContext:
    """``companions``: the other series of the patient (None: not known); ``frames_announced``: by the manifest."""

    manifest: Manifest
    companions: Sequence[Manifest] | None
    frames_announced: int
    log: list[FrameRecord] = field(default_factory=list)
    """Every decoded frame so far."""

    @property
    def modality(self) -> str:
        return str(self.manifest.header.get("Modality") or "")

    @property
    def sop_class(self) -> str:
        return str(self.manifest.header.get("SOPClassUID") or "")

    @cached_property
    def image_types(self) -> frozenset[str]:
        """All values of ImageType over the instances, in capitals."""
        said = [
            self.manifest.header.get("ImageType"),
            *(i.attributes.get("ImageType") for i in self.manifest.instances),
        ]
        return frozenset(str(part).upper() for value in said if isinstance(value, list) for part in value)

    @property
    def localizer(self) -> bool:
        return bool(self.image_types & {"LOCALIZER", "SCOUT", "SURVEY"})


@dataclass(slots=True)
class FrameSeen:
    """One decoded frame. ``stored``: as stored; ``padding``: None where the series knows none."""

    owner: StoredObject
    index: int
    stored: NDArray[Any] = field(repr=False)
    attributes: Mapping[str, Any]
    rescale: Rescale | None
    """None: not known for right (``refused`` says why)."""
    sha256: str
    lowest: float
    highest: float
    padding: NDArray[np.bool_] | None
    picked: int | None
    """Its number among the frames that are looked at closely; None: it is not one of them."""
    refused: VolumeRefusedError | None = None
    """Why readers refuse its header: no rescale where the modality needs it, a slope of 0, a look-up table."""

    @property
    def where(self) -> str:
        return f"{self.owner.uid}#{self.index + 1}"

    @property
    def grey(self) -> bool:
        return self.stored.ndim == 2

    @property
    def constant(self) -> bool:
        return self.lowest == self.highest

    def values(self, part: Any = np.s_[:]) -> NDArray[np.float64]:
        """Rescaled values of a part of the frame, or stored ones where no rescale is known."""
        taken = self.stored[part].astype(np.float64)
        return taken if self.rescale is None else taken * self.rescale.slope + self.rescale.intercept


class Group(Protocol):
    """Checks that share what they gather. Called with every object, then with each of its frames, then finished."""

    def see(self, stored: StoredObject) -> None: ...
    def see_frame(self, frame: FrameSeen) -> None: ...
    def outcomes(self) -> Iterable[CheckOutcome]: ...


def in_spatial_order(instances: Sequence[ManifestInstance]) -> list[ManifestInstance]:
    """By position along the common normal where all have one, else by InstanceNumber, then by UID."""

    def number(item: ManifestInstance) -> float:
        return as_float(item.attributes.get("InstanceNumber"), math.inf)

    depths = [depth_of(item.attributes) for item in instances]
    if any(depth is None for depth in depths):
        return sorted(instances, key=lambda item: (number(item), item.SOPInstanceUID))
    ranked = sorted(
        zip(depths, instances, strict=True), key=lambda pair: (pair[0], number(pair[1]), pair[1].SOPInstanceUID)
    )
    return [item for _, item in ranked]


def depth_of(attributes: Mapping[str, Any]) -> float | None:
    """Distance of a plane from the origin along its own normal, in mm; None without position or orientation."""
    position = floats(attributes.get("ImagePositionPatient"), 3)
    cosines = floats(attributes.get("ImageOrientationPatient"), 6)
    if position is None or cosines is None:
        return None
    return float(np.dot(np.cross(cosines[:3], cosines[3:]), position))


def floats(value: Any, length: int) -> list[float] | None:
    """``length`` finite numbers, or None."""
    if not isinstance(value, (list, tuple)) or len(value) != length:
        return None
    numbers = [as_float(part, math.nan) for part in value]
    return numbers if all(math.isfinite(part) for part in numbers) else None


def as_float(value: Any, default: float) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return default
