"""The frames of an instance, each with the attributes that place and scale it, wherever the header keeps them.

A single-frame object holds them at its top level; an enhanced multi-frame one in functional groups, shared or per
frame (PS3.3, C.7.6.16).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

from ingestion.dicom.summary import INSTANCE_KEYWORDS, summarise
from ingestion.dicom.values import Rescale, VolumeRefusal, VolumeRefusedError, rescale_of

MAX_FRAMES = 100_000
"""More frames than any acquisition has; a hostile header can claim two thousand million."""

GROUP_SEQUENCES: tuple[str, ...] = (
    "PlanePositionSequence",
    "PlaneOrientationSequence",
    "PixelMeasuresSequence",
    "PixelValueTransformationSequence",
    "MRDiffusionSequence",
    "TemporalPositionSequence",
    "FrameContentSequence",
    "MREchoSequence",
    "CTImageFrameTypeSequence",
    "MRImageFrameTypeSequence",
    "PETFrameTypeSequence",
)
RENAMED = {
    "EffectiveEchoTime": "EchoTime",
    "FrameType": "ImageType",
    "TemporalPositionIndex": "TemporalPositionIdentifier",
}
"""What functional groups call an attribute, and what a single-frame object calls it."""


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame: which of the instances it belongs to, its index there, its attributes and its rescale."""

    instance: int
    index: int
    attributes: dict[str, Any]
    rescale: Rescale


def frame_count(dataset: Dataset) -> int:
    """Number of frames that the header claims.

    Raises:
        VolumeRefusedError: not a number, or more than ``MAX_FRAMES``.
    """
    try:
        count = int(dataset.get("NumberOfFrames") or 1)
    except (TypeError, ValueError):
        raise VolumeRefusedError(VolumeRefusal.MALFORMED, detail="Number of Frames is no number") from None
    if not 1 <= count <= MAX_FRAMES:
        raise VolumeRefusedError(VolumeRefusal.TOO_LARGE, detail=f"{count} frames")
    return count


def frames_of(dataset: Dataset, *, instance: int) -> Iterator[Frame]:
    """The frames that an instance describes, in stored order.

    Raises:
        VolumeRefusedError: several frames without a functional group each, or a rescale that is not right.
    """
    modality = str(dataset.get("Modality", ""))[:16]
    count = frame_count(dataset)
    base = summarise(dataset, INSTANCE_KEYWORDS)
    base.pop("NumberOfFrames", None)
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence")
    if not per_frame:
        if count > 1:
            raise VolumeRefusedError(VolumeRefusal.FRAMES_UNKNOWN, detail="several frames, no functional groups")
        yield Frame(instance, 0, base, rescale_of(dataset, modality=modality))
        return
    if len(per_frame) != count:
        raise VolumeRefusedError(
            VolumeRefusal.FRAMES_UNKNOWN, detail=f"{count} frames, {len(per_frame)} functional groups"
        )
    shared = next(iter(dataset.get("SharedFunctionalGroupsSequence") or ()), Dataset())
    for index, group in enumerate(per_frame):
        items = [item for name in GROUP_SEQUENCES if (item := functional_group(name, group, shared)) is not None]
        attributes = dict(base)
        for item in items:
            attributes |= summarise(item, INSTANCE_KEYWORDS)
            renamed = summarise(item, tuple(RENAMED))
            attributes |= {RENAMED[name]: value for name, value in renamed.items()}
        transformation = functional_group("PixelValueTransformationSequence", group, shared)
        source = dataset if transformation is None else transformation
        yield Frame(instance, index, attributes, rescale_of(source, modality=modality))


def functional_group(name: str, per_frame: Dataset, shared: Dataset) -> Dataset | None:
    """The first item of a functional group: the frame's own, else the shared one; None where neither has it."""
    for holder in (per_frame, shared):
        items = holder.get(name)
        if items:
            return items[0]
    return None
