"""Every rule on rows that it must pass and on a row that it must not."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from quality_checks.catalogue_of_checks import TABLES, all_rules, table_checks
from quality_checks.engine import Outcome, evaluate
from quality_checks.frames import MissingColumnsError, patient_frame, series_frame, study_frame
from quality_checks.model import Level
from quality_checks.suites import series_details
from quality_checks.suites.declare import TableCheck

CHECKS = {check.rule.id: check for level in TABLES for check in table_checks(level)}
CT, MR, PT, MG = 0, 1, 2, 3
"""Rows of the sound source by modality."""

SERIES_FAULTS: list[tuple[str, int, dict[str, Any]]] = [
    ("series_patient_id_present", CT, {"PatientID": " "}),
    ("series_study_uid_present", CT, {"StudyInstanceUID": None}),
    ("series_uid_present", CT, {"SeriesInstanceUID": None}),
    ("series_modality_present", CT, {"Modality": None}),
    ("series_body_part_present", MR, {"BodyPartExamined": ""}),
    ("series_manufacturer_present", MR, {"Manufacturer": None}),
    ("series_acquisition_date_present", PT, {"AcquisitionDate": None}),
    ("series_age_present", CT, {"AgeAtStudy": None, "PatientAge": None}),
    ("series_sex_present", CT, {"PatientSex": None}),
    ("series_model_present", CT, {"ManufacturerModelName": None}),
    ("series_age_plausible", CT, {"AgeAtStudy": None, "PatientAge": "965Y"}),
    ("series_age_plausible", CT, {"AgeAtStudy": 121.0}),
    ("series_age_plausible", CT, {"AgeAtStudy": -1.0}),
    ("series_age_fits_cancer", CT, {"AgeAtStudy": 0.0}),
    ("series_sex_valid", CT, {"PatientSex": "Unkown"}),
    ("series_modality_valid", CT, {"Modality": "Unknown"}),
    ("series_modality_registered", CT, {"Modality": "US"}),
    ("series_body_part_known", CT, {"BodyPartExamined": "COLOSCANNER EAU", "BodyPart": None, "BodyPartCode": None}),
    ("series_body_part_fits_cancer", CT, {"BodyPart": "Prostate", "BodyPartCode": "41216001"}),
    ("series_manufacturer_known", CT, {"Manufacturer": "somebody", "ManufacturerName": None}),
    ("series_has_instances", CT, {"NumberOfInstances": 0}),
    ("series_accounted_for", CT, {"Delivered": 12}),
    ("series_complete", CT, {"Quarantined": 1}),
    ("series_ct_thickness_present", CT, {"SliceThickness": None}),
    ("series_agrees_with_itself", CT, {"Varying": "Rows,PatientSex"}),
    ("series_matrix_plausible", CT, {"Rows": 8}),
    ("series_pixel_spacing_present", CT, {"PixelSpacingRow": None}),
    ("series_pixel_spacing_plausible", CT, {"PixelSpacingRow": 0.0}),
    ("series_pixel_spacing_plausible", MG, {"PixelSpacingColumn": 700.0}),
    ("series_pixels_square", CT, {"PixelSpacingRow": 2.0}),
    ("series_slice_thickness_plausible", CT, {"SliceThickness": 0.0}),
    ("series_spacing_fits_thickness", CT, {"SliceSpacing": 12.0}),
    ("series_slices_placed", CT, {"SliceSpacing": None}),
    ("series_ct_kvp_present", CT, {"KVP": None}),
    ("series_ct_kernel_present", CT, {"ConvolutionKernel": None}),
    ("series_mr_field_present", MR, {"MagneticFieldStrength": None}),
    ("series_mr_repetition_present", MR, {"RepetitionTime": None}),
    ("series_mr_echo_present", MR, {"EchoTime": None}),
    ("series_pt_units_present", PT, {"Units": None}),
    ("series_mg_view_present", MG, {"ViewPosition": None}),
    ("series_mg_laterality_present", MG, {"ImageLaterality": ""}),
    ("series_kvp_plausible", MG, {"KVP": 28000.0}),
    ("series_mr_field_plausible", MR, {"MagneticFieldStrength": 15000.0}),
    ("series_mr_times_plausible", MR, {"EchoTime": -1.0}),
    ("series_mr_times_plausible", MR, {"RepetitionTime": 4200000.0}),
    ("series_acquisition_date_plausible", CT, {"AcquisitionDate": "20190231"}),
    ("series_acquisition_date_plausible", CT, {"AcquisitionDate": "18980101"}),
    ("series_acquisition_date_plausible", CT, {"AcquisitionDate": "20990101"}),
    ("series_acquired_with_study", CT, {"AcquisitionDate": "20180101"}),
]
SERIES_HARMLESS: list[tuple[str, int, dict[str, Any]]] = [
    ("series_age_present", CT, {"AgeAtStudy": None, "PatientAge": "063Y"}),
    ("series_age_plausible", CT, {"AgeAtStudy": 120.0}),
    ("series_age_fits_cancer", CT, {"AgeAtStudy": None, "PatientAge": None}),
    ("series_sex_fits_cancer", CT, {"PatientSex": "Unkown"}),
    ("series_body_part_fits_cancer", CT, {"BodyPart": "Axilla"}),
    ("series_body_part_fits_cancer", CT, {"BodyPart": "Lung"}),
    ("series_body_part_fits_cancer", CT, {"BodyPart": "Cervical spine"}),
    ("series_body_part_fits_cancer", CT, {"BodyPart": None}),
    ("series_manufacturer_known", CT, {"Manufacturer": None, "ManufacturerName": None}),
    ("series_agrees_with_itself", CT, {"Varying": "Rows,EchoTime"}),
    ("series_spacing_fits_thickness", CT, {"SliceSpacing": None}),
    ("series_slices_placed", CT, {"SliceSpacing": None, "NumberOfInstances": 1}),
    ("series_acquisition_date_plausible", CT, {"AcquisitionDate": None}),
    ("series_acquired_with_study", CT, {"StudyDate": None}),
    ("series_number_unique_in_study", CT, {"SeriesNumber": None}),
]
STUDY_FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("study_one_patient", {"NumberOfPatientIDs": 2}),
    ("study_date_present", {"StudyDate": None}),
    ("study_date_plausible", {"StudyDate": "not a day"}),
    ("study_has_images", {"Modalities": "RTSTRUCT,SEG"}),
]
PATIENT_FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("patient_one_sex", {"Sexes": "F,M"}),
    ("patient_study_dates_ordered", {"FirstStudyDate": "20200101", "LastStudyDate": "20190101"}),
    ("patient_has_studies", {"NumberOfStudies": 0}),
]
REPEATED = {
    "series_uid_unique", "series_number_unique_in_study", "study_uid_unique", "study_unique_on_day",
    "patient_id_unique",
}  # fmt: skip
OWN_TESTS = {"series_sex_fits_cancer", "patient_age_fits_dates"}


def changed(table: pd.DataFrame, at: int, values: dict[str, Any]) -> pd.DataFrame:
    """A copy with some cells changed."""
    copy = table.astype("object")
    for column, value in values.items():
        copy.at[at, column] = value
    return copy


def run(check: TableCheck, frame: pd.DataFrame, entry: Any) -> Outcome:
    return evaluate(frame, [check], name="test", entry=entry)[check.rule.id]


def test_every_rule_on_a_table_has_a_failing_case() -> None:
    covered = {case[0] for case in SERIES_FAULTS} | {case[0] for case in (*STUDY_FAULTS, *PATIENT_FAULTS)}
    elsewhere = {check.rule.id for check in series_details.CHECKS}  # test_tabular_details.py
    assert covered | REPEATED | OWN_TESTS | elsewhere == set(CHECKS)


def test_rules_are_named_for_asset_checks_and_explained() -> None:
    assert len({rule.id for rule in all_rules()}) == len(all_rules())
    for rule in all_rules():
        assert rule.id.replace("_", "").isalnum() and rule.id == rule.id.lower()
        assert all((rule.title, rule.meaning, rule.remedy, rule.fault, rule.threshold_reason))
        assert rule.error_below is None or rule.warning_below is not None


@pytest.mark.parametrize(("rule_id", "at", "values"), SERIES_FAULTS)
def test_a_spoilt_series_fails_its_rule_alone(sound: Any, rule_id: str, at: int, values: dict[str, Any]) -> None:
    series = sound.tables().series
    before = run(CHECKS[rule_id], series_frame(series), sound.entry())
    spoilt = series_frame(changed(series, at, values))
    after = run(CHECKS[rule_id], spoilt, sound.entry())
    assert before.rows > 0
    assert before.failing == ()
    assert len(after.failing) == 1
    uid = spoilt["SeriesInstanceUID"].iloc[after.failing[0]]
    assert uid == values.get("SeriesInstanceUID", series["SeriesInstanceUID"].iloc[at])


@pytest.mark.parametrize(("rule_id", "at", "values"), SERIES_HARMLESS)
def test_what_is_no_fault_passes(sound: Any, rule_id: str, at: int, values: dict[str, Any]) -> None:
    frame = series_frame(changed(sound.tables().series, at, values))
    assert run(CHECKS[rule_id], frame, sound.entry()).failing == ()


@pytest.mark.parametrize(("rule_id", "values"), STUDY_FAULTS)
def test_a_spoilt_study_fails_its_rule(sound: Any, rule_id: str, values: dict[str, Any]) -> None:
    study = sound.tables().study
    assert run(CHECKS[rule_id], study_frame(study), sound.entry()).failing == ()
    assert len(run(CHECKS[rule_id], study_frame(changed(study, 1, values)), sound.entry()).failing) == 1


@pytest.mark.parametrize(("rule_id", "values"), PATIENT_FAULTS)
def test_a_spoilt_patient_fails_its_rule(sound: Any, rule_id: str, values: dict[str, Any]) -> None:
    tables = sound.tables()
    studies = study_frame(tables.study)
    assert run(CHECKS[rule_id], patient_frame(tables.patient, studies), sound.entry()).failing == ()
    spoilt = patient_frame(changed(tables.patient, 1, values), studies)
    assert len(run(CHECKS[rule_id], spoilt, sound.entry()).failing) == 1


@pytest.mark.parametrize("rule_id", sorted(REPEATED))
def test_a_repeated_row_fails_uniqueness(sound: Any, rule_id: str) -> None:
    tables = sound.tables()

    def frame(repeat: bool) -> pd.DataFrame:
        def table(rows: pd.DataFrame) -> pd.DataFrame:
            return pd.concat([rows, rows.iloc[[0]]], ignore_index=True) if repeat else rows

        level = CHECKS[rule_id].rule.level
        if level is Level.SERIES:
            return series_frame(table(tables.series))
        if level is Level.STUDY:
            return study_frame(table(tables.study))
        return patient_frame(table(tables.patient), study_frame(tables.study))

    assert run(CHECKS[rule_id], frame(False), sound.entry()).failing == ()
    assert len(run(CHECKS[rule_id], frame(True), sound.entry()).failing) == 2


def test_a_woman_in_a_prostate_collection_fails(sound: Any) -> None:
    frame = series_frame(changed(sound.tables(4).series, CT, {"PatientSex": "M"}))
    check = CHECKS["series_sex_fits_cancer"]
    assert len(run(check, frame, sound.entry(cancer_type="prostate")).failing) == 3
    assert run(check, frame, sound.entry()).failing == ()


def test_ages_must_fit_the_time_between_studies(sound: Any) -> None:
    tables = sound.tables()
    check = CHECKS["patient_age_fits_dates"]

    def outcome(age: float) -> Outcome:
        studies = study_frame(changed(tables.study, 1, {"AgeAtStudy": age}))
        return run(check, patient_frame(tables.patient, studies), sound.entry())

    assert outcome(64.0).failing == ()
    assert len(outcome(75.0).failing) == 1


def test_derived_objects_need_no_acquisition(sound: Any) -> None:
    tables = sound.tables()
    segmentation = sound.row(99, patient=0, study=0, modality="SEG")
    frame = series_frame(pd.concat([tables.series.astype("object"), pd.DataFrame([segmentation])], ignore_index=True))
    for rule_id in ("series_acquisition_date_present", "series_body_part_present", "series_modality_registered"):
        assert run(CHECKS[rule_id], frame, sound.entry()).failing == ()
    assert run(CHECKS["series_body_part_present"], frame, sound.entry()).rows == 20


def test_a_missing_column_is_named(sound: Any) -> None:
    with pytest.raises(MissingColumnsError, match="KVP"):
        series_frame(sound.tables().series.drop(columns="KVP"))


def test_spellings_of_one_sex_are_one_sex(sound: Any) -> None:
    tables = sound.tables()
    frame = patient_frame(changed(tables.patient, 0, {"Sexes": "F,WEIBLICH,U"}), study_frame(tables.study))
    assert run(CHECKS["patient_one_sex"], frame, sound.entry()).failing == ()
