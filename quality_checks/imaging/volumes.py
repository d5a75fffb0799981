"""Several images at one position: what tells them apart, or that nothing does."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingestion.dicom.geometry import STEP_TOLERANCE_MM
from ingestion.dicom.stacks import SPLIT_KEYWORDS
from quality_checks.imaging.objects import StoredObject
from quality_checks.imaging.series import FrameRecord

FURTHER_KEYWORDS: tuple[str, ...] = (
    "InversionTime", "FlipAngle", "RepetitionTime", "NominalCardiacTriggerDelayTime", "FrameReferenceTime",
    "ActualFrameDuration", "ConvolutionKernel", "KVP", "SliceThickness", "DiffusionDirectionality",
    "TemporalPositionTimeOffset", "RescaleType", "ComplexImageComponent", "AcquisitionDateTime", "EchoNumbers",
    "ContentTime",
)  # fmt: skip
"""Beside those by which volumes are split for reading: what else makes several images at one place legitimate.

InstanceNumber is none of them: it counts images that lost their positions as readily as those of a dynamic series.
"""
PRIVATE_B_VALUES = (
    (0x0019, 0x0C, "SIEMENS MR HEADER"),
    (0x0043, 0x39, "GEMS_PARM_01"),
    (0x2001, 0x03, "Philips Imaging DD 001"),
)
"""Where makers kept the b-value before the standard had a place."""


@dataclass(frozen=True, slots=True)
class Shared:
    """The images at one position. ``same``: pairs with equal pixels too; ``unexplained``: images without difference."""

    same: tuple[FrameRecord, ...] = ()
    unexplained: tuple[FrameRecord, ...] = ()
    explained_by: tuple[str, ...] = ()


def further_attributes(stored: StoredObject) -> dict[str, str]:
    """The values of ``FURTHER_KEYWORDS`` and private b-values that an object has, as text to compare."""
    header = stored.header
    found = {keyword: str(header[keyword].value) for keyword in FURTHER_KEYWORDS if keyword in header}
    for group, element, creator in PRIVATE_B_VALUES:
        try:
            found["private b-value"] = str(header.private_block(group, creator)[element].value)
        except KeyError:
            continue
    return found


def explain(frames: Sequence[FrameRecord], further: Mapping[str, Mapping[str, str]]) -> Shared:
    """Look at the frames of one orientation that share positions.

    ``further``: by SOPInstanceUID, what ``further_attributes`` found.
    """
    places = [place for place in _places(frames) if len(place) > 1]
    if not places:
        return Shared()
    same = [one for place in places for one in _repeated(place)]
    repeated = {id(one) for one in same}
    rest = [[one for one in place if id(one) not in repeated] for place in places]
    rest = [place for place in rest if len(place) > 1]
    by = _telling(rest, further)
    unexplained = () if by is not None else tuple(one for place in rest for one in place[1:])
    return Shared(tuple(same), unexplained, by or ())


def _places(frames: Sequence[FrameRecord]) -> list[list[FrameRecord]]:
    """Frames by depth, those closer than positions are written together; the grid has a part in it too."""
    by_grid: dict[Any, list[FrameRecord]] = defaultdict(list)
    for one in frames:
        by_grid[str([one.attributes.get(name) for name in ("Rows", "Columns", "PixelSpacing")])].append(one)
    places: list[list[FrameRecord]] = []
    for grid in by_grid.values():
        last = None
        for one in sorted(grid, key=lambda frame: (frame.depth or 0.0, frame.number, frame.uid, frame.index)):
            if last is None or (one.depth or 0.0) - last > STEP_TOLERANCE_MM:
                places.append([])
                last = one.depth or 0.0
            places[-1].append(one)
    return places


def _repeated(place: Sequence[FrameRecord]) -> list[FrameRecord]:
    """Frames whose pixels another frame at the place has already; blank ones show nothing and do not count."""
    seen: set[str] = set()
    found = []
    for one in place:
        if one.sha256 in seen and one.decoded and not one.constant:
            found.append(one)
        seen.add(one.sha256)
    return found


def _telling(
    places: Sequence[Sequence[FrameRecord]], further: Mapping[str, Mapping[str, str]]
) -> tuple[str, ...] | None:
    """Attributes that together make all images at each place distinct; None: there are none."""
    if not places:
        return ()
    keywords = [*SPLIT_KEYWORDS, *FURTHER_KEYWORDS, "private b-value"]

    def value(one: FrameRecord, keyword: str) -> str:
        return str(one.attributes.get(keyword, further.get(one.uid, {}).get(keyword)))

    def apart(chosen: Sequence[str]) -> bool:
        return all(len({tuple(value(one, name) for name in chosen) for one in place}) == len(place) for place in places)

    varying = [name for name in keywords if any(len({value(one, name) for one in place}) > 1 for place in places)]
    for name in varying:
        if apart([name]):
            return (name,)
    return tuple(varying) if varying and apart(varying) else None
