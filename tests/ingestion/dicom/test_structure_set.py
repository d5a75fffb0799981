from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_slices import AXIAL, OBLIQUE, make_slices
from made_structures import Contour, box, inside_by_hand, make_structures
from pydicom import dcmread
from pydicom.dataset import Dataset

from ingestion.dicom.contours import even_odd
from ingestion.dicom.region import RegionFlag, RegionRefusal, RegionRefusedError, Segment
from ingestion.dicom.structure_set import iter_structures, structure_instances, structure_series
from ingestion.dicom.volume import Volume, read_volume

SHAPE = (6, 20, 24)
SLICES = make_slices(np.zeros(SHAPE, dtype=np.int16))
VOLUME = read_volume(SLICES)


def _read(contours: list[Contour], *, volume: Volume = VOLUME, slices: list[Dataset] = SLICES, **more: str) -> Segment:
    (segment,) = iter_structures(make_structures(slices, volume, {"GTV": contours}, **more), volume)
    return segment


coordinates = st.floats(-3, 26, allow_nan=False).map(lambda value: round(value, 2))
polygons = st.lists(st.tuples(coordinates, coordinates), min_size=3, max_size=9)


@given(st.lists(polygons, min_size=1, max_size=3))
@settings(max_examples=150, deadline=None)
def test_pixels_are_those_found_edge_by_edge(found: list[list[tuple[float, float]]]) -> None:
    mask, _ = even_odd([np.array(polygon) for polygon in found], (9, 24))
    assert np.array_equal(mask, inside_by_hand(found, (9, 24)))


@pytest.mark.parametrize("cosines", [AXIAL, OBLIQUE])
def test_box_on_its_slices(cosines: tuple[float, ...]) -> None:
    slices = make_slices(np.zeros(SHAPE, dtype=np.int16), cosines=cosines)
    volume = read_volume(slices[::-1])
    segment = _read([(k, box(2.6, 3.4, 7.4, 9.6)) for k in (1, 2, 3)], volume=volume, slices=slices)
    expected = np.zeros(SHAPE, dtype=bool)
    expected[1:4, 3:8, 4:10] = True
    assert np.array_equal(segment.mask, expected)
    assert (segment.number, segment.label, segment.role, segment.flags) == (1, "GTV", "GTV", ())


def test_neighbours_share_no_pixel_and_leave_none_out() -> None:
    """Edges through pixel centres: each pixel belongs to one of the two boxes."""
    left, right = (_read([(2, box(2, a, 8, b))]).mask for a, b in ((3, 7), (7, 12)))
    whole = _read([(2, box(2, 3, 8, 12))]).mask
    assert left is not None and right is not None
    assert not (left & right).any()
    assert np.array_equal(left | right, whole)


RING = np.zeros(SHAPE, dtype=bool)
RING[2, 2:13, 2:13] = True
RING[2, 5:9, 5:9] = False


@pytest.mark.parametrize(
    ("contours", "kind", "flags"),
    [
        ([(2, box(1.5, 1.5, 12.5, 12.5)), (2, box(4.5, 4.5, 8.5, 8.5))], "CLOSED_PLANAR",
         (RegionFlag.NESTED_CONTOURS,)),
        ([(2, box(4.5, 4.5, 8.5, 8.5)), (2, box(1.5, 1.5, 12.5, 12.5))], "CLOSEDPLANAR_XOR", ()),
        (
            [(2, [(1.5, 1.5), (4.5, 4.5), (8.5, 4.5), (8.5, 8.5), (4.5, 8.5), (4.5, 4.5), (1.5, 1.5), (1.5, 12.5),
                  (12.5, 12.5), (12.5, 1.5)])],
            "CLOSED_PLANAR", (),
        ),
    ],
    ids=["nested", "xor", "keyhole"],
)  # fmt: skip
def test_holes(contours: list[Contour], kind: str, flags: tuple[RegionFlag, ...]) -> None:
    segment = _read(contours, kind=kind)
    assert np.array_equal(segment.mask, RING)
    assert segment.flags == flags


def test_sphere_keeps_its_volume() -> None:
    """The number of voxels times their size is the volume: the rule neither inflates nor shrinks."""
    slices = make_slices(np.zeros((21, 60, 60), dtype=np.int16), step=1.0)
    for dataset in slices:
        dataset.PixelSpacing = [0.5, 0.5]
    volume = read_volume(slices)
    contours = []
    for k in range(21):
        radius = math.sqrt(max(100 - (k - 10) ** 2, 0))
        if radius:
            angles = np.linspace(0, 2 * math.pi, 200, endpoint=False)
            contours.append((k, [(30 + 2 * radius * math.sin(a), 30 + 2 * radius * math.cos(a)) for a in angles]))
    mask = _read(contours, volume=volume, slices=slices).mask
    assert mask is not None
    assert mask.sum() * 0.25 == pytest.approx(4 / 3 * math.pi * 1000, rel=0.01)


@pytest.mark.parametrize(
    ("contours", "reason"),
    [
        ([], RegionRefusal.NO_CONTOURS),
        ([(2, box(2, 2, 8, 8)), (3.4, box(2, 2, 8, 8)), (4.6, box(2, 2, 8, 8))], RegionRefusal.CONTOUR_OFF_SLICE),
        ([(2.5, box(2, 2, 8, 8))], RegionRefusal.CONTOUR_OFF_SLICE),
        ([(0, box(2, 2, 8, 8)), (-1, box(2, 2, 8, 8))], RegionRefusal.OUTSIDE_IMAGE),
        ([(7, box(2, 2, 8, 8))], RegionRefusal.OUTSIDE_IMAGE),
        ([(2, box(2, 2, 8, 30))], RegionRefusal.OUTSIDE_IMAGE),
        ([(2, box(2.1, 2.1, 2.9, 2.9))], RegionRefusal.EMPTY_MASK),
    ],
)
def test_what_is_not_on_the_image_is_refused(contours: list[Contour], reason: RegionRefusal) -> None:
    segment = _read(contours)
    assert (segment.mask, segment.refusal) == (None, reason)


def test_contours_between_slices_are_flagged_not_moved() -> None:
    segment = _read([(k / 2, box(2.6, 3.4, 7.4, 9.6)) for k in range(2, 7)])
    assert segment.flags == (RegionFlag.OFF_SLICE_LEFT_OUT,)
    assert segment.mask is not None
    assert segment.mask.any(axis=(1, 2)).tolist() == [False, True, True, True, False, False]


def test_slices_without_a_contour_are_flagged() -> None:
    assert _read([(k, box(2, 2, 8, 8)) for k in (1, 4)]).flags == (RegionFlag.SLICES_SKIPPED,)


def test_coordinates_with_one_decimal_are_on_their_slice() -> None:
    assert _read([(2, box(2.6, 3.4, 7.4, 9.6))], decimals=1).refusal is None


@pytest.mark.parametrize("kind", ["POINT", "OPEN_PLANAR"])
def test_points_and_lines_have_no_area(kind: str) -> None:
    assert _read([(2, box(2, 2, 8, 8))], kind=kind).refusal is RegionRefusal.NO_AREA


def test_one_bad_region_leaves_the_others() -> None:
    structures = make_structures(SLICES, VOLUME, {"bad": [(9, box(2, 2, 8, 8))], "good": [(2, box(2, 2, 8, 8))]})
    bad, good = iter_structures(structures, VOLUME)
    assert (bad.refusal, good.refusal) == (RegionRefusal.OUTSIDE_IMAGE, None)


def test_tilted_contour_is_refused() -> None:
    structures = make_structures(SLICES, VOLUME, {"GTV": [(2, box(2, 2, 8, 8))]})
    data = structures.ROIContourSequence[0].ContourSequence[0].ContourData
    data[2] = float(data[2]) + 3
    (segment,) = iter_structures(structures, VOLUME)
    assert segment.refusal is RegionRefusal.CONTOUR_NOT_PLANAR


def test_references_and_other_coordinates() -> None:
    structures = make_structures(SLICES, VOLUME, {"GTV": [(2, box(2, 2, 8, 8))]})
    assert structure_series(structures) == (SLICES[0].SeriesInstanceUID,)
    assert structure_instances(structures) == frozenset()
    image = Dataset()
    image.ReferencedSOPInstanceUID = SLICES[3].SOPInstanceUID
    structures.ROIContourSequence[0].ContourSequence[0].ContourImageSequence = [image]
    assert structure_instances(structures) == {SLICES[3].SOPInstanceUID}
    assert next(iter_structures(structures, VOLUME)).refusal is RegionRefusal.SOURCE_DIFFERS
    structures.StructureSetROISequence[0].ReferencedFrameOfReferenceUID = "1.2.3"
    assert next(iter_structures(structures, VOLUME)).refusal is RegionRefusal.FRAME_OF_REFERENCE_DIFFERS


def test_malformed_objects_are_refused() -> None:
    structures = make_structures(SLICES, VOLUME, {"GTV": [(2, box(2, 2, 8, 8))]})
    structures.ROIContourSequence[0].ContourSequence[0].ContourData = [1, 2, 3, 4]
    assert next(iter_structures(structures, VOLUME)).refusal is RegionRefusal.MALFORMED
    structures.ROIContourSequence[0].ReferencedROINumber = 9
    with pytest.raises(RegionRefusedError, match="unknown_segment"):
        next(iter_structures(structures, VOLUME))
    structures.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    with pytest.raises(RegionRefusedError, match="not_structure_set"):
        next(iter_structures(structures, VOLUME))


def test_ibsi_mask_bit_for_bit(shared: Path) -> None:
    """The CT phantom's structure set gives the mask that IBSI distributes, in all 60 slices."""
    import SimpleITK

    folder = shared / "ibsi" / "ct_phantom"
    volume = read_volume([dcmread(path) for path in sorted((folder / "dicom" / "image").iterdir())])
    (segment,) = iter_structures(dcmread(next((folder / "dicom" / "mask").iterdir())), volume)
    path = folder / "nifti" / "mask" / "mask.nii.gz"
    expected = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))) > 0
    assert segment.mask is not None
    assert segment.mask.sum() == 125_256
    assert np.array_equal(segment.mask, expected)


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_damaged_objects_are_refused_never_raise(data: st.DataObject) -> None:
    structures = make_structures(SLICES, VOLUME, {"a": [(2, box(2, 2, 8, 8))], "b": [(3, box(2, 2, 8, 8))]})
    places = [structures, *structures.ROIContourSequence, *structures.StructureSetROISequence,
              structures.ROIContourSequence[0].ContourSequence[0]]  # fmt: skip
    place = data.draw(st.sampled_from(places))
    keyword = data.draw(st.sampled_from(sorted(element.keyword for element in place)))
    if data.draw(st.booleans()):
        delattr(place, keyword)
    else:
        value = data.draw(
            st.sampled_from([None, "", [], "9", ["1", "x", "2"], ["nan"] * 3, ["1e300"] * 9, [Dataset()]])
        )
        place[keyword]._value = value  # as a lenient reader leaves it
    try:
        segments = list(iter_structures(structures, VOLUME))
        structure_series(structures), structure_instances(structures)
    except RegionRefusedError:
        return
    assert all((segment.mask is None) == (segment.refusal is not None) for segment in segments)


@pytest.mark.parametrize("seed", range(12))
def test_pixels_are_those_of_another_library(seed: int) -> None:
    """Stars with many points, whose edges meet no pixel centre, beside matplotlib's point-in-polygon."""
    from matplotlib.path import Path as Outline

    chance = np.random.default_rng(seed)
    angles = np.sort(chance.uniform(0, 2 * math.pi, 80))
    radii = chance.uniform(4, 28, 80)
    star = np.stack([31.3 + radii * np.sin(angles), 30.7 + radii * np.cos(angles)], axis=1)
    mask, overlap = even_odd([star], (64, 60))
    centres = np.moveaxis(np.indices((64, 60)), 0, -1).reshape(-1, 2)
    assert np.array_equal(mask.ravel(), Outline(star).contains_points(centres))
    assert not overlap
