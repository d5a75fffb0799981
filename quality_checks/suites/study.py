"""Study rules."""

from __future__ import annotations

from quality_checks.model import Dimension, Level
from quality_checks.suites.declare import (
    ALWAYS_REASON,
    INFO_REASON,
    MINORITY_REASON,
    MINORITY_SHARE,
    USABLE_REASON,
    USABLE_SHARE,
    Expectation,
    TableCheck,
    between,
    rule,
)
from quality_checks.suites.series_images import plausible_dates

CHECKS: tuple[TableCheck, ...] = (
    TableCheck(
        rule=rule(
            "study_uid_unique",
            Dimension.UNIQUENESS,
            level=Level.STUDY,
            title="StudyInstanceUID is unique",
            meaning="Studies are counted by it; the number of studies is published.",
            fault="a StudyInstanceUID that another row has too",
            remedy="Report it: the tables were built wrongly.",
            error_below=1.0,
            reason=ALWAYS_REASON,
        ),
        column="StudyInstanceUID",
        expectation=Expectation.UNIQUE,
    ),
    TableCheck(
        rule=rule(
            "study_one_patient",
            Dimension.CONSISTENCY,
            level=Level.STUDY,
            title="A study is of one patient",
            meaning="A study under two PatientIDs mixes two people, or is one person under two names.",
            fault="more than one PatientID",
            remedy="Have the data holder say whose study it is, and correct it at the source.",
            error_below=MINORITY_SHARE,
            reason="a mixed study is left out by itself; when over 70 % are mixed, the source as a whole is wrong",
            version="2",
            excludes=True,
        ),
        column="NumberOfPatientIDs",
        expectation=Expectation.BETWEEN,
        arguments=between(1, 1),
    ),
    TableCheck(
        rule=rule(
            "study_date_present",
            Dimension.COMPLETENESS,
            level=Level.STUDY,
            title="StudyDate is stated",
            meaning="Studies of one patient are put in order by it.",
            fault="no StudyDate",
            remedy="Ask the data holder to fill it in at the export.",
            error_below=USABLE_SHARE,
            reason=USABLE_REASON,
        ),
        column="StudyDate",
        expectation=Expectation.PRESENT,
    ),
    TableCheck(
        rule=rule(
            "study_date_plausible",
            Dimension.VALIDITY,
            level=Level.STUDY,
            title="StudyDate is a plausible day",
            meaning="A day before 1990, long after the registry's figures, or not in the calendar is a wrong clock.",
            fault="a StudyDate that is no day or implausible",
            remedy="Have the export checked; renew the registry's figures if they are old.",
            error_below=MINORITY_SHARE,
            reason=MINORITY_REASON,
        ),
        column="StudyDay",
        expectation=Expectation.BETWEEN,
        arguments=plausible_dates,
    ),
    TableCheck(
        rule=rule(
            "study_has_images",
            Dimension.INTEGRITY,
            level=Level.STUDY,
            title="A study has images, not only objects derived from them",
            meaning="A segmentation or plan without the images it was drawn on cannot be used.",
            fault="derived objects (segmentations, structures, reports) but no images",
            remedy="Have the images of the study delivered, or look for them in the quarantine.",
        ),
        column="ImageModalities",
        expectation=Expectation.BETWEEN,
        arguments=between(1, None),
    ),
    TableCheck(
        rule=rule(
            "study_unique_on_day",
            Dimension.UNIQUENESS,
            level=Level.STUDY,
            title="A patient has one study of a kind on a day",
            meaning="Two studies of one patient, day, modalities and size may be one study exported under two UIDs.",
            fault="the patient, day, modalities and number of instances of another study",
            remedy="Compare the studies named; withdraw one if they are the same.",
            warning_below=None,
            reason=INFO_REASON,
        ),
        column="Likeness",
        expectation=Expectation.UNIQUE,
    ),
)
