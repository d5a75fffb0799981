"""Patient rules."""

from __future__ import annotations

from quality_checks.model import Dimension, Level
from quality_checks.suites.declare import (
    ALWAYS_REASON,
    MINORITY_REASON,
    MINORITY_SHARE,
    Expectation,
    TableCheck,
    between,
    rule,
)

AGE_DRIFT_YEARS = 1.5
"""Patient's Age is cut to whole years, so two studies' ages may differ from the time between them by up to one."""

CHECKS: tuple[TableCheck, ...] = (
    TableCheck(
        rule=rule(
            "patient_id_unique",
            Dimension.UNIQUENESS,
            level=Level.PATIENT,
            title="PatientID is unique",
            meaning="Individuals are counted by it; their number is published.",
            fault="a PatientID that another row has too",
            remedy="Report it: the tables were built wrongly.",
            error_below=1.0,
            reason=ALWAYS_REASON,
        ),
        column="PatientID",
        expectation=Expectation.UNIQUE,
    ),
    TableCheck(
        rule=rule(
            "patient_one_sex",
            Dimension.CONSISTENCY,
            level=Level.PATIENT,
            title="All series of a patient state one sex",
            meaning="Two values under one PatientID are a recording error or two people.",
            fault="more than one PatientSex",
            remedy="Have the data holder say which is right, or whether two people share the PatientID.",
            error_below=MINORITY_SHARE,
            reason=MINORITY_REASON,
        ),
        column="NumberOfSexes",
        expectation=Expectation.BETWEEN,
        arguments=between(None, 1),
    ),
    TableCheck(
        rule=rule(
            "patient_study_dates_ordered",
            Dimension.CONSISTENCY,
            level=Level.PATIENT,
            title="The first study is not after the last",
            meaning="Follow-up is counted between them.",
            fault="a first study after the last",
            remedy="Report it: the tables were built wrongly.",
            error_below=1.0,
            reason=ALWAYS_REASON,
        ),
        column="FollowUpDays",
        expectation=Expectation.BETWEEN,
        arguments=between(0, None),
    ),
    TableCheck(
        rule=rule(
            "patient_age_fits_dates",
            Dimension.ACCURACY,
            level=Level.PATIENT,
            title="Ages at the studies fit the time between them",
            meaning="A patient who ages by ten years in one is two patients, or a date or an age is wrong.",
            fault="ages at the studies that do not fit the time between them",
            remedy="Have ages and study dates of these patients compared with the archive.",
            error_below=MINORITY_SHARE,
            reason=MINORITY_REASON,
        ),
        column="AgeDriftYears",
        expectation=Expectation.BETWEEN,
        arguments=between(None, AGE_DRIFT_YEARS),
    ),
    TableCheck(
        rule=rule(
            "patient_has_studies",
            Dimension.INTEGRITY,
            level=Level.PATIENT,
            title="A patient has studies",
            meaning="An individual without a study would be counted and have nothing to show.",
            fault="no study",
            remedy="Report it: the tables were built wrongly.",
            error_below=1.0,
            reason=ALWAYS_REASON,
        ),
        column="NumberOfStudies",
        expectation=Expectation.BETWEEN,
        arguments=between(1, None),
    ),
)
