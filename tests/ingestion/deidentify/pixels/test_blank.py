"""Blanking: exactly the boxes, in every encoding, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.pixels import pixel_array

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.deidentify.pixels.blank import BLANKABLE, blank
from ingestion.deidentify.pixels.boxes import Box, mask_of, outside
from ingestion.deidentify.pixels.jpeg_lossless import LosslessHead, encode_lossless
from ingestion.dicom.guard import PARSER_ERRORS
from tests.ingestion.deidentify.pixels.pictures import dataset_of, written_and_read

BLOCKS = (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit)
ROWS, COLUMNS = 36, 44  # openjpeg needs 32 for its five decompositions
CT = str(uid.CTImageStorage)
_PLUGINS = {uid.RLELossless: "pydicom", uid.JPEGLSLossless: "pyjpegls", uid.JPEG2000Lossless: "pylibjpeg"}

boxes_of_image = st.builds(
    lambda left, top, width, height: Box(left, top, min(width, COLUMNS - left), min(height, ROWS - top)),
    st.integers(0, COLUMNS - 1),
    st.integers(0, ROWS - 1),
    st.integers(1, COLUMNS),
    st.integers(1, ROWS),
)


def noise(*shape: int, dtype: str = "u1", seed: int = 3) -> np.ndarray:
    info = np.iinfo(dtype)
    return np.random.default_rng(seed).integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


def encoded(dataset: Dataset, syntax: str, *, table: str = "basic") -> Dataset:
    """``dataset`` in another syntax, with a basic, an empty or an extended offset table."""
    if syntax == uid.ExplicitVRBigEndian:
        dataset.file_meta.TransferSyntaxUID = uid.ExplicitVRBigEndian
        swapped = np.frombuffer(dataset.PixelData, f"<u{dataset.BitsAllocated // 8}").byteswap()
        dataset["PixelData"].value = swapped.tobytes()
        return dataset
    if not uid.UID(syntax).is_encapsulated:
        dataset.file_meta.TransferSyntaxUID = uid.UID(syntax)
        return dataset
    if syntax in (uid.JPEGLossless, uid.JPEGLosslessSV1):
        frames = [lossless(frame) for frame in _frames(dataset)]
        dataset.file_meta.TransferSyntaxUID = uid.UID(syntax)
        dataset["PixelData"].value = encapsulate(frames)
        dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    else:
        dataset.compress(syntax, encoding_plugin=_PLUGINS[uid.UID(syntax)], generate_instance_uid=False)
    if table != "basic":
        frames = list(generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames") or 1)))
        if table == "empty":
            dataset["PixelData"].value = encapsulate(frames, has_bot=False)
        else:
            data, dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths = encapsulate_extended(frames)
            dataset["PixelData"].value = data
    return dataset


def _frames(dataset: Dataset) -> list[np.ndarray]:
    array = pixel_array(dataset, raw=True)
    return list(array) if int(dataset.get("NumberOfFrames") or 1) > 1 else [array]


def lossless(frame: np.ndarray) -> bytes:
    components = (1, 2, 3) if frame.ndim == 3 else (1,)
    bits = frame.dtype.itemsize * 8
    return encode_lossless(frame.view(f"u{frame.dtype.itemsize}"), LosslessHead(bits, components))


def check(dataset: Dataset, boxes: list[Box], *, black: object = None) -> Dataset:
    """Blank, write, read; outside the boxes nothing changed, inside all is one value."""
    before = _frames(dataset)
    done = blank(dataset, boxes)
    syntax = dataset.file_meta.TransferSyntaxUID
    done.put(dataset)
    again = written_and_read(dataset)
    assert again.file_meta.TransferSyntaxUID == syntax
    for number, (old, new) in enumerate(zip(before, _frames(again), strict=True)):
        mask = mask_of(done.boxes, rows=old.shape[0], columns=old.shape[1], frame=number)
        assert np.array_equal(old[~mask], new[~mask])
        if mask.any():
            assert len(np.unique(new[mask].reshape(int(mask.sum()), -1), axis=0)) == 1
            if black is not None:
                assert np.array_equal(np.atleast_1d(new[mask][0]), np.atleast_1d(black))
    return again


ENCODINGS = [
    uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.RLELossless, uid.JPEGLSLossless,
    uid.JPEG2000Lossless, uid.JPEGLosslessSV1, uid.JPEGLossless,
]  # fmt: skip


@pytest.mark.parametrize("syntax", ENCODINGS)
@pytest.mark.parametrize("dtype", ["u1", "u2", "i2"])
@settings(max_examples=12, deadline=None)
@given(boxes=st.lists(boxes_of_image, min_size=1, max_size=4))
def test_grey_boxes_and_nothing_else(syntax: str, dtype: str, boxes: list[Box]) -> None:
    pixels = noise(ROWS, COLUMNS, dtype=dtype)
    check(encoded(dataset_of(pixels, sop_class=CT, modality="CT"), syntax), boxes, black=pixels.min())


@pytest.mark.parametrize("syntax", ENCODINGS)
@pytest.mark.parametrize(("photometric", "black"), [("RGB", (0, 0, 0)), ("YBR_FULL", (0, 128, 128))])
@settings(max_examples=8, deadline=None)
@given(boxes=st.lists(boxes_of_image, min_size=1, max_size=3))
def test_colour_boxes_and_nothing_else(syntax: str, photometric: str, black: tuple[int, ...], boxes: list[Box]) -> None:
    dataset = dataset_of(noise(ROWS, COLUMNS, 3), sop_class=CT, modality="US", photometric=photometric)
    if syntax == uid.JPEG2000Lossless and photometric == "YBR_FULL":
        return  # pydicom's encoder has no such combination to make the test object with
    check(encoded(dataset, syntax), boxes, black=black)


@given(boxes=st.lists(boxes_of_image, min_size=1, max_size=3))
def test_native_kinds(boxes: list[Box]) -> None:
    planar = dataset_of(noise(ROWS, COLUMNS, 3), sop_class=CT, modality="US", photometric="RGB", PlanarConfiguration=1)
    check(planar, boxes, black=(0, 0, 0))
    inverse = dataset_of(noise(ROWS, COLUMNS), sop_class=CT, modality="CR", photometric="MONOCHROME1")
    check(inverse, boxes, black=noise(ROWS, COLUMNS).max())
    check(dataset_of(noise(ROWS, COLUMNS), sop_class=CT, modality="US", photometric="PALETTE COLOR"), boxes, black=0)
    check(dataset_of(noise(ROWS, COLUMNS, dtype="u4"), sop_class=CT, modality="CT"), boxes)
    big = dataset_of(noise(ROWS, COLUMNS, dtype="u2"), sop_class=CT, modality="CT")
    check(encoded(big, uid.ExplicitVRBigEndian), boxes)


@given(boxes=st.lists(boxes_of_image, min_size=1, max_size=3))
def test_single_bits_of_frames_that_share_bytes(boxes: list[Box]) -> None:
    frames = noise(3, 5, 7) & 1  # 35 bits a frame: the second begins within a byte
    dataset = dataset_of(noise(3, 5, 7), sop_class=CT, modality="US", frames=3)
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = 0
    packed = np.packbits(frames.ravel(), bitorder="little").tobytes()
    dataset["PixelData"].value = packed + b"\0" * (len(packed) % 2)
    cut = [Box(box.left % 7, box.top % 5, 1, 1, 1) for box in boxes]
    check(dataset, cut, black=0)


@given(boxes=st.lists(boxes_of_image, min_size=1, max_size=3))
def test_pairs_that_share_their_colour_are_blanked_together(boxes: list[Box]) -> None:
    dataset = dataset_of(noise(ROWS, COLUMNS, 2), sop_class=CT, modality="US")
    dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "YBR_FULL_422", 0
    again = check(dataset, boxes, black=(0, 128, 128))
    assert len(again.PixelData) == ROWS * COLUMNS * 2
    for asked, done in zip(boxes, blank(again, boxes).boxes, strict=True):
        assert done.left % 2 == done.right % 2 == 0
        assert done.width - asked.width <= 2


@pytest.mark.parametrize("table", ["basic", "empty", "extended"])
@pytest.mark.parametrize("syntax", [uid.RLELossless, uid.JPEGLSLossless, uid.JPEGLosslessSV1])
def test_only_the_frame_that_is_meant_is_encoded_again(syntax: str, table: str) -> None:
    dataset = dataset_of(noise(5, ROWS, COLUMNS, dtype="u2"), sop_class=CT, modality="US", frames=5)
    encoded(dataset, syntax, table=table)
    before = list(generate_frames(dataset.PixelData, number_of_frames=5, extended_offsets=_offsets(dataset)))
    again = check(dataset, [Box(3, 4, 10, 6, frame=2)])
    after = list(generate_frames(again.PixelData, number_of_frames=5, extended_offsets=_offsets(again)))
    assert [old == new for old, new in zip(before, after, strict=True)] == [True, True, False, True, True]
    assert ("ExtendedOffsetTable" in again) == (table == "extended")
    has_table = int.from_bytes(again.PixelData[4:8], "little") > 0
    assert has_table == (table == "basic")


def _offsets(dataset: Dataset) -> tuple[bytes, bytes] | None:
    if "ExtendedOffsetTable" not in dataset:
        return None
    return dataset.ExtendedOffsetTable, dataset.ExtendedOffsetTableLengths


@pytest.mark.parametrize("syntax", [uid.MPEG2MPML, uid.MPEG4HP41, uid.HTJ2KLossless])
def test_what_cannot_be_encoded_again_exactly_is_refused(syntax: str) -> None:
    dataset = dataset_of(noise(ROWS, COLUMNS), sop_class=CT, modality="US")
    dataset.file_meta.TransferSyntaxUID = uid.UID(syntax)
    before = bytes(dataset.PixelData)
    with pytest.raises(InstanceRefusedError) as refused:
        blank(dataset, [Box(0, 0, 4, 4)])
    assert (refused.value.reason, refused.value.rule) == (Reason.BURNED_IN_ANNOTATION, "pixels.encoding")
    assert dataset.PixelData == before


@pytest.mark.parametrize("box", [Box(COLUMNS - 1, 0, 2, 1), Box(0, ROWS, 1, 1), Box(0, 0, 1, 1, frame=1)])
def test_a_box_outside_the_image_is_refused(box: Box) -> None:
    with pytest.raises(InstanceRefusedError, match="outside the image"):
        blank(dataset_of(noise(ROWS, COLUMNS), sop_class=CT, modality="US"), [box])


def test_too_few_bytes_are_refused() -> None:
    dataset = dataset_of(noise(ROWS, COLUMNS), sop_class=CT, modality="US")
    dataset["PixelData"].value = dataset.PixelData[:-2]
    with pytest.raises(InstanceRefusedError) as refused:
        blank(dataset, [Box(0, 0, 4, 4)])
    assert refused.value.reason is Reason.PIXELS_UNREADABLE


@given(kept=st.lists(boxes_of_image, max_size=5))
def test_outside_covers_exactly_the_rest(kept: list[Box]) -> None:
    rest = outside(kept, rows=ROWS, columns=COLUMNS)
    inside = mask_of(kept, rows=ROWS, columns=COLUMNS)
    assert np.array_equal(mask_of(rest, rows=ROWS, columns=COLUMNS), ~inside)
    assert sum(box.width * box.height for box in rest) == int((~inside).sum())  # no pixel twice


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from([2, 7, 8, 12, 16]))
def test_lossless_jpeg_is_decoded_to_what_was_encoded(data: st.DataObject, precision: int) -> None:
    rows, columns = data.draw(st.integers(1, 9)), data.draw(st.integers(1, 9))
    values = data.draw(st.lists(st.integers(0, 2**precision - 1), min_size=rows * columns, max_size=rows * columns))
    pixels = np.array(values, dtype="u1" if precision <= 8 else "u2").reshape(rows, columns)
    dataset = dataset_of(pixels, sop_class=CT, modality="CT")
    dataset.BitsStored, dataset.HighBit = precision, precision - 1
    dataset.file_meta.TransferSyntaxUID = uid.JPEGLosslessSV1
    dataset["PixelData"].value = encapsulate([encode_lossless(pixels, LosslessHead(precision, (1,)))])
    dataset["PixelData"].VR, dataset["PixelData"].is_undefined_length = "OB", True
    assert np.array_equal(pixel_array(dataset, raw=True), pixels)


def test_real_files_of_every_lossless_syntax(shared: Path) -> None:
    seen = set()
    for path in sorted((shared / "corpus").rglob("*")):
        if not path.is_file() or "dcm_qa_nih" in path.parts:
            continue
        try:
            dataset = pydicom.dcmread(path)
            before = pixel_array(dataset, raw=True)
        except (pydicom.errors.InvalidDicomError, RuntimeError, OSError, *PARSER_ERRORS):
            continue  # not an image, or one that pydicom cannot decode: nothing to compare with
        if dataset.file_meta.TransferSyntaxUID not in BLANKABLE or before.size > 1 << 22:
            continue
        if dataset.PhotometricInterpretation == "YBR_ICT" or dataset.file_meta.TransferSyntaxUID in BLOCKS:
            continue  # JPEG baseline and extended have tests of their own
        rows, columns, frames = int(dataset.Rows), int(dataset.Columns), int(dataset.get("NumberOfFrames") or 1)
        box = Box(columns // 5, rows // 7, max(columns // 3, 1), max(rows // 4, 1), frames - 1)
        done = blank(dataset, [box])
        done.put(dataset)
        after = pixel_array(dataset, raw=True)
        shape = (frames, rows, columns, -1)
        mask = mask_of(done.boxes, rows=rows, columns=columns, frame=frames - 1)
        old, new = before.reshape(shape), after.reshape(shape)
        assert np.array_equal(old[:-1], new[:-1]), path.name
        assert np.array_equal(old[-1][~mask], new[-1][~mask]), path.name
        seen.add(dataset.file_meta.TransferSyntaxUID)
    assert {uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.JPEGLosslessSV1} <= seen
