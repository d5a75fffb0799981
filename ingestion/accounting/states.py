"""The states that an instance and a series can end in, and the reasons for a quarantine: one enum each.

Every object that a source delivers (a file, or a member of an archive) ends in exactly one ``InstanceState``; the
numbers must add up: delivered = accepted + duplicate + quarantined. An object that is not a DICOM instance at all
(a text file, a thumbnail, a DICOMDIR) is delivered too, so it is accounted for too: quarantined, as a companion.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class InstanceState(StrEnum):
    """Where one delivered object ended."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"


class SeriesState(StrEnum):
    """``PARTIAL``: some instance is quarantined, others are stored."""

    COMPLETE = "complete"
    PARTIAL = "partial"
    QUARANTINED = "quarantined"


class ObjectChange(StrEnum):
    """What an object is against the last inventory of its source."""

    NEW = "new"
    CHANGED = "changed"
    WITHDRAWN = "withdrawn"
    UNCHANGED = "unchanged"


class ReasonGroup(StrEnum):
    """Who has to act on a quarantine."""

    COMPANION = "companion"  # not an instance; nobody has to act
    UNREADABLE = "unreadable"  # the data holder mends the file
    INCONSISTENT = "inconsistent"  # the data holder says which is right
    IDENTITY = "identity"  # a person at the data holder looks
    TRANSIENT = "transient"  # tried again by the next sync


@dataclass(frozen=True, slots=True)
class ReasonFacts:
    """What a person needs to know of a reason: its group, what it means, what to do about it."""

    group: ReasonGroup
    meaning: str
    remedy: str


class Reason(StrEnum):
    """Why an object was quarantined. Details never hold identities; the rule that fired is recorded beside."""

    NOT_DICOM = "not_dicom"
    MEDIA_DIRECTORY = "media_directory"
    EMPTY_FILE = "empty_file"
    TRUNCATED = "truncated"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    NESTED_TOO_DEEP = "nested_too_deep"
    UNKNOWN_TRANSFER_SYNTAX = "unknown_transfer_syntax"
    UNSUPPORTED_TRANSFER_SYNTAX = "unsupported_transfer_syntax"
    UNSUPPORTED_SOP_CLASS = "unsupported_sop_class"
    PIXELS_UNREADABLE = "pixels_unreadable"
    ARCHIVE_UNREADABLE = "archive_unreadable"
    ARCHIVE_UNSAFE = "archive_unsafe"
    ARCHIVE_NOT_OPENED = "archive_not_opened"
    LINK_OUTSIDE = "link_outside"
    CRASHED_READER = "crashed_reader"
    MISSING_IDENTIFIER = "missing_identifier"
    INVALID_UID = "invalid_uid"
    MIXED_PATIENTS = "mixed_patients"
    MIXED_STUDIES = "mixed_studies"
    SOP_INSTANCE_CONFLICT = "sop_instance_conflict"
    BURNED_IN_ANNOTATION = "burned_in_annotation"
    UNCLEANABLE_CONTENT = "uncleanable_content"
    RECOGNIZABLE_FACE = "recognizable_face"
    IDENTITY_RESIDUE = "identity_residue"
    IOD_INTRODUCED = "iod_introduced"
    REJECTED_BY_OPERATOR = "rejected_by_operator"
    UNREADABLE_OBJECT = "unreadable_object"
    UNREADABLE_FOLDER = "unreadable_folder"
    CHANGED_WHILE_READING = "changed_while_reading"

    @property
    def facts(self) -> ReasonFacts:
        return _FACTS[self]

    @property
    def group(self) -> ReasonGroup:
        return _FACTS[self].group


_FACTS: dict[Reason, ReasonFacts] = {
    Reason.NOT_DICOM: ReasonFacts(
        ReasonGroup.COMPANION, "not a DICOM file", "nothing, unless an image was expected under that name"
    ),
    Reason.MEDIA_DIRECTORY: ReasonFacts(
        ReasonGroup.COMPANION,
        "a DICOMDIR: an index that names patients",
        "nothing: the files it lists are read themselves",
    ),
    Reason.EMPTY_FILE: ReasonFacts(ReasonGroup.UNREADABLE, "the file has no bytes", "export it again"),
    Reason.TRUNCATED: ReasonFacts(
        ReasonGroup.UNREADABLE, "the file ends before its last element does", "export it again"
    ),
    Reason.MALFORMED: ReasonFacts(
        ReasonGroup.UNREADABLE, "the file is not well-formed DICOM", "export it again, or repair it at the source"
    ),
    Reason.TOO_LARGE: ReasonFacts(
        ReasonGroup.UNREADABLE,
        "the file, an element or an archive member passes the size bound",
        "check the file; raise the bound in the source's settings if it is right",
    ),
    Reason.NESTED_TOO_DEEP: ReasonFacts(
        ReasonGroup.UNREADABLE, "sequences are nested deeper than the bound", "check the file at the source"
    ),
    Reason.UNKNOWN_TRANSFER_SYNTAX: ReasonFacts(
        ReasonGroup.UNREADABLE,
        "the transfer syntax is missing, or not one that this version knows",
        "export it in a standard transfer syntax",
    ),
    Reason.UNSUPPORTED_TRANSFER_SYNTAX: ReasonFacts(
        ReasonGroup.UNREADABLE,
        "a transfer syntax of the standard whose pixels this version cannot read, so nobody can look at them",
        "export it uncompressed, or in JPEG lossless, JPEG-LS, JPEG 2000 or RLE",
    ),
    Reason.UNSUPPORTED_SOP_CLASS: ReasonFacts(
        ReasonGroup.IDENTITY,
        "no rule says how this kind of object is de-identified",
        "release it only after a person has looked, or add a rule to the policy",
    ),
    Reason.PIXELS_UNREADABLE: ReasonFacts(
        ReasonGroup.UNREADABLE, "the pixel data does not fit its description", "export it again"
    ),
    Reason.ARCHIVE_UNREADABLE: ReasonFacts(
        ReasonGroup.UNREADABLE, "the archive is damaged or encrypted", "pack and deliver it again"
    ),
    Reason.ARCHIVE_UNSAFE: ReasonFacts(
        ReasonGroup.UNREADABLE,
        "an archive member leaves the archive's folder or unpacks beyond the bound",
        "deliver plain files or a clean archive",
    ),
    Reason.ARCHIVE_NOT_OPENED: ReasonFacts(
        ReasonGroup.UNREADABLE,
        "an archive that is not opened: it lies in another archive, or is no zip file",
        "unpack it, or pack its files into a zip file of their own, and deliver that",
    ),
    Reason.LINK_OUTSIDE: ReasonFacts(
        ReasonGroup.UNREADABLE,
        "a link that leads out of the source's folder is not followed",
        "deliver the file itself instead of a link to it",
    ),
    Reason.CRASHED_READER: ReasonFacts(
        ReasonGroup.UNREADABLE, "reading it ended the worker process", "check the file at the source"
    ),
    Reason.MISSING_IDENTIFIER: ReasonFacts(
        ReasonGroup.INCONSISTENT,
        "PatientID or an instance, series, study or SOP class UID is missing",
        "fill it in at the source",
    ),
    Reason.INVALID_UID: ReasonFacts(
        ReasonGroup.INCONSISTENT, "a UID that identifies the object is not a UID", "correct it at the source"
    ),
    Reason.MIXED_PATIENTS: ReasonFacts(
        ReasonGroup.INCONSISTENT, "one series holds several patients", "split or correct the series at the source"
    ),
    Reason.MIXED_STUDIES: ReasonFacts(
        ReasonGroup.INCONSISTENT, "one series is said to be part of several studies", "correct the series at the source"
    ),
    Reason.SOP_INSTANCE_CONFLICT: ReasonFacts(
        ReasonGroup.INCONSISTENT,
        "one SOP Instance UID stands for different contents",
        "withdraw the wrong ones at the source",
    ),
    Reason.BURNED_IN_ANNOTATION: ReasonFacts(
        ReasonGroup.IDENTITY,
        "the pixels declare, or are of a kind likely to hold, burned-in text",
        "clean the pixels, or set a policy that says how they are cleaned",
    ),
    Reason.UNCLEANABLE_CONTENT: ReasonFacts(
        ReasonGroup.IDENTITY,
        "the object holds a document or media that header rules cannot clean",
        "release it only after a person has looked",
    ),
    Reason.RECOGNIZABLE_FACE: ReasonFacts(
        ReasonGroup.IDENTITY,
        "a face may be recognised in the series, and the policy does not let it go on",
        "have it defaced, or set a policy that says what happens to faces",
    ),
    Reason.IDENTITY_RESIDUE: ReasonFacts(
        ReasonGroup.IDENTITY,
        "the check after de-identification still found an identity",
        "report it: a rule is missing in the policy",
    ),
    Reason.IOD_INTRODUCED: ReasonFacts(
        ReasonGroup.IDENTITY,
        "de-identification would break the object's definition (IOD), or make files of its study contradict each "
        "other: dciodvfy or dcentvfy finds an error that was not there",
        "report it with the error that is named: a rule of the policy takes out what such objects need, or treats one "
        "attribute of a study in two ways",
    ),
    Reason.REJECTED_BY_OPERATOR: ReasonFacts(ReasonGroup.IDENTITY, "a person rejected it", "nothing"),
    Reason.UNREADABLE_OBJECT: ReasonFacts(
        ReasonGroup.TRANSIENT,
        "the source refused to hand the object out",
        "check the permissions; the next sync tries again",
    ),
    Reason.UNREADABLE_FOLDER: ReasonFacts(
        ReasonGroup.TRANSIENT,
        "a folder of the source could not be listed",
        "check the permissions; the next sync tries again",
    ),
    Reason.CHANGED_WHILE_READING: ReasonFacts(
        ReasonGroup.TRANSIENT, "the object changed between listing and reading", "nothing: the next sync tries again"
    ),
}
