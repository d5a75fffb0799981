"""What cannot be written is told before the work, and what lies in the delivery is not written."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from typer.testing import CliRunner

from ingestion.cli import build_app
from ingestion.commands.outputs import OutputError, check_outputs


def cie(command: str, *arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(build_app(command), [command, *map(str, arguments)])
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output


@pytest.fixture
def key(tmp_path: Path) -> Path:
    file = tmp_path / "source.key"
    file.write_text(bytes(range(1, 33)).hex())
    file.chmod(0o600)
    return file


def test_each_wrong_place_is_named(tmp_path: Path) -> None:
    check_outputs(None, tmp_path / "new.json")
    for file, told in ((tmp_path / "none" / "a.json", "make it first"), (tmp_path, "is a folder")):
        with pytest.raises(OutputError, match=told):
            check_outputs(file)
    with pytest.raises(OutputError, match="lies in IN"):
        check_outputs(tmp_path / "acc.json", outside=tmp_path)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_others_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match="must not be written"):
        check_outputs(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--report", "{none}/acc.json"), "make it first"),
        (("--report", "{raw}/acc.json"), "lies in IN"),
        (("--columns", "{raw}/none.yaml"), "--columns is for a table"),
        ((), "holds no file"),
    ],
    ids=["no folder", "within the delivery", "of a table", "nothing delivered"],
)
def test_a_folder_is_not_worked_on_when_its_accounting_cannot_be_written(
    tmp_path: Path, key: Path, options: tuple[str, ...], told: str
) -> None:
    raw, out = tmp_path / "raw", tmp_path / "out"
    raw.mkdir()
    named = [option.format(none=tmp_path / "none", raw=raw) for option in options]
    code, said = cie("deidentify", raw, out, "--source", "HOSP-1", "--key-file", key, "--workers", 1, *named)
    assert (code, told in said) == (2, True), said
    assert not list(out.rglob("*.dcm"))


def test_the_table_of_a_constant_region_shows_its_columns_and_why_values_are_missing(tmp_path: Path) -> None:
    image, mask = np.full((6, 8, 8), 7.0, np.float32), np.zeros((6, 8, 8), np.uint8)
    mask[1:5, 2:6, 2:6] = 1
    for name, values in (("image.nii.gz", image), ("mask.nii.gz", mask)):
        sitk.WriteImage(sitk.GetImageFromArray(values), str(tmp_path / name))
    code, said = cie("features", tmp_path / "image.nii.gz", tmp_path / "mask.nii.gz")
    assert code == 0
    assert "RNU0" in said and "constant_region" in said
    code, said = cie("features", tmp_path / "image.nii.gz", "--out", tmp_path / "none" / "a.parquet")
    assert code == 2 and "make it first" in said


def test_a_conformance_report_without_a_folder(tmp_path: Path) -> None:
    done = CliRunner().invoke(build_app("policy"), ["policy", "conformance", "--out", str(tmp_path / "none" / "a.md")])
    assert (done.exit_code, "make it first" in done.output) == (2, True)
