"""A name in one header of a study is known in all of its series."""

from __future__ import annotations

from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from reports import body, image, item, report
from typer.testing import CliRunner

from ingestion.cli import build_app
from ingestion.deidentify.study_identities import gather_identities
from ingestion.sources.folder import FolderConnector

KEY = bytes(range(32)).hex()


def _write(folder: Path, series: str, number: int, **attributes: object) -> None:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.SeriesInstanceUID = f"1.2.826.0.1.3680043.9.{series}"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.826.0.1.3680043.9.{series}.{number}"
    for keyword, value in attributes.items():
        setattr(dataset, keyword, value)
    folder.mkdir(exist_ok=True)
    dataset.save_as(folder / f"{series}-{number}.dcm")


def _result(tmp_path: Path) -> list[pydicom.Dataset]:
    key = tmp_path / "made-up.key"
    key.write_text(KEY)
    arguments = ["deidentify", str(tmp_path / "in"), str(tmp_path / "out"), "--source", "MADE-UP", "--workers", "1"]
    done = CliRunner().invoke(build_app("deidentify"), [*arguments, "--key-file", str(key)])
    assert done.exit_code == 0, done.output
    return [pydicom.dcmread(path) for path in (tmp_path / "out").rglob("*.dcm")]


@pytest.mark.parametrize("field", ["SoftwareVersions", "ConvolutionKernel", "ManufacturerModelName"])
def test_a_physician_of_the_second_instance_of_another_series_is_known(tmp_path: Path, field: str) -> None:
    """Device-written texts stay whole unless an identity is found in them: so it must be known."""
    _write(tmp_path / "in", "1", 1, **{field: "V2 Pietrzykowska", "SeriesDescription": "abdomen"})
    _write(tmp_path / "in", "2", 1)
    _write(tmp_path / "in", "2", 2, PerformingPhysicianName="Pietrzykowska^Ewa")
    results = _result(tmp_path)
    assert len(results) == 3
    assert not [element for result in results for element in result.iterall() if "ietrzyk" in str(element.value)]
    assert {str(result.get("SeriesDescription") or "") for result in results} >= {"abdomen"}


def test_headers_of_one_outline_are_told_once_by_their_first_name(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    for number, changes in enumerate(
        ({}, {"InstanceNumber": 9, "PatientName": "Other"}, {"PatientSex": ""}, {"Manufacturer": "Other"}), start=1
    ):
        _write(folder, "1", number, **changes)
    connector = FolderConnector(folder)
    for listed in (connector.listing().objects, reversed(connector.listing().objects)):
        found = gather_identities(connector, listed, ())
        assert sorted(item.name for _, item in found.outlines) == ["1-1.dcm", "1-3.dcm", "1-4.dcm"]


def test_a_name_in_the_content_of_a_report_is_known_in_the_images(tmp_path: Path) -> None:
    slice_ = image()
    slice_.SoftwareVersions, slice_.SeriesDescription = "V2 Pietrzykowska", "abdomen"
    told = report(item("TEXT", ("121008", "DCM", "Person Observer Name"), TextValue="Pietrzykowska"))
    folder = tmp_path / "in"
    folder.mkdir()
    slice_.save_as(folder / "1.dcm")
    (folder / "2.dcm").write_bytes(body(told))
    results = _result(tmp_path)
    assert {result.Modality for result in results} == {"CT", "SR"}
    assert not [element for result in results for element in result.iterall() if "ietrzyk" in str(element.value)]
    assert {str(result.get("SeriesDescription") or "") for result in results} >= {"abdomen"}


def test_file_names_are_kept_apart_from_the_results_and_for_the_owner_alone(tmp_path: Path) -> None:
    _write(tmp_path / "in", "1", 1)
    key, listed = tmp_path / "made-up.key", tmp_path / "names.csv"
    key.write_text(KEY)
    listed.touch(0o644)
    arguments = ["deidentify", str(tmp_path / "in"), str(tmp_path / "out"), "--source", "MADE-UP", "--workers", "1"]
    arguments += ["--key-file", str(key), "--names"]
    refused = CliRunner().invoke(build_app("deidentify"), [*arguments, str(tmp_path / "out" / "names.csv")])
    assert refused.exit_code == 2
    assert not (tmp_path / "out").exists()
    assert CliRunner().invoke(build_app("deidentify"), [*arguments, str(listed)]).exit_code == 0
    assert listed.stat().st_mode & 0o777 == 0o600
    assert "1-1.dcm" in listed.read_text()
