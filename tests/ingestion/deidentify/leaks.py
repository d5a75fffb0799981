"""A made-up object, its clean result, and ways to plant an identity back into the result."""

from __future__ import annotations

import html
import quopri
import struct
from collections.abc import Callable
from functools import cache
from io import BytesIO
from urllib.parse import quote

import pydicom
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from ingestion.deidentify.instance import deidentify_instance
from ingestion.deidentify.policy import load_policy
from ingestion.deidentify.verification import Expectation, Verifier, read_layout
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import Pseudonyms

PSEUDONYMS = Pseudonyms(SourceKey("MADE-UP", bytes(range(32))))
UID = "1.2.276.0.7230010.3.1.4.8323329.5576.1495927169.335276"


def raw_case(syntax: str | None = None) -> bytes:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = "Przybyłski^Wanda^Zoë"
    dataset.PatientID = "PL-4471-99"
    dataset.PatientBirthDate = "19610312"
    dataset.InstitutionName = "Szpital Kowalczyka"
    dataset.ReferringPhysicianName = "Müller^Jörg"
    dataset.OtherPatientIDs = "61031298765"
    dataset.PatientTelephoneNumbers = "+48 22 5551234"
    dataset.StudyDate, dataset.SeriesDate, dataset.AcquisitionDate = "20200228", "20200301", "20200301"
    dataset.DeviceSerialNumber = "SN-778812"
    dataset.ReferencedImageSequence = [Dataset()]
    dataset.ReferencedImageSequence[0].ReferencedSOPInstanceUID = UID
    if syntax is not None:
        dataset.file_meta.TransferSyntaxUID = pydicom.uid.UID(syntax)
        if syntax == ExplicitVRBigEndian:
            dataset.PixelData = b"".join(
                dataset.PixelData[at : at + 2][::-1] for at in range(0, len(dataset.PixelData), 2)
            )
    out = BytesIO()
    pydicom.dcmwrite(out, dataset, little_endian=syntax != ExplicitVRBigEndian,
                     implicit_vr=syntax == ImplicitVRLittleEndian)  # fmt: skip
    return out.getvalue()


@cache
def case() -> tuple[bytes, bytes, Expectation]:
    raw = raw_case()
    done = deidentify_instance(raw, policy=load_policy("platform-default"), pseudonyms=PSEUDONYMS)
    days = PSEUDONYMS.shift_days(done.ids.patient)
    return raw, done.body, Expectation(done.new_ids.patient.patient_id, shift_days=days)


def findings(result: bytes) -> tuple[str, ...]:
    raw, _, expected = case()
    return tuple(finding.rule for finding in verifier().verify(raw, result, expected=expected))


@cache
def verifier() -> Verifier:
    """One for all: what it gathers is the same each time, and compiling it takes longer than a search."""
    return Verifier()


def element(tag: int, vr: bytes, value: bytes) -> bytes:
    value += b" " * (len(value) % 2)
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr
    if vr in (b"OB", b"UN", b"UT", b"UC", b"UR", b"SQ", b"OW"):
        return head + struct.pack("<HL", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def meta_end(body: bytes) -> int:
    return 144 + int(struct.unpack_from("<L", body, 140)[0])


def _in_element(tag: int, vr: bytes) -> Callable[[bytes, bytes], bytes]:
    def plant(body: bytes, value: bytes) -> bytes:
        at = meta_end(body)
        return body[:at] + element(tag, vr, value) + body[at:]

    return plant


def _nested(body: bytes, value: bytes) -> bytes:
    inner = element(0x00081030, b"LO", value)
    item = b"\xfe\xff\x00\xe0" + struct.pack("<L", len(inner)) + inner
    at = meta_end(body)
    return body[:at] + element(0x00081032, b"SQ", item) + body[at:]


def _implicit_in_unknown(body: bytes, value: bytes) -> bytes:
    inner = struct.pack("<HHL", 0x0008, 0x1030, len(value)) + value
    item = b"\xfe\xff\x00\xe0" + struct.pack("<L", len(inner)) + inner
    at = meta_end(body)
    return body[:at] + element(0x00291010, b"UN", item) + body[at:]


def _meta(body: bytes, value: bytes) -> bytes:
    added = element(0x00020102, b"OB", value)
    length = struct.unpack_from("<L", body, 140)[0] + len(added)
    at = meta_end(body)
    return body[:140] + struct.pack("<L", length) + body[144:at] + added + body[at:]


def _after_the_samples(body: bytes, value: bytes) -> bytes:
    layout = read_layout(body)
    assert layout.pixels is not None
    start, end = layout.pixels
    value += b"\0" * (len(value) % 2)
    longer = struct.pack("<L", end - start + len(value))
    return body[: start - 4] + longer + body[start:end] + value + body[end:]


def _after_the_pixels(body: bytes, value: bytes) -> bytes:
    return body + element(0xFFFCFFFC, b"OB", value)


PLACES: dict[str, Callable[[bytes, bytes], bytes]] = {
    "description": _in_element(0x0008103E, b"LO"),
    "comment": _in_element(0x00204000, b"LT"),
    "name": _in_element(0x00081070, b"PN"),
    "address": _in_element(0x00081190, b"UR"),
    "unknown": _in_element(0x00291010, b"UN"),
    "private text": _in_element(0x00291010, b"LO"),
    "private bytes": _in_element(0x00291010, b"OB"),
    "nested": _nested,
    "implicit in unknown": _implicit_in_unknown,
    "meta": _meta,
    "after the samples": _after_the_samples,
    "after the pixels": _after_the_pixels,
}
WORDS = (
    "Przybyłski", "przybyłski", "PRZYBYŁSKI", "Przybylski", "Müller", "MUELLER", "Muller", "Wanda", "Kowalczyka",
    "Wanda Przybyłski", "Przybyłski, Wanda", "Müller=Jörg", "PL-4471-99", "PL447199", "pl_4471_99", "61031298765",
    "SN778812", "SN-778812", "1961-03-12", "12.03.1961", "12 March 1961", "19610312", "2020-02-28", "03/01/2020",
)  # fmt: skip
ENCODINGS: dict[str, Callable[[str], bytes]] = {
    "utf-8": lambda text: text.encode(),
    "latin-2": lambda text: text.encode("iso8859-2"),
    "cp1250": lambda text: text.encode("cp1250"),
    "utf-16-le": lambda text: text.encode("utf-16-le"),
    "utf-16-be": lambda text: text.encode("utf-16-be"),
    "gb18030": lambda text: text.encode("gb18030"),
    "percent": lambda text: quote(text, safe="").encode(),
    "percent, every byte": lambda text: b"".join(b"%%%02X" % byte for byte in text.encode()),
    "quoted-printable": lambda text: quopri.encodestring(text.encode()),
    "quoted-printable, every byte": lambda text: b"".join(b"=%02X" % byte for byte in text.encode()),
    "entities": lambda text: "".join(f"&#{ord(letter)};" for letter in text).encode(),
    "hexadecimal entities": lambda text: "".join(f"&#x{ord(letter):x};" for letter in text).encode(),
    "named entities": lambda text: html.escape(text).replace("ü", "&uuml;").encode(),
}


def written_case(dataset: Dataset) -> bytes:
    out = BytesIO()
    dataset.save_as(out)
    return out.getvalue()
