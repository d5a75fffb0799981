"""NIfTI files that cannot be measured: a named reason, whatever SimpleITK makes of them."""

from __future__ import annotations

import gzip
import struct
import tempfile
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion.features.nifti import NiftiError, read_nifti
from ingestion.features.nifti_file import check_values, read_header

VALUES = np.random.default_rng(1).normal(40, 15, (4, 5, 6))
DATATYPE, FORM_CODES, SFORM = 70, 252, 280
"""Bytes of a NIfTI-1 header: data type, codes of quaternion and affine matrix, rows of the latter."""


def _written(path: Path, values: np.ndarray) -> Path:
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(values), str(path))
    return path


def _patched(path: Path, at: int, form: str, *numbers: float) -> Path:
    body = bytearray(path.read_bytes())
    struct.pack_into(form, body, at, *numbers)
    path.write_bytes(body)
    return path


@pytest.mark.parametrize("kind", ["i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"])
@pytest.mark.parametrize("suffix", [".nii", ".nii.gz"])
def test_grey_values_of_every_kind_are_read(tmp_path: Path, kind: str, suffix: str) -> None:
    values = VALUES.clip(1, 100).astype(kind)
    read = read_nifti(_written(tmp_path / f"image{suffix}", values))
    np.testing.assert_array_equal(read.array, values.astype(np.float32))


@pytest.mark.parametrize("kind", ["i2", "f4"], ids=["whole numbers", "floats"])
@pytest.mark.parametrize("kept", [0, 1, 100, 400, -1], ids=str)
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "packed"])
def test_a_file_that_is_cut_off_is_named(tmp_path: Path, kind: str, kept: int, packed: bool) -> None:
    body = _written(tmp_path / "whole.nii", (VALUES * 100).astype(kind)).read_bytes()
    cut = tmp_path / ("cut.nii.gz" if packed else "cut.nii")
    cut.write_bytes(gzip.compress(body[:kept]) if packed else body[:kept])
    with pytest.raises(NiftiError, match=r"cut\.nii.*not readable as NIfTI"):
        read_nifti(cut)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95], ids=str)
@pytest.mark.parametrize("kind", ["i2", "f4"], ids=["whole numbers", "floats"])
def test_a_packed_file_that_is_cut_off_is_named(tmp_path: Path, kind: str, share: float) -> None:
    path = _written(tmp_path / "image.nii.gz", np.random.default_rng(2).normal(0, 1000, (20, 30, 30)).astype(kind))
    body = path.read_bytes()
    path.write_bytes(body[: int(len(body) * share)])
    with pytest.raises(NiftiError, match="cut off"):
        read_nifti(path)


def test_a_packed_file_that_is_damaged_is_named(tmp_path: Path) -> None:
    path = _written(tmp_path / "image.nii.gz", VALUES.astype(np.float32))
    body = bytearray(path.read_bytes())
    body[60:90] = bytes(30)
    path.write_bytes(body)
    with pytest.raises(NiftiError, match=r"gzip|cut off"):
        read_nifti(path)


@pytest.mark.parametrize(
    ("code", "said"),
    [(1, "one bit"), (32, "complex"), (1792, "complex"), (2048, "complex"), (128, "RGB"), (2304, "RGBA"),
     (1536, "128-bit"), (0, "data type 0"), (77, "data type 77")],
)  # fmt: skip
def test_values_that_are_no_grey_are_named(tmp_path: Path, code: int, said: str) -> None:
    path = _patched(_written(tmp_path / "image.nii", VALUES), DATATYPE, "<h", code)
    with pytest.raises(NiftiError, match=f"not a grey image.*{said}"):
        read_nifti(path)


def test_complex_values_are_not_measured_by_their_real_part(tmp_path: Path) -> None:
    path = _written(tmp_path / "image.nii.gz", VALUES.astype(np.complex64))
    with pytest.raises(NiftiError, match="complex"):
        read_nifti(path)


def test_values_beyond_float32_are_said_to_be_so(tmp_path: Path) -> None:
    with pytest.raises(NiftiError, match=r"beyond 3\.4e\+38"):
        read_nifti(_written(tmp_path / "image.nii", VALUES * 1e150))
    for value in (np.nan, np.inf):
        with pytest.raises(NiftiError, match="not finite"):
            read_nifti(_written(tmp_path / "image.nii", np.full_like(VALUES, value)))


def test_a_sheared_image_is_said_to_be_so(tmp_path: Path) -> None:
    path = _patched(_written(tmp_path / "image.nii", VALUES), FORM_CODES, "<2h", 0, 1)
    _patched(path, SFORM, "<12f", 1, 0.6, 0, 0, 0, 0.8, 0, 0, 0, 0, 1, 0)
    with pytest.raises(NiftiError, match="sheared"):
        read_nifti(path)


def _whole() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        return _written(Path(folder) / "image.nii", VALUES.astype(np.float32)).read_bytes()


WHOLE = _whole()


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 351), st.binary(min_size=1, max_size=16), st.integers(0, len(WHOLE)), st.booleans())
def test_a_header_of_any_bytes_is_read_or_named(tmp_path: Path, at: int, patch: bytes, kept: int, packed: bool) -> None:
    body = (WHOLE[:at] + patch + WHOLE[at + len(patch) :])[: max(kept, 352)]
    path = tmp_path / ("image.nii.gz" if packed else "image.nii")
    path.write_bytes(gzip.compress(body) if packed else body)
    try:
        check_values(path, read_header(path))
    except NiftiError as error:
        assert str(error).startswith(str(path))  # reading it is right too
