"""Defects of times and acquisition parameters, put into the details of a sound source's series."""

from __future__ import annotations

from typing import Any

import pandas as pd

from ingestion.catalogue.details import COLUMNS
from ingestion.sources.registry import SourceEntry
from quality_checks.engine import evaluate
from quality_checks.frames import series_frame
from quality_checks.suites.series_details import CHECKS

BEGUN = 1_560_000_000.0
CT, MR, PT, MG = 0, 1, 2, 3
"""Rows of the sound source by modality."""
DEFECTS: list[tuple[str, int, dict[str, Any], str]] = [
    ("acquired before its study", CT, {"AcquisitionSeconds": BEGUN - 7200}, "series_acquired_after_study_began"),
    ("acquired two days later", CT, {"AcquisitionSeconds": BEGUN + 172_800, "ContentSeconds": BEGUN + 172_860},
     "series_acquired_after_study_began"),
    ("made before it was acquired", MR, {"ContentSeconds": BEGUN - 7200}, "series_content_after_acquisition"),
    ("series before its study", MR, {"SeriesSeconds": BEGUN - 7200}, "series_after_study_began"),
    ("no acquisition time", MR, {"AcquisitionSeconds": None}, "series_times_stated"),
    ("no exposure", CT, {"Exposure": None, "XRayTubeCurrent": None}, "series_ct_exposure_present"),
    ("no flip angle", MR, {"FlipAngle": None}, "series_mr_flip_angle_present"),
    ("diffusion without b-value", MR, {"SeriesDescription": "ep2d_diff_b0_800", "DiffusionBValue": None},
     "series_mr_diffusion_weighting_present"),
    ("no dose", PT, {"RadionuclideTotalDose": None}, "series_pt_dose_present"),
    ("dose in megabecquerel", PT, {"RadionuclideTotalDose": 350.0}, "series_pt_dose_plausible"),
    ("no half-life", PT, {"RadionuclideHalfLife": None}, "series_pt_half_life_present"),
    ("no injection time", PT, {"RadiopharmaceuticalStartTime": None}, "series_pt_injection_time_present"),
    ("no decay correction", PT, {"DecayCorrection": None}, "series_pt_decay_correction_present"),
    ("no weight", PT, {"PatientWeight": None}, "series_pt_weight_present"),
    ("weight of nothing", CT, {"PatientWeight": 0.0}, "series_weight_plausible"),
    ("no breast thickness", MG, {"BodyPartThickness": None}, "series_mg_thickness_present"),
]  # fmt: skip
"""What is put in, where, and the rule that must find it, and no other of these rules."""
HARMLESS: list[tuple[str, int, dict[str, Any]]] = [
    ("tube current instead of exposure", CT, {"Exposure": None, "XRayTubeCurrent": 200.0}),
    ("a clock some minutes behind", CT, {"AcquisitionSeconds": BEGUN - 600}),
    ("a diffusion map", MR, {"SeriesDescription": "ep2d_diff_ADC", "DiffusionBValue": None}),
    ("the word difficult", MR, {"SeriesDescription": "difficult patient", "DiffusionBValue": None}),
    ("no study time", MR, {"StudySeconds": None}),
    ("a weight not known", CT, {"PatientWeight": None}),
]


def sound_details(series: pd.DataFrame) -> pd.DataFrame:
    """Details in which nothing is wrong."""
    rows = []
    for uid in series["SeriesInstanceUID"]:
        row: dict[str, Any] = dict.fromkeys(COLUMNS)
        row |= {
            "SeriesInstanceUID": uid, "StudySeconds": BEGUN, "SeriesSeconds": BEGUN + 60,
            "AcquisitionSeconds": BEGUN + 120, "ContentSeconds": BEGUN + 180, "Exposure": 120.0, "FlipAngle": 90.0,
            "PatientWeight": 70.0, "RadionuclideTotalDose": 3.5e8, "RadionuclideHalfLife": 6586.2,
            "RadiopharmaceuticalStartTime": "101500", "DecayCorrection": "START", "BodyPartThickness": 52.0,
            "SeriesDescription": "axial", "ImageType": "ORIGINAL\\PRIMARY",
        }  # fmt: skip
        rows.append(row)
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)


def spoilt(details: pd.DataFrame, at: int, values: dict[str, Any]) -> pd.DataFrame:
    copy = details.copy()
    for column, value in values.items():
        copy.at[at, column] = value
    return copy


def matrix(tables: Any, entry: SourceEntry) -> list[tuple[str, set[str], set[str]]]:
    """Of each defect: its name, the rule that must find it, those that did."""
    details = sound_details(tables.series)
    found = []
    for name, at, values, expected in DEFECTS:
        frame = series_frame(tables.series, spoilt(details, at, values))
        outcomes = evaluate(frame, CHECKS, name="series", entry=entry)
        found.append((name, {expected}, {rule_id for rule_id, outcome in outcomes.items() if outcome.failing}))
    return found
