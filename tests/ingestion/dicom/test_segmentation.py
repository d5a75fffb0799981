from __future__ import annotations

import copy
from collections.abc import Callable

import highdicom as hd
import numpy as np
import pytest
from made_slices import AXIAL, OBLIQUE, make_slices
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes

from ingestion.dicom.region import RegionFlag, RegionRefusal, RegionRefusedError, mask_digest
from ingestion.dicom.segmentation import read_segments, referenced_instances, referenced_series
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


CASES: list[tuple[Callable[[Dataset], object], RegionRefusal]] = [
    (_position((0.1, 0, 0)), RegionRefusal.FRAME_OFF_GRID),
    (_position((0, 0, 1.2)), RegionRefusal.FRAME_OFF_GRID),
    (_position((0, 0, 250)), RegionRefusal.FRAME_OFF_GRID),
    (_position((0, 0, 2.5)), RegionRefusal.SOURCE_DIFFERS),
    (_duplicate, RegionRefusal.DUPLICATE_FRAME),
    (_without_place, RegionRefusal.FRAME_WITHOUT_PLACE),
    (_unknown_segment, RegionRefusal.UNKNOWN_SEGMENT),
    (_shared("PixelMeasuresSequence", "PixelSpacing", [0.8, 0.7]), RegionRefusal.SPACING_DIFFERS),
    (_shared("PlaneOrientationSequence", "ImageOrientationPatient", [0, 1, 0, 1, 0, 0]),
     RegionRefusal.ORIENTATION_DIFFERS),
    (lambda seg: setattr(seg, "SamplesPerPixel", 3), RegionRefusal.UNSUPPORTED_TYPE),
    (lambda seg: setattr(seg, "FrameOfReferenceUID", "1.2.3"), RegionRefusal.FRAME_OF_REFERENCE_DIFFERS),
    (lambda seg: setattr(seg, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.2"), RegionRefusal.NOT_SEGMENTATION),
    (lambda seg: setattr(seg, "SegmentationType", "SURFACE"), RegionRefusal.UNSUPPORTED_TYPE),
    (lambda seg: delattr(seg, "SegmentSequence"), RegionRefusal.MALFORMED),
    (lambda seg: setattr(seg, "NumberOfFrames", 77), RegionRefusal.MALFORMED),
    (lambda seg: setattr(seg, "PixelData", b"\0\0"), RegionRefusal.PIXELS_UNREADABLE),
]  # fmt: skip


@pytest.mark.parametrize(("change", "reason"), CASES, ids=[f"{n}-{case[1]}" for n, case in enumerate(CASES)])
def test_what_is_not_on_the_grid_is_refused(change: Callable[[Dataset], object], reason: RegionRefusal) -> None:
    slices = make_slices(STORED)
    seg = _seg(slices, _masks(1))
    change(seg)
    with pytest.raises(RegionRefusedError) as refused:
        read_segments(seg, read_volume(slices))
    assert refused.value.reason is reason


@pytest.mark.parametrize("kind", ["BINARY", "FRACTIONAL"])
def test_segments_that_overlap_come_out_whole(kind: str) -> None:
    slices = make_slices(STORED)
    masks = np.zeros((6, 7, 9, 3), dtype=np.uint8)
    masks[1:5, 1:6, 1:7, 0] = 1
    masks[2:6, 3:7, 4:9, 1] = 1  # overlaps the first
    masks[2:4, 2:4, 2:4, 2] = 1  # within the first
    assert (masks.sum(axis=-1) == 2).sum() == 3 * 3 * 3 + 8
    seg = _seg(slices, masks.astype(float) if kind == "FRACTIONAL" else masks, kind=kind)
    segments = read_segments(seg, read_volume(slices))
    assert [segment.number for segment in segments] == [1, 2, 3]
    for segment in segments:
        assert np.array_equal(segment.mask, masks[..., segment.number - 1] > 0)
        assert (segment.refusal, segment.flags) == (None, ())


def test_label_map_round_trip() -> None:
    slices = make_slices(STORED)
    labels = np.random.default_rng(3).integers(0, 4, size=STORED.shape).astype(np.uint8)
    labels[0] = 0
    description = _seg(slices, _masks(4)).SegmentSequence
    seg = hd.seg.Segmentation(
        source_images=slices,
        pixel_array=labels,
        segmentation_type="LABELMAP",
        segment_descriptions=[hd.seg.SegmentDescription.from_dataset(item) for item in description],
        series_instance_uid=hd.UID(),
        series_number=2,
        sop_instance_uid=hd.UID(),
        instance_number=1,
        manufacturer="Made",
        manufacturer_model_name="Test",
        software_versions="1",
        device_serial_number="1",
    )
    segments = [segment for segment in read_segments(seg, read_volume(slices)) if segment.number]
    assert [segment.number for segment in segments] == [1, 2, 3, 4]
    for segment in segments[:3]:
        assert np.array_equal(segment.mask, labels == segment.number)
    assert (segments[3].mask, segments[3].refusal) == (None, RegionRefusal.EMPTY_MASK)


def test_codes_laterality_and_tracking() -> None:
    slices = make_slices(STORED)
    seg = _seg(slices, _masks(1))
    item = seg.SegmentSequence[0]
    item.TrackingID, item.TrackingUID = "lesion A", "1.2.3"
    item.AnatomicRegionSequence = [hd.sr.CodedConcept("39607008", "SCT", "Lung")]
    item.AnatomicRegionSequence[0].AnatomicRegionModifierSequence = [hd.sr.CodedConcept("7771000", "SCT", "Left")]
    (segment,) = read_segments(seg, read_volume(slices))
    assert (segment.tracking_id, segment.tracking_uid, segment.algorithm) == ("lesion A", "1.2.3", "MANUAL")
    assert segment.anatomy is not None and segment.anatomy.meaning == "Lung"
    assert segment.laterality is not None and segment.laterality.value == "7771000"


def _on_own_grid(slices: list[Dataset], masks: NDArray[np.generic]) -> Dataset:
    """A segmentation drawn on ``slices`` that says nothing of where it was drawn."""
    seg = _seg(slices, masks)
    for group in seg.PerFrameFunctionalGroupsSequence:
        if "DerivationImageSequence" in group:
            del group.DerivationImageSequence
    return seg


def test_mask_cropped_by_whole_voxels_comes_through_unchanged() -> None:
    slices = make_slices(STORED)
    masks = _masks(2)
    masks[:, [0, -1]] = masks[:, :, :2] = masks[0] = masks[5] = 0
    crop = [copy.deepcopy(dataset) for dataset in slices[1:5]]
    for dataset, plane in zip(crop, STORED[1:5, 1:6, 2:8], strict=True):
        dataset.Rows, dataset.Columns, dataset.PixelData = 5, 6, plane.tobytes()
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x + 2 * 0.8, y + 0.7, z]
    seg = _on_own_grid(crop, masks[1:5, 1:6, 2:8])
    segments = read_segments(seg, read_volume(slices))
    for segment in segments:
        assert segment.flags == (RegionFlag.RESAMPLED,)
        assert np.array_equal(segment.mask[..., :8], masks[..., :8, segment.number - 1] > 0)


def test_mask_of_a_finer_grid_is_halved_by_volume() -> None:
    """A box on a grid of half the voxel size covers the image voxels of which it fills at least a half."""
    slices = make_slices(np.zeros((6, 8, 10), dtype=np.int16), step=2.0)
    fine = make_slices(np.zeros((11, 15, 19), dtype=np.int16), step=1.0)
    for dataset in fine:
        dataset.PixelSpacing, dataset.FrameOfReferenceUID = [0.35, 0.4], slices[0].FrameOfReferenceUID
    masks = np.zeros((11, 15, 19, 1), dtype=np.uint8)
    masks[2:7, 3:9, 4:11] = 1
    (segment,) = read_segments(_on_own_grid(fine, masks), read_volume(slices))
    expected = np.zeros((6, 8, 10), dtype=bool)
    expected[1:4, 2:5, 2:6] = True  # even fine indices are the centres of the image's voxels
    assert np.array_equal(segment.mask, expected)
    for dataset in fine:
        dataset.FrameOfReferenceUID = "1.2.3"
    with pytest.raises(RegionRefusedError, match="frame_of_reference_differs"):
        read_segments(_on_own_grid(fine, masks), read_volume(slices))
    for dataset in fine:
        dataset.FrameOfReferenceUID = slices[0].FrameOfReferenceUID
        dataset.ImagePositionPatient = [v + 5 for v in dataset.ImagePositionPatient]
    (outside,) = read_segments(_on_own_grid(fine, masks), read_volume(slices))
    assert outside.refusal is RegionRefusal.OUTSIDE_IMAGE


def test_mask_digest_says_shape_and_voxels() -> None:
    mask = np.zeros((3, 4, 5), dtype=bool)
    mask[1, 2, 3] = True
    other = mask.copy()
    other[1, 2, 4] = True
    digests = {mask_digest(item) for item in (mask, other, mask[:, ::-1], mask.reshape(3, 5, 4), np.roll(mask, 1, 0))}
    assert len(digests) == 5
    assert mask_digest(mask) == mask_digest(mask.copy())
