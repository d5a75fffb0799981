"""Segmentations and RT structure sets: what they refer to is there, and they lie on it, named and not empty."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from pydicom.dataset import Dataset
from pydicom.uid import RTStructureSetStorage, SegmentationStorage

from ingestion.dicom.frames import functional_group
from ingestion.dicom.geometry import ORIENTATION_TOLERANCE, SPACING_TOLERANCE_SHARE
from quality_checks.examination import CheckOutcome
from quality_checks.imaging import annotation_rules as rules
from quality_checks.imaging.companions import Companions, Stack, stack_of
from quality_checks.imaging.objects import StoredObject
from quality_checks.imaging.series import FrameSeen, SeriesContext, floats
from quality_checks.imaging.tally import Tally

OFF_SLICE_MM = 0.5
"""Contours are written with as few as two decimals, and moved by couch corrections of tenths of a millimetre."""
OUTSIDE_MM = 1.0
"""A contour may follow the outer edge of the last voxel."""
CLOSED = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"})
FEWEST_POINTS = 3


class Annotations:
    """The group of ``annotation_rules``; references are judged only where the patient's other series are known."""

    def __init__(self, context: SeriesContext) -> None:
        self._tallies = {rule.id: Tally(rule) for rule in rules.RULES}
        self._companions = None if context.companions is None else Companions(context.companions)
        self._extent: Counter[tuple[str, int]] = Counter()
        self._segments: dict[tuple[str, int], str] = {}

    def see(self, stored: StoredObject) -> None:
        header = stored.header
        if header.get("SOPClassUID") == SegmentationStorage:
            self._see_segments(stored)
            series, instances = set(_series_of_seg(header)), set(_instances_of_seg(header))
        elif header.get("SOPClassUID") == RTStructureSetStorage:
            series, instances = set(_series_of_set(header)), set(_instances_of_set(header))
        else:
            return
        stack = self._refers(stored, series, instances)
        if header.get("SOPClassUID") == RTStructureSetStorage:
            self._see_regions(stored, stack)
        elif stack is not None:
            self._see_planes(stored, stack)

    def see_frame(self, frame: FrameSeen) -> None:
        header = frame.owner.header
        if header.get("SOPClassUID") != SegmentationStorage:
            return
        number = _segment_number(header, frame.index)
        if number is not None:
            self._extent[frame.owner.uid, number] += int(np.count_nonzero(frame.stored))
        elif header.get("SegmentationType") == "LABELMAP":
            for value, count in zip(*np.unique(frame.stored, return_counts=True), strict=True):
                self._extent[frame.owner.uid, int(value)] += int(count)

    def outcomes(self) -> Iterable[CheckOutcome]:
        for key, uid in self._segments.items():
            self._tallies[rules.NOT_EMPTY.id].check(self._extent[key] > 0, f"segment {key[1]} has no pixel", uid)
        return [tally.outcome() for tally in self._tallies.values()]

    def _refers(self, stored: StoredObject, series: set[str], instances: set[str]) -> Stack | None:
        """Judge the references; the stack of the images, where it is one and known."""
        if self._companions is None:
            return None
        tally = self._tallies[rules.REFERENCES.id]
        missing = sum(not self._companions.has_series(uid) for uid in series)
        lost = sum(not self._companions.has_instance(uid) for uid in instances)
        if not series and not instances:
            detail = "it names no images"
        else:
            detail = f"{missing} of {len(series)} series and {lost} of {len(instances)} images are not in the source"
        tally.check(bool(series or instances) and not missing and not lost, detail, stored.uid)
        image = self._companions.series_of(series, instances)
        if image is None or lost:
            return None  # where the lost images lie is not known
        own, its = _space(stored.header), str(image.header.get("FrameOfReferenceUID") or "")
        if own and its:
            self._tallies[rules.SPACE.id].check(own == {its}, "the images lie in another", stored.uid)
            if own != {its}:
                return None
        return stack_of(image)

    def _see_segments(self, stored: StoredObject) -> None:
        tiled = stored.header.get("DimensionOrganizationType") == "TILED_FULL"
        for item in stored.header.get("SegmentSequence") or ():
            number = int(item.get("SegmentNumber") or 0)
            if not tiled:  # which frame is of which segment is left to their order there
                self._segments[stored.uid, number] = stored.uid
            names = ("SegmentedPropertyCategoryCodeSequence", "SegmentedPropertyTypeCodeSequence")
            coded = all(_coded(item.get(name)) for name in names)
            self._tallies[rules.CODED.id].check(coded, f"segment {number} has no coded category or type", stored.uid)

    def _see_planes(self, stored: StoredObject, stack: Stack) -> None:
        grid, inside, header = self._tallies[rules.GRID.id], self._tallies[rules.INSIDE.id], stored.header
        shared = next(iter(header.get("SharedFunctionalGroupsSequence") or ()), Dataset())
        size = (stored.number("Rows"), stored.number("Columns"))
        grid.judge()
        differs = None if size == (stack.rows, stack.columns) else "size"
        for index, group in enumerate(header.get("PerFrameFunctionalGroupsSequence") or ()):
            found = _plane(group, shared)
            if found is None:
                continue
            position, cosines, spacing = found
            axes, gaps = cosines.reshape(2, 3), np.array(spacing)
            if np.abs(axes - stack.axes[:2]).max() > ORIENTATION_TOLERANCE:
                differs = differs or "orientation"
            if not np.allclose(gaps, stack.spacing, rtol=SPACING_TOLERANCE_SHARE, atol=0):
                differs = differs or "pixel spacing"
            inside.judge()
            far = position + axes[0] * gaps[1] * (size[1] - 1) + axes[1] * gaps[0] * (size[0] - 1)
            beyond = stack.outside(np.stack([position, far]))
            if beyond > max(OUTSIDE_MM, *stack.spacing):
                inside.fault(f"its plane reaches {beyond:.1f} mm beyond the images", f"{stored.uid}#{index + 1}")
        if differs is not None:
            grid.fault(f"another {differs} than the images", stored.uid)

    def _see_regions(self, stored: StoredObject, stack: Stack | None) -> None:
        header, drawn = stored.header, Counter[int]()
        closed, flat, inside = (self._tallies[rule.id] for rule in (rules.CLOSED, rules.ON_SLICES, rules.INSIDE))
        for region in header.get("ROIContourSequence") or ():
            number = int(region.get("ReferencedROINumber") or 0)
            for contour in region.get("ContourSequence") or ():
                drawn[number] += 1
                kind = str(contour.get("ContourGeometricType") or "")
                if kind == "POINT":
                    continue
                points = _points(contour)
                announced = int(contour.get("NumberOfContourPoints") or 0)
                whole = points is not None and len(points) >= FEWEST_POINTS and announced in {0, len(points)}
                detail = f"region {number}: an open contour" if kind not in CLOSED else f"region {number}: points lack"
                closed.check(kind in CLOSED and whole, detail, stored.uid)
                if points is None or stack is None or not len(points):
                    continue
                off, beyond = stack.off_slice(points), stack.outside(points)
                flat.check(off <= OFF_SLICE_MM, f"region {number}: {off:.1f} mm off the nearest slice", stored.uid)
                inside.check(beyond <= OUTSIDE_MM, f"region {number}: {beyond:.1f} mm beyond the images", stored.uid)
        for item in header.get("StructureSetROISequence") or ():
            number = int(item.get("ROINumber") or 0)
            self._tallies[rules.NOT_EMPTY.id].check(drawn[number] > 0, f"region {number} has no contour", stored.uid)
            named = bool(str(item.get("ROIName") or "").strip())
            self._tallies[rules.CODED.id].check(named, f"region {number} has no name", stored.uid)


def _coded(sequence: Any) -> bool:
    item = sequence[0] if sequence else Dataset()
    value = item.get("CodeValue") or item.get("LongCodeValue") or item.get("URNCodeValue")
    return bool(value and (item.get("CodingSchemeDesignator") or item.get("URNCodeValue")))


def _segment_number(header: Dataset, index: int) -> int | None:
    groups = header.get("PerFrameFunctionalGroupsSequence") or ()
    shared = next(iter(header.get("SharedFunctionalGroupsSequence") or ()), Dataset())
    if index >= len(groups):
        return None
    found = functional_group("SegmentIdentificationSequence", groups[index], shared)
    return None if found is None else int(found.get("ReferencedSegmentNumber") or 0)


def _plane(group: Dataset, shared: Dataset) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any], list[float]] | None:
    said = {}
    for name, keyword, length in (
        ("PlanePositionSequence", "ImagePositionPatient", 3),
        ("PlaneOrientationSequence", "ImageOrientationPatient", 6),
        ("PixelMeasuresSequence", "PixelSpacing", 2),
    ):
        item = functional_group(name, group, shared)
        value = None if item is None or not item.get(keyword) else floats(list(item[keyword].value), length)
        if value is None:
            return None
        said[keyword] = value
    position, cosines = said["ImagePositionPatient"], said["ImageOrientationPatient"]
    return np.array(position), np.array(cosines), said["PixelSpacing"]


def _points(contour: Dataset) -> np.ndarray[Any, Any] | None:
    """(n, 3) in mm; None where the numbers are no triples."""
    numbers = [float(value) for value in contour.get("ContourData") or ()]
    return np.array(numbers).reshape(-1, 3) if len(numbers) % 3 == 0 else None


def _space(header: Dataset) -> set[str]:
    found = {str(header.get("FrameOfReferenceUID") or "")}
    for item in header.get("StructureSetROISequence") or ():
        found.add(str(item.get("ReferencedFrameOfReferenceUID") or ""))
    return found - {""}


def _series_of_seg(header: Dataset) -> Iterator[str]:
    for item in header.get("ReferencedSeriesSequence") or ():
        yield str(item.get("SeriesInstanceUID") or "")


def _instances_of_seg(header: Dataset) -> Iterator[str]:
    for item in header.get("ReferencedSeriesSequence") or ():
        for reference in item.get("ReferencedInstanceSequence") or ():
            yield str(reference.get("ReferencedSOPInstanceUID") or "")
    shared = header.get("SharedFunctionalGroupsSequence") or ()
    for group in (*shared, *(header.get("PerFrameFunctionalGroupsSequence") or ())):
        for derivation in group.get("DerivationImageSequence") or ():
            for source in derivation.get("SourceImageSequence") or ():
                yield str(source.get("ReferencedSOPInstanceUID") or "")


def _referenced_series(header: Dataset) -> Iterator[Dataset]:
    for space in header.get("ReferencedFrameOfReferenceSequence") or ():
        for study in space.get("RTReferencedStudySequence") or ():
            yield from study.get("RTReferencedSeriesSequence") or ()


def _series_of_set(header: Dataset) -> Iterator[str]:
    for item in _referenced_series(header):
        yield str(item.get("SeriesInstanceUID") or "")


def _instances_of_set(header: Dataset) -> Iterator[str]:
    regions = header.get("ROIContourSequence") or ()
    contours = (contour for region in regions for contour in region.get("ContourSequence") or ())
    for item in (*_referenced_series(header), *contours):
        for reference in item.get("ContourImageSequence") or ():
            yield str(reference.get("ReferencedSOPInstanceUID") or "")
