"""A hostile author writes a name that no header knows, and a patient's numbers, where nobody looks."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from io import BytesIO

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_bytes import CT, EXPLICIT, Made, as_file

from ingestion.deidentify.dates import shift_datetime
from ingestion.deidentify.expectation import expectation_of
from ingestion.deidentify.instance import DeidentifiedInstance, deidentify_instance
from ingestion.deidentify.policy import load_policy
from ingestion.deidentify.profile import METHOD_CODES
from ingestion.deidentify.text.readable import reads_as_text
from ingestion.deidentify.verification import Verifier
from ingestion.dicom.standard_uids import is_standard_uid
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import Pseudonyms

PSEUDONYMS = Pseudonyms(SourceKey("MADE-UP", bytes(range(32))))
LAST, FIRST, NUMBER, DAY = "Wrzesniakova", "Hedvigis", "5519082", "19480904"
WHO = f"{LAST} {FIRST} {NUMBER} {DAY}"
UID = "1.2.3.4.5"


def _text(tag: int, vr: str, text: str) -> tuple[Made, ...]:
    return (Made(tag, vr, text.encode() + (b"\0" if vr in ("UI", "OB", "OW", "UN") else b" ") * (len(text) % 2)),)


def _within(tag: int, *members: Made) -> tuple[Made, ...]:
    return (Made(tag, "SQ", items=(members,)),)


def _code(parent: int, value: str, scheme: str, meaning: str) -> tuple[Made, ...]:
    members = (*_text(0x00080100, "SH", value), *_text(0x00080102, "SH", scheme), *_text(0x00080104, "LO", meaning))
    return _within(parent, *members)


PLACES: dict[str, tuple[Made, ...]] = {
    "file of a directory": _text(0x00041500, "CS", f"PATIENTS\\{LAST.upper()}\\IMG1"),
    "set of a directory": _text(0x00041130, "CS", LAST.upper()),
    "a time that is a number": _text(0x00080032, "TM", NUMBER),
    "a time that is a day": _text(0x00080032, "TM", DAY),
    "a date that is a name": _text(0x00080022, "DA", LAST),
    "an age that is a name": _text(0x00101010, "AS", "H12Y"),
    "numbers with a name": _text(0x00180061, "DS", f"1.0\\{LAST}"),
    "a whole number that is a name": _text(0x00181151, "IS", LAST),
    "single floats": _text(0x00089459, "FL", LAST),
    "double floats": _text(0x00189087, "FD", f"{LAST} Hed"),
    "short integers": _text(0x00181310, "US", f"{LAST} Hedv"),
    "tags": _text(0x00280009, "AT", LAST),
    "a palette": _text(0x00281201, "OW", WHO),
    "a palette in UTF-16": (Made(0x00281201, "OW", WHO.encode("utf-16-le")),),
    "a document": _text(0x00420011, "OB", WHO),
    "text of unknown VR": _text(0x00204000, "UN", WHO),
    "base64": _text(0x00204000, "LT", base64.b64encode(WHO.encode()).decode()),
    "XML": _text(0x0040A160, "UT", f"<?xml version='1.0'?><p n='{LAST}'><!-- {FIRST} {NUMBER} --></p>"),
    "character references": _text(0x0040A160, "UT", "".join(f"&#{ord(letter)};" for letter in LAST)),
    "percent signs": _text(0x00204000, "LT", "".join(f"%{ord(letter):02X}" for letter in LAST)),
    "quoted printable": _text(0x00204000, "LT", "".join(f"={ord(letter):02X}" for letter in LAST)),
    "escapes of a program": _text(0x00204000, "LT", "".join(f"\\u{ord(letter):04x}" for letter in LAST)),
    "letters apart": _text(0x00204000, "LT", " ".join(LAST)),
    "letters in hex": _text(0x00204000, "LT", LAST.encode().hex()),
    "behind a NUL": _text(0x00181030, "LO", f"ABDOMEN\0{LAST}"),
    "an address": _text(0x0040E010, "UR", f"https://pacs/{LAST}?id={NUMBER}"),
    "explanation of a window": _text(0x00281055, "LO", LAST),
    "explanation of a table": _text(0x00283003, "LO", LAST),
    "route of a contrast agent": _text(0x00181040, "LO", LAST),
    "species": _text(0x00102201, "LO", LAST),
    "comments on a frame": _text(0x00209158, "LT", WHO),
    "a curve": (*_text(0x50000022, "LO", LAST), *_text(0x50003000, "OW", WHO)),
    "an overlay of the last group": (*_text(0x60FE0022, "LO", LAST), *_text(0x60FE3000, "OW", WHO)),
    "retired pixels of variable groups": _text(0x7F020010, "OW", WHO),
    "extended offsets": _text(0x7FE00001, "OV", WHO.ljust(40)),
    "retired comments": _text(0x40004000, "LT", WHO),
    "retired arbitrary text": _text(0x40000010, "LT", WHO),
    "retired image ids": _text(0x00203101, "CS", LAST.upper()),
    "no attribute at all": _text(0x00081FFF, "LO", WHO),
    "private without creator": _text(0x00191008, "LO", WHO),
    "private creator": (*_text(0x00190010, "LO", LAST), *_text(0x00191008, "LO", WHO)),
    "private header in bytes": (
        *_text(0x00290010, "LO", "SIEMENS CSA HEADER"), *_text(0x00291010, "OB", f"SV10\4\3\2\1{WHO}"),
    ),
    "private sequence of unknown VR": (
        *_text(0x00290010, "LO", "SIEMENS MEDCOM OOG"),
        Made(0x00291010, "UN", items=(_text(0x00100010, "PN", LAST),), undefined=True),
    ),
    "safe private number": (
        *_text(0x00190010, "LO", "SIEMENS MR HEADER"), *_text(0x0019100B, "DS", f"1.5\\{LAST}"),
    ),
    "parameters of a MAC": _within(0x4FFE0001, *_text(0x04000010, "CS", LAST.upper())),
    "a digital signature": _within(0xFFFAFFFA, *_text(0x04000120, "OB", WHO)),
    "encrypted attributes": _within(0x04000500, *_text(0x04000520, "OB", WHO)),
    "an icon": _within(0x00880200, *_text(0x7FE00010, "OB", WHO)),
    "a recording": _within(0x54000100, *_text(0x54001010, "OB", WHO)),
    "meaning of a procedure": _code(0x00081032, "CTABD", "99LOCAL", f"CT Abdomen {LAST}"),
    "meaning of earlier work": _code(0x00120064, "113100", "DCM", LAST),
    "a UID with a day and a number": _text(0x00083010, "UI", f"1.2.276.{DAY}.{NUMBER}"),
    "a UID that plays the standard's": _text(0x00083010, "UI", f"1.2.840.10008.{DAY}.{NUMBER}"),
    "a class that plays the standard's": _text(0x0008001A, "UI", f"1.2.840.10008.5.1.4.1.1.{NUMBER}"),
    "a private class": _text(0x0008001A, "UI", f"1.2.276.{DAY}.{NUMBER}"),
    "other calendar": _text(0x00100033, "LO", DAY),
    "name to use": _within(0x00100011, *_text(0x00100012, "LT", LAST)),
    "pronouns": _within(0x00100014, *_text(0x00100016, "LT", LAST)),
    "a character set": _text(0x00080005, "CS", f"ISO_IR 100\\{LAST}"),
    "group length": _text(0x00100000, "UL", LAST[:4]),
}  # fmt: skip
BEHIND: dict[str, Callable[[bytes], bytes]] = {
    "preamble": lambda raw: WHO.encode().ljust(128) + raw[128:],
    "padding": lambda raw: raw + b"\xfc\xff\xfc\xffOB\0\0" + struct.pack("<L", len(WHO)) + WHO.encode(),
    "private group behind": lambda raw: (
        raw + b"\xe1\x7f\x10\0LO" + b"\4\0SAFE" + b"\xe1\x7f\x10\x10OB\0\0" + struct.pack("<L", len(WHO)) + WHO.encode()
    ),
}


def _raw(*more: Made) -> bytes:
    own = {element.tag for element in more}
    whole = (
        Made(0x00080016, "UI", CT.encode() + b"\0"),
        *_text(0x00080018, "UI", f"{UID}.6"),
        *_text(0x00080060, "CS", "CT"),
        *_text(0x00080070, "LO", "SIEMENS"),
        *_text(0x00080020, "DA", "20190620"),
        *_text(0x00100010, "PN", "Przybylski^Wanda"),
        *_text(0x00100020, "LO", "PL-4471-99"),
        *_text(0x0020000D, "UI", f"{UID}.7"),
        *_text(0x0020000E, "UI", f"{UID}.8"),
        Made(0x00280002, "US", b"\1\0"), Made(0x00280010, "US", b"\4\0"), Made(0x00280011, "US", b"\4\0"),
        Made(0x00280100, "US", b"\x10\0"), Made(0x00280101, "US", b"\x10\0"), Made(0x00280102, "US", b"\x0f\0"),
        Made(0x00280103, "US", b"\0\0"), *_text(0x00280004, "CS", "MONOCHROME2"),
        Made(0x7FE00010, "OW", bytes(32)),
    )  # fmt: skip
    return as_file((*(element for element in whole if element.tag not in own), *more), syntax=EXPLICIT)


def _done(raw: bytes) -> DeidentifiedInstance:
    return deidentify_instance(raw, policy=load_policy("platform-default"), pseudonyms=PSEUDONYMS)


def _left(body: bytes) -> list[str]:
    spelled = [base64.b64encode(WHO.encode())[:12], "".join(f"&#{ord(letter)};" for letter in LAST).encode()]
    spelled += ["".join(f"{mark}{ord(letter):02X}" for letter in LAST).encode() for mark in "%="]
    spelled += [
        " ".join(LAST).encode(),
        LAST.encode().hex().encode(),
        "".join(f"\\u{ord(c):04x}" for c in LAST).encode(),
    ]
    for word in (LAST, FIRST, NUMBER, DAY):
        spelled += [word.encode(), word.encode("utf-16-le")]
    low = body.lower()
    return [form.decode("latin-1") for form in spelled if form.lower() in low]


@pytest.mark.parametrize("place", PLACES)
def test_a_name_that_no_header_knows_goes_wherever_it_stands(place: str) -> None:
    done = _done(_raw(*PLACES[place]))
    assert not _left(done.body)
    assert pydicom.dcmread(BytesIO(done.body)).PixelData == bytes(32)


@pytest.mark.parametrize("place", BEHIND)
def test_nothing_before_or_behind_the_data_set_is_written(place: str) -> None:
    assert not _left(_done(BEHIND[place](_raw())).body)


def test_the_places_are_really_written() -> None:
    """Without de-identification all of them would be found: the test can fail."""
    unseen = [place for place, elements in PLACES.items() if not _left(_raw(*elements))]
    assert unseen == ["an age that is a name", "group length"]  # too short to be told


def test_a_study_that_took_a_uid_of_the_standard_gets_its_own() -> None:
    done = _done(_raw(*_text(0x0020000D, "UI", "1.2.840.10008.1.1")))
    assert pydicom.dcmread(BytesIO(done.body)).StudyInstanceUID == done.new_ids.study_uid != "1.2.840.10008.1.1"


def test_the_second_look_knows_uids_that_play_the_standards() -> None:
    raw = _raw(*_text(0x00083010, "UI", f"1.2.840.10008.{DAY}.{NUMBER}"))
    done = _done(raw)
    expected = expectation_of(load_policy("platform-default"), PSEUDONYMS, done.ids.patient)
    assert not Verifier().verify(raw, done.body, expected=expected)
    at = done.body.index(b"\x08\0\x10\x30UI")
    length = int.from_bytes(done.body[at + 6 : at + 8], "little")
    uid = f"1.2.840.10008.{DAY}.{NUMBER}".encode().ljust(length, b"\0")
    left = done.body[: at + 8] + uid + done.body[at + 8 + length :]
    assert any(found.rule == "verify.uid" for found in Verifier().verify(raw, left, expected=expected))


def test_a_result_de_identified_again_says_what_was_done_once() -> None:
    """With every option's code (PS3.16 CID 7050) as its history: none is cut, none is said twice."""
    items = tuple(_code(0, value, "DCM", meaning)[0].items[0] for value, meaning in METHOD_CODES.values())  # type: ignore[index]
    first = _done(_raw(Made(0x00120064, "SQ", items=items))).body
    again = _done(first).body
    one, two = pydicom.dcmread(BytesIO(first)), pydicom.dcmread(BytesIO(again))
    told = [(item.CodeValue, item.CodeMeaning) for item in two.DeidentificationMethodCodeSequence]
    assert sorted(told) == sorted(METHOD_CODES.values())
    assert one.DeidentificationMethod == two.DeidentificationMethod


def test_the_version_of_a_coding_scheme_is_no_date_of_a_patient() -> None:
    done = _done(_raw(*_within(0x00081032, *_text(0x00080103, "SH", "20060821"))))
    assert b"20060821" in done.body


@pytest.mark.parametrize("uid", ["1.2.840.10008.1.2.1", CT, "1.2.840.10008.6.1.1420"])
def test_what_the_standard_gave_out_stays(uid: str) -> None:
    assert is_standard_uid(uid)


def test_the_uid_of_a_coding_scheme_stays_unless_it_holds_a_number() -> None:
    for uid, stays in (("2.16.840.1.113883.6.96", True), (f"2.16.840.1.{DAY}", False)):
        done = _done(_raw(*_within(0x00080110, *_text(0x0008010C, "UI", uid))))
        assert (uid.encode() in done.body) is stays


@pytest.mark.parametrize("typed", ["20190620773410", "20190620101010.1234567", "201906202561"])
def test_what_is_no_time_of_day_is_not_carried_by_a_date(typed: str) -> None:
    assert shift_datetime(typed, -400) is None


@given(st.lists(st.floats(width=32, allow_nan=False), min_size=1, max_size=40))
def test_numbers_that_devices_write_are_no_text(values: list[float]) -> None:
    few = [round(value) for value in values if abs(value) < 1000]
    assert not reads_as_text(struct.pack(f"<{len(few)}f", *few))
    assert not reads_as_text(struct.pack(f"<{len(few)}d", *few))


@pytest.mark.parametrize("ramp", [range(256), range(0, 65536, 16), [0] * 500, range(0, 4096, 3)])
def test_tables_of_samples_are_no_text(ramp: range | list[int]) -> None:
    assert not reads_as_text(struct.pack(f"<{len(ramp)}H", *ramp))
