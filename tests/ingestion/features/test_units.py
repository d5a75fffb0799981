from __future__ import annotations

import csv
import json
import math
import os
from pathlib import Path

import pytest
from pydicom.dataset import Dataset

from ingestion.features.suv import SuvRefusal
from ingestion.features.units import BQML, SUVBW, Unit, common_unit, series_unit, unit_facts, unit_of

REFERENCE = Path(os.environ.get("CIE_SHARED", Path(__file__).parents[4] / "shared")) / "ibsi" / "suv_reference"
CASES = (
    "SIEMENS", "PHILIPS_BQML", "GE_MEDICAL_AND_BQML", "RADIOPHARM_DATETIME_UNDEFINED",
    "BQML_AC_DT_lessThan_S_DT_SIEMENS", "PHILIPS_CNTS_AND_SUV", "PHILIPS_CNTS_AND_BQML_SUV",
    "CPS_AND_BQML_AC_DT_-_S_DT",
)  # fmt: skip


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


PRIVATE = ("SUVScaleFactor", "ActivityConcentrationScaleFactor")


def _philips(dataset: Dataset, suv: str | None, activity: str | None) -> None:
    block = dataset.private_block(0x7053, "Philips PET Private Group", create=True)
    for offset, value in ((0x00, suv), (0x09, activity)):
        if value is not None:
            block.add_new(offset, "DS", value)


def _instances(case: str) -> list[Dataset]:
    rows = json.loads((REFERENCE / "test" / "metadata" / f"{case}-instances.json").read_text())
    datasets = []
    for row in rows:
        dataset, injection = Dataset(), Dataset()
        for keyword, value in row.items():
            if not keyword.startswith("Philips"):
                setattr(injection if keyword.startswith("Radio") else dataset, keyword, value)
        _philips(dataset, *(row["PhilipsPETPrivateGroup"].get(name) for name in PRIVATE))
        dataset.Modality, dataset.RadiopharmaceuticalInformationSequence = "PT", [injection]
        datasets.append(dataset)
    return datasets


@pytest.mark.skipif(not REFERENCE.is_dir(), reason="the SUV reference data is not here (CIE_SHARED)")
@pytest.mark.parametrize("case", CASES)
def test_vendor_series_are_right(case: str) -> None:
    with (REFERENCE / "suv_reference_factors.csv").open(newline="") as lines:
        expected = {row["case"]: float(row["suvbw_factor"]) for row in csv.DictReader(lines)}
    unit = series_unit(unit_facts(dataset) for dataset in _instances(case))
    assert unit is not None
    assert unit.name == SUVBW
    assert unit.factor == pytest.approx(expected[case], rel=1e-8)


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
        ({"SeriesTime": "110000", "Manufacturer": "GE MEDICAL SYSTEMS"}, SuvRefusal.SERIES_AFTER_ACQUISITION),
        ({"SeriesTime": "110000", "NumberOfSlices": 35}, SuvRefusal.SERIES_INCOMPLETE),
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


SECOND = 75_000 / 300e6


def test_a_series_made_again_later_is_referred_to_its_scan() -> None:
    """From the frames' reference times, whichever beds are there; the first acquisition only when nothing else is."""
    later = {"SeriesTime": "140000", "FrameReferenceTime": 120_000, "ActualFrameDuration": 180_000}
    later["Manufacturer"] = "SIEMENS"
    beds = [_pet(**later), _pet(**later | {"AcquisitionTime": "100430.5", "FrameReferenceTime": 300_000})]
    decay = math.log(2) / 6586.2
    average = math.log(decay * 180 / (1 - math.exp(-decay * 180))) / decay
    scan = 3600 + 90.5 - 120 + average
    expected = SECOND * 2 ** (scan / 6586.2)
    for chosen in (beds, beds[1:]):
        unit = series_unit(unit_facts(dataset) for dataset in chosen)
        assert unit is not None
        assert unit.factor == pytest.approx(expected, rel=1e-7)
    for dataset in beds:
        dataset.Manufacturer = "Philips"  # whose reference times mean another thing
    unit = series_unit(unit_facts(dataset) for dataset in beds)
    assert unit == Unit(BQML, suv_refusal=SuvRefusal.TIMES_CONFLICT, activity=True)
    beds[1].FrameReferenceTime = 400_000
    unit = series_unit(unit_facts(dataset) for dataset in beds)
    assert unit == Unit(BQML, suv_refusal=SuvRefusal.VARIES, activity=True)
    bare = [_pet(SeriesTime="140000", NumberOfSlices=2), _pet(SeriesTime="140000", AcquisitionTime="100430")]
    unit = series_unit(unit_facts(dataset) for dataset in bare)
    assert unit is not None
    assert unit.factor == pytest.approx(SECOND * 2 ** (3690.5 / 6586.2), rel=1e-9)


def test_ge_keeps_the_scan_time_of_a_series_made_again() -> None:
    dataset = _pet(SeriesTime="140000", Manufacturer="GE MEDICAL SYSTEMS")
    block = dataset.private_block(0x0009, "GEMS_PETD_01", create=True)
    block.add_new(0x0D, "DT", "20200102100000.00")
    assert unit_of(dataset).factor == pytest.approx(SECOND * 2 ** (3600 / 6586.2), rel=1e-9)
    block[0x0D].value = "20200102110000.00"
    assert unit_of(dataset).suv_refusal is SuvRefusal.TIMES_CONFLICT


def test_counts_by_the_private_factors() -> None:
    dataset = _pet(Units="CNTS")
    _philips(dataset, None, "1.5")
    assert unit_of(dataset).factor == pytest.approx(1.5 * SECOND * 2 ** (3600 / 6586.2), rel=1e-9)
    dataset.PatientWeight = None
    assert unit_of(dataset) == Unit("CNTS", suv_refusal=SuvRefusal.WEIGHT_UNKNOWN)
    _philips(dataset, "0.0005", None)
    assert unit_of(dataset) == Unit(SUVBW, factor=0.0005)
    dataset.CorrectedImage = ["DECY"]
    assert unit_of(dataset) == Unit("CNTS", suv_refusal=SuvRefusal.NOT_CORRECTED)
