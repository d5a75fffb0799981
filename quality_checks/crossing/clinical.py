"""The clinical table against the images: who is where, and whether days come in a possible order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd

from ingestion.catalogue.clinical import ClinicalRole, ClinicalTable
from ingestion.vocabulary.age import parse_date
from ingestion.vocabulary.sex import normalise_sex
from quality_checks.crossing.rules import LinkOutcome
from quality_checks.model import Dimension, Level, Rule
from quality_checks.suites.declare import MINORITY_REASON, MINORITY_SHARE, rule
from quality_checks.suites.source import Tables
from quality_checks.tier import ClinicalSummary


def _clinical(rule_id: str, dimension: Dimension, *, level: Level = Level.PATIENT, **said: str) -> Rule:
    return rule(
        rule_id, dimension, level=level, title=said["title"], meaning=said["meaning"], fault=said["fault"],
        remedy=said["remedy"], error_below=MINORITY_SHARE, reason=MINORITY_REASON,
    )  # fmt: skip


IMAGED = _clinical(
    "clinical_patient_has_images",
    Dimension.COMPLETENESS,
    title="Patients of the clinical table have images",
    meaning="A patient named there and not delivered is missing from every cohort.",
    fault="named by the clinical table, without an image",
    remedy="Have the images delivered, look for them in the quarantine, or take the patient out of the table.",
)
DESCRIBED = _clinical(
    "patient_in_clinical_table",
    Dimension.COMPLETENESS,
    title="Patients with images are in the clinical table",
    meaning="Images without sex, age and diagnosis serve few studies.",
    fault="not in the clinical table",
    remedy="Have the patient's row added, or compare the issuer of the PatientID with the table's map.",
)
DELIVERED = _clinical(
    "clinical_study_delivered",
    Dimension.COMPLETENESS,
    title="Patients whose studies the clinical table names have all of them",
    meaning="A study named by its accession number and not delivered is a gap in the follow-up.",
    fault="studies named by the clinical table that were not delivered",
    remedy="Have the studies delivered, or look for them in the quarantine.",
)
ORDERED = _clinical(
    "clinical_diagnosis_before_treatment",
    Dimension.CONSISTENCY,
    title="The diagnosis comes before the treatment",
    meaning="Response and survival are counted from these days.",
    fault="a treatment before the diagnosis",
    remedy="Have both days checked in the clinical record.",
)
SAME_SEX = _clinical(
    "clinical_sex_agrees",
    Dimension.CONSISTENCY,
    title="Clinical table and images state one sex",
    meaning="Two values are a recording error, or the row of another patient.",
    fault="another sex than the images state",
    remedy="Have the row and the images compared at the source.",
)
RULES: tuple[Rule, ...] = (IMAGED, DESCRIBED, DELIVERED, ORDERED, SAME_SEX)


def clinical_outcomes(table: ClinicalTable | None, tables: Tables) -> Iterator[LinkOutcome]:
    """The outcome of every rule; nothing judged without a table."""
    if table is None or tables.series.empty:
        yield from (LinkOutcome(one.id, rows=0) for one in RULES)
        return
    imaged = set(tables.patient["PatientID"])
    named = {row[ClinicalRole.PATIENT] for row in table.rows}
    yield _outcome(IMAGED, len(named), named - imaged)
    yield _outcome(DESCRIBED, len(imaged), imaged - named)
    yield _delivered(table, tables)
    days: dict[str, dict[ClinicalRole, int]] = {}
    for role in (ClinicalRole.DIAGNOSIS, ClinicalRole.TREATED):
        for patient, value in table.values(role):
            day = _day(value)
            if day is not None:
                known = days.setdefault(patient, {})
                known[role] = min(day, known.get(role, day))
    both = {patient: found for patient, found in days.items() if len(found) == 2}
    wrong = {patient for patient, found in both.items() if found[ClinicalRole.TREATED] < found[ClinicalRole.DIAGNOSIS]}
    yield _outcome(ORDERED, len(both), wrong)
    said = {patient: normalise_sex(value) for patient, value in table.values(ClinicalRole.SEX)}
    shown = {
        patient: normalise_sex(sex)
        for patient, sex in tables.patient[["PatientID", "PatientSex"]].itertuples(index=False)
        if isinstance(sex, str)
    }
    pairs = {patient for patient in said.keys() & shown.keys() if said[patient] and shown[patient]}
    yield _outcome(SAME_SEX, len(pairs), {patient for patient in pairs if said[patient] is not shown[patient]})


def summary_of(table: ClinicalTable | None, tables: Tables) -> ClinicalSummary | None:
    """What the tier asks of a clinical table."""
    if table is None:
        return None
    named = {row[ClinicalRole.PATIENT] for row in table.rows}
    imaged = set(tables.patient["PatientID"]) if len(tables.patient) else set()
    rows = max(1, len(table.rows))
    shares = {role.value: len(table.values(role)) / rows for role in ClinicalRole}
    return ClinicalSummary(patients=len(named), imaged=len(named & imaged), columns=shares)


def _delivered(table: ClinicalTable, tables: Tables) -> LinkOutcome:
    details: pd.DataFrame | None = getattr(tables, "details", None)
    if details is None or "AccessionNumber" not in details:
        return LinkOutcome(DELIVERED.id, rows=0)
    there = set(details["AccessionNumber"].dropna())
    asked = table.values(ClinicalRole.ACCESSION)
    missing = {patient for patient, number in asked if number not in there}
    return _outcome(DELIVERED, len({patient for patient, _ in asked}), missing)


def _day(value: str) -> int | None:
    """A date, or days from a baseline, as a number of days."""
    day = parse_date(value)
    if day is not None:
        return day.toordinal()
    try:
        return int(value)
    except ValueError:
        return None


def _outcome(one: Rule, rows: int, failing: Iterable[str]) -> LinkOutcome:
    return LinkOutcome(one.id, rows, tuple((patient, None) for patient in sorted(failing)))
