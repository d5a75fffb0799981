"""The 323 reference values of IBSI-2, phase 2: statistics of response maps of the lung CT phantom, 18 for each filter.

``ibsi2_reference.csv``: consensus value and tolerance of each feature, from the reference manual (arXiv:2006.05470v9,
chapter 7; also theibsi/ibsi_2_reference_data, CC BY 4.0). Configurations A are in the plane, B in space.
"""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ingestion.features.ibsi import IbsiSettings, RegionFeatures, compute
from tests.ingestion.features.test_ibsi_reference import _agrees, _read

REFERENCE = Path(__file__).parent / "ibsi2_reference.csv"
TURNED = {"rotation_invariance": True}
LAWS: dict[str, Any] = {"name": "laws", "energy_distance": 7, "pooling": "maximum", **TURNED}
GABOR: dict[str, Any] = {
    "name": "gabor", "sigma_mm": 5, "wavelength_mm": 2, "gamma": 1.5, "rotation_step_degrees": 22.5,
}  # fmt: skip
WAVELET: dict[str, Any] = {"name": "wavelet", "family": "db3", "pooling": "average", **TURNED}
FILTERS: dict[str, dict[str, Any] | None] = {
    "1.A": None,
    "1.B": None,
    "2.A": {"name": "mean", "support": 5},
    "2.B": {"name": "mean", "support": 5},
    "3.A": {"name": "laplacian_of_gaussian", "sigma_mm": 1.5, "cutoff": 4},
    "3.B": {"name": "laplacian_of_gaussian", "sigma_mm": 1.5, "cutoff": 4},
    "4.A": LAWS | {"kernels": ["L5", "E5"]},
    "4.B": LAWS | {"kernels": ["L5", "E5", "E5"]},
    "5.A": GABOR,
    "5.B": GABOR,
    "6.A": WAVELET | {"response": "LH"},
    "6.B": WAVELET | {"response": "LLH"},
    "7.A": WAVELET | {"response": "HH", "level": 2},
    "7.B": WAVELET | {"response": "HHH", "level": 2},
    "8.A": {"name": "simoncelli", "level": 1},
    "8.B": {"name": "simoncelli", "level": 1},
    "9.A": {"name": "simoncelli", "level": 2},
    "9.B": {"name": "simoncelli", "level": 2},
}
"""The manual's table of phase 2 configurations; mirror is the boundary condition of all but the last four."""


def settings_of(name: str) -> IbsiSettings:
    """A is measured on the image's own grid; B is interpolated to 1 mm and rounded."""
    flat = name.endswith("A")
    grid = {"method": "tricubic_spline", "spacing_mm": [1, 1, 1], "round_intensities": True}
    chosen = FILTERS[name]
    return IbsiSettings.from_mapping(
        {
            "interpolation": {} if flat else grid,
            "resegmentation": {"range": [-1000, 400]},
            "families": ["intensity_statistics"],
            "filter": None if chosen is None else chosen | {"dimension": "2D" if flat else "3D"},
        }
    )


def reference_of(name: str) -> dict[str, dict[str, str]]:
    """Value and tolerance by feature; of one there was no consensus."""
    with REFERENCE.open(newline="", encoding="utf-8") as lines:
        row = next(row for row in csv.DictReader(lines) if row.pop("filter") == name)
    return {tag: dict(zip(("value", "tolerance"), cell.split(), strict=True)) for tag, cell in row.items() if cell}


def measured(shared: Path, name: str) -> RegionFeatures:
    image, spacing = _read(shared / "ibsi" / "ct_phantom" / "nifti" / "image" / "phantom.nii.gz")
    mask, _ = _read(shared / "ibsi" / "ct_phantom" / "nifti" / "mask" / "mask.nii.gz")
    return compute(image.astype(np.float32), mask > 0, spacing_mm=spacing, settings=settings_of(name))


SLOW = {"5.B", "7.B", "8.B", "9.B"}
"""3 to 7 CPU seconds each."""


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.slow] if name in SLOW else []) for name in FILTERS]
)
def test_response_maps_have_the_reference_statistics(shared: Path, name: str) -> None:
    found = measured(shared, name)
    assert found.refusal is None, found.detail
    expected = reference_of(name)
    assert len(expected) == (17 if name == "8.B" else 18)
    values = {value.tag: value.value for value in found.values}
    wrong = {tag: (values[tag], row) for tag, row in expected.items() if not _agrees(values[tag], row)}
    assert wrong == {}
