"""The regions of an RT Structure Set (PS3.3, A.19 and C.8.8.5 to C.8.8.8) as masks on the grid of its image.

A contour belongs to the slice whose plane it lies in; its pixels are found by ``ingestion.dicom.contours``. Contours
between slices are not moved to one: they are left out and flagged where the slices beside them have contours of their
own, and refuse their region elsewhere. A region that reaches beyond the image is refused: its part outside has no
values, and its size would be wrong.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.uid import RTStructureSetStorage

from ingestion.dicom.contours import even_odd
from ingestion.dicom.geometry import STEP_TOLERANCE_SHARE
from ingestion.dicom.guard import PARSER_ERRORS
from ingestion.dicom.region import RegionFlag, RegionRefusal, RegionRefusedError, Segment, code_of
from ingestion.dicom.summary import json_value
from ingestion.dicom.volume import Volume

PLANE_TOLERANCE_MM = 0.051
"""Planning systems write contour coordinates with as few as one decimal: half of the last one, and a rounding error."""
EDGE_TOLERANCE_PIXELS = 0.01
"""A contour along the image's own edge lies on it up to the rounding of its text."""
CONTOUR_DATA = 0x30060050
MAX_POINTS = 20_000_000
"""Points of one region; a fine drawing of a whole body on 1,000 slices has one million."""
AREA_TYPES = frozenset({"CLOSED_PLANAR", "CLOSEDPLANAR_XOR"})


@dataclass(frozen=True, slots=True)
class _Contour:
    """``plane``: (n, 3) slice, row, column, in voxels of the image."""

    kind: str
    plane: NDArray[np.float64]
    sources: tuple[str, ...]


def structure_series(structures: Dataset) -> tuple[str, ...]:
    """Series Instance UIDs of the images that the structures were drawn on, sorted."""
    try:
        found = {
            str(series.get("SeriesInstanceUID", ""))[:64]
            for frame in structures.get("ReferencedFrameOfReferenceSequence") or ()
            for study in frame.get("RTReferencedStudySequence") or ()
            for series in study.get("RTReferencedSeriesSequence") or ()
        }
    except PARSER_ERRORS as error:
        raise RegionRefusedError(RegionRefusal.MALFORMED, detail=type(error).__name__) from None
    return tuple(sorted(found - {""}))


def structure_instances(structures: Dataset) -> frozenset[str]:
    """SOP Instance UIDs that the contours name as the image they were drawn on."""
    try:
        return frozenset(
            uid
            for roi in structures.get("ROIContourSequence") or ()
            for contour in roi.get("ContourSequence") or ()
            for uid in _sources(contour)
        )
    except PARSER_ERRORS as error:
        raise RegionRefusedError(RegionRefusal.MALFORMED, detail=type(error).__name__) from None


def iter_structures(structures: Dataset, volume: Volume) -> Iterator[Segment]:
    """The regions of ``structures`` on the grid of ``volume``, by ROI number, one mask in memory at a time.

    A region that cannot be put there has its refusal in place of a mask; the others go on.

    Raises:
        RegionRefusedError: not a structure set, or not readable.
    """
    if structures.get("SOPClassUID") != RTStructureSetStorage:
        raise RegionRefusedError(RegionRefusal.NOT_STRUCTURE_SET, detail="SOP class is not RT Structure Set")
    try:
        described = {int(item.ROINumber): item for item in structures.get("StructureSetROISequence") or ()}
        drawn = {int(item.ReferencedROINumber): item for item in structures.get("ROIContourSequence") or ()}
        observed: dict[int, Dataset] = {}
        for item in structures.get("RTROIObservationsSequence") or ():
            observed.setdefault(int(item.ReferencedROINumber), item)
    except PARSER_ERRORS as error:
        raise RegionRefusedError(RegionRefusal.MALFORMED, detail=type(error).__name__) from None
    if unknown := sorted(drawn.keys() - described.keys()):
        raise RegionRefusedError(RegionRefusal.UNKNOWN_SEGMENT, detail=f"ROI {unknown[0]} has contours, no description")
    for number in sorted(described):
        try:
            yield _region(number, described[number], drawn.get(number), observed.get(number, Dataset()), volume)
        except PARSER_ERRORS as error:
            raise RegionRefusedError(RegionRefusal.MALFORMED, detail=f"ROI {number}: {type(error).__name__}") from None


def _region(number: int, roi: Dataset, drawn: Dataset | None, observed: Dataset, volume: Volume) -> Segment:
    mask, refusal, detail = None, None, None
    flags: tuple[RegionFlag, ...] = ()
    try:
        mask, flags = _mask(roi, drawn, volume)
    except RegionRefusedError as refused:
        refusal, detail = refused.reason, refused.detail
    except PARSER_ERRORS as error:
        refusal, detail = RegionRefusal.MALFORMED, type(error).__name__
    return Segment(
        number=number,
        label=json_value(roi.get("ROIName")),
        category=None,
        type=code_of(observed.get("RTROIIdentificationCodeSequence")),
        mask=mask,
        anatomy=None,
        laterality=None,
        algorithm=json_value(roi.get("ROIGenerationAlgorithm")),
        role=json_value(observed.get("RTROIInterpretedType")),
        flags=flags,
        refusal=refusal,
        detail=detail,
    )


def _mask(roi: Dataset, drawn: Dataset | None, volume: Volume) -> tuple[NDArray[np.bool_], tuple[RegionFlag, ...]]:
    own = str(roi.get("ReferencedFrameOfReferenceUID") or "")
    if own and volume.frame_of_reference and own != volume.frame_of_reference:
        raise RegionRefusedError(
            RegionRefusal.FRAME_OF_REFERENCE_DIFFERS, detail="region and image lie in different coordinates"
        )
    contours = [_contour(item, volume) for item in (drawn.get("ContourSequence") if drawn else None) or ()]
    if not contours:
        raise RegionRefusedError(RegionRefusal.NO_CONTOURS, detail="nothing was drawn")
    flags: set[RegionFlag] = set()
    areas = [contour for contour in contours if contour.kind in AREA_TYPES]
    if not areas:
        raise RegionRefusedError(RegionRefusal.NO_AREA, detail=f"{len(contours)} points or lines, no closed contour")
    if len(areas) < len(contours):
        flags.add(RegionFlag.OPEN_LEFT_OUT)
    by_slice = _by_slice(areas, volume, flags)
    _, rows, columns = volume.array.shape
    mask = np.zeros(volume.array.shape, dtype=np.bool_)
    for k, stack in by_slice.items():
        mask[k], overlap = even_odd([contour.plane[:, 1:] for contour in stack], (rows, columns))
        if overlap and any(contour.kind == "CLOSED_PLANAR" for contour in stack):
            flags.add(RegionFlag.NESTED_CONTOURS)
    if not mask.any():
        raise RegionRefusedError(RegionRefusal.EMPTY_MASK, detail="no voxel centre lies within the contours")
    if max(by_slice) - min(by_slice) + 1 > len(by_slice):
        flags.add(RegionFlag.SLICES_SKIPPED)
    return mask, tuple(flag for flag in RegionFlag if flag in flags)


def _contour(item: Dataset, volume: Volume) -> _Contour:
    data = _coordinates(item)
    if len(data) % 3 or not len(data) or len(data) > 3 * MAX_POINTS:
        raise RegionRefusedError(RegionRefusal.MALFORMED, detail=f"a contour of {len(data)} numbers")
    points = data.reshape(-1, 3)
    if not np.isfinite(points).all():
        raise RegionRefusedError(RegionRefusal.MALFORMED, detail="a coordinate is no number")
    voxels = (points - np.array(volume.origin)) @ volume.direction.T / np.array(volume.spacing)
    return _Contour(str(item.get("ContourGeometricType", ""))[:16], voxels, tuple(_sources(item)))


def _coordinates(item: Dataset) -> NDArray[np.float64]:
    """Contour Data as numbers, read as they lie in the file: pydicom would make an object of each."""
    raw = item.get_item(CONTOUR_DATA)
    if isinstance(raw, RawDataElement) and isinstance(raw.value, bytes):
        return np.array(raw.value.strip(b" \0").split(b"\\"), dtype=np.float64)
    return np.array([float(value) for value in item.get("ContourData") or ()], dtype=np.float64)


def _by_slice(areas: list[_Contour], volume: Volume, flags: set[RegionFlag]) -> dict[int, list[_Contour]]:
    """The contours of each slice; what lies between slices is left out, flagged, or refuses the region."""
    step, shape = volume.spacing[0], volume.array.shape
    tolerance = max(PLANE_TOLERANCE_MM, STEP_TOLERANCE_SHARE * step) / step
    shared = Counter(volume.sop_instance_uids)
    positions = {uid: k for k, uid in enumerate(volume.sop_instance_uids) if shared[uid] == 1}
    found: dict[int, list[_Contour]] = defaultdict(list)
    between: list[float] = []
    for contour in areas:
        depths, plane = contour.plane[:, 0], contour.plane[:, 1:]
        if np.ptp(depths) > 2 * tolerance:
            raise RegionRefusedError(
                RegionRefusal.CONTOUR_NOT_PLANAR, detail=f"a contour spans {np.ptp(depths) * step:.2f} mm across slices"
            )
        depth = float(np.median(depths))
        k = round(depth)
        if not 0 <= k < shape[0] or _outside(plane, shape[1:]):
            raise RegionRefusedError(RegionRefusal.OUTSIDE_IMAGE, detail="the region reaches beyond the image")
        if abs(depth - k) > tolerance:
            between.append(depth)
            continue
        if any(positions.get(uid, k) != k for uid in contour.sources):
            raise RegionRefusedError(
                RegionRefusal.SOURCE_DIFFERS, detail=f"a contour on slice {k + 1} names another slice as its image"
            )
        found[k].append(contour)
    # Between slices a contour says nothing new where the slice nearest to it (of two, either) has its own.
    half = 0.5 + tolerance
    alone = [depth for depth in between if not any(abs(depth - k) <= half for k in found)]
    if alone or not found:
        raise RegionRefusedError(
            RegionRefusal.CONTOUR_OFF_SLICE, detail=f"{len(between)} of {len(areas)} contours lie between slices"
        )
    if between:
        flags.add(RegionFlag.OFF_SLICE_LEFT_OUT)
    return dict(found)


def _outside(plane: NDArray[np.float64], shape: tuple[int, ...]) -> bool:
    """Whether a contour reaches beyond the outer edges of the image's pixels."""
    low, high = plane.min(axis=0), plane.max(axis=0)
    edge = 0.5 + EDGE_TOLERANCE_PIXELS
    return bool((low < -edge).any() or (high > np.array(shape) - 1 + edge).any())


def _sources(contour: Dataset) -> Iterator[str]:
    for item in contour.get("ContourImageSequence") or ():
        uid = str(item.get("ReferencedSOPInstanceUID", ""))
        if uid:
            yield uid
