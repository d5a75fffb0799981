"""Instances read for their values hold what pydicom reads, whatever their encoding."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_slices import make_slices
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEGLSLossless,
    RLELossless,
)

from ingestion.dicom.images import ImageReader
from ingestion.dicom.values import VolumeRefusedError, stored_frames
from ingestion.dicom.volume import read_volume

STORED = np.arange(3 * 64 * 48, dtype=np.int16).reshape(3, 64, 48)


def _written(dataset: Dataset, syntax: str) -> bytes:
    if syntax in {JPEGLSLossless, RLELossless}:
        dataset.compress(syntax, generate_instance_uid=False)
    dataset.file_meta.TransferSyntaxUID = syntax
    out = BytesIO()
    dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()


def _slices() -> list[Dataset]:
    """With what is hard to read: a private block, sequences of undefined length, letters, an ambiguous VR."""
    slices = make_slices(STORED)
    for number, dataset in enumerate(slices):
        dataset.SOPInstanceUID, dataset.SeriesInstanceUID = f"1.2.3.{number}", "1.2.3"  # always the same bytes
        dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = "1.2.4", "1.2.5"
        dataset.SpecificCharacterSet = "ISO_IR 192"
        dataset.SeriesDescription = "Brzuch, świeży"
        dataset.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x2F, "SS", 0)
        item = Dataset()
        item.ReferencedSOPInstanceUID = f"1.2.{number}"
        dataset.ReferencedImageSequence = [item, Dataset()]
        dataset["ReferencedImageSequence"].is_undefined_length = True
        item.is_undefined_length_sequence_item = True
        dataset.add_new("PixelPaddingValue", "SS", 5)
    return slices


SYNTAXES = [
    ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian,
    JPEGLSLossless, RLELossless,
]  # fmt: skip


@pytest.mark.parametrize("syntax", SYNTAXES, ids=[syntax.name[:20] for syntax in SYNTAXES])
def test_an_instance_holds_what_pydicom_reads(syntax: str, tmp_path: Path) -> None:
    if syntax == ExplicitVRBigEndian:
        bodies = [_big_endian(dataset) for dataset in _slices()]
    else:
        bodies = [_written(dataset, syntax) for dataset in _slices()]
    reader, paths = ImageReader(), []
    for number, body in enumerate(bodies):
        paths.append(tmp_path / f"{number}.dcm")
        paths[-1].write_bytes(body)
        expected = dcmread(BytesIO(body))
        for found in (reader.from_bytes(body), reader.from_file(paths[-1])):
            assert found == expected
            assert found.file_meta == expected.file_meta
            assert found.SeriesDescription == "Brzuch, świeży"
    expected_volume = read_volume([dcmread(path) for path in paths])
    assert np.array_equal(expected_volume.array, STORED - np.float32(1024))
    for volume in (read_volume([reader.from_file(path) for path in paths]),
                   read_volume([reader.from_bytes(body) for body in bodies])):  # fmt: skip
        assert np.array_equal(volume.array, expected_volume.array)
        assert np.array_equal(volume.padding, expected_volume.padding) and volume.padding.sum() == 1
        assert volume.sop_instance_uids == expected_volume.sop_instance_uids


def _big_endian(dataset: Dataset) -> bytes:
    dataset.PixelData = np.frombuffer(dataset.PixelData, "<i2").astype(">i2").tobytes()
    return _written(dataset, ExplicitVRBigEndian)


def test_pixels_of_a_file_are_read_when_they_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "one.dcm"
    path.write_bytes(_written(_slices()[0], ExplicitVRLittleEndian))
    found = ImageReader().from_file(path)
    raw = found.get_item("PixelData", keep_deferred=True)
    assert raw is not None and raw.value is None
    (frame,) = stored_frames(found)
    assert np.array_equal(frame.stored, STORED[0])
    raw = found.get_item("PixelData", keep_deferred=True)
    assert raw is not None and raw.value is None  # nor kept
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(VolumeRefusedError, match="pixels_unreadable"):
        list(stored_frames(found))


def test_a_header_longer_than_the_first_look(tmp_path: Path) -> None:
    dataset = _slices()[0]
    dataset.private_block(0x0009, "LONG", create=True).add_new(1, "OB", bytes(300_000))
    path = tmp_path / "long.dcm"
    path.write_bytes(_written(dataset, ExplicitVRLittleEndian))
    assert ImageReader().from_file(path) == dcmread(path)


def test_cut_off_pixel_data_is_refused_as_before(tmp_path: Path) -> None:
    path = tmp_path / "cut.dcm"
    path.write_bytes(_written(_slices()[0], ExplicitVRLittleEndian)[:-200])
    for found in (ImageReader().from_file(path), ImageReader().from_bytes(path.read_bytes())):
        with pytest.raises(VolumeRefusedError, match="pixels_unreadable"):
            list(stored_frames(found))


def _told(read: Callable[[], Dataset]) -> str:
    """What reading gives, every element before the pixels decoded, or the kind of the error."""
    try:
        dataset = read()
        return "\n".join(str(dataset[tag]) for tag in sorted(dataset.keys()) if tag < 0x7FE00000)
    except Exception as error:  # noqa: BLE001 - whatever pydicom raises, both must
        return type(error).__name__


BODY = _written(_slices()[0], ExplicitVRLittleEndian)
HEADER = len(BODY) - STORED[0].nbytes


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(place=st.integers(132, HEADER - 1), byte=st.integers(0, 255))
def test_a_header_with_a_wrong_byte_is_read_as_pydicom_reads_it(place: int, byte: int) -> None:
    body = BODY[:place] + bytes([byte]) + BODY[place + 1 :]
    assert _told(lambda: ImageReader().from_bytes(body)) == _told(lambda: dcmread(BytesIO(body)))
