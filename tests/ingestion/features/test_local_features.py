from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from pydicom import dcmread
from pydicom.datadict import tag_for_keyword

from ingestion.catalogue.collection import digest_of
from ingestion.features import docs
from ingestion.features.dose_report import QUANTITIES
from ingestion.features.exposure import INJECTED, KEYWORDS
from ingestion.features.intensity import INTENSITY_FEATURES
from ingestion.features.measures import measure_of, measures
from ingestion.features.settings import FeatureSettings
from ingestion.features.tables import regions_table, series_table

STORED = (np.arange(4 * 5 * 6, dtype=np.int16) * 3).reshape(4, 5, 6)
MASKS = np.zeros((4, 5, 6, 1), dtype=bool)
MASKS[1:3, 0:2, 2:5, 0] = True
INSIDE = (STORED.astype(float) - 1000)[MASKS[..., 0]]


@pytest.fixture
def series(tmp_path: Path, make_ct: Any, make_seg: Any) -> tuple[Path, Path]:
    """A folder with a series and a text file, and the file of a segmentation on it."""
    folder, slices = tmp_path / "series", make_ct(STORED)
    folder.mkdir()
    for number, dataset in enumerate(slices):
        dataset.save_as(folder / f"{number}.dcm", enforce_file_format=True)
    (folder / "readme.txt").write_text("not DICOM")
    make_seg(slices, MASKS).save_as(tmp_path / "seg.dcm")
    return folder, tmp_path / "seg.dcm"


def test_regions_of_a_series(cie: Any, series: tuple[Path, Path]) -> None:
    result = cie(*series, "--json")
    assert result.exit_code == 0, result.output
    (row,) = json.loads(result.stdout)
    assert (row["Region"], row["Unit"], row["Voxels"]) == ("1 lesion 1", "HU", 12)
    assert row["Mean_Q4LE"] == pytest.approx(INSIDE.mean())


def test_whole_series_for_people(cie: Any, series: tuple[Path, Path]) -> None:
    result = cie(series[0])
    assert result.exit_code == 0, result.output
    assert "whole image" in result.output
    assert "Q4LE" in result.output


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".json"])
def test_out_writes_the_rows(cie: Any, series: tuple[Path, Path], tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"rows{suffix}"
    assert cie(*series, "--out", out).exit_code == 0
    reader = {".csv": pd.read_csv, ".parquet": pd.read_parquet, ".json": pd.read_json}[suffix]
    assert reader(out)["Mean_Q4LE"].tolist() == pytest.approx([INSIDE.mean()])


def test_settings_file(cie: Any, series: tuple[Path, Path], tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("percentiles: [5]\nmin_voxels: 13\nfamilies: [intensity_statistics]\n")
    (whole,) = json.loads(cie(series[0], "--settings", settings, "--json").stdout)
    assert whole["Percentile5"] == pytest.approx(np.percentile(STORED - 1000.0, 5))
    refused = cie(*series, "--settings", settings, "--json")
    assert refused.exit_code == 1
    assert "too_few_voxels" in refused.output
    settings.write_text("families: [intensity_statistics]\n")
    (region,) = json.loads(cie(*series, "--settings", settings, "--json").stdout)
    assert {name.rpartition("_")[2] for name in region if "_" in name} == {
        feature.code for feature in INTENSITY_FEATURES
    }
    for wrong in ("percentile: 3", "percentiles: [a]", "percentiles: 5", "min_voxels: 0", "a: [", "- 1"):
        settings.write_text(wrong)
        result = cie(*series, "--settings", settings)
        assert result.exit_code == 2
        assert "settings.yaml" in result.output.replace("\n", "")


def test_a_filter_is_named_in_every_row(cie: Any, series: tuple[Path, Path], tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text(
        "families: [intensity_statistics, glcm]\n"
        "filter: {name: laws, dimension: 2D, kernels: [E3, L3], boundary: zero}\n"
    )
    (plain,) = json.loads(cie(*series, "--json").stdout)
    (row,) = json.loads(cie(*series, "--settings", settings, "--json").stdout)
    named = 'JTXT laws boundary=zero dimension=2D kernels=["E3", "L3"] pooling=maximum rotation_invariance=false'
    assert (row["ResponseMap"], plain["ResponseMap"]) == (named, None)
    assert (row["Unit"], plain["Unit"]) == ("arbitrary", "HU")
    assert row["SettingsDigest"] != plain["SettingsDigest"]
    # The level of three rows, and the difference of the columns on both sides, by convolution the left minus the right.
    values = np.pad(STORED - 1000.0, ((0, 0), (1, 1), (1, 1)))
    level = values[:, :-2] + 2 * values[:, 1:-1] + values[:, 2:]
    edge = (level[:, :, :-2] - level[:, :, 2:]) / np.sqrt(2) / np.sqrt(6)
    assert row["Mean_Q4LE"] == pytest.approx(edge[MASKS[..., 0]].mean())
    long = json.loads(cie(*series, "--settings", settings, "--long", "--json").stdout)
    assert {item["ResponseMap"] for item in long} == {named}
    assert cie(*series, "--settings", settings, "--sr", tmp_path / "report.dcm").exit_code == 2
    whole = cie(series[0], "--settings", settings)  # a filter that would have no effect is not passed over
    assert (whole.exit_code, "filter" in whole.output) == (2, True)


def test_several_settings_add_rows(cie: Any, series: tuple[Path, Path], tmp_path: Path) -> None:
    made = {"plain": "", "mean": "filter: {name: mean, support: 3}\n", "again": "", "wrong": "min_voxels: a\n"}
    paths = {name: tmp_path / f"{name}.yaml" for name in made}
    for name, more in made.items():
        paths[name].write_text("families: [intensity_statistics]\n" + more)
    out = tmp_path / "both.csv"
    both = ("--settings", paths["plain"], "--settings", paths["mean"])
    assert cie(*series, *both, "--out", out).exit_code == 0
    table = pd.read_csv(out)
    assert table["ResponseMap"].isna().tolist() == [True, False]
    assert table["SettingsDigest"].nunique() == table["Variance_ECT3"].nunique() == 2
    assert cie(*series, *both, "--sr", tmp_path / "report.dcm").exit_code == 2
    result = cie(*series, "--settings", paths["plain"], "--settings", paths["again"], "--settings", paths["wrong"])
    assert result.exit_code == 2
    said = result.output.replace("\n", "")
    assert "again.yaml" in said
    assert "wrong.yaml" in said


def test_all_wrong_settings_are_said_at_once(cie: Any, series: tuple[Path, Path], tmp_path: Path) -> None:
    settings = tmp_path / "settings.yaml"
    settings.write_text("percentiles: 5\nmin_voxels: a\nfamilies: [glc]\nfilter: {name: mean, support: 4, size: 3}\n")
    result = cie(*series, "--settings", settings)
    assert result.exit_code == 2
    said = " ".join(result.output.split())
    for part in ("percentiles", "min_voxels", "families.0", "filter.mean.support", "filter.mean.size"):
        assert part in said


def test_list_of_features(cie: Any) -> None:
    rows = json.loads(cie("--list", "--json").stdout)
    mean = next(row for row in rows if row["Code"] == "Q4LE")
    assert (mean["Name"], mean["Unit"], mean["Section"]) == ("Mean intensity", "u", "3.3.1")
    assert len({row["Column"] for row in rows}) == len(rows)
    (gabor,) = (row for row in rows if row["Code"] == "Q88H")
    assert (gabor["Family"], gabor["Name"]) == ("filter", "gabor")
    assert "wavelength_mm*" in gabor["Parameters"]
    shown = cie("--list").output
    for text in ("25BO", "Q4LE", "Mean intensity", "CjvOtsu", "Coefficient of joint variation", "(0018,9345)"):
        assert text in shown
    assert cie().exit_code == 2


def test_list_has_every_number_of_the_tables_with_its_definition(cie: Any, tmp_path: Path) -> None:
    rows = {row["Column"]: row for row in json.loads(cie("--list", "--json").stdout)}
    for table in (series_table([], FeatureSettings()), regions_table([], FeatureSettings())):
        missing = set(table.attrs["units"]) - rows.keys()
        assert missing == ({"SegmentNumber"} & set(table.columns))
    for row in rows.values():
        assert row["Code"] and row["Name"] and row["Reference"] and row["Of"], row
        assert row["Unit"] or row["Family"] == "filter", row
    measured = {column: row for column, row in rows.items() if row["Definition"]}
    assert measured.keys() == {measure.column for measure in measures()}
    assert (measured["NoiseLevelHU"]["Unit"], measured["NoiseLevelHU"]["Of"]) == ("HU", "CT in HU")
    assert "Dietrich" in measured["SnrDietrichBrightOtsu"]["Reference"]
    for column, (keyword, _) in {**KEYWORDS, INJECTED: ("RadionuclideTotalDose", 1)}.items():
        assert measured[column]["Code"] == "({:04X},{:04X})".format(*divmod(tag_for_keyword(keyword), 2**16))
    for code, (column, _) in QUANTITIES.items():
        assert measured[column]["Code"] == f"DCM {code}"
    out = tmp_path / "list.csv"
    assert cie("--list", "--out", out).exit_code == 0
    assert pd.read_csv(out)["Column"].tolist() == list(rows)


def test_table_of_measures_in_the_docs_is_the_one_in_code() -> None:
    document = docs.DOCUMENT.read_text(encoding="utf-8")
    assert docs.renewed(document) == document, "run python -m ingestion.features.docs"


def test_percentiles_that_settings_ask_for_are_named_too() -> None:
    fifth = measure_of("Percentile5")
    assert fifth is not None
    assert (fifth.name, fifth.unit) == ("percentile 5 of intensities", "u")
    assert "5 % of the pixels" in fifth.definition
    assert measure_of("Percentile") is None


def test_parquet_says_name_and_unit_of_its_columns(cie: Any, series: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "features.parquet"
    assert cie(*series, "--out", out).exit_code == 0
    field = pq.read_schema(out).field("Mean_Q4LE")
    assert field.metadata == {b"unit": b"u", b"description": b"Mean intensity (IBSI Q4LE, reference manual 3.3.1)"}


def test_digest_of_a_whole_series_is_that_of_the_catalogue(cie: Any, series: tuple[Path, Path]) -> None:
    (row,) = json.loads(cie(series[0], "--json").stdout)
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in series[0].glob("*.dcm")]
    assert digest_of(digests).startswith(row["ImageDigest"])


def test_long_rows(cie: Any, series: tuple[Path, Path]) -> None:
    rows = json.loads(cie(*series, "--long", "--json").stdout)
    mean = next(row for row in rows if row["Code"] == "Q4LE")
    assert (mean["Region"], mean["Unit"], mean["Family"]) == ("1 lesion 1", "HU", "UHIW")
    assert mean["Value"] == pytest.approx(INSIDE.mean())
    assert mean["Name"] == "Mean intensity"
    assert len(mean["ImageDigest"]) == len(mean["MaskDigest"]) == 24
    whole = json.loads(cie(series[0], "--long", "--json").stdout)
    assert {row["Region"] for row in whole} == {"whole image"}


def test_structured_report(cie: Any, series: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "report.dcm"
    assert cie(*series, "--sr", out).exit_code == 0
    report = dcmread(out)
    assert (report.Modality, report.SOPClassUID.name) == ("SR", "Comprehensive 3D SR Storage")
    assert cie(series[0], "--sr", out).exit_code == 2


def test_a_gap_is_refused(cie: Any, series: tuple[Path, Path]) -> None:
    (series[0] / "1.dcm").unlink()
    result = cie(*series)
    assert result.exit_code == 1
    assert "missing_slices" in result.output


@pytest.mark.parametrize("wrong", ["absent", "series/readme.txt", "seg.dcm", "."])
def test_wrong_input_is_named(cie: Any, series: tuple[Path, Path], tmp_path: Path, make_ct: Any, wrong: str) -> None:
    make_ct(STORED)[0].save_as(tmp_path / "other.dcm", enforce_file_format=True)  # a second series in "."
    result = cie(tmp_path / wrong)
    assert result.exit_code == 2
    assert wrong.rstrip(".") in result.output.replace("\n", "")


def test_mask_that_is_no_segmentation_is_named(cie: Any, series: tuple[Path, Path]) -> None:
    result = cie(series[0], series[0] / "0.dcm")
    assert result.exit_code == 2
    assert "no RT Structure Set" in result.output.replace("\n", " ")


def _nifti(path: Path, array: np.ndarray, *, spacing: tuple[float, float, float] = (0.5, 0.5, 2.0)) -> Path:
    import SimpleITK

    image = SimpleITK.GetImageFromArray(array)
    image.SetSpacing(spacing)
    SimpleITK.WriteImage(image, str(path))
    return path


def test_nifti_image_and_labels(cie: Any, tmp_path: Path) -> None:
    image = _nifti(tmp_path / "image.nii.gz", STORED)
    labels = MASKS[..., 0].astype(np.uint8) * 3
    (row,) = json.loads(cie(image, _nifti(tmp_path / "mask.nii.gz", labels), "--json").stdout)
    assert (row["Region"], row["Voxels"], row["VolumeMm3"]) == ("3", 12, pytest.approx(6))
    assert row["Mean_Q4LE"] == pytest.approx(INSIDE.mean() + 1000)
    assert cie(image).exit_code == 0
    shifted = _nifti(tmp_path / "off.nii", np.repeat(labels, 2, axis=0), spacing=(0.5, 0.5, 1.0))
    (resampled,) = json.loads(cie(image, shifted, "--json").stdout)
    assert (resampled["Flags"], resampled["Voxels"]) == ("resampled", 12)
    outside = np.zeros((9, 5, 6), dtype=np.uint8)
    outside[7:] = 1
    beyond = cie(image, _nifti(tmp_path / "beyond.nii", outside))
    assert beyond.exit_code == 1
    assert "outside_image" in beyond.output
    assert cie(image, _nifti(tmp_path / "empty.nii", np.zeros_like(labels))).exit_code == 2
    halves = _nifti(tmp_path / "halves.nii", labels.astype(np.float32) / 2)
    assert cie(image, halves).exit_code == 2


def test_nifti_mask_on_dicom(cie: Any, series: tuple[Path, Path], tmp_path: Path) -> None:
    (row,) = json.loads(
        cie(series[0], _nifti(tmp_path / "mask.nii.gz", MASKS[..., 0].astype(np.uint8)), "--json").stdout
    )
    (other,) = json.loads(cie(*series, "--json").stdout)
    assert row["MaskDigest"] == other["MaskDigest"]
    assert row["Mean_Q4LE"] == pytest.approx(INSIDE.mean())
