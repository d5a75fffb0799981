from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_slices import AXIAL, OBLIQUE, attributes

from ingestion.dicom.geometry import GeometryKind, GeometryProblem, Orientation, geometry_of

STEPS = st.floats(0.4, 12.0).map(lambda step: round(step, 3))
COSINES = st.sampled_from([AXIAL, OBLIQUE, (0.0, 1.0, 0.0, 0.0, 0.0, -1.0), (1.0, 0.0, 0.0, 0.0, 0.6, -0.8)])


@given(step=STEPS, number=st.integers(2, 30), cosines=COSINES, seed=st.integers(0, 999))
def test_order_does_not_matter(step: float, number: int, cosines: tuple[float, ...], seed: int) -> None:
    slices = attributes([k * step for k in range(number)], cosines)
    expected = geometry_of(slices)
    shuffled = list(slices)
    random.Random(seed).shuffle(shuffled)
    assert geometry_of(shuffled) == geometry_of(slices[::-1]) == expected
    assert expected.kind is GeometryKind.VOLUME
    assert expected.regular_volume
    assert expected.spacing == (pytest.approx(step, abs=1e-9), 0.7, 0.8)
    assert expected.coverage_mm == pytest.approx(step * (number - 1))


@given(step=STEPS, number=st.integers(6, 30), data=st.data())
def test_missing_slices_are_counted(step: float, number: int, data: st.DataObject) -> None:
    inner = st.integers(1, number - 2)
    gone = data.draw(st.sets(inner, min_size=1, max_size=(number - 4) // 2))
    kept = [k for k in range(number) if k not in gone]
    steps = sorted(after - before for before, after in itertools.pairwise(kept))
    middle = steps[(len(steps) - 1) // 2], steps[len(steps) // 2]
    found = geometry_of(attributes([k * step for k in kept]))
    if middle == (1, 1):  # else the gaps outnumber the steps, and the median is a gap
        assert found.missing_slices == len(gone)
        assert found.problems == (GeometryProblem.MISSING_SLICES,)
        assert not found.irregular


@given(step=st.floats(1.0, 10.0), number=st.integers(5, 20), share=st.floats(0.05, 0.4), data=st.data())
def test_a_slice_out_of_step_is_irregular(step: float, number: int, share: float, data: st.DataObject) -> None:
    depths = [k * step for k in range(number)]
    depths[data.draw(st.integers(1, number - 2))] += share * step
    found = geometry_of(attributes(depths))
    assert found.irregular
    assert GeometryProblem.IRREGULAR_STEPS in found.problems


@given(step=st.floats(1.5, 10.0), number=st.integers(3, 20), seed=st.integers(0, 999))
def test_jitter_within_tolerance_is_regular(step: float, number: int, seed: int) -> None:
    chance = random.Random(seed)
    jitter = 0.002 * step
    found = geometry_of(attributes([k * step + chance.uniform(-jitter, jitter) for k in range(number)]))
    assert found.regular_volume


def test_spacing_is_not_taken_from_slice_thickness() -> None:
    found = geometry_of(attributes([0, 3, 6, 9], SliceThickness=5.0, SpacingBetweenSlices=5.0))
    assert found.spacing_between_slices == pytest.approx(3.0)


def test_duplicate_positions_are_counted() -> None:
    found = geometry_of(attributes([0, 1, 1, 1, 2, 3]))
    assert found.duplicate_positions == 2
    assert found.kind is GeometryKind.VOLUME
    assert found.problems == (GeometryProblem.DUPLICATE_POSITIONS,)


@pytest.mark.parametrize(
    ("keyword", "values"),
    [
        ("DiffusionBValue", [0.0, 800.0]),
        ("EchoTime", [2.3, 4.6, 6.9]),
        ("TemporalPositionIdentifier", [1, 2, 3]),
        ("ImageType", [["DERIVED", "PRIMARY", "WATER"], ["DERIVED", "PRIMARY", "FAT"]]),
        ("DiffusionBValue", [None, 50.0]),
    ],
)
def test_volumes_told_apart_by_an_attribute_are_no_duplicates(keyword: str, values: list[object]) -> None:
    slices = [item for value in values for item in attributes([0, 2, 4, 6], **{keyword: value})]
    found = geometry_of(slices)
    assert found.kind is GeometryKind.VOLUMES
    assert found.volumes == len(values)
    assert found.split_by == (keyword,)
    assert found.duplicate_positions == 0
    assert found.problems == ()
    assert found.spacing_between_slices == pytest.approx(2.0)


def test_diffusion_directions_are_split_within_their_b_value() -> None:
    slices = attributes([0, 2, 4], DiffusionBValue=0.0)
    for direction in ([1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]):
        slices += attributes([0, 2, 4], DiffusionBValue=800.0, DiffusionGradientOrientation=direction)
    found = geometry_of(slices)
    assert found.volumes == 4
    assert found.split_by == ("DiffusionBValue", "DiffusionGradientOrientation")
    assert found.duplicate_positions == 0


def test_a_time_that_differs_from_slice_to_slice_explains_nothing() -> None:
    slices = [item | {"AcquisitionTime": f"1011{k:02d}"} for k, item in enumerate(attributes([0, 1, 1, 2, 3]))]
    assert geometry_of(slices).duplicate_positions == 1


def test_one_volume_of_several_that_misses_a_slice() -> None:
    slices = attributes([0, 2, 4, 6, 8], DiffusionBValue=0.0) + attributes([0, 2, 6, 8], DiffusionBValue=800.0)
    found = geometry_of(slices)
    assert (found.volumes, found.missing_slices, found.duplicate_positions) == (2, 1, 0)


def test_localizer_has_mixed_orientation() -> None:
    found = geometry_of(attributes([0, 1]) + attributes([0, 1], OBLIQUE))
    assert found.kind is GeometryKind.MIXED_ORIENTATION
    assert found.spacing_between_slices is None
    assert GeometryProblem.MIXED_ORIENTATION in found.problems


def test_gantry_tilt_is_not_parallel_to_the_normal() -> None:
    slices = attributes([0, 5, 10, 15])
    for k, item in enumerate(slices):
        x, y, z = item["ImagePositionPatient"]  # type: ignore[misc]
        item["ImagePositionPatient"] = [x, y + k * 0.5, z]
    assert GeometryProblem.NOT_PARALLEL_TO_NORMAL in geometry_of(slices).problems


def test_a_lean_that_adds_up_is_found() -> None:
    slices = attributes([float(k) for k in range(200)])
    for k, item in enumerate(slices):
        x, y, z = item["ImagePositionPatient"]  # type: ignore[misc]
        item["ImagePositionPatient"] = [x + k * 0.009, y, z]  # each step within tolerance, 1.8 mm in all
    assert geometry_of(slices).problems == (GeometryProblem.NOT_PARALLEL_TO_NORMAL,)


@pytest.mark.parametrize(
    ("cosines", "orientation"),
    [
        (AXIAL, Orientation.AXIAL),
        ((0.0, 1.0, 0.0, 0.0, 0.0, -1.0), Orientation.SAGITTAL),
        ((1.0, 0.0, 0.0, 0.0, 0.0, -1.0), Orientation.CORONAL),
        ((1.0, 0.0, 0.0, 0.0, 0.96, 0.28), Orientation.AXIAL),
        (OBLIQUE, Orientation.OBLIQUE),
    ],
)
def test_orientation_label(cosines: tuple[float, ...], orientation: Orientation) -> None:
    assert geometry_of(attributes([0, 1], cosines)).orientation is orientation


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"PixelSpacing": [0.7, 0.9]}, GeometryProblem.PIXEL_SPACING_VARIES),
        ({"PixelSpacing": None}, GeometryProblem.NO_PIXEL_SPACING),
        ({"PixelSpacing": [0.0, 0.8]}, GeometryProblem.NO_PIXEL_SPACING),
        ({"Rows": 8}, GeometryProblem.SIZE_VARIES),
        ({"ImagePositionPatient": None}, GeometryProblem.POSITIONS_INCOMPLETE),
        ({"ImagePositionPatient": [1.0, None, 2.0]}, GeometryProblem.POSITIONS_INCOMPLETE),
        ({"ImagePositionPatient": [1.0, 2.0, 1e300]}, GeometryProblem.POSITIONS_INCOMPLETE),
    ],
)
def test_one_odd_slice_is_named(change: dict[str, object], problem: GeometryProblem) -> None:
    slices = attributes([0, 1, 2, 3])
    slices[3] = slices[3] | change
    assert problem in geometry_of(slices).problems


def test_kinds_without_a_volume() -> None:
    plain = {"Rows": 4, "Columns": 4, "PixelSpacing": [1.0, 1.0]}
    assert geometry_of([{}]).kind is GeometryKind.NOT_IMAGE
    assert geometry_of([]).kind is GeometryKind.NOT_IMAGE
    assert geometry_of([plain], modality="MG").kind is GeometryKind.PROJECTION
    assert geometry_of([plain], modality="MG").problems == ()
    assert geometry_of([plain], modality="CT").problems == (GeometryProblem.NO_POSITIONS,)
    assert geometry_of([plain | {"NumberOfFrames": 30}]).kind is GeometryKind.MULTI_FRAME
    assert geometry_of(attributes([0])).kind is GeometryKind.SINGLE_SLICE
    assert geometry_of(attributes([0])).spacing_between_slices is None
    wrong = geometry_of(attributes([0, 1], (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)))
    assert wrong.problems == (GeometryProblem.INVALID_ORIENTATION,)
