"""The clinical table against the images: who is where, and whether days come in a possible order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd

from ingestion.catalogue.clinical import ClinicalRole, ClinicalTable
from ingestion.vocabulary.sex import normalise_sex
from quality_checks.crossing.clinical_days import disordered_visits, earlier, first_days
from quality_checks.crossing.rules import LinkOutcome
from quality_checks.model import Dimension, Level, Rule
from quality_checks.suites.declare import MINORITY_REASON, MINORITY_SHARE, rule
from quality_checks.suites.source import Tables
from quality_checks.tier import ClinicalSummary

NAMED_SHARE = 0.5
"""Of the delivered studies: a table that names fewer leaves most images without their event."""


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
NAMED = rule(
    "study_in_clinical_table",
    Dimension.COMPLETENESS,
    level=Level.STUDY,
    title="Delivered studies are named by the clinical table",
    meaning="Where the table names a patient's studies by accession number, one it leaves out has no event to go with.",
    fault="delivered, not named by the clinical table",
    remedy="Have the study added to the table, or check that it was meant to be delivered.",
    warning_below=NAMED_SHARE,
    reason="tables often name the studies of the main events alone; once half are left out, the link does not serve",
)
ORDERED = _clinical(
    "clinical_diagnosis_before_treatment",
    Dimension.CONSISTENCY,
    title="The diagnosis comes before the treatment",
    meaning="Response and survival are counted from these days.",
    fault="a treatment before the diagnosis",
    remedy="Have both days checked in the clinical record.",
)
FOLLOWED = _clinical(
    "clinical_follow_up_after_diagnosis",
    Dimension.CONSISTENCY,
    title="No follow-up comes before the diagnosis",
    meaning="Survival is counted from the diagnosis to the follow-up; a negative time is a wrong day.",
    fault="a follow-up before the diagnosis",
    remedy="Have both days checked in the clinical record.",
)
VISITS = _clinical(
    "clinical_visits_in_order",
    Dimension.CONSISTENCY,
    title="Visit numbers, relative days and dates of visits come in one order",
    meaning="A later visit with an earlier day is a wrong day, or the row of another visit.",
    fault="visits whose numbers, relative days and dates disagree in order",
    remedy="Have the visits' days and numbers checked in the clinical record.",
)
SAME_SEX = _clinical(
    "clinical_sex_agrees",
    Dimension.CONSISTENCY,
    title="Clinical table and images state one sex",
    meaning="Two values are a recording error, or the row of another patient.",
    fault="another sex than the images state",
    remedy="Have the row and the images compared at the source.",
)
RULES: tuple[Rule, ...] = (IMAGED, DESCRIBED, DELIVERED, NAMED, ORDERED, FOLLOWED, VISITS, SAME_SEX)


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
    yield _named(table, tables)
    diagnosed = first_days(table, ClinicalRole.DIAGNOSIS)
    yield _outcome(ORDERED, *earlier(diagnosed, first_days(table, ClinicalRole.TREATED)))
    yield _outcome(FOLLOWED, *earlier(diagnosed, first_days(table, ClinicalRole.FOLLOWED_UP)))
    yield _outcome(VISITS, *disordered_visits(table))
    yield _same_sex(table, tables)


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


def _same_sex(table: ClinicalTable, tables: Tables) -> LinkOutcome:
    """Every row counts: a patient may have several, and one that contradicts the images is enough."""
    said = {(patient, normalise_sex(value)) for patient, value in table.values(ClinicalRole.SEX)}
    shown = {
        patient: normalise_sex(sex)
        for patient, sex in tables.patient[["PatientID", "PatientSex"]].itertuples(index=False)
        if isinstance(sex, str)
    }
    pairs = [(patient, sex) for patient, sex in said if sex and shown.get(patient)]
    wrong = {patient for patient, sex in pairs if sex is not shown[patient]}
    return _outcome(SAME_SEX, len({patient for patient, _ in pairs}), wrong)


def _named(table: ClinicalTable, tables: Tables) -> LinkOutcome:
    """Of patients whose studies the table names; those that it leaves out altogether are told by another rule."""
    details: pd.DataFrame | None = getattr(tables, "details", None)
    if details is None or "AccessionNumber" not in details:
        return LinkOutcome(NAMED.id, rows=0)
    asked = table.values(ClinicalRole.ACCESSION)
    patients, numbers = {patient for patient, _ in asked}, {number for _, number in asked}
    keys = tables.series[["SeriesInstanceUID", "StudyInstanceUID", "PatientID"]]
    joined = keys.merge(details[["SeriesInstanceUID", "AccessionNumber"]], on="SeriesInstanceUID")
    joined = joined[joined["PatientID"].isin(patients) & joined["AccessionNumber"].notna()]
    judged = set(joined["StudyInstanceUID"])
    named = set(joined.loc[joined["AccessionNumber"].isin(numbers), "StudyInstanceUID"])
    return _outcome(NAMED, len(judged), judged - named)


def _outcome(one: Rule, rows: int, failing: Iterable[str]) -> LinkOutcome:
    return LinkOutcome(one.id, rows, tuple((patient, None) for patient in sorted(failing)))
