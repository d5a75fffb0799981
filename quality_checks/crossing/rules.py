"""The rules on identity, linkage and repeated images, in the order in which they are shown."""

from __future__ import annotations

from dataclasses import dataclass

from quality_checks.model import Dimension, Level, Rule
from quality_checks.suites.declare import INFO_REASON, MINORITY_REASON, MINORITY_SHARE, rule

ONE_COPY_REASON = "one copy stays, so nothing is lost by leaving the other out of the release, however many there are"
TWO_PEOPLE_REASON = "data of two people under one pseudonym harm whoever uses them; the rest of the source is sound"
CLOCK_REASON = "a date that cannot be makes every interval of its patient wrong, whatever its share"


@dataclass(frozen=True, slots=True)
class LinkOutcome:
    """What one rule found. ``failing``: (key of the rule's level, detail), sorted; no digest, no other patient's id."""

    rule_id: str
    rows: int
    failing: tuple[tuple[str, str | None], ...] = ()


TWO_PEOPLE = rule(
    "patient_is_one_person",
    Dimension.CONSISTENCY,
    level=Level.PATIENT,
    title="One PatientID is one person",
    meaning="Several names with several birth dates under one PatientID are two people's images under one pseudonym.",
    fault="names and birth dates of more than one person",
    remedy="Have the data holder separate the people and deliver them under ids of their own; the raw headers, "
    "not the stored ones, show the names.",
    error_below=MINORITY_SHARE,
    reason=TWO_PEOPLE_REASON,
    excludes=True,
)
ONE_BIRTH_DATE = rule(
    "patient_one_birth_date",
    Dimension.CONSISTENCY,
    level=Level.PATIENT,
    title="A patient has one birth date",
    meaning="Ages are counted from it; two of them make two ages at one study.",
    fault="more than one birth date in the raw headers",
    remedy="Have the data holder correct the birth date in the archive and deliver the patient again.",
    error_below=MINORITY_SHARE,
    reason=MINORITY_REASON,
)
ONE_ID = rule(
    "patient_one_id",
    Dimension.UNIQUENESS,
    level=Level.PATIENT,
    title="A person has one PatientID in the source",
    meaning="One person under several ids is counted as several individuals, and can lie on both sides of a split "
    "into training and test data.",
    fault="the name and birth date of another PatientID of the source",
    remedy="Have the data holder merge the ids in the archive; deliver the patient again under one.",
    error_below=MINORITY_SHARE,
    reason=MINORITY_REASON,
)
ONE_SOURCE = rule(
    "patient_one_source",
    Dimension.UNIQUENESS,
    level=Level.PATIENT,
    title="A person is in one source",
    meaning="Collections overlap: a person in two sources is counted twice in their sum.",
    fault="the name and birth date of a patient of another source",
    remedy="Nothing is wrong with the data; subtract the overlap when individuals are added up over sources.",
    warning_below=None,
    reason=INFO_REASON,
)
STUDY_ONE_SOURCE = rule(
    "study_uid_one_source",
    Dimension.UNIQUENESS,
    level=Level.STUDY,
    title="A study is in one source",
    meaning="The same StudyInstanceUID in two sources is one study delivered twice, or a UID that two archives made.",
    fault="a StudyInstanceUID that another source delivered too",
    remedy="Agree with the other data holder which source keeps it; a UID made twice is mended at its archive.",
)
ACCESSION_ONE_PATIENT = rule(
    "study_accession_one_patient",
    Dimension.CONSISTENCY,
    level=Level.STUDY,
    title="An accession number is of one patient",
    meaning="Clinical tables and reports find a study by it; under two patients they find the wrong one.",
    fault="an accession number that another patient's study has too",
    remedy="Have the data holder say whose number it is, and correct it at the source.",
    error_below=MINORITY_SHARE,
    reason=MINORITY_REASON,
)
EXAMINED_ONCE = rule(
    "study_one_accession",
    Dimension.UNIQUENESS,
    level=Level.STUDY,
    title="An examination is in one source",
    meaning="The accession number and the person of a study in another source, under another UID: one examination "
    "exported by two ways.",
    fault="accession number and person of a study of another source",
    remedy="Compare the two studies; withdraw one if they are the same examination.",
)
SAME_BYTES = rule(
    "series_not_repeated",
    Dimension.UNIQUENESS,
    title="No series is another source's, byte for byte",
    meaning="SHA-256 over the delivered objects: the same files in two sources. The first source by id keeps them.",
    fault="the very objects of a series of another source",
    remedy="Withdraw the series from one of the two sources named in the finding.",
    error_below=None,
    reason=ONE_COPY_REASON,
    excludes=True,
)
SERIES_ONE_SOURCE = rule(
    "series_uid_one_source",
    Dimension.UNIQUENESS,
    title="A SeriesInstanceUID is in one source",
    meaning="The same UID with other objects: a series delivered in part or processed differently in two sources.",
    fault="a SeriesInstanceUID that another source delivered with other objects",
    remedy="Compare the two series and withdraw the lesser one.",
)
SAME_PIXELS = rule(
    "series_pixels_not_repeated",
    Dimension.UNIQUENESS,
    title="No two series hold the same pixels",
    meaning="The same decoded images under another UID, header, file format or compression, here or in another source. "
    "The first by source and UID is kept.",
    fault="the same pixels as another series",
    remedy="Withdraw the copy that the finding names, unless its header is the better one.",
    error_below=None,
    reason=ONE_COPY_REASON,
    excludes=True,
)
NEAR = rule(
    "series_not_nearly_repeated",
    Dimension.UNIQUENESS,
    title="No two series of different studies look the same",
    meaning="Perceptual hashes of some frames within a few bits, and like structure: one image scaled, windowed or "
    "compressed with loss and delivered as another.",
    fault="images all but equal to those of a series of another study",
    remedy="Look at both thumbnails in the report; withdraw the poorer copy.",
)
AFTER_BIRTH = rule(
    "series_after_birth",
    Dimension.ACCURACY,
    title="Images were made after the patient's birth",
    meaning="Judged on the raw dates: a study, series or acquisition date before the birth date is a wrong date or the "
    "wrong patient.",
    fault="a date before the patient's birth",
    remedy="Have birth date and acquisition date compared with the archive.",
    error_below=MINORITY_SHARE,
    reason=MINORITY_REASON,
)
NOT_IN_FUTURE = rule(
    "series_not_in_future",
    Dimension.ACCURACY,
    title="Images were made before their files were written",
    meaning="Judged on the raw dates: a date more than a day after the file was last written comes from a wrong clock.",
    fault="a date after the file itself was written",
    remedy="Have the device's clock and the export checked; correct the dates at the source.",
    error_below=MINORITY_SHARE,
    reason=MINORITY_REASON,
)
AGE_FITS = rule(
    "series_age_fits_birth_date",
    Dimension.CONSISTENCY,
    title="PatientAge is the age by birth and study date",
    meaning="Judged on the raw dates, within a year and a half: users get the age, never the birth date.",
    fault="a PatientAge that birth and study date contradict",
    remedy="Have the data holder say whether the age or the birth date is right.",
    error_below=MINORITY_SHARE,
    reason=MINORITY_REASON,
)
RULES: tuple[Rule, ...] = (
    TWO_PEOPLE, ONE_BIRTH_DATE, ONE_ID, ONE_SOURCE, STUDY_ONE_SOURCE, ACCESSION_ONE_PATIENT, EXAMINED_ONCE, SAME_BYTES,
    SERIES_ONE_SOURCE, SAME_PIXELS, NEAR, AFTER_BIRTH, NOT_IN_FUTURE, AGE_FITS,
)  # fmt: skip
