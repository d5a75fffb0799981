"""``cie features`` on a whole series: its geometry by name, and the same row that the platform's table has."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import SimpleITK
from pydicom.dataset import Dataset

from ingestion.fanout import Done
from ingestion.features.local import measure_files
from ingestion.features.measures import measures
from ingestion.features.mr_quality import COLUMNS as MR_COLUMNS
from ingestion.features.run import compute_source_features
from ingestion.features.settings import FeatureSettings
from ingestion.features.tables import image_columns

SLICES = 8
Change = Callable[[list[Dataset]], object]


def _stored() -> np.ndarray:
    """A warm body in air, with noise."""
    image = np.random.default_rng(3).normal(0, 12, (SLICES, 40, 40))
    image[:, 8:32, 8:32] += 1040
    return image.round().astype(np.int16)


@pytest.fixture
def folder(tmp_path: Path) -> Callable[[Sequence[Dataset]], Path]:
    def write(slices: Sequence[Dataset]) -> Path:
        (tmp_path / "series").mkdir()
        for number, dataset in enumerate(slices):
            dataset.save_as(tmp_path / "series" / f"{number}.dcm", enforce_file_format=True)
        return tmp_path / "series"

    return write


def _nothing(_: list[Dataset]) -> None:
    pass


def _without(*numbers: int) -> Change:
    def change(slices: list[Dataset]) -> None:
        slices[:] = [dataset for number, dataset in enumerate(slices) if number not in numbers]

    return change


def _depths(*depths: float) -> Change:
    def change(slices: list[Dataset]) -> None:
        for dataset, depth in zip(slices, depths, strict=True):
            dataset.ImagePositionPatient = [0, 0, depth]

    return change


def _every(keyword: str, value: object) -> Change:
    def change(slices: list[Dataset]) -> None:
        for dataset in slices:
            setattr(dataset, keyword, value)

    return change


def _lacking(*keywords: str) -> Change:
    def change(slices: list[Dataset]) -> None:
        for dataset in slices:
            for keyword in keywords:
                delattr(dataset, keyword)

    return change


def _turned(slices: list[Dataset]) -> None:
    slices[0].ImageOrientationPatient = [1, 0, 0, 0, 0, -1]


DEFECTS: dict[str, tuple[Change, dict[str, Any], str | None]] = {
    "regular": (_nothing, {"Slices": 8, "SliceSpacing": 2, "CoverageMm": 14, "MissingSlices": 0}, None),
    "a slice missing": (
        _without(3), {"Slices": 7, "SliceSpacing": 2, "CoverageMm": 14, "MissingSlices": 1}, "missing_slices (1)",
    ),
    "gaps": (_without(2, 5, 6), {"Slices": 5, "MissingSlices": 3}, "missing_slices (3)"),
    "two at one place": (
        _depths(0, 2, 4, 4, 6, 8, 10, 12), {"DuplicatePositions": 1, "CoverageMm": 12}, "duplicate_positions (1)",
    ),
    "irregular": (
        _depths(0, 2, 4, 7.1, 9.1, 11.1, 13.1, 15.1), {"IrregularSteps": True, "MissingSlices": 0}, "irregular_steps",
    ),
    "all at one place": (
        _depths(*[5] * 8), {"SliceSpacing": None, "CoverageMm": 0, "DuplicatePositions": 7}, "duplicate_positions (7)",
    ),
    "mixed orientation": (
        _turned, {"Orientation": None, "SliceSpacing": None, "CoverageMm": None, "MissingSlices": None},
        "mixed_orientation",
    ),
    "no positions": (
        _lacking("ImagePositionPatient"), {"Slices": None, "MissingSlices": None, "CoverageMm": None}, "no_positions",
    ),
    "no pixel spacing": (
        _lacking("PixelSpacing"), {"RowSpacing": None, "ColumnSpacing": None, "SliceSpacing": 2}, "no_pixel_spacing",
    ),
    "one slice": (_without(*range(1, 8)), {"Slices": 1, "SliceSpacing": None, "GeometryKind": "single_slice"}, None),
    "refused": (
        lambda slices: [_every("PhotometricInterpretation", "RGB")(slices), _without(3)(slices)],
        {"Status": "refused", "Reason": "colour", "MissingSlices": 1, "Mean_Q4LE": None, "SliceSpacing": 2},
        "missing_slices (1)",
    ),
}  # fmt: skip
AXIAL = {"GeometryKind": "volume", "Orientation": "axial", "RowSpacing": 0.5, "ColumnSpacing": 0.5}


@pytest.mark.parametrize("name", DEFECTS)
def test_geometry_is_in_the_row_and_its_problems_are_said(name: str, cie: Any, folder: Any, make_ct: Any) -> None:
    change, expected, said = DEFECTS[name]
    slices = make_ct(_stored())
    change(slices)
    result = cie(folder(slices), "--json")
    assert result.exit_code == (1 if name == "refused" else 0), result.output
    (row,) = json.loads(result.stdout)
    common = AXIAL if name in ("regular", "a slice missing", "gaps", "irregular") else {}
    assert {key: row[key] for key in {**common, **expected}} == {**common, **expected}
    if said is None:
        assert row["GeometryProblems"] is None
        assert result.stderr == ""
    else:
        assert f"geometry: {said}" in result.stderr
        assert said.split(" ")[0] in row["GeometryProblems"].split(",")


@pytest.mark.parametrize("name", DEFECTS)
@pytest.mark.parametrize("modality", ["CT", "MR", "OT"])
def test_a_measure_has_its_value_or_a_named_reason(name: str, modality: str, folder: Any, make_ct: Any) -> None:
    slices = make_ct(_stored(), modality=modality, ImageType=["ORIGINAL", "PRIMARY", "M"])
    DEFECTS[name][0](slices)
    whole = measure_files(folder(slices), None, FeatureSettings()).whole
    assert whole is not None
    families = ("geometry", "intensity") if modality == "OT" else ("geometry", "intensity", "quality")
    left_out = {"CT": set(MR_COLUMNS), "MR": {"NoiseLevelHU"}, "OT": set()}[modality]
    expected = {item.column for item in measures() if item.family in families} - left_out
    if whole.refusal is not None:
        expected = {item.column for item in measures() if item.family == "geometry"}
    missing = {column for column in expected if whole.row[column] is None}
    assert missing == set(whole.undefined) & expected
    assert all(whole.undefined.values())
    assert all(whole.row[column] is None for column in whole.undefined)
    assert all(np.isfinite(value) for value in whole.row.values() if isinstance(value, float))


def test_one_slice_of_mr_with_negative_values_has_no_quality_measures(folder: Any, make_ct: Any) -> None:
    slices = make_ct(_stored()[:1], modality="MR", ImageType=["ORIGINAL", "PRIMARY", "M"])
    whole = measure_files(folder(slices), None, FeatureSettings()).whole
    assert whole is not None
    assert (whole.row["Minimum_1GSF"] < 0, whole.row["QualityReason"]) == (True, "negative_values")
    assert {whole.undefined[column] for column in MR_COLUMNS} == {"negative_values"}


def test_the_volume_of_the_body_does_not_vanish_without_a_reason(cie: Any, folder: Any, make_ct: Any) -> None:
    slices = make_ct(_stored())
    del slices[3]
    path = folder(slices)
    (row,) = json.loads(cie(path, "--json").stdout)
    assert (row["BodyVolumeMl"], row["BodyShare"]) == (None, pytest.approx(0.36, abs=0.05))
    assert "BodyVolumeMl:missing_slices" in row["Undefined"].split(",")
    long = {item["Feature"]: item for item in json.loads(cie(path, "--long", "--json").stdout)}
    assert (long["BodyVolumeMl"]["Value"], long["BodyVolumeMl"]["Refusal"]) == (None, "missing_slices")
    assert (long["MissingSlices"]["Value"], long["CoverageMm"]["Value"], long["SliceSpacing"]["Unit"]) == (1, 14, "mm")
    shown = cie(path)
    assert "BodyVolumeMl:missing_slices" in shown.stdout
    assert "SliceSpacing" in shown.stdout


def _inline(function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Done[Any, Any]]:
    for task in tasks:
        yield Done(task, function(task))


@pytest.mark.parametrize("name", DEFECTS)
@pytest.mark.parametrize("modality", ["CT", "MR"])
def test_the_row_is_that_of_the_platforms_table(name: str, modality: str, folder: Any, make_ct: Any, made: Any) -> None:
    slices = make_ct(_stored(), modality=modality)
    DEFECTS[name][0](slices)
    made.add(slices)
    stored = compute_source_features(made.state, made.manifests, research=made.store, run=_inline)
    whole = measure_files(folder(slices), None, FeatureSettings()).whole
    assert whole is not None
    (row,) = stored.series.astype(object).where(stored.series.notna(), None).to_dict("records")
    assert whole.row == {column: row[column] for column in image_columns(FeatureSettings())}
    without = stored.long[stored.long["Value"].isna() & stored.long["Feature"].notna()]
    assert dict(zip(without["Feature"], without["Refusal"], strict=True)) == {
        column: why for column, why in whole.undefined.items() if column != "Orientation"
    }


def test_a_refused_image_of_regions_keeps_a_row(
    cie: Any, folder: Any, make_ct: Any, make_seg: Any, tmp_path: Path
) -> None:
    slices = make_ct(_stored())
    masks = np.zeros((SLICES, 40, 40, 1), dtype=bool)
    masks[2:4, 10:20, 10:20] = True
    make_seg(slices, masks).save_as(tmp_path / "seg.dcm")
    del slices[5]
    path = folder(slices)
    for options in ((), ("--long",)):
        result = cie(path, tmp_path / "seg.dcm", "--json", "--out", tmp_path / "out.csv", *options)
        assert result.exit_code == 1
        assert "missing_slices" in result.stderr
        (row,) = json.loads(result.stdout)
        assert row["Region"] == "all regions"
        assert row["Refusal" if options else "Reason"] == "missing_slices"
        assert len(pd.read_csv(tmp_path / "out.csv")) == 1
        (tmp_path / "out.csv").unlink()
    assert cie(path, tmp_path / "seg.dcm", "--sr", tmp_path / "report.dcm").exit_code == 1
    assert not (tmp_path / "report.dcm").exists()


def test_the_grid_of_nifti_is_in_the_row(cie: Any, tmp_path: Path) -> None:
    image = SimpleITK.GetImageFromArray(_stored())
    image.SetSpacing((0.5, 0.75, 2.0))
    SimpleITK.WriteImage(image, str(tmp_path / "image.nii.gz"))
    (tmp_path / "settings.yaml").write_text("percentiles: [5]\n")
    result = cie(tmp_path / "image.nii.gz", "--settings", tmp_path / "settings.yaml", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    (row,) = json.loads(result.stdout)
    grid = ("GeometryKind", "Orientation", "Slices", "RowSpacing", "ColumnSpacing", "SliceSpacing", "CoverageMm")
    assert [row[name] for name in grid] == ["volume", "axial", 8, 0.75, 0.5, 2, 14]
    assert row["MissingSlices"] is None
    assert "MissingSlices:not_dicom" in row["Undefined"].split(",")
    assert row["Percentile5"] == pytest.approx(np.percentile(_stored(), 5))


def test_colour_has_no_share_of_pixels_at_a_limit(make_ct: Any, folder: Any) -> None:
    slices = make_ct(_stored()[:1], modality="US")
    for dataset in slices:
        dataset.SOPClassUID = "1.2.840.10008.5.1.4.1.1.6.1"
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation, dataset.PlanarConfiguration = 3, "RGB", 0
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit, dataset.PixelRepresentation = 8, 8, 7, 0
        dataset.PixelData = np.random.default_rng(5).integers(0, 255, (40, 40, 3), dtype=np.uint8).tobytes()
    whole = measure_files(folder(slices), None, FeatureSettings()).whole
    assert whole is not None
    assert (whole.row["Unit"], whole.row["ClippedLowShare"]) == ("luma", None)
    assert whole.undefined["ClippedHighShare"] == "no_stored_limits"
