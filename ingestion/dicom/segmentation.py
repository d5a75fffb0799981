"""The segments of a DICOM Segmentation (PS3.3, A.51 and C.8.20) as masks on the grid of the image they were drawn on.

Frames are put in place by their plane position, and by the image instance they were derived from where they have
none; both must agree where both are there. Anything off the image's grid is refused: masks are never resampled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import iter_pixels
from pydicom.uid import SegmentationStorage

from ingestion.dicom.frames import frame_count, functional_group
from ingestion.dicom.geometry import ORIENTATION_TOLERANCE, SPACING_TOLERANCE_SHARE, STEP_TOLERANCE_MM
from ingestion.dicom.guard import PARSER_ERRORS
from ingestion.dicom.summary import json_value
from ingestion.dicom.volume import Volume

POSITION_TOLERANCE_SHARE = 0.01
"""A mask frame may be off its image slice by 1 % of the smallest voxel edge (or 0.01 mm): text rounds positions."""
FRACTION_INSIDE = 0.5
"""A voxel of a fractional segment is inside from half its maximum on, as IBSI rounds interpolated masks."""


class SegmentationRefusal(StrEnum):
    """Why a segmentation was refused."""

    NOT_SEGMENTATION = "not_segmentation"
    UNSUPPORTED_TYPE = "unsupported_type"
    MALFORMED = "malformed"
    PIXELS_UNREADABLE = "pixels_unreadable"
    FRAME_OF_REFERENCE_DIFFERS = "frame_of_reference_differs"
    SIZE_DIFFERS = "size_differs"
    SPACING_DIFFERS = "spacing_differs"
    ORIENTATION_DIFFERS = "orientation_differs"
    FRAME_WITHOUT_PLACE = "frame_without_place"
    FRAME_OFF_GRID = "frame_off_grid"
    SOURCE_DIFFERS = "source_differs"
    DUPLICATE_FRAME = "duplicate_frame"
    UNKNOWN_SEGMENT = "unknown_segment"


class SegmentationRefusedError(Exception):
    """The masks cannot be put on the image's grid for sure. ``detail`` holds numbers only, never identities."""

    def __init__(self, reason: SegmentationRefusal, *, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.reason.value}: {self.detail}"

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (self.reason, self.detail)


def _rebuild(reason: SegmentationRefusal, detail: str) -> SegmentationRefusedError:
    return SegmentationRefusedError(reason, detail=detail)


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept as the object gives it; None where it leaves a part out."""

    value: str | None
    scheme: str | None
    meaning: str | None


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment. ``mask``: bool of the volume's shape, True inside."""

    number: int
    label: str | None
    category: Code | None
    type: Code | None
    mask: NDArray[np.bool_]


def read_segments(seg: Dataset, volume: Volume) -> list[Segment]:
    """All segments of ``seg``, by number. See ``iter_segments``, which holds one mask at a time."""
    return list(iter_segments(seg, volume))


def iter_segments(seg: Dataset, volume: Volume) -> Iterator[Segment]:
    """The segments of a binary or fractional segmentation on the grid of ``volume``, by number.

    Slices without a frame are empty: SEG leaves empty frames out.

    Raises:
        SegmentationRefusedError: not a segmentation, or not on the volume's grid.
    """
    try:
        yield from _segments(seg, volume)
    except PARSER_ERRORS as error:
        raise SegmentationRefusedError(SegmentationRefusal.MALFORMED, detail=type(error).__name__) from None


def referenced_series(seg: Dataset) -> tuple[str, ...]:
    """Series Instance UIDs of the images a segmentation refers to (PS3.3, C.12.4), sorted.

    Empty for a segmentation without Referenced Series Sequence: nothing is guessed from its frames.
    """
    try:
        found = {str(item.get("SeriesInstanceUID", ""))[:64] for item in seg.get("ReferencedSeriesSequence") or ()}
    except PARSER_ERRORS as error:
        raise SegmentationRefusedError(SegmentationRefusal.MALFORMED, detail=type(error).__name__) from None
    return tuple(sorted(found - {""}))


def referenced_instances(seg: Dataset) -> frozenset[str]:
    """SOP Instance UIDs that the frames of a segmentation were derived from."""
    try:
        _, groups = _functional_groups(seg)
        return frozenset(uid for group in groups for uid in _sources(group, Dataset()))
    except PARSER_ERRORS as error:
        raise SegmentationRefusedError(SegmentationRefusal.MALFORMED, detail=type(error).__name__) from None


def _segments(seg: Dataset, volume: Volume) -> Iterator[Segment]:
    kind = _check_kind(seg)
    _check_frame_of_reference(seg, volume)
    if (seg.Rows, seg.Columns) != volume.array.shape[1:]:
        raise SegmentationRefusedError(
            SegmentationRefusal.SIZE_DIFFERS,
            detail=f"frames of {seg.Rows} x {seg.Columns}, image slices of {volume.array.shape[1:]}",
        )
    described = {int(item.SegmentNumber): item for item in seg.SegmentSequence}
    places = _frame_places(seg, volume, known=frozenset(described))
    threshold = 1.0 if kind == "BINARY" else FRACTION_INSIDE * float(seg.MaximumFractionalValue)
    for number in sorted(described):
        mask = np.zeros(volume.array.shape, dtype=np.bool_)
        wanted = places.get(number, {})
        for k, pixels in zip(wanted.values(), _decoded(seg, list(wanted)), strict=True):
            mask[k] = pixels >= threshold
        item = described[number]
        yield Segment(
            number=number,
            label=json_value(item.get("SegmentLabel")),
            category=_code(item.get("SegmentedPropertyCategoryCodeSequence")),
            type=_code(item.get("SegmentedPropertyTypeCodeSequence")),
            mask=mask,
        )


def _check_kind(seg: Dataset) -> str:
    if seg.get("SOPClassUID") != SegmentationStorage:
        raise SegmentationRefusedError(SegmentationRefusal.NOT_SEGMENTATION, detail="SOP class is not Segmentation")
    kind = seg.get("SegmentationType")
    if kind not in {"BINARY", "FRACTIONAL"}:
        raise SegmentationRefusedError(
            SegmentationRefusal.UNSUPPORTED_TYPE, detail="Segmentation Type is neither BINARY nor FRACTIONAL"
        )
    return str(kind)


def _check_frame_of_reference(seg: Dataset, volume: Volume) -> None:
    own = str(seg.get("FrameOfReferenceUID") or "")
    if own and volume.frame_of_reference and own != volume.frame_of_reference:
        raise SegmentationRefusedError(
            SegmentationRefusal.FRAME_OF_REFERENCE_DIFFERS, detail="mask and image lie in different coordinates"
        )


def _functional_groups(seg: Dataset) -> tuple[Dataset, Sequence[Dataset]]:
    shared = next(iter(seg.get("SharedFunctionalGroupsSequence") or ()), Dataset())
    return shared, seg.get("PerFrameFunctionalGroupsSequence") or ()


def _frame_places(seg: Dataset, volume: Volume, *, known: frozenset[int]) -> dict[int, dict[int, int]]:
    """For each segment number: frame index to slice index."""
    shared, groups = _functional_groups(seg)
    if len(groups) != frame_count(seg):
        raise SegmentationRefusedError(
            SegmentationRefusal.MALFORMED, detail=f"{len(groups)} functional groups, {frame_count(seg)} frames"
        )
    by_uid: dict[str, list[int]] = {}
    for k, uid in enumerate(volume.sop_instance_uids):
        by_uid.setdefault(uid, []).append(k)
    places: dict[int, dict[int, int]] = {}
    for index, group in enumerate(groups):
        identification = functional_group("SegmentIdentificationSequence", group, shared)
        if identification is None or int(identification.ReferencedSegmentNumber) not in known:
            raise SegmentationRefusedError(SegmentationRefusal.UNKNOWN_SEGMENT, detail=f"frame {index + 1}")
        number = int(identification.ReferencedSegmentNumber)
        _check_plane(group, shared, volume, index=index)
        k = _slice_of(group, shared, volume, by_uid, index=index)
        taken = places.setdefault(number, {})
        if k in taken.values():
            raise SegmentationRefusedError(
                SegmentationRefusal.DUPLICATE_FRAME, detail=f"segment {number} has two frames on slice {k + 1}"
            )
        taken[index] = k
    return places


def _check_plane(group: Dataset, shared: Dataset, volume: Volume, *, index: int) -> None:
    measures = functional_group("PixelMeasuresSequence", group, shared)
    if measures is not None and measures.get("PixelSpacing"):
        own = [float(value) for value in measures.PixelSpacing]
        if not np.allclose(own, volume.spacing[1:], rtol=SPACING_TOLERANCE_SHARE, atol=0):
            raise SegmentationRefusedError(SegmentationRefusal.SPACING_DIFFERS, detail=f"frame {index + 1}")
    orientation = functional_group("PlaneOrientationSequence", group, shared)
    if orientation is not None and orientation.get("ImageOrientationPatient"):
        cosines = [float(value) for value in orientation.ImageOrientationPatient]
        image = [*volume.direction[2], *volume.direction[1]]
        if not np.allclose(cosines, image, rtol=0, atol=ORIENTATION_TOLERANCE):
            raise SegmentationRefusedError(SegmentationRefusal.ORIENTATION_DIFFERS, detail=f"frame {index + 1}")


def _slice_of(group: Dataset, shared: Dataset, volume: Volume, by_uid: dict[str, list[int]], *, index: int) -> int:
    """The slice that a frame lies on."""
    named = {k for uid in _sources(group, shared) for k in by_uid.get(uid, ())}
    position = functional_group("PlanePositionSequence", group, shared)
    if position is None or not position.get("ImagePositionPatient"):
        if len(named) != 1:
            raise SegmentationRefusedError(SegmentationRefusal.FRAME_WITHOUT_PLACE, detail=f"frame {index + 1}")
        return named.pop()
    offset = np.array([float(value) for value in position.ImagePositionPatient]) - np.array(volume.origin)
    k = round(float(offset @ volume.direction[0]) / volume.spacing[0])
    distance = float(np.linalg.norm(offset - k * volume.spacing[0] * volume.direction[0]))
    tolerance = max(STEP_TOLERANCE_MM, POSITION_TOLERANCE_SHARE * min(volume.spacing))
    if distance > tolerance or not 0 <= k < volume.array.shape[0]:
        raise SegmentationRefusedError(
            SegmentationRefusal.FRAME_OFF_GRID, detail=f"frame {index + 1} is {distance:.3f} mm off slice {k + 1}"
        )
    if named and k not in named:
        raise SegmentationRefusedError(
            SegmentationRefusal.SOURCE_DIFFERS, detail=f"frame {index + 1} lies on another slice than its source"
        )
    return k


def _sources(group: Dataset, shared: Dataset) -> Iterator[str]:
    derivations = group.get("DerivationImageSequence") or shared.get("DerivationImageSequence") or ()
    for derivation in derivations:
        for source in derivation.get("SourceImageSequence") or ():
            yield str(source.get("ReferencedSOPInstanceUID", ""))


def _decoded(seg: Dataset, indices: Sequence[int]) -> Iterator[NDArray[Any]]:
    if not indices:
        return  # to pydicom no indices mean all frames
    try:
        syntax = seg.file_meta.TransferSyntaxUID
        if seg.BitsAllocated == 1 and not syntax.is_encapsulated and syntax.is_little_endian:
            # pydicom 3.0 fails on single frames that do not begin at a byte.
            yield from (_unpacked(seg, index) for index in indices)
        else:
            yield from iter_pixels(seg, raw=True, indices=indices)
    except (RuntimeError, OSError, *PARSER_ERRORS) as error:
        raise SegmentationRefusedError(SegmentationRefusal.PIXELS_UNREADABLE, detail=type(error).__name__) from None


def _unpacked(seg: Dataset, index: int) -> NDArray[np.uint8]:
    """One frame of bit-packed pixels: the first pixel is the lowest bit, frames follow without a gap (PS3.5, 8.1.1)."""
    pixels = int(seg.Rows) * int(seg.Columns)
    first, last = divmod(index * pixels, 8), -(-(index + 1) * pixels // 8)
    packed = np.frombuffer(seg.PixelData, dtype=np.uint8, offset=first[0], count=last - first[0])
    bits = np.unpackbits(packed, bitorder="little")[first[1] : first[1] + pixels]
    return bits.reshape(int(seg.Rows), int(seg.Columns))


def _code(sequence: Any) -> Code | None:
    if not sequence:
        return None
    item = sequence[0]
    value = item.get("CodeValue") or item.get("LongCodeValue") or item.get("URNCodeValue")
    return Code(json_value(value), json_value(item.get("CodingSchemeDesignator")), json_value(item.get("CodeMeaning")))
