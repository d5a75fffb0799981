"""The words of rules and reasons for who checks a folder of their own: no connector, no sync, no registry, no curator.

On the platform the reader asks the data holder; in a folder check the reader is the data holder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

from ingestion.accounting.states import Reason, ReasonGroup
from quality_checks.catalogue_of_checks import rules_by_id
from quality_checks.model import Rule

_REPORT = "Nothing is wrong with the folder: report it to the makers of this program, with report.json."
_REMEDIES: Mapping[str, str] = {
    "source_not_empty": "Check that the path is right and that its files can be read; then the reasons listed under "
    "the objects that would be held back.",
    "source_accounted_for": _REPORT,
    "source_tables_match_store": _REPORT,
    "series_accounted_for": _REPORT,
    "series_has_instances": _REPORT,
    "patient_id_unique": _REPORT,
    "patient_study_dates_ordered": _REPORT,
    "patient_has_studies": _REPORT,
    "study_uid_unique": _REPORT,
    "series_uid_unique": "Compare the series in the archive: it may use one UID for two series.",
    "instance_accepted": "Work through the objects that would be held back, the most frequent reason first; --names "
    "says which files they are.",
    "instance_consistent": "Find out in the archive which is right; --names says which files they are.",
    "instance_cleared": "Have a person look at the images that --names names; leave them out, or clean them.",
    "instance_reachable": "Check the permissions of the files and folders, then run the check again.",
    "instance_not_repeated": "Nothing is wrong with the data; the copies can be left out.",
    "series_complete": "Work through the objects of the series named that would be held back: each reason says what "
    "to do.",
    "image_unchanged": "The disk or the memory of this machine is at fault: check them, then run the check again.",
    "patient_one_id": "Merge the ids in the archive and export the patient again under one.",
    "patient_one_birth_date": "Correct the birth date in the archive and export the patient again.",
    "patient_one_sex": "Find out in the archive which is right, or whether two people share the PatientID.",
    "patient_is_one_person": "Separate the people in the archive and export them under ids of their own.",
    "study_uid_one_source": "Find out which archive keeps the study; a UID made twice is mended at its archive.",
    "series_body_part_known": "Correct the field at the export, or tell the receiver what the spelling means.",
    "series_manufacturer_known": "Correct the field at the export, or tell the receiver what the spelling means.",
    "series_acquisition_date_plausible": "Check the device's clock and the export.",
    "study_date_plausible": "Check the export, and the clock of the information system.",
    "annotation_images_there": "Put the images into the folder, or look for them among what would be held back.",
    "study_has_images": "Put the images of the study into the folder, or look for them among what would be held back.",
    "clinical_patient_has_images": "Put the images into the folder, or take the patient out of the table.",
    "clinical_study_delivered": "Put the studies into the folder, or look for them among what would be held back.",
    "series_pixels_not_repeated": "Leave out the copy that the finding names, unless its header is the better one.",
}
"""Where other words do not do."""
_FAULTS: Mapping[str, str] = {
    "instance_accepted": "would be held back",
    "series_complete": "instances that would be held back",
    "instance_reachable": "could not be read",
    "instance_not_repeated": "there more than once",
    "annotation_images_there": "references to images that are not in the folder",
    "patient_one_id": "the name and birth date of another PatientID of the folder",
}
_MEANINGS: Mapping[str, str] = {
    "instance_not_repeated": "Copies cost time and hide what is new; one is taken in.",
    "source_not_empty": "A folder without one series that would be accepted has nothing to send; often the path is "
    "wrong.",
    "source_accounted_for": "delivered = accepted + duplicate + held back: every file must have ended in one of them.",
    "instance_accepted": "What is held back reaches no user. Companions (text files, DICOMDIRs) are not counted.",
    "instance_reachable": "Files that could not be read, or changed while they were, are judged by nobody.",
    "series_acquisition_date_plausible": "A day before 1990, in the future, or not in the calendar is a wrong clock.",
    "study_date_plausible": "A day before 1990, in the future, or not in the calendar is a wrong clock.",
}
_TITLES: Mapping[str, str] = {
    "instance_not_repeated": "Images are there once",
    "series_complete": "No instance of the series would be held back",
    "source_accounted_for": "Every object is accounted for, with a reason where it would be held back",
    "instance_reachable": "Every file could be read",
    "series_accounted_for": "Delivered = accepted + duplicate + held back",
    "patient_one_id": "A person has one PatientID in the folder",
}
_PHRASES = (
    ("Ask the data holder to fill it in at the export, or to say why it cannot.",
     "Fill it in at the export, or tell the receiver why it cannot be."),
    ("Ask the data holder to fill it in at the export.", "Fill it in at the export."),
    ("Ask the data holder to keep ", "Keep "),
    ("Ask the data holder whether the export can keep times.", "Let the export keep times if it can."),
    ("Have the data holder say whether ", "Find out in the archive whether "),
    ("Have the data holder say which is right", "Find out in the archive which is right"),
    ("Have the data holder say whose study it is, and correct it at the source.",
     "Find out in the archive whose study it is, and correct it there."),
    ("Have the data holder say whose number it is, and correct it at the source.",
     "Find out in the archive whose number it is, and correct it there."),
    ("Tell the data holder which images the annotation was drawn on is not clear; have both exported together.",
     "Export the annotation together with the images that it was drawn on."),
    ("Fill it in at the source and deliver the series again", "Fill it in in the archive and export the series again"),
    (" delivered again", " into the folder again"),
    ("withdraw it ", "leave it out "),
    ("Withdraw ", "Leave out "),
    ("withdraw ", "leave out "),
    ("at the source", "in the archive"),
    ("of the source", "of the folder"),
)  # fmt: skip
_REASONS: Mapping[Reason, str] = {
    Reason.TOO_LARGE: "check the file; tell the receiver if it is right",
    Reason.UNSUPPORTED_SOP_CLASS: "leave it out, or agree with the receiver how it is de-identified",
    Reason.IDENTITY_RESIDUE: "leave it out and tell the receiver: a rule is missing in the policy",
    Reason.IOD_INTRODUCED: "leave it out and tell the receiver the error: a rule of the policy needs mending",
    Reason.BURNED_IN_ANNOTATION: "look at it: leave it out, clean the pixels, or choose a policy that cleans them",
    Reason.RECOGNIZABLE_FACE: "have it defaced, or choose a policy that says what happens to faces",
    Reason.UNCLEANABLE_CONTENT: "leave it out, unless a person has looked and found nothing",
    Reason.UNREADABLE_OBJECT: "check the permissions, then run the check again",
    Reason.UNREADABLE_FOLDER: "check the permissions, then run the check again",
    Reason.CHANGED_WHILE_READING: "wait until nothing writes to the folder, then run the check again",
    Reason.ARCHIVE_UNREADABLE: "pack it again",
    Reason.ARCHIVE_UNSAFE: "put plain files or a clean archive there",
    Reason.ARCHIVE_NOT_OPENED: "unpack it, or pack its files into a zip file of their own",
    Reason.LINK_OUTSIDE: "put the file itself there instead of a link to it",
}
_WHO: Mapping[ReasonGroup, str] = {
    ReasonGroup.COMPANION: "nobody",
    ReasonGroup.UNREADABLE: "whoever exports",
    ReasonGroup.INCONSISTENT: "whoever keeps the archive",
    ReasonGroup.IDENTITY: "a person who may see the images",
    ReasonGroup.TRANSIENT: "whoever keeps the folder",
}
_WHO_ON_THE_PLATFORM: Mapping[ReasonGroup, str] = {
    ReasonGroup.COMPANION: "nobody",
    ReasonGroup.UNREADABLE: "data holder",
    ReasonGroup.INCONSISTENT: "data holder",
    ReasonGroup.IDENTITY: "a person at the data holder",
    ReasonGroup.TRANSIENT: "the next sync",
}


def told(rule: Rule, *, folder: bool) -> Rule:
    """The rule in the words for its reader."""
    if not folder:
        return rule
    return replace(
        rule,
        title=_TITLES.get(rule.id) or _said(rule.title),
        meaning=_MEANINGS.get(rule.id) or _said(rule.meaning),
        fault=_FAULTS.get(rule.id) or _said(rule.fault),
        remedy=_REMEDIES.get(rule.id) or _said(rule.remedy),
    )


@cache
def rules_told(*, folder: bool) -> Mapping[str, Rule]:
    """Every rule by id, in the words for its reader."""
    return {rule_id: told(rule, folder=folder) for rule_id, rule in rules_by_id().items()}


def remedy_of(reason: Reason, *, folder: bool) -> str:
    """What to do about a quarantined object."""
    if not folder:
        return reason.facts.remedy
    return _REASONS.get(reason) or _said(reason.facts.remedy)


def meaning_of(reason: Reason, *, folder: bool) -> str:
    """What a reason means."""
    said = reason.facts.meaning
    return said.replace("the source's folder", "the folder").replace("the source", "the disk") if folder else said


def who_acts(group: ReasonGroup, *, folder: bool) -> str:
    """Who has to act on objects of that group."""
    return (_WHO if folder else _WHO_ON_THE_PLATFORM)[group]


def _said(text: str) -> str:
    for platform, house in _PHRASES:
        text = text.replace(platform, house)
    return text
