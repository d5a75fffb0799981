"""The quick ways of the screens give what the plain ones give, to the bit."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.pixels import iter_pixels

from ingestion.deidentify.pixels.display import shown
from ingestion.deidentify.pixels.looking import stored_pictures
from ingestion.deidentify.pixels.plain import plain_picture
from ingestion.deidentify.pixels.strokes import _edges
from ingestion.deidentify.pixels.text_screen import ROWS_AT_ONCE, two_looks
from tests.ingestion.deidentify.pixels.pictures import dataset_of

KINDS = (np.uint8, np.int8, np.uint16, np.int16)


def random_picture(kind: type, rows: int, columns: int, seed: int = 1) -> NDArray[np.generic]:
    limits = np.iinfo(kind)
    return np.random.default_rng(seed).integers(limits.min, limits.max, (rows, columns), kind, endpoint=True)


def object_of(picture: NDArray[np.generic], **attributes: object) -> Dataset:
    dataset = dataset_of(picture, sop_class=str(uid.CTImageStorage), modality="CT", **attributes)  # type: ignore[arg-type]
    dataset.PixelRepresentation = int(picture.dtype.kind == "i")
    return dataset


@given(st.sampled_from(KINDS), st.integers(1, 40), st.integers(1, 40), st.sampled_from(["MONOCHROME1", "MONOCHROME2"]))
def test_a_plain_picture_is_what_pydicom_decodes(kind: type, rows: int, columns: int, photometric: str) -> None:
    dataset = object_of(random_picture(kind, rows, columns), photometric=photometric)
    if len(dataset.PixelData) % 2:
        dataset.PixelData += b"\0"
    found = plain_picture(dataset)
    assert found is not None
    (decoded,) = iter_pixels(dataset, raw=True, correct_unused_bits=False)
    assert (found.dtype, found.tobytes()) == (decoded.dtype, decoded.tobytes())


@pytest.mark.parametrize(
    ("attribute", "value"),
    [
        ("PhotometricInterpretation", "PALETTE COLOR"),
        ("SamplesPerPixel", 3),
        ("NumberOfFrames", 2),
        ("BitsAllocated", 32),
        ("BitsStored", 0),
        ("BitsStored", 17),
        ("PixelRepresentation", None),
        ("PixelRepresentation", 2),
        ("Rows", 0),
        ("Rows", None),
        ("Columns", 9),
        ("Columns", 7),
    ],
)
def test_what_is_unusual_is_left_to_pydicom(attribute: str, value: object) -> None:
    dataset = object_of(random_picture(np.int16, 8, 8))
    if value is None:
        delattr(dataset, attribute)
    else:
        setattr(dataset, attribute, value)
    assert plain_picture(dataset) is None


def test_other_syntaxes_and_objects_without_one_are_left_to_pydicom() -> None:
    dataset = object_of(random_picture(np.int16, 8, 8))
    for syntax in (uid.ExplicitVRBigEndian, uid.RLELossless, uid.DeflatedExplicitVRLittleEndian):
        dataset.file_meta.TransferSyntaxUID = syntax
        assert plain_picture(dataset) is None
    del dataset.file_meta.TransferSyntaxUID
    assert plain_picture(dataset) is None


def test_a_plain_picture_is_the_one_that_is_looked_at() -> None:
    picture = random_picture(np.uint16, 8, 12)
    (seen,) = stored_pictures(object_of(picture))
    assert np.array_equal(seen, picture)


@given(
    st.sampled_from((*KINDS, np.int32, np.float32)),
    st.integers(1, ROWS_AT_ONCE + 20),
    st.integers(1, 30),
    st.tuples(st.integers(-320000, 320000), st.integers(-320000, 320000)),
    st.booleans(),
)
def test_two_looks_are_those_of_the_plain_steps(
    kind: type, rows: int, columns: int, eighths: tuple[int, int], inverted: bool
) -> None:
    window = (eighths[0] / 8, eighths[1] / 8)
    rng = np.random.default_rng(rows * 31 + columns)
    limits = (-1e6, 1e6) if np.dtype(kind).kind == "f" else (np.iinfo(kind).min, np.iinfo(kind).max)
    plane = rng.normal(0, 3000, (rows, columns)).clip(*limits).astype(kind)
    plain = np.stack([shown(plane, window), shown(plane, (float(plane.min()), float(plane.max())))])
    plain *= -2 if inverted else 2
    plain += 1 if inverted else -1
    assert two_looks(plane, window, inverted=inverted).tobytes() == plain.tobytes()


@given(
    st.sampled_from((np.int16, np.int64)),
    st.lists(st.integers(-(1 << 15), (1 << 15) - 1), min_size=1, max_size=60),
    st.integers(2, 6554),
)
def test_edges_are_steps_of_at_least_a_jump(kind: type, steps: list[int], jump: int) -> None:
    array = np.array([*steps, jump, -jump, jump - 1, 1 - jump], kind)
    assert np.array_equal(_edges(array, jump), np.flatnonzero((array >= jump) | (array <= -jump)))
