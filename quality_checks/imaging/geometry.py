"""Where the images of a series lie: one stack on one grid, or several volumes that something tells apart."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    EnhancedPETImageStorage,
    LegacyConvertedEnhancedCTImageStorage,
    LegacyConvertedEnhancedMRImageStorage,
    LegacyConvertedEnhancedPETImageStorage,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
)

from ingestion.dicom.geometry import (
    ORIENTATION_TOLERANCE,
    STEP_TOLERANCE_MM,
    STEP_TOLERANCE_SHARE,
    UNIT_TOLERANCE,
    GeometryProblem,
    SeriesGeometry,
    geometry_of,
)
from ingestion.dicom.stacks import split_by_attributes
from quality_checks.examination import CheckOutcome
from quality_checks.imaging import geometry_rules as rules
from quality_checks.imaging.objects import StoredObject
from quality_checks.imaging.series import FrameRecord, FrameSeen, SeriesContext, as_float, floats
from quality_checks.imaging.tally import Tally
from quality_checks.imaging.volumes import explain, further_attributes

SINGLE = frozenset({CTImageStorage, MRImageStorage, PositronEmissionTomographyImageStorage})
ENHANCED = frozenset({
    EnhancedCTImageStorage, EnhancedMRImageStorage, EnhancedPETImageStorage, LegacyConvertedEnhancedCTImageStorage,
    LegacyConvertedEnhancedMRImageStorage, LegacyConvertedEnhancedPETImageStorage,
})  # fmt: skip
CROSS_SECTIONS = SINGLE | ENHANCED
REFORMATTED = frozenset({"PROJECTION IMAGE", "MIP", "MPR", "RADIAL", "CSA MPR", "CSAPARALLEL", "SECONDARY", "CPR"})
"""Image types that may turn from image to image: rotating projections, curved and radial reformats, captures."""
SQUARE = 0.02
"""Cosine within which the planes of a three-plane localizer are perpendicular: 1 degree."""
SLICES_AROUND = 5
"""So many images of one orientation are a stack, not one plane of a three-plane localizer beside few others."""
FEW_BESIDE = 2
"""So few images of another orientation than a stack are strays in it."""
FEWEST_ORDERED = 3
STATED_TOLERANCE = 0.02
"""SpacingBetweenSlices is rounded, on some scanners to a tenth of a millimetre of 5."""


class Geometry:
    """The group of ``geometry_rules``."""

    def __init__(self, context: SeriesContext) -> None:
        self._context = context
        self._tallies = {rule.id: Tally(rule) for rule in rules.RULES}
        self._further: dict[str, dict[str, str]] = {}
        self._spaces: dict[str, str] = {}
        self._announced: dict[str, float] = {}
        self._undescribed = False
        self._unplaced = False

    def see(self, stored: StoredObject) -> None:
        header = stored.header
        if header.get("SOPClassUID") in ENHANCED:
            self._see_groups(stored)
        if header.get("SOPClassUID") not in CROSS_SECTIONS or stored.pixels is None:
            return
        self._further[stored.uid] = further_attributes(stored)
        if uid := str(header.get("FrameOfReferenceUID") or ""):
            self._spaces.setdefault(uid, stored.uid)
        for keyword in ("ImagesInAcquisition", "NumberOfSlices", "NumberOfTemporalPositions", "SpacingBetweenSlices"):
            value = as_float(header.get(keyword), math.nan)
            if value > 0:
                self._announced[keyword] = max(value, self._announced.get(keyword, 0))

    def see_frame(self, frame: FrameSeen) -> None:
        """Frames are taken from the series' log."""

    def outcomes(self) -> Iterable[CheckOutcome]:
        if self._context.sop_class in CROSS_SECTIONS and self._context.log and not self._undescribed:
            self._judge(self._context.log)
        return [tally.outcome() for tally in self._tallies.values()]

    def _see_groups(self, stored: StoredObject) -> None:
        tally, header = self._tallies[rules.FRAMES.id], stored.header
        frames = max(stored.number("NumberOfFrames", 1), 1)
        groups = header.get("PerFrameFunctionalGroupsSequence") or ()
        tally.judge(frames)
        if len(groups) != frames:
            tally.fault(f"{len(groups)} functional groups for {frames} frames", stored.uid)
            self._undescribed = True
            return
        indices: dict[tuple[int, ...], int] = {}
        for number, group in enumerate(groups, start=1):
            content = group.get("FrameContentSequence")
            value = content[0].get("DimensionIndexValues") if content else None
            if value is None:
                continue
            key = tuple(int(part) for part in (value if not isinstance(value, int) else [value]))
            if key in indices:
                tally.fault(f"frames {indices[key]} and {number} have one dimension index", f"{stored.uid}#{number}")
            indices.setdefault(key, number)

    def _judge(self, frames: Sequence[FrameRecord]) -> None:
        localizer = self._context.localizer
        placed = [one for one in frames if one.depth is not None]
        self._unplaced = len(placed) < len(frames)
        sound = self._judge_each(frames)
        self._tallies[rules.SPACE.id].check(len(self._spaces) < 2, f"{len(self._spaces)} frames of reference")
        groups = _by_orientation(sound)
        inside = self._localizers_inside(sound, groups)
        odd = {id(one) for one in inside}
        if inside:
            groups = _by_orientation([one for one in sound if id(one) not in odd])
        if len(placed) > 1 and not localizer and not self._reformatted():
            self._judge_grid([one for one in frames if id(one) not in odd])
            one_way = len(groups) < 2 or _three_planes(groups)
            detail = _orientations(groups)
            self._tallies[rules.ORIENTATION.id].check(one_way, detail)
            if not one_way:
                return  # what the stacks show follows from it
        if localizer and not inside:
            return
        for group in groups:
            self._judge_stack(group)
        self._judge_count(sound, groups)

    def _judge_each(self, frames: Sequence[FrameRecord]) -> list[FrameRecord]:
        """The frames whose place is known and possible."""
        sound = []
        for one in frames:
            self._tallies[rules.PLACED.id].check(one.depth is not None, "no position or no orientation", one.where)
            cosines = floats(one.attributes.get("ImageOrientationPatient"), 6)
            if cosines is None or one.depth is None:
                continue
            row, column = np.array(cosines[:3]), np.array(cosines[3:])
            lengths = (float(np.linalg.norm(axis)) for axis in (row, column))
            off = max(*(abs(length - 1) for length in lengths), abs(float(row @ column)))
            self._tallies[rules.AXES.id].check(off <= UNIT_TOLERANCE, f"off by {off:.3f}", one.where)
            if off <= UNIT_TOLERANCE:
                sound.append(one)
        return sound

    def _reformatted(self) -> bool:
        return bool(self._context.image_types & REFORMATTED)

    def _localizers_inside(
        self, frames: Sequence[FrameRecord], groups: Sequence[Sequence[FrameRecord]]
    ) -> list[FrameRecord]:
        """Frames that say they are localizers among others that do not, or the other two planes of three."""
        if len(frames) < SLICES_AROUND:
            return []
        odd = [one for one in frames if "LOCALIZER" in (one.attributes.get("ImageType") or ())]
        if len(odd) == len(frames):
            return []
        if not odd and not self._reformatted():
            odd = _two_scouts(groups)
        tally = self._tallies[rules.LOCALIZER.id]
        tally.judge(len(frames))
        for one in odd:
            tally.fault("an image of another orientation or type than the stack around it", one.where)
        return odd

    def _judge_grid(self, frames: Sequence[FrameRecord]) -> None:
        geometry = _geometry(frames)
        wrong = {GeometryProblem.SIZE_VARIES, GeometryProblem.PIXEL_SPACING_VARIES} & set(geometry.problems)
        sizes = {(one.attributes.get("Rows"), one.attributes.get("Columns")) for one in frames}
        spacings = {str(one.attributes.get("PixelSpacing")) for one in frames}
        self._tallies[rules.GRID.id].check(not wrong, f"{len(sizes)} sizes, {len(spacings)} pixel spacings")

    def _judge_stack(self, frames: Sequence[FrameRecord]) -> None:
        """The frames of one orientation."""
        if len(frames) < 2:
            return
        shared = explain(frames, self._further)
        self._tallies[rules.TWICE.id].judge(len(frames))
        for one in shared.same:
            self._tallies[rules.TWICE.id].fault("the same pixels lie at this position already", one.where)
        self._tallies[rules.EXPLAINED.id].judge(len(frames))
        for one in shared.unexplained:
            detail = "another image lies at this position, and no attribute tells them apart"
            self._tallies[rules.EXPLAINED.id].fault(detail, one.where)
        repeated = {id(one) for one in (*shared.same, *shared.unexplained)}
        for volume in _volumes([one for one in frames if id(one) not in repeated]):
            self._judge_volume(volume)

    def _judge_volume(self, volume: Sequence[FrameRecord]) -> None:
        ordered = sorted(volume, key=lambda one: (one.depth or 0.0, one.number))
        levels = [ordered[0]]
        for one in ordered[1:]:
            if (one.depth or 0.0) - (levels[-1].depth or 0.0) > STEP_TOLERANCE_MM:
                levels.append(one)
        if len(levels) < FEWEST_ORDERED:
            return
        steps = [(after.depth or 0.0) - (before.depth or 0.0) for before, after in itertools.pairwise(levels)]
        typical = sorted(steps)[(len(steps) - 1) // 2]
        self._judge_steps(levels, steps, typical)
        shear = GeometryProblem.NOT_PARALLEL_TO_NORMAL in _geometry(levels).problems
        self._tallies[rules.SHEAR.id].check(not shear, "the stack leans against its normal")
        numbers = [one.number for one in levels]
        if len({one.uid for one in levels}) == len(levels) and all(math.isfinite(number) for number in numbers):
            turns = sum(1 for before, after in itertools.pairwise(numbers) if after <= before)
            in_order = turns in {0, len(numbers) - 1}
            self._tallies[rules.ORDER.id].check(in_order, f"{turns} of {len(numbers) - 1} steps count down")
        stated = self._announced.get("SpacingBetweenSlices")
        if stated is not None:
            off = abs(stated - typical)
            sound = off <= max(STATED_TOLERANCE * typical, STEP_TOLERANCE_MM)
            self._tallies[rules.STATED.id].check(sound, f"stated {stated:g} mm, measured {typical:.4g} mm")

    def _judge_steps(self, levels: Sequence[FrameRecord], steps: Sequence[float], typical: float) -> None:
        gaps, regular = self._tallies[rules.GAPS.id], self._tallies[rules.STEPS.id]
        if not self._unplaced:  # a slice without position may be what lacks
            gaps.judge(len(levels))
        regular.judge(len(levels))
        tolerance = max(STEP_TOLERANCE_MM, STEP_TOLERANCE_SHARE * typical)
        for before, after, step in zip(levels, levels[1:], steps, strict=False):
            multiple = round(step / typical)
            if multiple < 1 or abs(step - multiple * typical) > tolerance * max(multiple, 1):
                regular.fault(f"a step of {step:.4g} mm among steps of {typical:.4g} mm", after.where)
            elif multiple > 1 and not self._unplaced and not self._acquired_with_gap(before, after):
                many = "1 position" if multiple == 2 else f"{multiple - 1} positions"
                gaps.fault(f"{many} of {typical:.4g} mm left out before it", after.where)

    def _acquired_with_gap(self, before: FrameRecord, after: FrameRecord) -> bool:
        """Slabs of MR are numbered without a gap; CT is reconstructed without one."""
        return self._context.modality == "MR" and abs(after.number - before.number) == 1

    def _judge_count(self, frames: Sequence[FrameRecord], groups: Sequence[Sequence[FrameRecord]]) -> None:
        tally, positions = self._tallies[rules.COUNT.id], sum(_positions(group) for group in groups)
        images = self._announced.get("ImagesInAcquisition")
        if images is not None:
            tally.check(len(frames) >= images, f"{len(frames)} images, ImagesInAcquisition is {images:g}")
        slices = self._announced.get("NumberOfSlices")
        if slices is not None and self._context.modality == "PT":
            tally.check(positions >= slices, f"{positions} positions, NumberOfSlices is {slices:g}")
        times = self._announced.get("NumberOfTemporalPositions")
        if times is not None:
            seen = {one.attributes.get("TemporalPositionIdentifier") for one in frames} - {None}
            # With one time point only, the others are series of their own on some scanners.
            if len(seen) > 1:
                tally.check(len(seen) >= times, f"{len(seen)} time points, NumberOfTemporalPositions is {times:g}")


def _geometry(frames: Iterable[FrameRecord]) -> SeriesGeometry:
    return geometry_of([one.attributes for one in frames])


def _by_orientation(frames: Sequence[FrameRecord]) -> list[list[FrameRecord]]:
    groups: list[tuple[Any, list[FrameRecord]]] = []
    for one in frames:
        cosines = np.array(one.attributes["ImageOrientationPatient"], dtype=float)
        for known, group in groups:
            if np.abs(known - cosines).max() <= ORIENTATION_TOLERANCE:
                group.append(one)
                break
        else:
            groups.append((cosines, [one]))
    return [group for _, group in groups]


def _orientations(groups: Sequence[Sequence[FrameRecord]]) -> str:
    said = f"{len(groups)} orientations over {sum(map(len, groups))} images"
    strays = [one for group in groups if len(group) <= FEW_BESIDE for one in group]
    return f"{said}, {len(strays)} of them turned against the rest" if _stack_with_few(groups) else said


def _two_scouts(groups: Sequence[Sequence[FrameRecord]]) -> list[FrameRecord]:
    """The two images that with a stack are three planes: scouts that do not say so. One turned image is a fault."""
    largest = max(groups, key=len)
    others = [group for group in groups if group is not largest]
    scouts = len(largest) >= SLICES_AROUND and [len(group) for group in others] == [1, 1] and _perpendicular(groups)
    return [group[0] for group in others] if scouts else []


def _three_planes(groups: Sequence[Sequence[FrameRecord]]) -> bool:
    """Whether all orientations are perpendicular to one another: a localizer that does not say so."""
    return 2 <= len(groups) <= 3 and _perpendicular(groups) and not _stack_with_few(groups)


def _stack_with_few(groups: Sequence[Sequence[FrameRecord]]) -> bool:
    """A stack and one or two images of another orientation: turned slices, not the planes of a localizer."""
    sizes = sorted(map(len, groups))
    return len(sizes) > 1 and sizes[-1] >= SLICES_AROUND and sizes[-2] <= FEW_BESIDE


def _perpendicular(groups: Sequence[Sequence[FrameRecord]]) -> bool:
    normals = []
    for group in groups:
        cosines = np.array(group[0].attributes["ImageOrientationPatient"], dtype=float)
        normals.append(np.cross(cosines[:3], cosines[3:]))
    return all(abs(float(a @ b)) < SQUARE for a, b in itertools.combinations(normals, 2))


def _volumes(frames: Sequence[FrameRecord]) -> list[list[FrameRecord]]:
    """The stacks to judge: split as for reading; what shares a position then lies at one level."""
    if not frames:
        return []
    first = floats(frames[0].attributes.get("ImageOrientationPatient"), 6) or []
    x, y, z = (float(value) for value in np.cross(first[:3], first[3:]))
    by_grid: dict[Any, list[FrameRecord]] = defaultdict(list)
    for one in frames:
        by_grid[one.attributes.get("Rows"), one.attributes.get("Columns")].append(one)
    found = []
    for grid in by_grid.values():
        items = [{**one.attributes, "_at": at} for at, one in enumerate(grid)]
        stacks, _ = split_by_attributes(items, (x, y, z), same_mm=STEP_TOLERANCE_MM)
        found += [[grid[item["_at"]] for item in stack] for stack in stacks]
    return found


def _positions(frames: Sequence[FrameRecord]) -> int:
    depths = sorted(one.depth or 0.0 for one in frames)
    return sum(
        1 for before, after in zip([-math.inf, *depths], depths, strict=False) if after - before > STEP_TOLERANCE_MM
    )
