"""Faces: found on heads made by code, removed without touching the brain; not guessed where there is none."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ingestion.deidentify.faces import FaceState, find_face, may_show_face, removal_boxes
from ingestion.deidentify.pixels.boxes import mask_of
from ingestion.dicom.volume import Volume
from tests.ingestion.deidentify.heads import Head, make_head

AXES = {"axial": (2, 1, 0), "coronal": (1, 2, 0), "sagittal": (0, 2, 1)}


def laid_out(head: Head, plane: str, flips: tuple[bool, bool, bool] = (False, False, False)) -> Volume:
    """The head as a volume acquired in a plane, each array axis turned round where ``flips`` says so."""
    order = [2 - axis for axis in AXES[plane]]  # the head's array is (z, y, x): patient axis 2 is array axis 0
    array = head.array.transpose(order)
    direction = np.eye(3)[list(AXES[plane])]
    for axis, flip in enumerate(flips):
        if flip:
            array, direction[axis] = np.flip(array, axis), -direction[axis]
    spacing = tuple(head.spacing[axis] for axis in order)
    padding = np.zeros(array.shape, bool)
    return Volume(array, padding, spacing, (0.0, 0.0, 0.0), direction, ("1",) * array.shape[0], "1", None)  # type: ignore[arg-type]


def mapped(mask: NDArray[np.bool_], plane: str, flips: tuple[bool, bool, bool]) -> NDArray[np.bool_]:
    turned = mask.transpose([2 - axis for axis in AXES[plane]])
    axes = tuple(axis for axis, flip in enumerate(flips) if flip)
    return np.flip(turned, axes) if axes else turned


@pytest.mark.parametrize("modality", ["CT", "MR"])
@pytest.mark.parametrize("scale", [0.8, 1.0, 1.1])
@pytest.mark.parametrize("pitch", [-12.0, 0.0, 12.0])
def test_the_face_goes_and_the_brain_stays(modality: str, scale: float, pitch: float) -> None:
    head = make_head(modality=modality, scale=scale, pitch=pitch)
    found = find_face(laid_out(head, "axial"), modality=modality)
    assert found.state is FaceState.FACE
    assert found.removal is not None
    assert not (found.removal & head.brain).any()
    assert (found.removal & head.face_surface).sum() / head.face_surface.sum() > 0.9


@pytest.mark.parametrize("plane", list(AXES))
def test_in_whatever_order_the_axes_are_stored(plane: str) -> None:
    head = make_head(modality="MR", spacing=(4.0, 2.0, 2.0))
    plain = find_face(laid_out(head, "axial"), modality="MR").removal
    assert plain is not None
    for flips in itertools.product((False, True), repeat=3):
        found = find_face(laid_out(head, plane, flips), modality="MR")
        assert found.removal is not None
        assert np.array_equal(found.removal, mapped(plain, plane, flips))


def test_what_ends_above_the_nose_shows_no_face() -> None:
    head = make_head(modality="CT")
    volume = laid_out(head, "axial")
    top = volume.array[int(volume.array.shape[0] * 0.72) :]
    cut = Volume(top, top > 9e9, volume.spacing, volume.origin, volume.direction, ("1",) * len(top), "1", None)
    found = find_face(cut, modality="CT")
    assert (found.state, found.recognizable, found.removal) == (FaceState.NONE, False, None)


def test_no_face_is_guessed() -> None:
    z, y, x = np.mgrid[-40:40, -50:50, -50:50] * 3.0
    ball = np.where(x**2 + y**2 + z**2 < 95**2, 40.0, -1000.0).astype(np.float32)
    faceless = make_head(modality="CT", nose=0.0)
    empty = np.full((40, 40, 40), -1000, np.float32)
    cut = laid_out(make_head(modality="CT"), "axial").array[:, 28:, :]
    for array in (ball, faceless.array, empty, cut):
        volume = Volume(
            array, array > 9e9, (3.0, 3.0, 3.0), (0, 0, 0), np.eye(3)[[2, 1, 0]], ("1",) * len(array), "1", None
        )
        found = find_face(volume, modality="CT")
        assert found.state is FaceState.UNCERTAIN
        assert found.recognizable
        assert found.removal is None


def test_a_tilted_volume_is_not_measured() -> None:
    volume = laid_out(make_head(modality="CT"), "axial")
    c, s = np.cos(0.7), np.sin(0.7)
    tilted = volume.direction @ np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    turned = Volume(volume.array, volume.padding, volume.spacing, volume.origin, tilted, ("1",), "1", None)
    assert find_face(turned, modality="CT").state is FaceState.UNCERTAIN


@pytest.mark.parametrize(
    ("modality", "part", "series", "may"),
    [
        ("CT", "HEAD", "", True),
        ("MR", "", "t1_mprage_BRAIN", True),
        ("PT", "", "Whole Body AC", True),
        ("CT", "", "", True),
        ("CT", "CHEST", "Thorax 1.0", False),
        ("MG", "BREAST", "", False),
        ("US", "HEAD", "", False),
    ],
)
def test_which_series_may_show_a_face(modality: str, part: str, series: str, may: bool) -> None:
    dataset = Dataset()
    dataset.Modality, dataset.BodyPartExamined, dataset.SeriesDescription = modality, part, series
    assert may_show_face(dataset) is may


def test_the_removal_of_a_slice_as_boxes() -> None:
    removal = np.random.default_rng(2).random((13, 17)) > 0.5
    assert np.array_equal(mask_of(removal_boxes(removal), rows=13, columns=17), removal)
