"""Bytes behind the last run of an RLE segment are no samples."""

from __future__ import annotations

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.encaps import generate_frames

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.deidentify.pixels.rle_tail import without_tails


def _frame() -> tuple[bytes, int]:
    dataset = pydicom.dcmread(get_testdata_file("MR_small_RLE.dcm"))
    return next(generate_frames(dataset.PixelData, number_of_frames=1)), dataset.Rows * dataset.Columns


def test_a_text_behind_the_samples_goes_and_the_samples_stay() -> None:
    frame, samples = _frame()
    clean = without_tails(frame, samples=samples)
    assert clean.rstrip(b"\0") == frame.rstrip(b"\0")
    tailed = without_tails(frame + b"Kowalczyk KRK-4471", samples=samples)
    assert b"Kowalczyk" not in tailed
    assert tailed[: len(frame)] == clean
    assert len(tailed) == len(frame) + 18


@pytest.mark.parametrize(
    "broken", [b"", bytes(64), b"\1\0\0\0" + bytes(60) + b"x", b"\1\0\0\0\x40" + bytes(59) + b"\x05"]
)
def test_what_is_no_rle_frame_is_refused(broken: bytes) -> None:
    with pytest.raises(InstanceRefusedError):
        without_tails(broken, samples=10)


def test_a_last_run_that_goes_on_behind_the_samples_hides_nothing() -> None:
    body = b"\xf8\x41" + bytes([12]) + b"B" + b"Kowalczyk 44"
    frame = b"\1\0\0\0\x40" + bytes(59) + body
    clean = without_tails(frame, samples=10)
    assert clean == frame[:68] + bytes(len(frame) - 68)
    assert clean is not frame
    assert without_tails(clean, samples=10) is clean
