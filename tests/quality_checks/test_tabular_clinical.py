"""The clinical table against the images: each defect found by its own rule; what may not be registered is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ingestion.catalogue.clinical import (
    ClinicalRegistrationError,
    ClinicalRole,
    ClinicalTable,
    read_clinical,
    register_clinical,
)
from ingestion.cli import build_app
from ingestion.storage.folder import FolderStore
from quality_checks.crossing.clinical import RULES, clinical_outcomes, summary_of
from tests.quality_checks.defects.tabular_details import sound_details

ROLES = {role: role.value for role in ClinicalRole}


def rows_of(tables: Any) -> list[dict[ClinicalRole, str]]:
    return [
        {
            ClinicalRole.PATIENT: patient, ClinicalRole.ACCESSION: f"A{at}", ClinicalRole.SEX: "female",
            ClinicalRole.AGE_AT_DIAGNOSIS: "63", ClinicalRole.DIAGNOSIS: "2019-01-02", ClinicalRole.PATHOLOGY: "x",
            ClinicalRole.TREATMENT: "x", ClinicalRole.TREATED: "2019-02-02",
        }
        for at, patient in enumerate(tables.patient["PatientID"])
    ]  # fmt: skip


class Bundle:
    """Tables with details, in which each patient has the accession number that the table names."""

    def __init__(self, tables: Any) -> None:
        self.patient, self.study, self.series = tables.patient, tables.study, tables.series
        self.details = sound_details(tables.series)
        order = {patient: f"A{at}" for at, patient in enumerate(tables.patient["PatientID"])}
        self.details["AccessionNumber"] = [order[patient] for patient in tables.series["PatientID"]]


def fired(sound: Any, spoil: Any = None) -> set[str]:
    tables = Bundle(sound.tables())
    rows = rows_of(tables)
    if spoil is not None:
        spoil(rows)
    found = list(clinical_outcomes(ClinicalTable("S", tuple(rows), "d"), tables))
    assert all(one.rows for one in found)
    return {one.rule_id for one in found if one.failing}


DEFECTS = {
    "clinical_patient_has_images": lambda rows: rows.append({ClinicalRole.PATIENT: "stranger"}),
    "patient_in_clinical_table": lambda rows: rows.pop(),
    "clinical_study_delivered": lambda rows: rows[0].update({ClinicalRole.ACCESSION: "elsewhere"}),
    "clinical_diagnosis_before_treatment": lambda rows: rows[0].update({ClinicalRole.TREATED: "2018-12-31"}),
    "clinical_sex_agrees": lambda rows: rows[0].update({ClinicalRole.SEX: "M"}),
}


@pytest.mark.parametrize("rule_id", DEFECTS)
def test_each_defect_is_found_by_its_own_rule_alone(sound: Any, rule_id: str) -> None:
    assert fired(sound, DEFECTS[rule_id]) == {rule_id}


def test_a_sound_table_is_silent_and_none_is_not_judged(sound: Any) -> None:
    assert not fired(sound)
    assert {rule.id for rule in RULES} == set(DEFECTS)
    assert all(one.rows == 0 for one in clinical_outcomes(None, sound.tables()))
    assert summary_of(None, sound.tables()) is None


def test_relative_days_are_days_too(sound: Any) -> None:
    def spoil(rows: list[dict[ClinicalRole, str]]) -> None:
        rows[0].update({ClinicalRole.DIAGNOSIS: "0", ClinicalRole.TREATED: "-3"})

    assert fired(sound, spoil) == {"clinical_diagnosis_before_treatment"}


def test_a_table_is_registered_and_read_back(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    body = b"patient,sex\nS-1-AAA,F\nS-1-BBB,\n"
    roles = {ClinicalRole.PATIENT: "patient", ClinicalRole.SEX: "sex"}
    assert read_clinical(store, "S-1") is None
    assert register_clinical(store, "S-1", body, roles) == register_clinical(store, "S-1", body, roles) == 1
    found = read_clinical(store, "S-1")
    assert found is not None
    assert found.values(ClinicalRole.SEX) == [("S-1-AAA", "F")]


@pytest.mark.parametrize(
    ("body", "roles"),
    [
        (b"patient,sex\n4711,F\n", {ClinicalRole.PATIENT: "patient"}),
        (b"patient,sex\nS-1-AAA,F\n", {ClinicalRole.PATIENT: "nobody"}),
        (b"patient,sex\nS-1-AAA,F\n", {ClinicalRole.SEX: "sex"}),
        (b"patient\n\xff\xfe\n", {ClinicalRole.PATIENT: "patient"}),
    ],
)
def test_raw_or_wrong_tables_are_refused_and_quote_no_value(
    tmp_path: Path, body: bytes, roles: dict[ClinicalRole, str]
) -> None:
    with pytest.raises(ClinicalRegistrationError) as refused:
        register_clinical(FolderStore(tmp_path), "S-1", body, roles)
    assert "4711" not in str(refused.value)
    assert not list(FolderStore(tmp_path).list())


def test_the_command_is_reached_through_cie() -> None:
    """``cie`` calls a module's own ``register``: a command's function must not be named so."""
    found = CliRunner().invoke(build_app("clinical"), ["clinical", "register", "--help"])
    assert found.exit_code == 0
    assert "Example" in found.stdout
