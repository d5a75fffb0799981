"""One instance: raw bytes in, de-identified bytes out, or a refusal with its reason."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from io import BytesIO

import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian

from ingestion.deidentify import CODE_VERSION
from ingestion.deidentify.header import HeaderRewriter
from ingestion.deidentify.identities import identities_of
from ingestion.deidentify.pixels import clean_pixels, refuse_what_may_show_identities
from ingestion.deidentify.policy import Policy
from ingestion.deidentify.profile import EDITION, METHOD_CODES, Option
from ingestion.dicom.elements import walk
from ingestion.dicom.reading import InstanceIds, ids_of, parse
from ingestion.identity.pseudonyms import PatientIdentity, Pseudonyms

IMPLEMENTATION_UID = "2.25.318215604937230912417420918330017459321"
IMPLEMENTATION_NAME = f"CIE_{CODE_VERSION}"
_META_LENGTH_AT = 140
"""Where the value of FileMetaInformationGroupLength stands: preamble, prefix, and the head of the element."""
_PIXEL_DATA = 0x7FE00010


@dataclass(frozen=True, slots=True)
class DeidentifiedInstance:
    """``ids`` are the raw identifiers, ``new_ids`` those of the result. ``pixel_offset``: where the pixels start."""

    body: bytes = field(repr=False)
    ids: InstanceIds = field(repr=False)
    new_ids: InstanceIds
    dataset: Dataset = field(repr=False)
    pixel_offset: int | None
    identities: frozenset[str] = field(repr=False)


def deidentify_instance(raw: bytes, *, policy: Policy, pseudonyms: Pseudonyms) -> DeidentifiedInstance:
    """PS3.15 annex E for one instance under ``policy``. Deterministic: the same raw bytes give the same result.

    Raises:
        InstanceRefusedError: unreadable, unsupported, or of a kind whose identities cannot be removed with certainty.
    """
    dataset = parse(raw)
    ids = ids_of(dataset)
    refuse_what_may_show_identities(dataset, ids.sop_class_uid)
    identities = identities_of(dataset)
    clean_pixels(dataset)
    HeaderRewriter(policy, pseudonyms, ids.patient, identities).rewrite(dataset)
    _declare(dataset, policy)
    new_ids = InstanceIds(
        patient=PatientIdentity(pseudonyms.patient(ids.patient)),
        study_uid=pseudonyms.uid(ids.study_uid),
        series_uid=pseudonyms.uid(ids.series_uid),
        sop_instance_uid=pseudonyms.uid(ids.sop_instance_uid),
        sop_class_uid=ids.sop_class_uid,
        transfer_syntax_uid=_rebuild_meta(dataset, ids, pseudonyms),
    )
    out = BytesIO()
    pydicom.dcmwrite(out, dataset, enforce_file_format=True, overwrite=True)
    body = out.getvalue()
    return DeidentifiedInstance(body, ids, new_ids, dataset, _pixel_offset(body, new_ids), identities)


def _declare(dataset: Dataset, policy: Policy) -> None:
    """What was done, in the attributes that the standard has for it (PS3.15 section E.1.1, PS3.16 CID 7050)."""
    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = [f"PS3.15 {EDITION} Annex E", f"{policy.name} {policy.digest[:12]}"]
    codes = []
    for option in (None, *sorted(policy.options)):
        item = Dataset()
        item.CodeValue, meaning = METHOD_CODES[option]
        item.CodingSchemeDesignator = "DCM"
        item.CodeMeaning = meaning
        codes.append(item)
    dataset.DeidentificationMethodCodeSequence = codes
    shifted = Option.RETAIN_MODIFIED_DATES in policy.options
    dataset.LongitudinalTemporalInformationModified = "MODIFIED" if shifted else "REMOVED"


def _rebuild_meta(dataset: Dataset, ids: InstanceIds, pseudonyms: Pseudonyms) -> str:
    """New file meta information: of the old, only the transfer syntax is taken over. Returns that of the result."""
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_deflated:
        syntax = ExplicitVRLittleEndian
    meta = FileMetaDataset()
    meta.FileMetaInformationVersion = b"\0\1"
    meta.MediaStorageSOPClassUID = pydicom.uid.UID(ids.sop_class_uid)
    meta.MediaStorageSOPInstanceUID = pydicom.uid.UID(pseudonyms.uid(ids.sop_instance_uid))
    meta.TransferSyntaxUID = syntax
    meta.ImplementationClassUID = pydicom.uid.UID(IMPLEMENTATION_UID)
    meta.ImplementationVersionName = IMPLEMENTATION_NAME
    dataset.file_meta = meta
    dataset.preamble = bytes(128)
    return str(syntax)


def _pixel_offset(body: bytes, ids: InstanceIds) -> int | None:
    start = _META_LENGTH_AT + 4 + struct.unpack_from("<L", body, _META_LENGTH_AT)[0]
    implicit = ids.transfer_syntax_uid == ImplicitVRLittleEndian
    little = pydicom.uid.UID(ids.transfer_syntax_uid).is_little_endian
    for element in walk(body, start, implicit=implicit, little=little):
        if element.depth == 0 and element.tag == _PIXEL_DATA:
            return element.start
    return None
