from __future__ import annotations

from collections.abc import Callable

import highdicom as hd
import numpy as np
import pytest
from made_slices import AXIAL, OBLIQUE, make_slices
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from ingestion.dicom.segmentation import (
    SegmentationRefusal,
    SegmentationRefusedError,
    read_segments,
    referenced_instances,
    referenced_series,
)
from ingestion.dicom.volume import read_volume

STORED = np.arange(6 * 7 * 9, dtype=np.int16).reshape(6, 7, 9)  # 63 bits a mask frame: they begin within a byte


def _masks(number: int) -> NDArray[np.uint8]:
    """Masks (slice, row, column, segment) that overlap and leave slices empty."""
    masks = np.random.default_rng(7).random((6, 7, 9, number)) < 0.4
    masks[0] = False
    masks[4, ..., 0] = False
    return masks.astype(np.uint8)


def _seg(slices: list[Dataset], masks: NDArray[np.generic], *, kind: str = "BINARY") -> Dataset:
    descriptions = [
        hd.seg.SegmentDescription(
            segment_number=number + 1,
            segment_label=f"part {number + 1}",
            segmented_property_category=codes.SCT.MorphologicallyAbnormalStructure,
            segmented_property_type=codes.SCT.Neoplasm,
            algorithm_type=hd.seg.SegmentAlgorithmTypeValues.MANUAL,
        )
        for number in range(masks.shape[-1])
    ]
    return hd.seg.Segmentation(
        source_images=slices,
        pixel_array=masks,
        segmentation_type=kind,
        segment_descriptions=descriptions,
        series_instance_uid=hd.UID(),
        series_number=2,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="Made",
        manufacturer_model_name="Test",
        software_versions="1",
        device_serial_number="1",
        omit_empty_frames=True,
    )


@pytest.mark.parametrize("cosines", [AXIAL, OBLIQUE])
@pytest.mark.parametrize("number", [1, 3])
def test_binary_round_trip(cosines: tuple[float, ...], number: int) -> None:
    slices, masks = make_slices(STORED, cosines=cosines), _masks(number)
    volume = read_volume(slices[::-1])
    assert np.array_equal(volume.array, STORED - np.float32(1024))
    segments = read_segments(_seg(slices, masks), volume)
    assert [segment.number for segment in segments] == list(range(1, number + 1))
    for segment in segments:
        assert np.array_equal(segment.mask, masks[..., segment.number - 1] > 0)
    assert segments[0].label == "part 1"
    assert segments[0].type is not None and segments[0].type.scheme == "SCT"
    assert segments[0].category is not None and segments[0].category.meaning == "Morphologically Abnormal Structure"


def test_fractional_is_inside_from_half_the_maximum() -> None:
    slices = make_slices(STORED)
    fractions = np.zeros((6, 7, 9, 1), dtype=np.float32)
    fractions[2, 1, 1:4, 0] = 0.2, 0.51, 1.0
    (segment,) = read_segments(_seg(slices, fractions, kind="FRACTIONAL"), read_volume(slices))
    assert np.argwhere(segment.mask).tolist() == [[2, 1, 2], [2, 1, 3]]


def test_references() -> None:
    slices, masks = make_slices(STORED), _masks(1)
    seg = _seg(slices, masks)
    assert referenced_series(seg) == (slices[0].SeriesInstanceUID,)
    drawn = {slices[k].SOPInstanceUID for k in range(6) if masks[k].any()}
    assert referenced_instances(seg) == drawn


def _without_positions(seg: Dataset) -> None:
    for group in seg.PerFrameFunctionalGroupsSequence:
        del group.PlanePositionSequence


def test_frames_without_position_are_placed_by_their_source() -> None:
    slices, masks = make_slices(STORED), _masks(2)
    seg = _seg(slices, masks)
    _without_positions(seg)
    segments = read_segments(seg, read_volume(slices))
    assert np.array_equal(np.stack([segment.mask for segment in segments], axis=-1), masks > 0)


def _without_place(seg: Dataset) -> None:
    _without_positions(seg)
    del seg.PerFrameFunctionalGroupsSequence[0].DerivationImageSequence


def _position(offset: tuple[float, float, float]) -> Callable[[Dataset], None]:
    def change(seg: Dataset) -> None:
        item = seg.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0]
        item.ImagePositionPatient = [a + b for a, b in zip(item.ImagePositionPatient, offset, strict=True)]

    return change


def _duplicate(seg: Dataset) -> None:
    groups = seg.PerFrameFunctionalGroupsSequence
    groups[1].PlanePositionSequence = groups[0].PlanePositionSequence
    groups[1].DerivationImageSequence = groups[0].DerivationImageSequence


def _shared(sequence: str, keyword: str, value: object) -> Callable[[Dataset], None]:
    return lambda seg: setattr(getattr(seg.SharedFunctionalGroupsSequence[0], sequence)[0], keyword, value)


def _unknown_segment(seg: Dataset) -> None:
    seg.SegmentSequence[0].SegmentNumber = 9


CASES: list[tuple[Callable[[Dataset], object], SegmentationRefusal]] = [
    (_position((0.1, 0, 0)), SegmentationRefusal.FRAME_OFF_GRID),
    (_position((0, 0, 1.2)), SegmentationRefusal.FRAME_OFF_GRID),
    (_position((0, 0, 250)), SegmentationRefusal.FRAME_OFF_GRID),
    (_position((0, 0, 2.5)), SegmentationRefusal.SOURCE_DIFFERS),
    (_duplicate, SegmentationRefusal.DUPLICATE_FRAME),
    (_without_place, SegmentationRefusal.FRAME_WITHOUT_PLACE),
    (_unknown_segment, SegmentationRefusal.UNKNOWN_SEGMENT),
    (_shared("PixelMeasuresSequence", "PixelSpacing", [0.8, 0.7]), SegmentationRefusal.SPACING_DIFFERS),
    (_shared("PlaneOrientationSequence", "ImageOrientationPatient", [0, 1, 0, 1, 0, 0]),
     SegmentationRefusal.ORIENTATION_DIFFERS),
    (lambda seg: setattr(seg, "Rows", 9), SegmentationRefusal.SIZE_DIFFERS),
    (lambda seg: setattr(seg, "FrameOfReferenceUID", "1.2.3"), SegmentationRefusal.FRAME_OF_REFERENCE_DIFFERS),
    (lambda seg: setattr(seg, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.2"), SegmentationRefusal.NOT_SEGMENTATION),
    (lambda seg: setattr(seg, "SegmentationType", "LABELMAP"), SegmentationRefusal.UNSUPPORTED_TYPE),
    (lambda seg: delattr(seg, "SegmentSequence"), SegmentationRefusal.MALFORMED),
    (lambda seg: setattr(seg, "NumberOfFrames", 77), SegmentationRefusal.MALFORMED),
    (lambda seg: setattr(seg, "PixelData", b"\0\0"), SegmentationRefusal.PIXELS_UNREADABLE),
]  # fmt: skip


@pytest.mark.parametrize(("change", "reason"), CASES, ids=[f"{n}-{case[1]}" for n, case in enumerate(CASES)])
def test_what_is_not_on_the_grid_is_refused(change: Callable[[Dataset], object], reason: SegmentationRefusal) -> None:
    slices = make_slices(STORED)
    seg = _seg(slices, _masks(1))
    change(seg)
    with pytest.raises(SegmentationRefusedError) as refused:
        read_segments(seg, read_volume(slices))
    assert refused.value.reason is reason
