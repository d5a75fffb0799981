"""Blocks of JPEG set to black: every coefficient outside stays, no decoder shows a change outside the boxes."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from libjpeg import decode as libjpeg_decode
from numpy.typing import NDArray
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import pixel_array

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.deidentify.pixels import Method, OnText, PixelPolicy, assess_pixels, clean_burned_in, find_detector
from ingestion.deidentify.pixels.blank import blank
from ingestion.deidentify.pixels.boxes import Box, mask_of
from ingestion.deidentify.pixels.jpeg_blank import blank_blocks, decode, encode, optimal_table, reached, touched
from ingestion.deidentify.pixels.jpeg_head import JpegRefusedError, read_frame
from ingestion.dicom.guard import PARSER_ERRORS
from tests.ingestion.deidentify.pixels.pictures import dataset_of, ultrasound

ROWS, COLUMNS = 60, 75  # neither is a multiple of a block
US = str(uid.UltrasoundImageStorage)

boxes_of_image = st.builds(
    lambda left, top, width, height: Box(left, top, min(width, COLUMNS - left), min(height, ROWS - top)),
    st.integers(0, COLUMNS - 1),
    st.integers(0, ROWS - 1),
    st.integers(1, COLUMNS),
    st.integers(1, ROWS),
)
pictures = st.builds(
    lambda mode, seed, quality, subsampling, restart, optimised: jpeg(
        noise(seed, colour=mode == "colour"),
        quality=quality,
        subsampling=subsampling,
        restart_marker_blocks=restart,
        optimize=optimised,
    ),
    st.sampled_from(["grey", "colour"]),
    st.integers(0, 99),
    st.sampled_from([5, 50, 90, 100]),
    st.sampled_from(["4:4:4", "4:2:2", "4:2:0"]),
    st.sampled_from([0, 1, 3]),
    st.booleans(),
)


def noise(seed: int, *, colour: bool, rows: int = ROWS, columns: int = COLUMNS) -> NDArray[np.uint8]:
    shape = (rows // 5, columns // 5, 3) if colour else (rows // 5, columns // 5)
    coarse = np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)
    return np.repeat(np.repeat(coarse, 5, axis=0), 5, axis=1)


def jpeg(pixels: NDArray[np.uint8], **options: object) -> bytes:
    out = BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", **options)
    return out.getvalue()


def shown(raw: bytes) -> tuple[NDArray[np.uint8], ...]:
    """By both decoders that the libraries bring."""
    return np.asarray(Image.open(BytesIO(raw))), np.asarray(libjpeg_decode(raw))


@settings(max_examples=60, deadline=None)
@given(raw=pictures, boxes=st.lists(boxes_of_image, min_size=1, max_size=3))
def test_no_decoder_shows_a_change_outside(raw: bytes, boxes: list[Box]) -> None:
    frame = read_frame(raw)
    done = blank_blocks(raw, boxes, rgb=False, inverted=False)
    outside = ~mask_of([reached(frame, box) for box in boxes], rows=ROWS, columns=COLUMNS)
    inside = mask_of([touched(frame, box) for box in boxes], rows=ROWS, columns=COLUMNS)
    for before, after in zip(shown(raw), shown(done), strict=True):
        assert np.array_equal(before[outside], after[outside])
        if frame.colour_reach == (0, 0):  # libjpeg's decoder leaves colours as YCbCr
            assert (after[inside] == 0).all() or (after[inside] == (0, 128, 128)).all()
    assert all(mask_of([box], rows=ROWS, columns=COLUMNS)[~inside].sum() == 0 for box in boxes)


@settings(max_examples=30, deadline=None)
@given(raw=pictures, boxes=st.lists(boxes_of_image, min_size=1, max_size=3))
def test_coefficients_outside_stay_and_those_inside_say_nothing(raw: bytes, boxes: list[Box]) -> None:
    frame = read_frame(raw)
    before, after = decode(frame), decode(read_frame(blank_blocks(raw, boxes, rgb=False, inverted=False)))
    (width, height), (across, down) = frame.mcu, frame.mcus
    hit = np.zeros((down, across), dtype=bool)
    for box in boxes:
        hit[box.top // height : -(-box.bottom // height), box.left // width : -(-box.right // width)] = True
    assert np.array_equal(before[~hit.ravel()], after[~hit.ravel()])
    assert not after[hit.ravel()][:, :, 1:].any()
    assert len(np.unique(after[hit.ravel()][:, :, 0], axis=0)) == 1


@settings(max_examples=30, deadline=None)
@given(raw=pictures)
def test_the_same_coefficients_give_the_same_bytes(raw: bytes) -> None:
    frame = read_frame(raw)
    assert encode(frame, decode(frame)) == raw


def test_tables_without_the_needed_symbol_are_made_anew() -> None:
    flat = np.full((ROWS, COLUMNS), 200, np.uint8)
    raw = jpeg(flat, optimize=True)  # its tables know no other symbols than those of a flat grey
    done = blank_blocks(raw, [Box(8, 8, 8, 8)], rgb=False, inverted=False)
    assert read_frame(done).dc_tables != read_frame(raw).dc_tables
    for before, after in zip(shown(raw), shown(done), strict=True):
        outside = ~mask_of([Box(8, 8, 8, 8)], rows=ROWS, columns=COLUMNS)
        assert np.array_equal(before[outside], after[outside])
        assert not after[8:16, 8:16].any()


@given(st.dictionaries(st.integers(0, 255), st.integers(1, 10**9), min_size=1, max_size=256))
def test_optimal_tables_are_tables(counts: dict[int, int]) -> None:
    array = np.zeros(256, np.int64)
    for symbol, count in counts.items():
        array[symbol] = count
    codes = list(optimal_table(array).codes())
    assert {symbol for symbol, _, _ in codes} == set(counts)
    assert sum(2 ** (16 - length) for _, _, length in codes) < 2**16  # the code of all ones stays free
    lengths = {symbol: length for symbol, _, length in codes}
    assert all(lengths[a] <= lengths[b] for a in counts for b in counts if counts[a] > counts[b] and lengths[b] < 16)


def test_fibonacci_counts_keep_within_sixteen_bits() -> None:
    counts = np.zeros(256, np.int64)
    a, b = 1, 1
    for symbol in range(40):
        counts[symbol], a, b = a, b, a + b
    assert max(length for _, _, length in optimal_table(counts).codes()) <= 16


@pytest.mark.parametrize("inverted", [False, True])
def test_grey_that_is_stored_inverted_is_blanked_to_white(inverted: bool) -> None:
    done = blank_blocks(jpeg(noise(1, colour=False)), [Box(0, 0, 8, 8)], rgb=False, inverted=inverted)
    for after in shown(done):
        assert (after[:8, :8] == (255 if inverted else 0)).all()


def test_components_that_are_no_colour_differences_become_zero() -> None:
    raw = jpeg(noise(1, colour=True), keep_rgb=True)  # libjpeg names the components R, G, B
    done = blank_blocks(raw, [Box(0, 0, 16, 16)], rgb=True, inverted=False)
    assert not np.asarray(Image.open(BytesIO(done)))[:16, :16].any()


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (jpeg(noise(1, colour=True), progressive=True), "progressive"),
        (b"", "no JPEG"),
        (b"\xff\xd8\xff\xd9", "damaged"),
        (jpeg(noise(1, colour=True))[:-200], "cut off"),
    ],
)
def test_other_frames_are_refused_with_the_reason(raw: bytes, said: str) -> None:
    with pytest.raises(JpegRefusedError, match=said):
        blank_blocks(raw, [Box(0, 0, 8, 8)], rgb=False, inverted=False)


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_frames_are_refused_or_come_through_whole(data: st.DataObject) -> None:
    raw = bytearray(jpeg(noise(2, colour=True), subsampling="4:2:0", restart_marker_blocks=2))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(2, len(raw) - 1))] = data.draw(st.integers(0, 255))
    try:
        done = blank_blocks(bytes(raw), [Box(0, 0, 16, 16)], rgb=False, inverted=False)
    except JpegRefusedError:
        return
    assert not decode(read_frame(done))[0, :, 1:].any()


def encapsulated(frames: list[bytes], picture: Dataset, photometric: str) -> Dataset:
    picture.file_meta.TransferSyntaxUID = uid.JPEGBaseline8Bit
    picture.PhotometricInterpretation = photometric
    picture["PixelData"].value = encapsulate(frames)
    picture["PixelData"].VR, picture["PixelData"].is_undefined_length = "OB", True
    return picture


def test_an_ultrasound_in_jpeg_follows_the_rules_of_all_ultrasounds() -> None:
    picture = ultrasound(frames=3)
    frames = [jpeg(frame, quality=98, subsampling="4:2:0") for frame in pixel_array(picture)]
    dataset = encapsulated(frames, picture, "YBR_FULL_422")
    before = pixel_array(dataset, raw=True)
    evidence = clean_burned_in(
        dataset, assess_pixels(dataset, dataset.SOPClassUID), policy=PixelPolicy(), detector=find_detector()
    )
    assert dataset.file_meta.TransferSyntaxUID == uid.JPEGBaseline8Bit
    (finding,) = evidence.blanked
    assert (finding.box, finding.method) == (Box(0, 0, 640, 66), Method.REGION)  # 50 rows grow to 64, and 2 beside
    after = pixel_array(dataset, raw=True)
    assert not after[:, :64, :, 0].any()
    assert np.array_equal(after[:, 66:], before[:, 66:])


def test_a_name_in_a_jpeg_ultrasound_is_blanked_where_the_policy_says_so() -> None:
    picture = ultrasound(name_in_region=True)
    dataset = encapsulated([jpeg(pixel_array(picture), quality=90)], picture, "YBR_FULL_422")
    policy = PixelPolicy(inside_regions=OnText.BLANK)
    evidence = clean_burned_in(
        dataset, assess_pixels(dataset, dataset.SOPClassUID), policy=policy, detector=find_detector()
    )
    assert {finding.method for finding in evidence.blanked} == {Method.REGION, Method.DETECTOR}
    assert not pixel_array(dataset, raw=True)[302:314, 44:180, 0].any()


def test_a_box_that_must_be_exact_is_refused() -> None:
    picture = dataset_of(noise(1, colour=False), sop_class=US, modality="US")
    dataset = encapsulated([jpeg(noise(1, colour=False))], picture, "MONOCHROME2")
    with pytest.raises(InstanceRefusedError, match="exactly"):
        blank(dataset, [Box(0, 0, 8, 8)], exact=True)


def test_frames_with_blocks_of_different_sizes_are_refused() -> None:
    colours = noise(1, colour=True)
    picture = dataset_of(np.stack([colours, colours]), sop_class=US, modality="US", photometric="RGB", frames=2)
    frames = [jpeg(colours, subsampling="4:4:4"), jpeg(colours, subsampling="4:2:0")]
    dataset = encapsulated(frames, picture, "YBR_FULL_422")
    with pytest.raises(InstanceRefusedError, match="different sizes"):
        blank(dataset, [Box(0, 0, 8, 8)])
    blank(dataset, [Box(0, 0, 8, 8, frame=1)])


def test_real_files_in_jpeg_baseline_and_extended(shared: Path) -> None:
    """All public ones: eight and twelve bits, every subsampling, RGB and YCbCr."""
    import deid_data

    paths = [*(shared / "corpus").rglob("*"), *Path(deid_data.__path__[0]).rglob("*.dcm")]
    paths += (Path(pydicom.__file__).parent / "data" / "test_files").glob("*.dcm")
    kinds = set()
    for path in sorted(paths):
        if not path.is_file() or "dcm_qa_nih" in path.parts or path.parent.name == "dicom-cookies":
            continue
        try:
            dataset = pydicom.dcmread(path)
        except (pydicom.errors.InvalidDicomError, OSError, *PARSER_ERRORS):
            continue
        syntax = dataset.file_meta.get("TransferSyntaxUID")
        if syntax not in (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit) or "PixelData" not in dataset:
            continue
        try:
            raw = next(generate_frames(dataset.PixelData, number_of_frames=int(dataset.get("NumberOfFrames") or 1)))
            frame = read_frame(raw)
        except (JpegRefusedError, ValueError, struct.error):
            continue
        box = Box(frame.columns // 3, frame.rows // 3, max(frame.columns // 4, 1), max(frame.rows // 5, 1))
        done = blank_blocks(raw, [box], rgb=dataset.PhotometricInterpretation == "RGB", inverted=False)
        outside = ~mask_of([reached(frame, box)], rows=frame.rows, columns=frame.columns)
        decoders = [libjpeg_decode] if frame.precision == 12 else [libjpeg_decode, _pillow]
        for decoder in decoders:
            assert np.array_equal(decoder(raw)[outside], decoder(done)[outside]), path.name
        kinds.add((frame.precision, len(frame.components), frame.mcu))
    assert {(8, 1, (8, 8)), (12, 1, (8, 8)), (8, 3, (8, 8)), (8, 3, (16, 8)), (8, 3, (16, 16))} <= kinds


def _pillow(raw: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(BytesIO(raw)))
