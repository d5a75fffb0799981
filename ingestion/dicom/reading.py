"""Reading objects that nobody vouches for: ids from a header, or the whole data set, or a refusal with a reason."""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from typing import BinaryIO

import pydicom
from pydicom.charset import convert_encodings, decode_bytes
from pydicom.dataset import Dataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
)

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.dicom.elements import PIXEL_DATA, Buffer, Element, walk
from ingestion.dicom.encoding import EXPLICIT_LITTLE
from ingestion.dicom.header import read_head
from ingestion.identity.pseudonyms import PatientIdentity

PREAMBLE = 128
PREFIX = b"DICM"
_UID = re.compile(r"^[0-9]+(\.[0-9]+)*$")
MAX_UID = 64
"""Characters of a UID (PS3.5 section 9.1). Leading zeros of a component are met in practice and let through."""
MAX_IDENTIFIER = 1024
"""Bytes of a PatientID: 64 characters in any encoding, and room. A hostile file has 128 kB."""
FIRST_CHUNK = 1 << 16
MAX_HEADER = 64 << 20
"""Bytes looked at for the ids, which come early: private blocks before them reach some megabytes."""
MAX_INFLATED = 2 << 30
_IDS_END = 0x0020000F
"""All ids are below this tag: SeriesInstanceUID is (0020,000E)."""
_CHARSET, _SOP_CLASS, _SOP_INSTANCE = 0x00080005, 0x00080016, 0x00080018
_PATIENT_ID, _ISSUER, _STUDY, _SERIES = 0x00100020, 0x00100021, 0x0020000D, 0x0020000E
ID_TAGS = frozenset({_CHARSET, _SOP_CLASS, _SOP_INSTANCE, _PATIENT_ID, _ISSUER, _STUDY, _SERIES})


@dataclass(frozen=True, slots=True)
class ReadLimits:
    """Bounds on what is read. ``max_instance_bytes``: a whole-slide or tomosynthesis object reaches 1 GB."""

    max_instance_bytes: int = 2 << 30


@dataclass(frozen=True, slots=True)
class InstanceIds:
    """What identifies an instance. Identities: stays in memory."""

    patient: PatientIdentity
    study_uid: str
    series_uid: str
    sop_instance_uid: str
    sop_class_uid: str
    transfer_syntax_uid: str


@dataclass(frozen=True, slots=True)
class Meta:
    """The file meta information: the transfer syntax, and where the data set starts."""

    transfer_syntax: str
    dataset_start: int

    @property
    def implicit(self) -> bool:
        return self.transfer_syntax == ImplicitVRLittleEndian

    @property
    def little(self) -> bool:
        return self.transfer_syntax != ExplicitVRBigEndian

    @property
    def deflated(self) -> bool:
        return self.transfer_syntax == DeflatedExplicitVRLittleEndian


class _NeedMore(Exception):
    """The header goes on after the chunk."""


def peek(stream: BinaryIO, *, size: int) -> InstanceIds:
    """The ids of the object in ``stream`` (``size`` bytes), from its header only.

    Raises:
        InstanceRefusedError: EMPTY_FILE, NOT_DICOM, MEDIA_DIRECTORY, UNKNOWN_TRANSFER_SYNTAX,
            UNSUPPORTED_TRANSFER_SYNTAX, TRUNCATED, MALFORMED,
            NESTED_TOO_DEEP, TOO_LARGE, MISSING_IDENTIFIER or INVALID_UID.
    """
    if size == 0:
        raise InstanceRefusedError(Reason.EMPTY_FILE, rule="dicom.size", detail="0 bytes")
    buffer, wanted = b"", FIRST_CHUNK
    while True:
        buffer += _exactly(stream, wanted - len(buffer))
        whole = len(buffer) >= size or len(buffer) < wanted
        try:
            return _ids_in(buffer, whole=whole)
        except _NeedMore:
            if wanted >= MAX_HEADER:
                raise InstanceRefusedError(
                    Reason.TOO_LARGE, rule="dicom.header", detail=f"no ids in its first {MAX_HEADER} bytes"
                ) from None
            wanted *= 8


def parse(raw: bytes) -> Dataset:
    """The whole instance, with its file meta information, after its structure was found sound.

    Raises:
        InstanceRefusedError: as ``peek``, or PIXELS_UNREADABLE: less pixel data than its description asks for.
    """
    if not raw:
        raise InstanceRefusedError(Reason.EMPTY_FILE, rule="dicom.size", detail="0 bytes")
    meta = read_meta(raw)
    body, start = (inflate(raw[meta.dataset_start :], whole=True), 0) if meta.deflated else (raw, meta.dataset_start)
    pixels: Element | None = None
    for element in walk(body, start, implicit=meta.implicit, little=meta.little):
        if element.tag == PIXEL_DATA and element.depth == 0:
            pixels = element
    dataset = pydicom.dcmread(BytesIO(raw), force=True)
    _check_pixels(dataset, meta, pixels)
    return dataset


def ids_of(dataset: Dataset) -> InstanceIds:
    """The ids of a parsed instance.

    Raises:
        InstanceRefusedError: MISSING_IDENTIFIER or INVALID_UID.
    """

    def text(keyword: str) -> str:
        value = dataset.get(keyword)
        if value is None:
            return ""
        return value if isinstance(value, str) else "\\".join(str(part) for part in value)

    return _checked(
        patient_id=text("PatientID"),
        issuer=text("IssuerOfPatientID"),
        uids={
            "StudyInstanceUID": text("StudyInstanceUID"),
            "SeriesInstanceUID": text("SeriesInstanceUID"),
            "SOPInstanceUID": text("SOPInstanceUID"),
            "SOPClassUID": text("SOPClassUID"),
        },
        transfer_syntax=str(dataset.file_meta.TransferSyntaxUID),
    )


def _exactly(stream: BinaryIO, number: int) -> bytes:
    """``number`` bytes, fewer at the end of the stream only."""
    parts = []
    while number > 0:
        part = stream.read(number)
        if not part:
            break
        parts.append(part)
        number -= len(part)
    return b"".join(parts)


def _ids_in(buffer: bytes, *, whole: bool) -> InstanceIds:
    found: dict[int, bytes] = {}
    try:
        meta = read_meta(buffer)
        body, start = buffer, meta.dataset_start
        if meta.deflated:
            body, start = inflate(buffer[start:], whole=whole), 0
        for element in walk(body, start, implicit=meta.implicit, little=meta.little, stop_at=_IDS_END):
            if element.depth == 0 and element.tag in ID_TAGS:
                found[element.tag] = body[element.start : element.start + element.length]
    except InstanceRefusedError as refused:
        if refused.reason is Reason.TRUNCATED and not whole:
            raise _NeedMore from None
        raise
    return ids_of_values(found, transfer_syntax=meta.transfer_syntax)


def ids_of_values(found: Mapping[int, bytes], *, transfer_syntax: str) -> InstanceIds:
    """The ids from the bytes of the elements in ``ID_TAGS``.

    Raises:
        InstanceRefusedError: MALFORMED, MISSING_IDENTIFIER or INVALID_UID.
    """
    encodings = _encodings(found.get(_CHARSET, b""))

    def uid(tag: int) -> str:
        return found.get(tag, b"").decode("ascii", "replace").strip(" \0")

    for tag in (_PATIENT_ID, _ISSUER):
        if len(found.get(tag, b"")) > MAX_IDENTIFIER:
            raise InstanceRefusedError(
                Reason.MALFORMED, rule="dicom.patient_id", detail=f"longer than {MAX_IDENTIFIER} bytes"
            )
    return _checked(
        patient_id=_text(found.get(_PATIENT_ID, b""), encodings),
        issuer=_text(found.get(_ISSUER, b""), encodings),
        uids={
            "StudyInstanceUID": uid(_STUDY),
            "SeriesInstanceUID": uid(_SERIES),
            "SOPInstanceUID": uid(_SOP_INSTANCE),
            "SOPClassUID": uid(_SOP_CLASS),
        },
        transfer_syntax=transfer_syntax,
    )


def _checked(*, patient_id: str, issuer: str, uids: dict[str, str], transfer_syntax: str) -> InstanceIds:
    missing = [name for name, value in uids.items() if not value]
    if not patient_id.strip(" \0"):
        missing.append("PatientID")
    if missing:
        raise InstanceRefusedError(
            Reason.MISSING_IDENTIFIER, rule="dicom.identifier", detail=f"no {', '.join(sorted(missing))}"
        )
    wrong = [name for name, value in uids.items() if len(value) > MAX_UID or not _UID.match(value)]
    if wrong:
        raise InstanceRefusedError(Reason.INVALID_UID, rule="dicom.uid", detail=f"no UID in {', '.join(sorted(wrong))}")
    return InstanceIds(
        patient=PatientIdentity(patient_id.strip(" \0"), issuer.strip(" \0")),
        study_uid=uids["StudyInstanceUID"],
        series_uid=uids["SeriesInstanceUID"],
        sop_instance_uid=uids["SOPInstanceUID"],
        sop_class_uid=uids["SOPClassUID"],
        transfer_syntax_uid=transfer_syntax,
    )


def read_meta(buffer: Buffer) -> Meta:
    """The file meta information (PS3.10 section 7.1), with or without the preamble that some exports leave out.

    Raises:
        InstanceRefusedError: NOT_DICOM, MEDIA_DIRECTORY, UNKNOWN_TRANSFER_SYNTAX, UNSUPPORTED_TRANSFER_SYNTAX,
            TRUNCATED or MALFORMED.
    """
    start = PREAMBLE + len(PREFIX) if buffer[PREAMBLE : PREAMBLE + len(PREFIX)] == PREFIX else 0
    if start == 0 and buffer[:2] != b"\x02\x00":
        if _looks_like_a_dataset(buffer):
            raise InstanceRefusedError(
                Reason.UNKNOWN_TRANSFER_SYNTAX, rule="dicom.meta", detail="a data set without file meta information"
            )
        raise InstanceRefusedError(Reason.NOT_DICOM, rule="dicom.prefix", detail="no DICM prefix")
    values: dict[int, bytes] = {}
    end = start
    # The group is explicit little endian whatever follows; it ends where another group begins.
    while buffer[end : end + 2] == b"\x02\x00":
        _, number, _, value, length = read_head(buffer, end, EXPLICIT_LITTLE)
        if value + length > len(buffer):
            raise InstanceRefusedError(
                Reason.TRUNCATED, rule="dicom.length", detail="the file ends within its meta information"
            )
        end = value + length
        values[0x00020000 | number] = buffer[value:end]
    if values.get(0x00020002, b"").strip(b" \0").decode("ascii", "replace") == MediaStorageDirectoryStorage:
        raise InstanceRefusedError(Reason.MEDIA_DIRECTORY, rule="dicom.class", detail="a DICOMDIR")
    if end == len(buffer):
        raise InstanceRefusedError(Reason.TRUNCATED, rule="dicom.length", detail="nothing after the meta information")
    syntax = values.get(0x00020010, b"").strip(b" \0").decode("ascii", "replace")
    if syntax in JPEG_XL:
        raise InstanceRefusedError(
            Reason.UNSUPPORTED_TRANSFER_SYNTAX, rule="dicom.transfer_syntax", detail=f"{JPEG_XL[syntax]} is not read"
        )
    if not _is_transfer_syntax(syntax):
        detail = "none is given" if not syntax else "not one of the standard's"
        raise InstanceRefusedError(Reason.UNKNOWN_TRANSFER_SYNTAX, rule="dicom.transfer_syntax", detail=detail)
    return Meta(transfer_syntax=syntax, dataset_start=end)


JPEG_XL = {
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
}
"""Of the standard (PS3.5 section 8.2.15); no library here decodes them, and their containers hold free texts."""


@lru_cache(maxsize=256)
def _is_transfer_syntax(syntax: str) -> bool:
    """Whether it is one of the standard's (PS3.6 annex A)."""
    if len(syntax) > MAX_UID or not _UID.match(syntax):
        return False
    return UID(syntax).is_transfer_syntax and not UID(syntax).is_private


def _looks_like_a_dataset(buffer: Buffer) -> bool:
    """A first element of group 0008 in little endian with a sane length or VR: a data set as it goes over the wire."""
    if len(buffer) < 8 or buffer[:2] != b"\x08\x00":
        return False
    return buffer[4:6].isalpha() or struct.unpack("<L", buffer[4:8])[0] < FIRST_CHUNK


def inflate(body: bytes, *, whole: bool) -> bytes:
    """Inflated bytes (PS3.5 section A.5), bounded.

    Raises:
        InstanceRefusedError: MALFORMED, TRUNCATED or TOO_LARGE.
    """
    bound = MAX_INFLATED if whole else MAX_HEADER
    machine = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        found = machine.decompress(body, bound)
    except zlib.error:
        raise InstanceRefusedError(Reason.MALFORMED, rule="dicom.deflate", detail="cannot be inflated") from None
    if whole and machine.unconsumed_tail:
        raise InstanceRefusedError(Reason.TOO_LARGE, rule="dicom.deflate", detail=f"inflates beyond {bound} bytes")
    if whole and not machine.eof:
        raise InstanceRefusedError(Reason.TRUNCATED, rule="dicom.deflate", detail="the deflated data set has no end")
    return found


def _encodings(charset: bytes) -> list[str]:
    names = [part.strip() for part in charset.decode("ascii", "replace").strip(" \0").split("\\")]
    try:
        return list(convert_encodings(names))
    except LookupError:
        return ["iso8859"]


def _text(value: bytes, encodings: list[str]) -> str:
    return decode_bytes(value, encodings, {0x5C}).rstrip("\0 ").lstrip(" ")


def _check_pixels(dataset: Dataset, meta: Meta, pixels: Element | None) -> None:
    """Native pixel data must be as long as its description says (PS3.5 section 8.1.1), padding to even length apart."""
    if pixels is None or (UID(meta.transfer_syntax).is_compressed and not meta.deflated):
        return
    try:
        samples = int(dataset.get("SamplesPerPixel") or 1)
        number = int(dataset.Rows) * int(dataset.Columns) * int(dataset.get("NumberOfFrames") or 1)
        bits = int(dataset.BitsAllocated)
    except (AttributeError, TypeError, ValueError):
        raise InstanceRefusedError(
            Reason.PIXELS_UNREADABLE, rule="pixels.description", detail="Rows, Columns or BitsAllocated is missing"
        ) from None
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        samples = 2  # two chroma values per two pixels (PS3.3 section C.7.6.3.1.2)
    expected = (number * samples * bits + 7) // 8
    if pixels.length < expected:
        raise InstanceRefusedError(
            Reason.PIXELS_UNREADABLE,
            rule="pixels.length",
            detail=f"{pixels.length} bytes of pixel data, the description asks for {expected}",
        )
