"""A value that the policy took out is told as taken out, not as missing at the data holder."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
import pytest
from pydicom.dataset import Dataset
from typer.testing import CliRunner

from ingestion.accounting.manifest import Manifest
from ingestion.cli import build_app
from quality_checks import documents as d
from quality_checks.withheld import WITHHELD
from tests.quality_checks.defects.series import ct_series, pt_series, segmentation

NAME = "Wojciechowska^Grazyna"


def put(folder: Path, datasets: Sequence[Dataset], **values: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for dataset in datasets:
        dataset.PatientName, dataset.PatientID = NAME, "MRN-7734-2201"
        dataset.PatientBirthDate, dataset.PatientSex, dataset.PatientAge = "19580312", "F", "061Y"
        dataset.Manufacturer = "SIEMENS"
        if dataset.Modality == "CT":
            dataset.Exposure, dataset.XRayTubeCurrent, dataset.ExposureTime = 100, 200, 500
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        dataset.save_as(folder / f"{dataset.SOPInstanceUID}.dcm", enforce_file_format=True)


def checked(folder: Path, out: Path, *more: str) -> tuple[dict[str, dict[str, object]], pd.DataFrame, str]:
    """Results by rule, findings, page."""
    CliRunner().invoke(build_app("check"), ["check", str(folder), "--report", str(out), "--workers", "1", *more])
    said = json.loads((out / d.SUMMARY).read_bytes())
    results = {row["rule_id"]: row for row in said["results"]}
    return results, pd.read_parquet(out / d.FINDINGS_TABLE), (out / d.REPORT).read_text()


def test_a_maker_that_is_a_name_is_told_as_taken_out(tmp_path: Path) -> None:
    put(tmp_path / "in", ct_series(), ManufacturerModelName="Wojciechowska")
    results, findings, page = checked(tmp_path / "in", tmp_path / "out")
    assert results["series_model_present"]["rows"] == 0
    assert results[WITHHELD.id]["outcome"] == "info"
    told = findings[findings["rule_id"] == WITHHELD.id]
    assert list(told["detail"]) == ["ManufacturerModelName"]
    assert "wojciechowska" not in page.lower()
    assert "no ManufacturerModelName" not in page.lower()


def test_a_maker_that_was_never_there_is_still_missing(tmp_path: Path) -> None:
    put(tmp_path / "in", ct_series(), ManufacturerModelName=None)
    results, _, _ = checked(tmp_path / "in", tmp_path / "out")
    assert results["series_model_present"]["outcome"] == "warning"
    assert results[WITHHELD.id]["outcome"] == "passed"


def test_dates_that_a_policy_removes_are_no_gaps_of_the_holder(tmp_path: Path) -> None:
    put(tmp_path / "in", [*ct_series(), *pt_series()])
    results, _, _ = checked(tmp_path / "in", tmp_path / "out", "--policy", "strict-basic")
    for rule_id in ("series_acquisition_date_present", "study_date_present", "series_age_present", "series_sex_present",
                    "series_times_stated", "pt_uptake_computable"):  # fmt: skip
        assert results[rule_id]["outcome"] in ("passed", "not_applicable"), rule_id
    assert results[WITHHELD.id]["outcome"] == "info"


def test_a_manifest_without_withheld_values_has_the_bytes_it_had() -> None:
    manifest = Manifest("S-X-01", "P", "1.2", "1.3", "p", "0" * 24, "3", "k", {}, (), ())
    assert b"withheld" not in manifest.to_json()
    assert Manifest.from_json(manifest.to_json()) == manifest
    other = Manifest("S-X-01", "P", "1.2", "1.3", "p", "0" * 24, "3", "k", {}, (), (), withheld=("Manufacturer",))
    assert Manifest.from_json(other.to_json()) == other and other.version != manifest.version


@pytest.mark.parametrize("rule_id", ["series_age_present", "series_sex_present"])
def test_what_a_segmentation_does_not_state_is_no_gap(rule_id: str, tmp_path: Path) -> None:
    put(tmp_path / "in", ct_series())
    put(tmp_path / "in", segmentation(ct_series()), PatientSex=None, PatientAge=None)
    results, _, _ = checked(tmp_path / "in", tmp_path / "out")
    assert (results[rule_id]["outcome"], results[rule_id]["rows"]) == ("passed", 1)


def test_the_maker_of_a_segmentation_is_no_unknown_scanner(tmp_path: Path) -> None:
    put(tmp_path / "in", ct_series())
    put(tmp_path / "in", segmentation(ct_series()), Manufacturer="Some research program")
    _, _, page = checked(tmp_path / "in", tmp_path / "out")
    assert "not understood" not in page


def test_columns_are_as_full_as_the_series_they_apply_to(tmp_path: Path) -> None:
    put(tmp_path / "in", ct_series(), ManufacturerModelName="Wojciechowska")
    put(tmp_path / "in", segmentation(ct_series()), Manufacturer="Some research program")
    _, _, page = checked(tmp_path / "in", tmp_path / "out")
    assert 'aria-label="ManufacturerModelName: 0 % of 1 series, 100 % taken out by the policy"' in page
    assert 'aria-label="Rows: 100 % of 1 series"' in page
    assert 'aria-label="EchoTime' not in page  # nothing there has echoes
