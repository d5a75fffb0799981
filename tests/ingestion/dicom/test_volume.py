from __future__ import annotations

import pickle
import random
from collections.abc import Callable

import numpy as np
import pytest
from made_slices import OBLIQUE, make_slices
from pydicom.dataset import Dataset
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless, RLELossless

from ingestion.dicom.geometry import GeometryProblem
from ingestion.dicom.volume import VolumeRefusal, VolumeRefusedError, read_volume, read_volumes

STORED = np.arange(6 * 4 * 5, dtype=np.int16).reshape(6, 4, 5)


def test_volume_is_right_whatever_the_order() -> None:
    slices = make_slices(STORED, step=2.5, cosines=OBLIQUE, slopes=[1, 2, 3, 4, 5, 0.5])
    expected = np.stack([STORED[k].astype(np.float64) * s - 1024 for k, s in enumerate([1, 2, 3, 4, 5, 0.5])])
    random.Random(3).shuffle(slices)
    volume = read_volume(slices)
    assert volume.array.dtype == np.float32
    assert np.array_equal(volume.array, expected.astype(np.float32))
    assert volume.spacing == (pytest.approx(2.5), 0.7, 0.8)
    assert not volume.padding.any()
    # Every voxel lies where the header of its own slice puts it.
    by_uid = {dataset.SOPInstanceUID: dataset for dataset in slices}
    for k, uid in enumerate(volume.sop_instance_uids):
        own = by_uid[uid]
        iop = np.array(own.ImageOrientationPatient, dtype=float)
        place = np.array(own.ImagePositionPatient, dtype=float) + 2 * 0.8 * iop[:3] + 3 * 0.7 * iop[3:]
        index = np.array([k, 3, 2]) * np.array(volume.spacing)
        assert np.allclose(np.array(volume.origin) + index @ volume.direction, place, atol=1e-4)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_compressed_slices_give_the_same_values(syntax: str) -> None:
    stored = np.random.default_rng(5).integers(0, 4000, (3, 64, 64)).astype(np.uint16)
    plain = read_volume(make_slices(stored))
    slices = make_slices(stored)
    for dataset in slices:
        dataset.compress(syntax, generate_instance_uid=False)
    assert np.array_equal(read_volume(slices).array, plain.array)


@pytest.mark.parametrize(
    ("signed", "value", "limit", "count"),
    [(True, -2000, None, 2), (True, 63536, None, 2), (False, 63536, None, 2), (True, -2000, -1999, 3)],
)
def test_padding_is_masked(signed: bool, value: int, limit: int | None, count: int) -> None:
    stored = STORED.astype(np.int16) if signed else STORED.astype(np.uint16)
    stored[1, 0, 0] = stored[2, 3, 4] = -2000 if signed else 63536
    stored[3, 0, 0] = -1999 if signed else 63535
    slices = make_slices(stored)
    for dataset in slices:
        kind = "SS" if value < 0 else "US"
        dataset.add_new("PixelPaddingValue", kind, value)
        if limit is not None:
            dataset.add_new("PixelPaddingRangeLimit", "SS", limit)
    volume = read_volume(slices)
    assert volume.padding.sum() == count
    assert volume.padding[1, 0, 0] and volume.padding[2, 3, 4]
    assert volume.padding[3, 0, 0] == (limit is not None)


def _set(keyword: str, value: object, *, which: int = 2) -> Callable[[list[Dataset]], None]:
    return lambda slices: setattr(slices[which], keyword, value)


def _drop(keyword: str) -> Callable[[list[Dataset]], None]:
    def drop(slices: list[Dataset]) -> None:
        for dataset in slices:
            delattr(dataset, keyword)

    return drop


def _shear(slices: list[Dataset]) -> None:
    for k, dataset in enumerate(slices):
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y + 0.4 * k, z]


def _two_b_values(slices: list[Dataset]) -> None:
    for k, dataset in enumerate(slices):
        dataset.DiffusionBValue = float(k % 2)
        dataset.ImagePositionPatient = [0, 0, k // 2]


def _lookup_table(slices: list[Dataset]) -> None:
    slices[0].ModalityLUTSequence = [Dataset()]


def _several_frames(slices: list[Dataset]) -> None:
    slices[0].NumberOfFrames = 2


def _alternating_gaps(slices: list[Dataset]) -> None:
    for k, dataset in enumerate(slices):
        dataset.ImagePositionPatient = [0, 0, 3 * (k // 2) + k % 2]  # steps of 1 and 2 in turn


def _localizer_among_slices(slices: list[Dataset]) -> None:
    slices[0].ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    slices[0].ImageOrientationPatient = [1, 0, 0, 0, 0, -1]


CASES: list[tuple[Callable[[list[Dataset]], object], VolumeRefusal]] = [
    (_alternating_gaps, VolumeRefusal.MISSING_SLICES),
    (_localizer_among_slices, VolumeRefusal.MIXED_ORIENTATION),
    (_set("ImageType", ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]), VolumeRefusal.MOSAIC),
    (lambda slices: slices.clear(), VolumeRefusal.NO_INSTANCES),
    (lambda slices: slices.__delitem__(slice(1, None)), VolumeRefusal.SINGLE_SLICE),
    (lambda slices: slices.pop(2), VolumeRefusal.MISSING_SLICES),
    (_set("ImagePositionPatient", [10, -20, 32.5]), VolumeRefusal.DUPLICATE_POSITIONS),
    (_set("ImagePositionPatient", [10, -20, 35.6]), VolumeRefusal.IRREGULAR_STEPS),
    (_set("ImagePositionPatient", None), VolumeRefusal.POSITIONS_INCOMPLETE),
    (_drop("ImagePositionPatient"), VolumeRefusal.NO_POSITIONS),
    (_set("ImageOrientationPatient", list(OBLIQUE)), VolumeRefusal.MIXED_ORIENTATION),
    (_shear, VolumeRefusal.NOT_PARALLEL_TO_NORMAL),
    (_set("PixelSpacing", [0.7, 0.81]), VolumeRefusal.PIXEL_SPACING_VARIES),
    (_drop("PixelSpacing"), VolumeRefusal.NO_PIXEL_SPACING),
    (_set("Rows", 5), VolumeRefusal.SIZE_VARIES),
    (_set("SeriesInstanceUID", "1.2.3"), VolumeRefusal.SEVERAL_SERIES),
    (_set("FrameOfReferenceUID", "1.2.3"), VolumeRefusal.FRAME_OF_REFERENCE_VARIES),
    (_set("RescaleSlope", 0), VolumeRefusal.RESCALE_INVALID),
    (_set("RescaleSlope", 1e300), VolumeRefusal.OUT_OF_RANGE),
    (lambda slices: delattr(slices[1], "RescaleIntercept"), VolumeRefusal.RESCALE_INVALID),
    (lambda slices: [delattr(slices[1], f"Rescale{k}") for k in ("Slope", "Intercept")], VolumeRefusal.RESCALE_MISSING),
    (_set("RescaleType", "OD"), VolumeRefusal.UNITS_VARY),
    (_lookup_table, VolumeRefusal.NON_LINEAR_RESCALE),
    (_set("PixelData", b"\0\0"), VolumeRefusal.PIXELS_UNREADABLE),
    (_drop("PixelData"), VolumeRefusal.NO_PIXELS),
    (_set("PhotometricInterpretation", "PALETTE COLOR"), VolumeRefusal.COLOUR),
    (_set("SamplesPerPixel", 3), VolumeRefusal.COLOUR),
    (_set("BitsStored", 4), VolumeRefusal.OUT_OF_RANGE),
    (_several_frames, VolumeRefusal.FRAMES_UNKNOWN),
    (_two_b_values, VolumeRefusal.SEVERAL_VOLUMES),
    (_set("Rows", 60_000), VolumeRefusal.SIZE_VARIES),
    (lambda slices: [setattr(d, "NumberOfFrames", 90_000_000) for d in slices], VolumeRefusal.TOO_LARGE),
]


@pytest.mark.parametrize(("change", "reason"), CASES, ids=[f"{n}-{case[1]}" for n, case in enumerate(CASES)])
def test_what_is_not_a_volume_is_refused(change: Callable[[list[Dataset]], object], reason: VolumeRefusal) -> None:
    slices = make_slices(STORED)
    change(slices)
    with pytest.raises(VolumeRefusedError) as refused:
        read_volume(slices)
    assert refused.value.reason is reason
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)


def test_every_geometry_problem_is_a_refusal() -> None:
    assert {problem.value for problem in GeometryProblem} <= {refusal.value for refusal in VolumeRefusal}


def test_enhanced_multi_frame_is_read_by_its_functional_groups() -> None:
    stored = STORED.astype(np.uint16)
    single = make_slices(stored, slopes=[1, 2, 1, 1, 1, 1])
    for k, dataset in enumerate(single):
        dataset.RescaleIntercept = -1024 + 3 * k
    whole = make_slices(stored[:1])[0]
    for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope"):
        delattr(whole, keyword)
    whole.NumberOfFrames = 6
    order = [5, 0, 3, 1, 4, 2]
    whole.PixelData = stored[order].tobytes()
    measures, orientation, shared = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing = [0.7, 0.8]
    orientation.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [orientation]
    whole.SharedFunctionalGroupsSequence = [shared]
    groups = []
    for k in order:
        position, transformation, group = Dataset(), Dataset(), Dataset()
        position.ImagePositionPatient = single[k].ImagePositionPatient
        transformation.RescaleSlope = single[k].RescaleSlope
        transformation.RescaleIntercept = single[k].RescaleIntercept
        transformation.RescaleType = "HU"
        group.PlanePositionSequence, group.PixelValueTransformationSequence = [position], [transformation]
        groups.append(group)
    whole.PerFrameFunctionalGroupsSequence = groups
    volume, expected = read_volume([whole]), read_volume(single)
    assert np.array_equal(volume.array, expected.array)
    assert volume.spacing == pytest.approx(expected.spacing)
    assert volume.rescale_type == "HU"


def test_padding_beyond_the_bits_stored_is_masked_not_cut() -> None:
    stored = STORED.astype(np.uint16)
    stored[0, 0, 0] = 63536
    slices = make_slices(stored)
    for dataset in slices:
        dataset.BitsStored, dataset.HighBit = 12, 11
        dataset.add_new("PixelPaddingValue", "US", 63536)
    volume = read_volume(slices)
    assert np.argwhere(volume.padding).tolist() == [[0, 0, 0]]
    del slices[0].PixelPaddingValue
    with pytest.raises(VolumeRefusedError, match="out_of_range"):
        read_volume(slices)


def test_micrometre_jitter_is_no_gap() -> None:
    slices = make_slices(STORED)
    for k, dataset in enumerate(slices):
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, z + 0.004 * (-1) ** k]
        dataset.InstanceNumber = len(slices) - k  # reversed: nothing may use it
    volume = read_volume(slices)
    assert np.array_equal(volume.array, read_volume(make_slices(STORED)).array)
    assert volume.spacing[0] == pytest.approx(2.5, abs=0.002)


def test_several_volumes_are_read_one_by_one() -> None:
    slices = make_slices(STORED)
    _two_b_values(slices)
    first, second = read_volumes(slices)
    assert np.array_equal(first.array, STORED[::2] - np.float32(1024))
    assert np.array_equal(second.array, STORED[1::2] - np.float32(1024))
    (only,) = read_volumes(make_slices(STORED))
    assert only.array.shape == STORED.shape
    slices[0].ImagePositionPatient = [0, 0, 7]
    with pytest.raises(VolumeRefusedError):
        read_volumes(slices)


@pytest.mark.parametrize(("slope", "intercept"), [(1, -1024), (-2, 7), (0.37, 0.1), (1e-9, 0), (200, 3000)])
def test_values_are_rounded_once(slope: float, intercept: float) -> None:
    """By whichever way: the exact result, rounded to float32."""
    stored = np.random.default_rng(3).integers(-32768, 32767, (3, 9, 9)).astype(np.int16)
    slices = make_slices(stored, slopes=[slope] * 3, intercept=intercept)
    expected = (stored.astype(np.float64) * slope + intercept).astype(np.float32)
    assert np.array_equal(read_volume(slices).array, expected)


@pytest.mark.parametrize(
    ("step", "off", "regular"),
    [(2.5, 0.024, True), (2.5, 0.026, False), (0.5, 0.0099, True), (0.5, 0.0102, False)],
)
def test_a_step_may_differ_by_one_percent_or_ten_micrometres(step: float, off: float, regular: bool) -> None:
    slices = make_slices(STORED, step=step)
    for dataset in slices[3:]:
        x, y, z = dataset.ImagePositionPatient
        dataset.ImagePositionPatient = [x, y, round(z + off, 6)]
    if regular:
        assert read_volume(slices).array.shape == STORED.shape
    else:
        with pytest.raises(VolumeRefusedError, match="irregular_steps"):
            read_volume(slices)


def test_unsigned_values_are_not_taken_for_signed() -> None:
    stored = np.array([0, 1, 32767, 32768, 65535, 40000], dtype=np.uint16).repeat(20).reshape(6, 4, 5)
    assert np.array_equal(read_volume(make_slices(stored)).array, stored.astype(np.float32) - 1024)
    signed = stored.view(np.int16)
    assert np.array_equal(read_volume(make_slices(signed)).array, signed.astype(np.float32) - 1024)
