from __future__ import annotations

import csv
import math
import os
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ingestion.features.intensity import INTENSITY_FEATURES, intensity_statistics
from ingestion.features.value_counts import ValueCounts

IBSI = Path(os.environ.get("CIE_SHARED", Path(__file__).parents[4] / "shared")) / "ibsi"
VALUES = arrays(np.float64, st.integers(1, 60), elements=st.integers(-1000, 3000).map(float))


def _three_digits(value: float) -> Decimal:
    """The rule of the reference: a value is compared after rounding to three significant digits."""
    return Decimal(f"{value:.2e}")


def _reference(dataset: str) -> list[dict[str, str]]:
    with (IBSI / "ibsi1_reference_master.csv").open(newline="") as lines:
        rows = [row for row in csv.DictReader(lines) if (row["dataset"], row["family"]) == (dataset, "Statistics")]
    assert len(rows) == 18
    return rows


def _array(path: Path) -> np.ndarray:
    import SimpleITK

    return SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path)))


needs_reference = pytest.mark.skipif(not IBSI.is_dir(), reason="the IBSI reference data is not here (CIE_SHARED)")


@needs_reference
@pytest.mark.parametrize("code", [feature.code for feature in INTENSITY_FEATURES])
def test_digital_phantom_matches_the_reference(code: str) -> None:
    phantom = IBSI / "digital_phantom" / "nifti"
    image, mask = _array(phantom / "image" / "phantom.nii.gz"), _array(phantom / "mask" / "mask.nii.gz") > 0
    assert mask.sum() == 74
    (feature,) = (feature for feature in INTENSITY_FEATURES if feature.code == code)
    (row,) = (row for row in _reference("digital_phantom") if row["ibsi_id"] == code)
    value = intensity_statistics(ValueCounts.of(image[mask]))[feature.column]
    assert value is not None
    assert abs(_three_digits(value) - Decimal(row["value"])) <= Decimal(row["tolerance"])


@needs_reference
def test_ct_phantom_matches_the_reference_configuration_a() -> None:
    phantom = IBSI / "ct_phantom" / "nifti"
    image, mask = _array(phantom / "image" / "phantom.nii.gz"), _array(phantom / "mask" / "mask.nii.gz") > 0
    mask &= (image >= -500) & (image <= 400)  # configuration A resegments; its other steps leave intensities alone
    found = intensity_statistics(ValueCounts.of(image[mask]))
    for row in _reference("config_A"):
        (feature,) = (feature for feature in INTENSITY_FEATURES if feature.code == row["ibsi_id"])
        value = found[feature.column]
        assert value is not None
        assert abs(_three_digits(value) - Decimal(row["value"])) <= Decimal(row["tolerance"]), feature.name


def test_codes_and_columns_are_unique() -> None:
    assert len(INTENSITY_FEATURES) == 18
    assert len({feature.code for feature in INTENSITY_FEATURES}) == 18
    assert len({feature.column for feature in INTENSITY_FEATURES}) == 18
    assert INTENSITY_FEATURES[0].column == "Mean_Q4LE"


@given(values=VALUES)
def test_agrees_with_numpy(values: np.ndarray) -> None:
    found = intensity_statistics(ValueCounts.of(values))
    assert found["Mean_Q4LE"] == pytest.approx(values.mean(), rel=1e-9, abs=1e-9)
    assert found["Variance_ECT3"] == pytest.approx(values.var(), rel=1e-9, abs=1e-6)
    assert found["Percentile10_QG58"] == pytest.approx(np.percentile(values, 10))
    assert found["Percentile90_8DWT"] == pytest.approx(np.percentile(values, 90))
    assert found["Median_Y12H"] == np.median(values)
    low, high = np.percentile(values, [10, 90])
    inner = values[(values >= low) & (values <= high)]
    if inner.size:
        assert found["RobustMeanAbsoluteDeviation_1128"] == pytest.approx(np.abs(inner - inner.mean()).mean(), abs=1e-9)


@given(values=VALUES, seed=st.integers(0, 99), cut=st.integers(0, 60))
def test_order_and_parts_do_not_change_a_bit(values: np.ndarray, seed: int, cut: int) -> None:
    shuffled = np.random.default_rng(seed).permutation(values / 7)
    whole = intensity_statistics(ValueCounts.of(values / 7))
    parts = ValueCounts.merged([ValueCounts.of(shuffled[:cut]), ValueCounts.of(shuffled[cut:])])
    assert intensity_statistics(parts) == whole


@given(value=st.floats(-1e6, 1e6), number=st.integers(1, 9))
def test_one_value_has_no_spread(value: float, number: int) -> None:
    found = intensity_statistics(ValueCounts.of(np.full(number, value)))
    for column in ("Variance_ECT3", "Skewness_KE2A", "ExcessKurtosis_IPH6", "Range_2OJQ"):
        assert found[column] == pytest.approx(0, abs=1e-12)
    assert found["Mean_Q4LE"] == value
    assert all(number is None or math.isfinite(number) for number in found.values())


def test_what_divides_by_zero_is_undefined() -> None:
    found = intensity_statistics(ValueCounts.of(np.array([-1.0, 1.0])))
    assert found["CoefficientOfVariation_7TET"] is None
    assert found["QuartileCoefficientOfDispersion_9S40"] is None
    assert found["RobustMeanAbsoluteDeviation_1128"] is None


def test_no_voxels_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one voxel"):
        intensity_statistics(ValueCounts.of(np.array([])))
