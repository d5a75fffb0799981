"""The segments of a DICOM Segmentation (PS3.3, A.51, A.91 and C.8.20) as masks on the grid of an image.

Frames are put in place by their plane position, and by the image instance they were derived from where they have
none; both must agree where both are there. Masks drawn on another grid than the image's are resampled by the rule of
``ingestion.dicom.other_grid``, and flagged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import iter_pixels
from pydicom.uid import SegmentationStorage

from ingestion.dicom.frames import frame_count, functional_group
from ingestion.dicom.geometry import ORIENTATION_TOLERANCE, SPACING_TOLERANCE_SHARE, STEP_TOLERANCE_MM
from ingestion.dicom.guard import PARSER_ERRORS
from ingestion.dicom.other_grid import OwnGrid, own_grid
from ingestion.dicom.region import Code, RegionFlag, RegionRefusal, RegionRefusedError, Segment, code_of
from ingestion.dicom.summary import json_value
from ingestion.dicom.volume import Volume

LABEL_MAP_STORAGE = "1.2.840.10008.5.1.4.1.1.66.7"
"""Label Map Segmentation Storage, which pydicom 3.0 has no name for yet."""
POSITION_TOLERANCE_SHARE = 0.01
"""A mask frame may be off its image slice by 1 % of the smallest voxel edge (or 0.01 mm): text rounds positions."""
FRACTION_INSIDE = 0.5
"""A voxel of a fractional segment is inside from half its maximum on, as IBSI rounds interpolated masks."""
CLASSES = frozenset({SegmentationStorage, LABEL_MAP_STORAGE})
OTHER_GRID = frozenset(
    {RegionRefusal.SIZE_DIFFERS, RegionRefusal.SPACING_DIFFERS, RegionRefusal.ORIENTATION_DIFFERS,
     RegionRefusal.FRAME_OFF_GRID}
)  # fmt: skip
"""What keeps frames from lying on the image's own grid, where they can still be resampled."""

__all__ = ["CLASSES", "FRACTION_INSIDE", "Code", "Segment", "iter_segments", "read_segments", "referenced_instances"]


@dataclass(frozen=True, slots=True)
class _Source:
    """A segmentation read so far: ``described`` by segment number; ``frames``: of each segment, frame to place."""

    seg: Dataset
    kind: str
    described: dict[int, Dataset]
    threshold: float


def read_segments(seg: Dataset, volume: Volume) -> list[Segment]:
    """All segments of ``seg``, by number. See ``iter_segments``, which holds one mask at a time."""
    return list(iter_segments(seg, volume))


def iter_segments(seg: Dataset, volume: Volume) -> Iterator[Segment]:
    """The segments of a binary, fractional or label map segmentation on the grid of ``volume``, by number.

    Slices without a frame are empty: SEG leaves empty frames out.

    Raises:
        RegionRefusedError: not a segmentation, or it cannot be put on the volume's grid for sure.
    """
    try:
        yield from _segments(seg, volume)
    except PARSER_ERRORS as error:
        raise RegionRefusedError(RegionRefusal.MALFORMED, detail=type(error).__name__) from None


def referenced_series(seg: Dataset) -> tuple[str, ...]:
    """Series Instance UIDs of the images a segmentation refers to (PS3.3, C.12.4), sorted.

    Empty for a segmentation without Referenced Series Sequence: nothing is guessed from its frames.
    """
    try:
        found = {str(item.get("SeriesInstanceUID", ""))[:64] for item in seg.get("ReferencedSeriesSequence") or ()}
    except PARSER_ERRORS as error:
        raise RegionRefusedError(RegionRefusal.MALFORMED, detail=type(error).__name__) from None
    return tuple(sorted(found - {""}))


def referenced_instances(seg: Dataset) -> frozenset[str]:
    """SOP Instance UIDs that the frames of a segmentation were derived from."""
    try:
        _, groups = _functional_groups(seg)
        return frozenset(uid for group in groups for uid in _sources(group, Dataset()))
    except PARSER_ERRORS as error:
        raise RegionRefusedError(RegionRefusal.MALFORMED, detail=type(error).__name__) from None


def _segments(seg: Dataset, volume: Volume) -> Iterator[Segment]:
    kind = _check_kind(seg)
    _check_frame_of_reference(seg, volume)
    described = {int(item.SegmentNumber): item for item in seg.SegmentSequence}
    if kind == "LABELMAP":
        described.pop(0, None)  # the background
    threshold = FRACTION_INSIDE * float(seg.MaximumFractionalValue) if kind == "FRACTIONAL" else 1.0
    source = _Source(seg, kind, described, threshold)
    try:
        if (seg.Rows, seg.Columns) != volume.array.shape[1:]:
            raise RegionRefusedError(
                RegionRefusal.SIZE_DIFFERS,
                detail=f"frames of {seg.Rows} x {seg.Columns}, image slices of {volume.array.shape[1:]}",
            )
        places = _frame_places(source, volume)
    except RegionRefusedError as refused:
        if refused.reason not in OTHER_GRID or _meant_for(seg, volume):
            raise
        yield from _resampled(source, volume, refused)
        return
    if kind == "LABELMAP":
        labels = _labels(seg, places.get(min(described), {}) if described else {}, volume)
        for number in sorted(described):
            yield _segment(number, described[number], labels == number)
        return
    for number in sorted(described):
        mask = np.zeros(volume.array.shape, dtype=np.bool_)
        wanted = places.get(number, {})
        for k, pixels in zip(wanted.values(), _decoded(seg, list(wanted)), strict=True):
            mask[k] = _inside(source, pixels, number)
        yield _segment(number, described[number], mask)


def _labels(seg: Dataset, places: dict[int, int], volume: Volume) -> NDArray[np.uint16]:
    """The label of each voxel, 0 where no frame lies."""
    labels = np.zeros(volume.array.shape, dtype=np.uint16)
    for k, pixels in zip(places.values(), _decoded(seg, list(places)), strict=True):
        labels[k] = pixels
    return labels


def _resampled(source: _Source, volume: Volume, refused: RegionRefusedError) -> Iterator[Segment]:
    """The segments of a segmentation that lies on a grid of its own."""
    if not (source.seg.get("FrameOfReferenceUID") and volume.frame_of_reference):
        raise RegionRefusedError(
            RegionRefusal.FRAME_OF_REFERENCE_UNKNOWN, detail=f"on another grid than the image ({refused.reason.value})"
        ) from None
    shared, groups = _functional_groups(source.seg)
    grid = own_grid(source.seg, shared, groups)
    for number in sorted(source.described):
        frames = [
            index for index, group in enumerate(groups) if source.kind == "LABELMAP" or _number(group, shared) == number
        ]
        values = np.zeros((grid.slices, int(source.seg.Rows), int(source.seg.Columns)), dtype=np.uint8)
        for index, pixels in zip(frames, _decoded(source.seg, frames), strict=True):
            k = grid.places[index]
            if values[k].any() and source.kind != "LABELMAP":
                raise RegionRefusedError(
                    RegionRefusal.DUPLICATE_FRAME, detail=f"segment {number} has two frames on one slice"
                )
            values[k] = _inside(source, pixels, number)
        yield _segment(number, source.described[number], _on_image(values, grid, volume), RegionFlag.RESAMPLED)


def _meant_for(seg: Dataset, volume: Volume) -> bool:
    """Whether frames of the image's size name its slices as their source: on another grid, that contradicts itself."""
    same = (seg.Rows, seg.Columns) == volume.array.shape[1:]
    return same and bool(referenced_instances(seg) & set(volume.sop_instance_uids))


def _on_image(values: NDArray[np.uint8], grid: OwnGrid, volume: Volume) -> NDArray[np.bool_] | RegionRefusedError:
    try:
        return grid.resampled(values, volume)
    except RegionRefusedError as refused:
        return refused


def _segment(
    number: int, item: Dataset, mask: NDArray[np.bool_] | RegionRefusedError, *flags: RegionFlag
) -> Segment:  # fmt: skip
    if not isinstance(mask, RegionRefusedError) and not mask.any():
        mask = RegionRefusedError(RegionRefusal.EMPTY_MASK, detail="no voxel is marked")
    refused = mask if isinstance(mask, RegionRefusedError) else None
    region = next(iter(item.get("AnatomicRegionSequence") or ()), Dataset())
    kind = next(iter(item.get("SegmentedPropertyTypeCodeSequence") or ()), Dataset())
    return Segment(
        number=number,
        label=json_value(item.get("SegmentLabel")),
        category=code_of(item.get("SegmentedPropertyCategoryCodeSequence")),
        type=code_of(item.get("SegmentedPropertyTypeCodeSequence")),
        mask=None if isinstance(mask, RegionRefusedError) else mask,
        anatomy=code_of([region] if region else None),
        # Laterality is a modifier of the property or of the anatomic region (PS3.16, CID 244).
        laterality=code_of(kind.get("SegmentedPropertyTypeModifierCodeSequence"))
        or code_of(region.get("AnatomicRegionModifierSequence")),
        algorithm=json_value(item.get("SegmentAlgorithmType")),
        tracking_id=json_value(item.get("TrackingID")),
        tracking_uid=json_value(item.get("TrackingUID")),
        flags=flags,
        refusal=None if refused is None else refused.reason,
        detail=None if refused is None else refused.detail,
    )


def _inside(source: _Source, pixels: NDArray[Any], number: int) -> NDArray[np.bool_]:
    return pixels == number if source.kind == "LABELMAP" else pixels >= source.threshold


def _check_kind(seg: Dataset) -> str:
    if seg.get("SOPClassUID") not in CLASSES:
        raise RegionRefusedError(RegionRefusal.NOT_SEGMENTATION, detail="SOP class is not Segmentation")
    kind = str(seg.get("SegmentationType"))
    if kind not in {"BINARY", "FRACTIONAL", "LABELMAP"} or seg.get("SamplesPerPixel", 1) != 1:
        raise RegionRefusedError(
            RegionRefusal.UNSUPPORTED_TYPE, detail="Segmentation Type is not BINARY, FRACTIONAL or LABELMAP"
        )
    return kind


def _check_frame_of_reference(seg: Dataset, volume: Volume) -> None:
    own = str(seg.get("FrameOfReferenceUID") or "")
    if own and volume.frame_of_reference and own != volume.frame_of_reference:
        raise RegionRefusedError(
            RegionRefusal.FRAME_OF_REFERENCE_DIFFERS, detail="mask and image lie in different coordinates"
        )


def _functional_groups(seg: Dataset) -> tuple[Dataset, Sequence[Dataset]]:
    shared = next(iter(seg.get("SharedFunctionalGroupsSequence") or ()), Dataset())
    return shared, seg.get("PerFrameFunctionalGroupsSequence") or ()


def _number(group: Dataset, shared: Dataset) -> int | None:
    identification = functional_group("SegmentIdentificationSequence", group, shared)
    return None if identification is None else int(identification.ReferencedSegmentNumber)


def _frame_places(source: _Source, volume: Volume) -> dict[int, dict[int, int]]:
    """For each segment number: frame index to slice index. A frame of a label map belongs to all segments."""
    seg = source.seg
    shared, groups = _functional_groups(seg)
    if len(groups) != frame_count(seg):
        raise RegionRefusedError(
            RegionRefusal.MALFORMED, detail=f"{len(groups)} functional groups, {frame_count(seg)} frames"
        )
    by_uid: dict[str, list[int]] = {}
    for k, uid in enumerate(volume.sop_instance_uids):
        by_uid.setdefault(uid, []).append(k)
    places: dict[int, dict[int, int]] = {}
    for index, group in enumerate(groups):
        if source.kind == "LABELMAP":
            numbers = list(source.described)
        else:
            number = _number(group, shared)
            if number not in source.described:
                raise RegionRefusedError(RegionRefusal.UNKNOWN_SEGMENT, detail=f"frame {index + 1}")
            numbers = [number]
        _check_plane(group, shared, volume, index=index)
        k = _slice_of(group, shared, volume, by_uid, index=index)
        for number in numbers:
            taken = places.setdefault(number, {})
            if k in taken.values():
                raise RegionRefusedError(
                    RegionRefusal.DUPLICATE_FRAME, detail=f"segment {number} has two frames on slice {k + 1}"
                )
            taken[index] = k
    return places


def _check_plane(group: Dataset, shared: Dataset, volume: Volume, *, index: int) -> None:
    measures = functional_group("PixelMeasuresSequence", group, shared)
    if measures is not None and measures.get("PixelSpacing"):
        own = [float(value) for value in measures.PixelSpacing]
        if not np.allclose(own, volume.spacing[1:], rtol=SPACING_TOLERANCE_SHARE, atol=0):
            raise RegionRefusedError(RegionRefusal.SPACING_DIFFERS, detail=f"frame {index + 1}")
    orientation = functional_group("PlaneOrientationSequence", group, shared)
    if orientation is not None and orientation.get("ImageOrientationPatient"):
        cosines = [float(value) for value in orientation.ImageOrientationPatient]
        image = [*volume.direction[2], *volume.direction[1]]
        if not np.allclose(cosines, image, rtol=0, atol=ORIENTATION_TOLERANCE):
            raise RegionRefusedError(RegionRefusal.ORIENTATION_DIFFERS, detail=f"frame {index + 1}")


def _slice_of(group: Dataset, shared: Dataset, volume: Volume, by_uid: dict[str, list[int]], *, index: int) -> int:
    """The slice that a frame lies on."""
    named = {k for uid in _sources(group, shared) for k in by_uid.get(uid, ())}
    position = functional_group("PlanePositionSequence", group, shared)
    if position is None or not position.get("ImagePositionPatient"):
        if len(named) != 1:
            raise RegionRefusedError(RegionRefusal.FRAME_WITHOUT_PLACE, detail=f"frame {index + 1}")
        return named.pop()
    offset = np.array([float(value) for value in position.ImagePositionPatient]) - np.array(volume.origin)
    k = round(float(offset @ volume.direction[0]) / volume.spacing[0])
    distance = float(np.linalg.norm(offset - k * volume.spacing[0] * volume.direction[0]))
    tolerance = max(STEP_TOLERANCE_MM, POSITION_TOLERANCE_SHARE * min(volume.spacing))
    if distance > tolerance or not 0 <= k < volume.array.shape[0]:
        raise RegionRefusedError(
            RegionRefusal.FRAME_OFF_GRID, detail=f"frame {index + 1} is {distance:.3f} mm off slice {k + 1}"
        )
    if named and k not in named:
        raise RegionRefusedError(
            RegionRefusal.SOURCE_DIFFERS, detail=f"frame {index + 1} lies on another slice than its source"
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
        raise RegionRefusedError(RegionRefusal.PIXELS_UNREADABLE, detail=type(error).__name__) from None


def _unpacked(seg: Dataset, index: int) -> NDArray[np.uint8]:
    """One frame of bit-packed pixels: the first pixel is the lowest bit, frames follow without a gap (PS3.5, 8.1.1)."""
    pixels = int(seg.Rows) * int(seg.Columns)
    first, last = divmod(index * pixels, 8), -(-(index + 1) * pixels // 8)
    packed = np.frombuffer(seg.PixelData, dtype=np.uint8, offset=first[0], count=last - first[0])
    bits = np.unpackbits(packed, bitorder="little")[first[1] : first[1] + pixels]
    return bits.reshape(int(seg.Rows), int(seg.Columns))
