"""IBSI's 60 diagnostic values of each configuration, and values of full precision on which two other engines agree."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from ingestion.features.ibsi import Aggregation, IbsiSettings, RegionFeatures, compute
from tests.ingestion.features.test_ibsi_reference import SETTINGS, _agrees, _read

CLOSE = 1e-6
"""Relative. Where the two engines differ by more, a rounding of theirs decides: those values are left out."""
SUFFIXES = dict(
    zip(
        Aggregation,
        ("2D_avg", "2D_comb", "2_5D_avg", "2_5D_comb", "3D_avg", "3D_comb", "2D", "2_5D", "3D"),
        strict=True,
    )
)
LEFT_OUT = {"config_A": 2, "config_B": 9}


def _computed(shared: Path, name: str) -> RegionFeatures:
    phantom, _, chosen = SETTINGS[name]
    image, spacing = _read(shared / "ibsi" / phantom / "nifti" / "image" / "phantom.nii.gz")
    mask, _ = _read(shared / "ibsi" / phantom / "nifti" / "mask" / "mask.nii.gz")
    settings = IbsiSettings.from_mapping(chosen | {"image_diagnostics": True})
    return compute(image, mask > 0, spacing_mm=spacing, settings=settings)


def _rows(path: Path, name: str) -> dict[str, dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as lines:
        return {row["tag"]: row for row in csv.DictReader(lines) if row["dataset"] == name}


@pytest.mark.parametrize("name", SETTINGS)
def test_full_precision(shared: Path, name: str) -> None:
    rows = _rows(shared / "ibsi" / "highprecision_mirp_zrad_pyradiomics.csv", name)
    suffix_of = {aggregation.code: f"_{suffix}" for aggregation, suffix in SUFFIXES.items()}
    wrong, compared = [], 0
    found = _computed(shared, name).values
    for value in found:
        row = rows[value.tag + suffix_of.get(value.aggregation or "", "")]
        if float(row["rel_diff_mirp_zrad"]) > CLOSE:
            continue
        compared += 1
        for engine in ("mirp_2_7_0", "zrad_26_9_0"):
            expected = float(row[engine])
            if value.value is None or abs(value.value - expected) > CLOSE * abs(expected):
                wrong.append((row["tag"], value.value, engine, expected))
    assert wrong == []
    assert compared == len(found) - LEFT_OUT.get(name, 0)


@pytest.mark.parametrize("name", [name for name in SETTINGS if name.startswith("config")])
def test_diagnostic_values(shared: Path, name: str) -> None:
    rows = _rows(shared / "ibsi" / "ibsi1_reference_master.csv", name)
    found = _computed(shared, name).diagnostics
    assert len(found) == 60
    assert [(item.tag, item.value) for item in found if not _agrees(item.value, rows[item.tag])] == []


def test_values_of_the_whole_image_are_taken_only_when_asked() -> None:
    rng = np.random.default_rng(3)
    image, mask = rng.normal(size=(6, 7, 8)), np.zeros((6, 7, 8), dtype=np.bool_)
    mask[2:4, 2:5, 2:6] = True
    grid = {"interpolation": {"method": "trilinear", "spacing_mm": [2, 2, 2]}}
    asked = compute(
        image, mask, spacing_mm=(3, 1, 1), settings=IbsiSettings.from_mapping(grid | {"image_diagnostics": True})
    )
    plain = compute(image, mask, spacing_mm=(3, 1, 1), settings=IbsiSettings.from_mapping(grid))
    assert plain.values == asked.values
    means = [item.value for item in asked.diagnostics if item.tag.startswith("mean_int_")]
    assert means[0] == pytest.approx(image.mean())
    assert None not in means
    assert [item.value for item in plain.diagnostics if item.tag.startswith("mean_int_")] == [None, None]
