"""``cie check`` on folders made by code: what it finds, what it writes, and what it never writes."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from pydicom.dataset import Dataset
from typer.testing import CliRunner

from ingestion.cli import build_app
from quality_checks import documents as d
from tests.quality_checks.defects.series import ct_series, mr_series

NAME, ID, HOSPITAL = "Wojciechowska^Grazyna", "MRN-7734-2201", "St Elsewhere Hospital"


def put(folder: Path, datasets: list[Dataset], **values: str) -> None:
    """Write raw objects of one woman of 61."""
    folder.mkdir(parents=True, exist_ok=True)
    for dataset in datasets:
        dataset.PatientName, dataset.PatientID = NAME, ID
        dataset.PatientBirthDate, dataset.PatientSex, dataset.PatientAge = "19580312", "F", "061Y"
        dataset.InstitutionName, dataset.Manufacturer = HOSPITAL, "SIEMENS"
        if dataset.Modality == "CT":
            dataset.Exposure, dataset.XRayTubeCurrent, dataset.ExposureTime = 100, 200, 500
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        dataset.save_as(folder / f"{dataset.SOPInstanceUID}.dcm", enforce_file_format=True)


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(build_app("check"), ["check", *map(str, arguments), "--workers", "1"])
    return result.exit_code, result.output


def test_a_clean_folder_would_be_taken_in(tmp_path: Path) -> None:
    put(tmp_path / "in", ct_series())
    code, said = run(tmp_path / "in", "--report", tmp_path / "out")
    assert "would be taken in" in said and "report:" in said, said
    summary = json.loads((tmp_path / "out" / d.SUMMARY).read_bytes())
    assert summary["objects"]["delivered"] == summary["objects"]["accepted"] == 7
    assert summary["series"]["examined"] == summary["series"]["judged"] == 1
    assert code == 0, said
    assert (tmp_path / "out" / d.REPORT).read_text().startswith("<!doctype html>")
    assert len(pd.read_parquet(tmp_path / "out" / d.SERIES_TABLE)) == 1


def test_no_output_names_anybody(tmp_path: Path) -> None:
    put(tmp_path / "in" / "Wojciechowska", ct_series(), SeriesDescription="Thorax Wojciechowska 12.03.1958")
    put(tmp_path / "in" / "Wojciechowska", mr_series()[:3])
    _, said = run(tmp_path / "in", "--report", tmp_path / "out", "--names", tmp_path / "names.csv")
    for written in [said.encode(), *(path.read_bytes() for path in (tmp_path / "out").iterdir())]:
        for secret in ("wojciechowska", "grazyna", "7734", "19580312", "elsewhere"):
            assert secret.encode() not in written.lower(), secret
    assert "Wojciechowska" in (tmp_path / "names.csv").read_text()
    assert (tmp_path / "names.csv").stat().st_mode & 0o077 == 0


def test_a_broken_series_is_an_error_and_the_rest_goes_on(tmp_path: Path) -> None:
    put(tmp_path / "in", ct_series())
    broken = ct_series(series=9)
    for dataset in broken:
        dataset.PixelData = bytes(len(dataset.PixelData))  # black in every slice
    put(tmp_path / "in", broken, StudyInstanceUID="1.2.3.4.5", FrameOfReferenceUID="1.2.3.4.5.6")
    code, said = run(tmp_path / "in", "--report", tmp_path / "out")
    assert code == 1 and "error" in said
    summary = json.loads((tmp_path / "out" / d.SUMMARY).read_bytes())
    assert len(summary["series"]["left_out"]) == 1 and summary["series"]["judged"] == 2


def test_what_would_be_held_back_is_told(tmp_path: Path) -> None:
    put(tmp_path / "in", ct_series())
    (tmp_path / "in" / "cut.dcm").write_bytes(next((tmp_path / "in").glob("*.dcm")).read_bytes()[:700])
    code, said = run(tmp_path / "in", "--report", tmp_path / "out")
    assert code == 1 and "To do:" in said


def test_equal_folders_under_one_key_give_equal_reports(tmp_path: Path) -> None:
    put(tmp_path / "in", ct_series())
    (tmp_path / "key").write_text("0123456789abcdef" * 4)
    for out in ("one", "two"):
        run(tmp_path / "in", "--report", tmp_path / out, "--key-file", tmp_path / "key")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["missing"], "is not a folder"),
        ([".", "--report", "./in/report"], "must not contain one another"),
        (["in", "--report", "out", "--names", "out/names.csv"], "must not lie in the report"),
        (["in", "--report", "out", "--policy", "nothing-such"], "nothing-such"),
        (["in", "--report", "out", "--source", "NO-SUCH-01"], "NO-SUCH-01"),
    ],
)
def test_wrong_use_is_told_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], problem: str
) -> None:
    (tmp_path / "in").mkdir()
    monkeypatch.chdir(tmp_path)
    code, said = run(*arguments)
    assert code == 2 and problem in " ".join(said.split())
    assert not (tmp_path / "out").exists()
