"""Free bytes of compressed pixel data: none is written, every sample stays."""

from __future__ import annotations

import struct
from io import BytesIO

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jpeg_ls import encode_array as encode_jpeg_ls
from openjpeg.utils import encode_array as encode_jpeg2000
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames
from pydicom.uid import JPEG2000Lossless, JPEGBaseline8Bit, JPEGLSLossless, RLELossless

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.deidentify.instance import deidentify_instance
from ingestion.deidentify.pixels.fragments import Encapsulated, clean_fragments
from ingestion.deidentify.policy import load_policy
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import Pseudonyms

PSEUDONYMS = Pseudonyms(SourceKey("MADE-UP", bytes(range(32))))
NAME = b"Wanda Przybylski"
"""Named in no header here: what removes it knows nothing of it."""
_Y, _X = np.mgrid[:48, :48]
PICTURE = (200 * np.exp(-((_Y - 24) ** 2 + (_X - 20) ** 2) / 200)).astype(np.uint8)


def _jpeg() -> bytes:
    out = BytesIO()
    Image.fromarray(PICTURE).save(out, "JPEG", quality=90)
    return out.getvalue()


def _segment(marker: int, value: bytes) -> bytes:
    return bytes((0xFF, marker)) + struct.pack(">H", len(value) + 2) + value


def _item(value: bytes) -> bytes:
    return b"\xfe\xff\x00\xe0" + struct.pack("<L", len(value)) + value


def _items(*fragments: bytes, table: bytes = b"") -> bytes:
    return _item(table) + b"".join(_item(part + b"\0" * (len(part) % 2)) for part in fragments)


def _cleaned(data: bytes, *, syntax: str = JPEGBaseline8Bit, frames: int = 1) -> bytes:
    said = Encapsulated(syntax, frames=frames, samples=PICTURE.size)
    return b"".join(bytes(part) for part in clean_fragments(data, 0, len(data), said))


def _ahead(frame: bytes, mark: bytes, what: bytes) -> bytes:
    at = frame.index(mark)
    return frame[:at] + what + frame[at:]


def _with_thumbnail(frame: bytes, text: bytes) -> bytes:
    length = struct.unpack_from(">H", frame, 4)[0]
    return frame[:4] + struct.pack(">H", length + len(text)) + frame[6 : 4 + length] + text + frame[4 + length :]


JPEG_PLACES = {
    "comment": lambda text: _ahead(_jpeg(), b"\xff\xe0", _segment(0xFE, text)),
    "Exif": lambda text: _ahead(_jpeg(), b"\xff\xdb", _segment(0xE1, b"Exif\0\0" + text)),
    "JFIF thumbnail": lambda text: _with_thumbnail(_jpeg(), text),
    "behind Adobe": lambda text: _ahead(_jpeg(), b"\xff\xda", _segment(0xEE, b"Adobe\0\x64\0\0\0\0\0" + text)),
    "APP12": lambda text: _ahead(_jpeg(), b"\xff\xda", _segment(0xEC, text)),
    "behind fill bytes": lambda text: _ahead(_jpeg(), b"\xff\xda", b"\xff\xff" + _segment(0xFE, text)),
    "between segments": lambda text: _ahead(_jpeg(), b"\xff\xda", text),
    "behind the scan": lambda text: _jpeg()[:-2] + _segment(0xFE, text) + b"\xff\xd9",
    "behind the end": lambda text: _jpeg() + text,
}


@pytest.mark.parametrize("place", JPEG_PLACES)
def test_free_bytes_of_a_jpeg_frame_go_and_the_picture_stays(place: str) -> None:
    frame = JPEG_PLACES[place](NAME)
    data = _items(frame)
    cleaned = _cleaned(data)
    assert NAME not in cleaned
    assert len(cleaned) == len(data)
    shown = np.asarray(Image.open(BytesIO(cleaned[16:])))
    assert (shown == np.asarray(Image.open(BytesIO(_jpeg())))).all()


def test_a_frame_in_pieces_is_cleaned_as_one() -> None:
    frame = JPEG_PLACES["comment"](NAME)
    for cut in (2, 6, 10, 40, len(frame) - 2):
        data = _items(frame[:cut], frame[cut:])
        cleaned = _cleaned(data)
        assert NAME[:8] not in cleaned
        assert NAME[8:] not in cleaned
        assert len(cleaned) == len(data)


def test_a_further_fragment_is_no_place_for_a_text() -> None:
    assert NAME not in _cleaned(_items(_jpeg(), NAME))


def test_more_frames_than_the_header_tells_of_are_refused() -> None:
    """Nobody looked at them, and a viewer may show them."""
    with pytest.raises(InstanceRefusedError) as refused:
        _cleaned(_items(_jpeg(), _jpeg()))
    assert refused.value.reason is Reason.PIXELS_UNREADABLE
    assert len(_cleaned(_items(_jpeg(), _jpeg()), frames=2)) == len(_items(_jpeg(), _jpeg()))


@pytest.mark.parametrize("table", [b"\0\0\0\0" + NAME, NAME, b"\0\0\0\0\0\0\0\0", b"\4\0\0\0"])
def test_an_offset_table_that_is_none_is_emptied(table: bytes) -> None:
    cleaned = _cleaned(_items(_jpeg(), table=table))
    assert cleaned == _items(_jpeg())


def test_a_true_offset_table_stays() -> None:
    first = _jpeg() + b"\0" * (len(_jpeg()) % 2)
    data = _items(first, _jpeg(), table=struct.pack("<LL", 0, len(first) + 8))
    assert _cleaned(data, frames=2) == data


@pytest.mark.parametrize("where", ["main header", "header of a tile", "behind the end"])
def test_free_bytes_of_jpeg_2000(where: str) -> None:
    frame = bytes(encode_jpeg2000(PICTURE, bits_stored=8))
    comment = _segment(0x64, b"\0\1" + NAME)
    tile = frame.index(b"\xff\x90")
    if where == "main header":
        frame = frame[:tile] + comment + frame[tile:]
    elif where == "header of a tile":
        length = struct.unpack_from(">L", frame, tile + 6)[0]
        frame = frame[: tile + 6] + struct.pack(">L", length + len(comment)) + frame[tile + 10 :]
        frame = _ahead(frame, b"\xff\x93", comment)
    else:
        frame += NAME
    cleaned = _cleaned(_items(frame), syntax=JPEG2000Lossless)
    assert NAME not in cleaned
    assert len(cleaned) == len(_items(frame))
    assert (_decoded(cleaned, JPEG2000Lossless) == PICTURE).all()


@pytest.mark.parametrize("where", ["comment", "transform", "end"])
def test_free_bytes_of_jpeg_ls(where: str) -> None:
    frame = bytes(encode_jpeg_ls(PICTURE))
    extra = {"comment": _segment(0xFE, NAME), "transform": _segment(0xE8, b"mrfx\0" + NAME)}
    frame = frame + NAME if where == "end" else frame[:2] + extra[where] + frame[2:]
    cleaned = _cleaned(_items(frame), syntax=JPEGLSLossless)
    assert NAME not in cleaned
    assert (_decoded(cleaned, JPEGLSLossless) == PICTURE).all()


@pytest.mark.parametrize("at", [12, 40])
def test_unused_offsets_of_an_rle_header_hold_nothing(at: int) -> None:
    dataset = pydicom.dcmread(get_testdata_file("MR_small_RLE.dcm"))
    frame = bytearray(next(generate_frames(dataset.PixelData, number_of_frames=1)))
    frame[at : at + len(NAME)] = NAME
    said = Encapsulated(RLELossless, frames=1, samples=dataset.Rows * dataset.Columns)
    data = _items(bytes(frame))
    cleaned = b"".join(bytes(part) for part in clean_fragments(data, 0, len(data), said))
    assert NAME not in cleaned
    assert len(cleaned) == len(data)


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=60), st.integers(0, 700), st.sampled_from((JPEGBaseline8Bit, JPEG2000Lossless)))
def test_broken_frames_are_refused_or_keep_their_length(junk: bytes, at: int, syntax: str) -> None:
    whole = _jpeg() if syntax == JPEGBaseline8Bit else bytes(encode_jpeg2000(PICTURE, bits_stored=8))
    data = _items(whole[:at] + junk + whole[at:])
    try:
        cleaned = _cleaned(data, syntax=syntax)
    except InstanceRefusedError:
        return
    assert len(cleaned) == len(data)
    assert _cleaned(cleaned, syntax=syntax) == cleaned


def test_a_whole_object_says_no_name_of_its_frames() -> None:
    dataset = pydicom.dcmread(get_testdata_file("JPEG2000.dcm"))
    frame = next(generate_frames(dataset.PixelData, number_of_frames=1))
    dataset.PixelData = _items(frame, NAME, table=NAME)
    dataset["PixelData"].is_undefined_length = True
    before = dataset.pixel_array
    out = BytesIO()
    dataset.save_as(out)
    done = deidentify_instance(out.getvalue(), policy=load_policy("platform-default"), pseudonyms=PSEUDONYMS)
    assert NAME not in done.body
    assert (pydicom.dcmread(BytesIO(done.body)).pixel_array == before).all()


def _decoded(items: bytes, syntax: str) -> np.ndarray:
    dataset = pydicom.Dataset()
    dataset.file_meta = pydicom.dataset.FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = syntax
    dataset.Rows, dataset.Columns, dataset.SamplesPerPixel = *PICTURE.shape, 1
    dataset.BitsAllocated = dataset.BitsStored = 8
    dataset.HighBit, dataset.PixelRepresentation, dataset.PhotometricInterpretation = 7, 0, "MONOCHROME2"
    dataset.PixelData = items
    dataset["PixelData"].is_undefined_length = True
    return dataset.pixel_array
