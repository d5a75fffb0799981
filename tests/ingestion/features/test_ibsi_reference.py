"""All 1,804 reference values of IBSI-1, within the published tolerances: digital phantom, CT phantom A to E."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingestion.features.ibsi import Aggregation, FeatureValue, IbsiSettings, compute

FLAT = [item.value for item in Aggregation if not item.volumetric]
SOLID = [item.value for item in Aggregation if item.volumetric]
CELLS = {"method": "trilinear", "spacing_mm": [2, 2, 2], "round_intensities": True}
SETTINGS: dict[str, tuple[str, int, dict[str, Any]]] = {
    "digital_phantom": ("digital_phantom", 482, {"discretisation": {"method": "none"},
                                                 "texture": {"aggregations": FLAT + SOLID}}),
    "config_A": ("ct_phantom", 346, {
        "resegmentation": {"range": [-500, 400]},
        "discretisation": {"method": "fixed_bin_size", "bin_size": 25},
        "texture": {"aggregations": FLAT}}),
    "config_B": ("ct_phantom", 346, {
        "interpolation": CELLS | {"spacing_mm": [None, 2, 2]},
        "resegmentation": {"range": [-500, 400]},
        "discretisation": {"method": "fixed_bin_number", "bin_number": 32},
        "texture": {"aggregations": FLAT}}),
    "config_C": ("ct_phantom", 210, {
        "interpolation": CELLS,
        "resegmentation": {"range": [-1000, 400]},
        "discretisation": {"method": "fixed_bin_size", "bin_size": 25},
        "intensity_volume_histogram": {"method": "fixed_bin_size", "bin_size": 2.5},
        "texture": {"aggregations": SOLID}}),
    "config_D": ("ct_phantom", 210, {
        "interpolation": CELLS,
        "resegmentation": {"outlier_sigma": 3},
        "discretisation": {"method": "fixed_bin_number", "bin_number": 32},
        "texture": {"aggregations": SOLID}}),
    "config_E": ("ct_phantom", 210, {
        "interpolation": CELLS | {"method": "tricubic_spline"},
        "resegmentation": {"range": [-1000, 400], "outlier_sigma": 3},
        "discretisation": {"method": "fixed_bin_number", "bin_number": 32},
        "intensity_volume_histogram": {"method": "fixed_bin_number", "bin_number": 1000},
        "texture": {"aggregations": SOLID}}),
}  # fmt: skip
"""Phantom, number of reference values, and IBSI's settings of it (reference manual, table 5.1)."""


@pytest.mark.parametrize("name", SETTINGS)
def test_reference_values(shared: Path, name: str) -> None:
    phantom, number, chosen = SETTINGS[name]
    image, spacing = _read(shared / "ibsi" / phantom / "nifti" / "image" / "phantom.nii.gz")
    mask, _ = _read(shared / "ibsi" / phantom / "nifti" / "mask" / "mask.nii.gz")
    found = compute(image, mask > 0, spacing_mm=spacing, settings=IbsiSettings.from_mapping(chosen))
    assert found.refusal is None
    expected = _reference(shared / "ibsi" / "ibsi1_reference_master.csv", name)
    matched = [(value, row) for value in found.values if (row := _row_of(value, expected)) is not None]
    assert len(matched) == len(found.values) == number
    wrong = [(value.column, value.value, row["value"]) for value, row in matched if not _agrees(value.value, row)]
    assert wrong == []


def _read(path: Path) -> tuple[np.ndarray, tuple[float, float, float]]:
    import SimpleITK

    image = SimpleITK.ReadImage(str(path))
    column, row, between = image.GetSpacing()
    return SimpleITK.GetArrayFromImage(image), (between, row, column)


def _reference(path: Path, name: str) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as lines:
        return [row for row in csv.DictReader(lines) if row["dataset"] == name and row["value"]]


def _row_of(value: FeatureValue, rows: list[dict[str, str]]) -> dict[str, str] | None:
    """The reference of a value: by code, tag (the table's ends in the aggregation) and aggregation."""
    names = {item.code: item.value for item in Aggregation}
    aggregation = names.get(value.aggregation or "", "")
    rows = [
        row
        for row in rows
        if row["ibsi_id"] == value.code
        and row["aggregation"].replace(" ", "") == aggregation.replace(" ", "")
        and (row["tag"] == value.tag or (aggregation and row["tag"].startswith(f"{value.tag}_")))
    ]
    return rows[0] if len(rows) == 1 else None


def _agrees(value: float | None, row: dict[str, str]) -> bool:
    """Within the tolerance, after rounding to the three digits that the reference is given in."""
    if value is None:
        return False
    reference, tolerance = float(row["value"]), float(row["tolerance"] or 0)
    rounded = 0.0 if value == 0 else round(value, 2 - math.floor(math.log10(abs(value))))
    return min(abs(rounded - reference), abs(value - reference)) <= tolerance + 1e-9 * abs(reference)
