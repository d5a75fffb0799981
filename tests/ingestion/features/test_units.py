from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from ingestion.features.units import BQML, SUVBW, SuvRefusal, Unit, common_unit, unit_of

REFERENCE = Path(os.environ.get("CIE_SHARED", Path(__file__).parents[4] / "shared")) / "ibsi" / "suv_reference"
RIGHT = {
    "SIEMENS", "PHILIPS_BQML", "GE_MEDICAL_AND_BQML", "RADIOPHARM_DATETIME_UNDEFINED",
    "BQML_AC_DT_lessThan_S_DT_SIEMENS",
}  # fmt: skip
REFUSED = {
    "PHILIPS_CNTS_AND_SUV": SuvRefusal.UNITS_NOT_BQML,
    "PHILIPS_CNTS_AND_BQML_SUV": SuvRefusal.UNITS_NOT_BQML,
    "CPS_AND_BQML_AC_DT_-_S_DT": SuvRefusal.SERIES_AFTER_ACQUISITION,
}


def _pet(**changes: object) -> Dataset:
    injection = Dataset()
    injection.RadionuclideTotalDose, injection.RadionuclideHalfLife = 300e6, 6586.2
    injection.RadiopharmaceuticalStartTime = "090000"
    dataset = Dataset()
    dataset.Modality, dataset.Units, dataset.DecayCorrection = "PT", "BQML", "START"
    dataset.CorrectedImage, dataset.PatientWeight = ["DECY", "ATTN", "SCAT"], 75
    dataset.SeriesDate = dataset.AcquisitionDate = "20200102"
    dataset.SeriesTime, dataset.AcquisitionTime = "100000", "100130.500000"
    dataset.RadiopharmaceuticalInformationSequence = [injection]
    for keyword, value in changes.items():
        holder = injection if keyword.startswith("Radio") and not keyword.endswith("Sequence") else dataset
        setattr(holder, keyword, value)
    return dataset


def _instances(case: str) -> list[Dataset]:
    rows = json.loads((REFERENCE / "test" / "metadata" / f"{case}-instances.json").read_text())
    datasets = []
    for row in rows:
        dataset, injection = Dataset(), Dataset()
        for keyword, value in row.items():
            if not keyword.startswith("Philips"):
                setattr(injection if keyword.startswith("Radio") else dataset, keyword, value)
        dataset.Modality, dataset.RadiopharmaceuticalInformationSequence = "PT", [injection]
        datasets.append(dataset)
    return datasets


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the SUV reference data is not here (CIE_SHARED)")
@pytest.mark.parametrize("case", sorted(RIGHT | set(REFUSED)))
def test_vendor_series_are_right_or_refused(case: str) -> None:
    with (REFERENCE / "suv_reference_factors.csv").open(newline="") as lines:
        expected = {row["case"]: float(row["suvbw_factor"]) for row in csv.DictReader(lines)}
    for dataset in _instances(case):
        unit = unit_of(dataset)
        if case in RIGHT:
            assert unit.name == SUVBW
            assert unit.factor == pytest.approx(expected[case], rel=1e-8)
        else:
            assert unit.name != SUVBW
            assert unit.suv_refusal is REFUSED[case]


def test_decay_is_from_injection_to_series_time() -> None:
    assert unit_of(_pet()).factor == pytest.approx(75_000 / (300e6 * 0.5 ** (3600 / 6586.2)), rel=1e-12)
    assert unit_of(_pet(DecayCorrection="ADMIN")).factor == pytest.approx(75_000 / 300e6, rel=1e-12)


def test_injection_before_midnight_needs_its_date() -> None:
    late = {"RadiopharmaceuticalStartTime": "233000", "SeriesTime": "003000", "AcquisitionTime": "003000"}
    assert unit_of(_pet(**late)).suv_refusal is SuvRefusal.TIMES_CONFLICT
    dated = unit_of(_pet(**late, RadiopharmaceuticalStartDateTime="20200101233000"))
    assert dated.factor == pytest.approx(75_000 / (300e6 * 0.5 ** (3600 / 6586.2)), rel=1e-12)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Units": "CNTS"}, SuvRefusal.UNITS_NOT_BQML),
        ({"CorrectedImage": ["ATTN"]}, SuvRefusal.NOT_CORRECTED),
        ({"CorrectedImage": None}, SuvRefusal.NOT_CORRECTED),
        ({"DecayCorrection": "NONE"}, SuvRefusal.DECAY_CORRECTION_UNKNOWN),
        ({"PatientWeight": None}, SuvRefusal.WEIGHT_UNKNOWN),
        ({"PatientWeight": 0}, SuvRefusal.WEIGHT_UNKNOWN),
        ({"PatientWeight": 75_000}, SuvRefusal.WEIGHT_UNKNOWN),
        ({"RadionuclideTotalDose": 300}, SuvRefusal.DOSE_UNKNOWN),
        ({"RadiopharmaceuticalInformationSequence": []}, SuvRefusal.DOSE_UNKNOWN),
        ({"RadiopharmaceuticalInformationSequence": [Dataset(), Dataset()]}, SuvRefusal.SEVERAL_INJECTIONS),
        ({"RadionuclideHalfLife": 0}, SuvRefusal.HALF_LIFE_UNKNOWN),
        ({"RadiopharmaceuticalStartTime": ""}, SuvRefusal.INJECTION_TIME_UNKNOWN),
        ({"RadiopharmaceuticalStartDateTime": "20200102090000+0100"}, SuvRefusal.INJECTION_TIME_UNKNOWN),
        ({"RadiopharmaceuticalStartDateTime": "20200102080000"}, SuvRefusal.TIMES_CONFLICT),
        ({"RadiopharmaceuticalStartDateTime": "20190102090000"}, SuvRefusal.TIMES_CONFLICT),
        ({"SeriesTime": ""}, SuvRefusal.SCAN_TIME_UNKNOWN),
        ({"SeriesTime": "110000"}, SuvRefusal.SERIES_AFTER_ACQUISITION),
    ],
)
def test_suv_is_refused_by_name(changes: dict[str, object], reason: SuvRefusal) -> None:
    unit = unit_of(_pet(**changes))
    assert unit.suv_refusal is reason
    assert unit.factor == 1.0
    assert unit.name != SUVBW


def test_suv_stored_by_the_scanner() -> None:
    assert unit_of(_pet(Units="GML")) == Unit(SUVBW)
    assert unit_of(_pet(Units="GML", SUVType="LBM")).suv_refusal is SuvRefusal.SUV_TYPE_NOT_BODY_WEIGHT


@pytest.mark.parametrize(
    ("modality", "rescale_type", "image_type", "name"),
    [
        ("CT", None, ["ORIGINAL", "PRIMARY", "AXIAL"], "HU"),
        ("CT", "HU", ["ORIGINAL", "PRIMARY", "AXIAL"], "HU"),
        ("CT", "HU", ["ORIGINAL", "PRIMARY", "LOCALIZER"], "arbitrary"),
        ("CT", "Z_EFF", ["DERIVED", "PRIMARY"], "Z_EFF"),
        ("CT", "US", "DERIVED", "arbitrary"),
        ("MR", None, None, "arbitrary"),
        ("MR", "US", None, "arbitrary"),
    ],
)
def test_units_of_other_modalities(modality: str, rescale_type: str | None, image_type: object, name: str) -> None:
    dataset = Dataset()
    dataset.Modality, dataset.RescaleType, dataset.ImageType = modality, rescale_type, image_type
    assert unit_of(dataset) == Unit(name)


def test_one_slice_without_suv_takes_it_from_the_series() -> None:
    one, two = (Unit(SUVBW, factor=factor, activity=True) for factor in (2e-4, 3e-4))
    refused = Unit(BQML, suv_refusal=SuvRefusal.WEIGHT_UNKNOWN, activity=True)
    assert common_unit({one}) == one
    assert common_unit({one, refused}) == refused
    assert common_unit({one, two}) == Unit(BQML, suv_refusal=SuvRefusal.VARIES, activity=True)
    assert common_unit({Unit("HU"), Unit("arbitrary")}) is None
    # Stored SUVs are not Bq/ml: they cannot be put together with Bq/ml.
    assert common_unit({Unit(SUVBW), refused}) is None
