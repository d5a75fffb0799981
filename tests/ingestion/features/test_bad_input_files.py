"""What ``cie features`` says of input that cannot be measured, or only just: a named refusal or a documented value."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from ingestion.features.ibsi import feature_table

STORED = (np.arange(6 * 8 * 9, dtype=np.int16) % 97).reshape(6, 8, 9)


def _masks(*box: tuple[int, int]) -> np.ndarray:
    masks = np.zeros((*STORED.shape, 1), dtype=bool)
    masks[tuple(slice(low, high) for low, high in box)] = True
    return masks


CUBE = _masks((1, 4), (2, 6), (2, 6))


@pytest.fixture
def files(tmp_path: Path, make_ct: Any, make_seg: Any) -> Callable[..., tuple[Path, Path]]:
    """A series and a segmentation on it, changed before they are written."""

    def write(
        stored: np.ndarray = STORED,
        masks: np.ndarray = CUBE,
        *,
        images: Callable[[list[Dataset]], object] = lambda _: None,
        marks: Callable[[Dataset], object] = lambda _: None,
    ) -> tuple[Path, Path]:
        slices = make_ct(stored)
        segmentation = make_seg(slices, masks)
        marks(segmentation)
        images(slices)
        folder = tmp_path / "series"
        folder.mkdir()
        for number, dataset in enumerate(slices):
            dataset.save_as(folder / f"{number}.dcm", enforce_file_format=True)
        segmentation.save_as(tmp_path / "seg.dcm", enforce_file_format=True)
        return folder, tmp_path / "seg.dcm"

    return write


def _row(result: Any) -> dict[str, Any]:
    (row,) = json.loads(result.stdout)
    return row


def test_one_voxel_has_the_values_that_one_voxel_has(cie: Any, files: Any) -> None:
    row = _row(cie(*files(masks=_masks((2, 3), (3, 4), (4, 5))), "--json"))
    assert (row["Voxels"], row["Mean_Q4LE"]) == (1, float(STORED[2, 3, 4]) - 1000)
    assert row["Variance_ECT3"] == 0
    assert "one_voxel" in row["Undefined"]


def test_a_constant_region_has_no_spread_and_says_what_is_undefined(cie: Any, files: Any) -> None:
    row = _row(cie(*files(np.full_like(STORED, 40)), "--json"))
    assert (row["Mean_Q4LE"], row["Variance_ECT3"], row["Skewness_KE2A"]) == (-960, 0, 0)
    assert "constant_region" in row["Undefined"]
    columns = {item["Column"] for item in feature_table()} & row.keys()
    undefined = {pair.rsplit(":", 1)[0] for pair in row["Undefined"].split(",")}
    assert {name for name in columns if row[name] is None} == undefined


def test_pixels_that_are_not_square_keep_their_sizes(cie: Any, files: Any) -> None:
    def stretch(slices: list[Dataset]) -> None:
        for dataset in slices:
            dataset.PixelSpacing = [0.5, 0.25]

    def same(segmentation: Dataset) -> None:
        shared = segmentation.SharedFunctionalGroupsSequence[0]
        shared.PixelMeasuresSequence[0].PixelSpacing = [0.5, 0.25]

    row = _row(cie(*files(images=stretch, marks=same), "--json"))
    assert row["VolumeMm3"] == pytest.approx(48 * 2 * 0.5 * 0.25)


def _gap(slices: list[Dataset]) -> None:
    del slices[3]


def _all(keyword: str, value: object) -> Callable[[list[Dataset]], None]:
    def change(slices: list[Dataset]) -> None:
        for dataset in slices:
            setattr(dataset, keyword, value)

    return change


def _frame_of_reference(segmentation: Dataset) -> None:
    segmentation.FrameOfReferenceUID = generate_uid()


def _move(segmentation: Dataset) -> None:
    """Off the image along the normal, the references to its slices left out."""
    for group in segmentation.PerFrameFunctionalGroupsSequence:
        x, y, z = group.PlanePositionSequence[0].ImagePositionPatient
        group.PlanePositionSequence[0].ImagePositionPatient = [x, y, z + 400]
        if "DerivationImageSequence" in group:
            del group.DerivationImageSequence


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"images": _gap}, "missing_slices"),
        ({"images": _all("PhotometricInterpretation", "RGB")}, "colour"),
        ({"marks": _frame_of_reference}, "frame_of_reference_differs"),
        ({"marks": _move}, "outside_image"),
    ],
    ids=["missing slices", "colour", "frame of reference", "mask outside"],
)
def test_what_cannot_be_measured_is_refused_by_name(cie: Any, files: Any, change: dict[str, Any], reason: str) -> None:
    result = cie(*files(**change))
    assert result.exit_code == 1, result.output
    assert reason in result.output.replace("\n", "")


def test_a_sequence_that_is_cut_off_is_named(cie: Any, files: Any) -> None:
    """pydicom calls it an OSError."""

    def reference(slices: list[Dataset]) -> None:
        slices[0].ReferencedImageSequence = [Dataset()]
        slices[0]["ReferencedImageSequence"].is_undefined_length = True

    folder, _ = files(images=reference)
    body = (folder / "0.dcm").read_bytes()
    end = body.index(b"\xfe\xff\xdd\xe0")
    (folder / "0.dcm").write_bytes(body[:end])
    result = cie(folder)
    assert result.exit_code == 2
    assert "not readable as DICOM" in " ".join(result.output.split())


def test_a_segment_without_a_voxel_is_refused(cie: Any, files: Any) -> None:
    def empty(segmentation: Dataset) -> None:
        segmentation.PixelData = bytes(len(segmentation.PixelData))

    result = cie(*files(marks=empty), "--json")
    assert result.exit_code == 1
    assert "empty_mask" in result.output


def _nifti(path: Path, array: np.ndarray) -> Path:
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(array), str(path))
    return path


@pytest.mark.parametrize(
    ("image", "mask", "said"),
    [
        (np.where(CUBE[..., 0], STORED, np.nan).astype(np.float32), CUBE[..., 0], "not finite"),
        (np.where(CUBE[..., 0], np.inf, STORED), CUBE[..., 0], "not finite"),
        (np.zeros((2, *STORED.shape), np.float32), CUBE[..., 0], "not one three-dimensional"),
        (STORED, np.zeros((2, *STORED.shape), np.uint8), "not one three-dimensional"),
        (STORED, np.zeros(STORED.shape, np.uint8), "0 labels"),
    ],
    ids=["NaN", "infinite", "image of four dimensions", "mask of four dimensions", "empty mask"],
)
def test_wrong_nifti_is_named(cie: Any, tmp_path: Path, image: np.ndarray, mask: np.ndarray, said: str) -> None:
    paths = _nifti(tmp_path / "image.nii.gz", image), _nifti(tmp_path / "mask.nii", mask.astype(np.uint8))
    result = cie(*paths)
    assert result.exit_code == 2
    assert said in " ".join(result.output.split())
    assert ".nii:" in result.output or ".nii.gz:" in result.output


def test_the_rows_of_a_whole_series_name_what_they_were_computed_from(cie: Any, files: Any, tmp_path: Path) -> None:
    folder, _ = files()
    row = _row(cie(folder, "--json"))
    assert all(row[name] for name in ("ImageDigest", "Settings", "SettingsDigest", "Tool", "ToolVersion", "Unit"))
    (folder / "0.dcm").rename(folder / "z.dcm")  # names and order are nothing
    assert _row(cie(folder, "--json"))["ImageDigest"] == row["ImageDigest"]
    changed = dcmread(folder / "z.dcm")
    changed.PixelData = bytes(len(changed.PixelData))
    changed.save_as(folder / "z.dcm")
    assert _row(cie(folder, "--json"))["ImageDigest"] != row["ImageDigest"]


@pytest.mark.skipif(shutil.which("dsrdump") is None, reason="dcmtk's dsrdump is not installed")
def test_the_structured_report_is_read_by_dcmtk(cie: Any, files: Any, tmp_path: Path) -> None:
    out = tmp_path / "report.dcm"
    assert cie(*files(), "--sr", out).exit_code == 0
    done = subprocess.run(["dsrdump", "+Pc", str(out)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert '(Q4LE,IBSI,"Mean intensity")' in done.stdout
    assert "E:" not in done.stderr and "W:" not in done.stderr
