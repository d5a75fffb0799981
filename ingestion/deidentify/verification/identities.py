"""Which values of a raw object identify somebody: a list and a walk of the verifier's own.

A mistake in what the rewriter collects must not blind the one who checks it. Attributes: PS3.15 table E.1-1, those
whose values name a person, an identifier, a place or a device.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from pydicom.datadict import tag_for_keyword
from pydicom.uid import UID_dictionary

from ingestion.deidentify.verification.dates import day_of
from ingestion.deidentify.verification.findings import Kind
from ingestion.deidentify.verification.walk import Layout, Path

STANDARD_UIDS = b"1.2.840.10008."
"""Classes, syntaxes and well-known frames of the standard (PS3.6 annex A): never a patient's object."""
_CONTEXT_GROUPS, _LONGEST_OF_THEM = b"1.2.840.10008.6.1.", 22
"""Lists of codes; the standard's newest is newer than any dictionary's."""
MAX_VALUE = 4096
"""Bytes of a value that identifies; an address has at most 1024 characters, a hostile file has megabytes."""
_CHARSET, _BIRTH_DATE = 0x00080005, 0x00100030


def _tags(keywords: str) -> frozenset[int]:
    found = {keyword: tag_for_keyword(keyword) for keyword in keywords.split()}
    unknown = [keyword for keyword, tag in found.items() if tag is None]
    if unknown:
        raise ValueError(f"not in the dictionary: {unknown}")
    return frozenset(tag for tag in found.values() if tag is not None)


_IDENTIFIERS = _tags("""
    AccessionNumber PatientID OtherPatientIDs InsurancePlanIdentification MedicalRecordLocator ClinicalTrialSubjectID
    ClinicalTrialSubjectReadingID ClinicalTrialProtocolEthicsCommitteeApprovalNumber StudyID AdmissionID
    ServiceEpisodeID ScheduledProcedureStepID PerformedProcedureStepID RequestedProcedureID
    PlacerOrderNumberImagingServiceRequest FillerOrderNumberImagingServiceRequest ContainerIdentifier
    SpecimenIdentifier
""")
_PLACES = _tags("""
    InstitutionName InstitutionAddress ReferringPhysicianAddress ReferringPhysicianTelephoneNumbers
    InstitutionalDepartmentName IssuerOfPatientID PatientAddress PatientTelephoneNumbers PatientTelecomInformation
    ClinicalTrialSiteName ClinicalTrialCoordinatingCenterName IssuerOfAdmissionID CurrentPatientLocation
    PatientInstitutionResidence RequestingService PersonAddress PersonTelephoneNumbers OrderCallbackPhoneNumber
""")
_DEVICES = _tags("""
    SourceApplicationEntityTitle SendingApplicationEntityTitle ReceivingApplicationEntityTitle StationName
    DeviceSerialNumber DeviceID PlateID GeneratorID CassetteID GantryID ScheduledStationAETitle ScheduledStationName
    PerformedStationAETitle PerformedStationName PerformedLocation StationAETitle RetrieveAETitle
    ScheduledProcedureStepLocation DetectorID
""")
_KINDS = {
    **dict.fromkeys(_DEVICES, Kind.DEVICE), **dict.fromkeys(_PLACES, Kind.PLACE),
    **dict.fromkeys(_IDENTIFIERS, Kind.IDENTIFIER),
}  # fmt: skip
_KINDS_OF_THINGS = _tags("""
    MediaStorageSOPClassUID TransferSyntaxUID ImplementationClassUID PrivateInformationCreatorUID SOPClassUID
    ReferencedSOPClassUID RelatedGeneralSOPClassUID OriginalSpecializedSOPClassUID CodingSchemeUID ContextUID
    MappingResourceUID ReferencedSOPClassUIDInFile EncryptedContentTransferSyntaxUID
""")
"""Private classes, programs and coding schemes have UIDs too: they name what many objects have in common."""
_CONCEPT_NAME, _TEXT_VALUE, _CODE_VALUE = 0x0040A043, 0x0040A160, 0x00080100
_TEXTS_OF_REPORTS = {
    **dict.fromkeys(("121008", "113870", "121029", "121036", "121114", "121152", "128774"), Kind.PERSON),
    **dict.fromkeys((
        "121030", "121022", "121020", "121021", "121041", "121040", "121043", "111705", "111700", "125010", "113871",
        "128775", "113516", "121124",
    ), Kind.IDENTIFIER),
    **dict.fromkeys((
        "121009", "113873", "121434", "122128", "121017", "121197", "121121", "113872", "110190", "111706", "111724",
    ), Kind.PLACE),
    **dict.fromkeys((
        "121016", "121196", "113880", "121000", "121148", "121122", "122143", "121013", "121193", "113877", "110119",
        "113832",
    ), Kind.DEVICE),
}  # fmt: skip
"""Concepts (PS3.16 annex D) under which a report's text names someone or something."""
_UID_SHAPE = re.compile(rb"^[0-2](?:\.\d+){4,}$")
_DATE_VALUE = re.compile(rb"^(\d{4})[.]?(\d{2})[.]?(\d{2})")


@dataclass(frozen=True, slots=True)
class RawValue:
    """One identifying value as it stands in the raw object."""

    kind: Kind
    tag: int
    value: bytes = field(repr=False)
    charset: str = ""


@dataclass(frozen=True, slots=True)
class Identities:
    """All of one raw object. ``dates`` are YYYYMMDD; ``birth_dates`` are among them."""

    values: frozenset[RawValue] = field(repr=False)
    uids: frozenset[bytes] = field(repr=False)
    dates: frozenset[str] = field(repr=False)
    birth_dates: frozenset[str] = field(repr=False)

    def __or__(self, other: Identities) -> Identities:
        return Identities(
            self.values | other.values, self.uids | other.uids, self.dates | other.dates,
            self.birth_dates | other.birth_dates,
        )  # fmt: skip

    def __len__(self) -> int:
        return len(self.values) + len(self.uids) + len(self.dates)


NOBODY = Identities(frozenset(), frozenset(), frozenset(), frozenset())


def identities_in(layout: Layout) -> Identities:
    """Walk a raw object's elements, nested and private ones too."""
    buffer = layout.buffer
    values: set[RawValue] = set()
    uids: set[bytes] = set()
    dates: set[str] = set()
    births: set[str] = set()
    charset = ""
    named: dict[Path, Kind] = {}
    for tag, vr, start, length, path in layout.leaves:
        if not length:
            continue
        if tag == _CODE_VALUE and len(path) > 1 and path[-2] == _CONCEPT_NAME:
            code = bytes(buffer[start : start + length]).decode("latin-1").strip(" \0")
            if code in _TEXTS_OF_REPORTS:
                named[path[:-2]] = _TEXTS_OF_REPORTS[code]
        if vr == b"UI":
            if tag in _KINDS_OF_THINGS:
                continue
            uids.update(bytes(buffer[start : start + length]).rstrip(b"\0 ").split(b"\\"))
        elif vr == b"PN":
            values.add(RawValue(Kind.PERSON, tag, bytes(buffer[start : start + min(length, MAX_VALUE)]), charset))
        elif vr in (b"DA", b"DT"):
            for part in bytes(buffer[start : start + min(length, MAX_VALUE)]).split(b"\\"):
                if day := _day(part):
                    dates.add(day)
                    if tag == _BIRTH_DATE:
                        births.add(day)
        elif tag == _TEXT_VALUE and path in named:
            value_of = bytes(buffer[start : start + min(length, MAX_VALUE)])
            values.add(RawValue(named[path], tag, value_of, charset))
        elif (kind := _KINDS.get(tag)) is not None:
            values.add(RawValue(kind, tag, bytes(buffer[start : start + min(length, MAX_VALUE)]), charset))
        elif vr == b"UN" and length <= 64:
            value = bytes(buffer[start : start + length]).rstrip(b"\0 ")
            if _UID_SHAPE.match(value):
                uids.add(value)
        elif tag == _CHARSET:
            charset = bytes(buffer[start : start + min(length, MAX_VALUE)]).decode("ascii", "replace").strip(" \0")
    own = frozenset(
        uid for uid in uids
        if uid.count(b".") >= 3 and not _of_standard(uid) and not STANDARD_UIDS.startswith(uid)
    )  # fmt: skip
    return Identities(frozenset(values), own, frozenset(dates), frozenset(births))


def _of_standard(uid: bytes) -> bool:
    """Not the root alone says so: anything can stand behind it."""
    return uid.decode("latin-1") in UID_dictionary or (uid.startswith(_CONTEXT_GROUPS) and len(uid) <= _LONGEST_OF_THEM)


def _day(value: bytes) -> str | None:
    match = _DATE_VALUE.match(value.strip(b" \0"))
    return None if match is None else day_of(*(int(part) for part in match.groups()))
