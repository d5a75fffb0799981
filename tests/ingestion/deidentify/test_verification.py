"""The verifier against a rewriter that leaks: one identity left in one place, in one encoding, at a time."""

from __future__ import annotations

import base64
import html
import quopri
import re
import struct
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from io import BytesIO
from pathlib import Path
from urllib.parse import quote

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.deidentify.dates import shift_date
from ingestion.deidentify.instance import deidentify_instance
from ingestion.deidentify.policy import load_policy
from ingestion.deidentify.verification import Expectation, Identities, Kind, Verifier, identities_in, read_layout
from ingestion.deidentify.verification.dates import days_in, written
from ingestion.deidentify.verification.needles import Needle, Reach, normalised
from ingestion.deidentify.verification.search import Searcher, _bounded
from ingestion.dicom.guard import guarded
from ingestion.dicom.quiet import silence_readers
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import Pseudonyms

PSEUDONYMS = Pseudonyms(SourceKey("MADE-UP", bytes(range(32))))
UID = "1.2.276.0.7230010.3.1.4.8323329.5576.1495927169.335276"


def _raw(syntax: str | None = None) -> bytes:
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
def _case() -> tuple[bytes, bytes, Expectation]:
    raw = _raw()
    done = deidentify_instance(raw, policy=load_policy("platform-default"), pseudonyms=PSEUDONYMS)
    days = PSEUDONYMS.shift_days(done.ids.patient)
    return raw, done.body, Expectation(done.new_ids.patient.patient_id, shift_days=days)


def _findings(result: bytes) -> tuple[str, ...]:
    raw, _, expected = _case()
    return tuple(finding.rule for finding in _verifier().verify(raw, result, expected=expected))


@cache
def _verifier() -> Verifier:
    """One for all: what it gathers is the same each time, and compiling it takes longer than a search."""
    return Verifier()


def _element(tag: int, vr: bytes, value: bytes) -> bytes:
    value += b" " * (len(value) % 2)
    head = struct.pack("<HH", tag >> 16, tag & 0xFFFF) + vr
    if vr in (b"OB", b"UN", b"UT", b"UC", b"UR", b"SQ", b"OW"):
        return head + struct.pack("<HL", 0, len(value)) + value
    return head + struct.pack("<H", len(value)) + value


def _meta_end(body: bytes) -> int:
    return 144 + int(struct.unpack_from("<L", body, 140)[0])


def _in_element(tag: int, vr: bytes) -> Callable[[bytes, bytes], bytes]:
    def plant(body: bytes, value: bytes) -> bytes:
        at = _meta_end(body)
        return body[:at] + _element(tag, vr, value) + body[at:]

    return plant


def _nested(body: bytes, value: bytes) -> bytes:
    inner = _element(0x00081030, b"LO", value)
    item = b"\xfe\xff\x00\xe0" + struct.pack("<L", len(inner)) + inner
    at = _meta_end(body)
    return body[:at] + _element(0x00081032, b"SQ", item) + body[at:]


def _implicit_in_unknown(body: bytes, value: bytes) -> bytes:
    inner = struct.pack("<HHL", 0x0008, 0x1030, len(value)) + value
    item = b"\xfe\xff\x00\xe0" + struct.pack("<L", len(inner)) + inner
    at = _meta_end(body)
    return body[:at] + _element(0x00291010, b"UN", item) + body[at:]


def _meta(body: bytes, value: bytes) -> bytes:
    added = _element(0x00020102, b"OB", value)
    length = struct.unpack_from("<L", body, 140)[0] + len(added)
    at = _meta_end(body)
    return body[:140] + struct.pack("<L", length) + body[144:at] + added + body[at:]


def _after_the_samples(body: bytes, value: bytes) -> bytes:
    layout = read_layout(body)
    assert layout.pixels is not None
    start, end = layout.pixels
    value += b"\0" * (len(value) % 2)
    longer = struct.pack("<L", end - start + len(value))
    return body[: start - 4] + longer + body[start:end] + value + body[end:]


def _after_the_pixels(body: bytes, value: bytes) -> bytes:
    return body + _element(0xFFFCFFFC, b"OB", value)


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


@settings(max_examples=300, deadline=None)
@given(
    place=st.sampled_from(sorted(PLACES)),
    word=st.sampled_from(WORDS),
    encoding=st.sampled_from(sorted(ENCODINGS)),
    around=st.sampled_from([("", ""), ("CT of ", " axial"), ("x=", ";"), ("(", ")"), ("\n", "\r\n")]),
)
def test_every_leak_is_found(place: str, word: str, encoding: str, around: tuple[str, str]) -> None:
    before, after = around
    value = ENCODINGS[encoding](before) + ENCODINGS[encoding](word) + ENCODINGS[encoding](after)
    assert _findings(PLACES[place](_case()[1], value)), (place, word, encoding)


@settings(max_examples=150, deadline=None)
@given(
    place=st.sampled_from(sorted(PLACES)),
    word=st.sampled_from(["Przybyłski", "Przybyłski Wanda", "PL-4471-99", "Kowalczyka", "61031298765"]),
    before=st.text(st.characters(codec="ascii", categories=["L", "N"]), max_size=5),
    url=st.booleans(),
)
def test_base64_is_seen_through_at_every_alignment(place: str, word: str, before: str, url: bool) -> None:
    coded = (base64.urlsafe_b64encode if url else base64.b64encode)(f"{before} {word} ".encode())
    if word.isdigit():
        coded = base64.b16encode(word.encode())
    assert _findings(PLACES[place](_case()[1], coded))


@settings(max_examples=100, deadline=None)
@given(
    place=st.sampled_from(sorted(PLACES)),
    uid=st.sampled_from([UID, "own"]),
    codec=st.sampled_from(["ascii", "utf-16-le"]),
    ahead=st.sampled_from(["", "series ", "id"]),
    behind=st.sampled_from(["", ".1", " "]),
)
def test_every_original_uid_is_found(place: str, uid: str, codec: str, ahead: str, behind: str) -> None:
    wanted = str(pydicom.dcmread(BytesIO(_case()[0])).SOPInstanceUID) if uid == "own" else uid
    planted = PLACES[place](_case()[1], (ahead + wanted + behind).encode(codec))
    assert "verify.uid" in _findings(planted)


@settings(max_examples=100, deadline=None)
@given(
    place=st.sampled_from(["description", "comment", "private text", "unknown", "private bytes", "nested"]),
    text=st.sampled_from([
        "CT Chest with contrast", "MPRAGE TR 2300 TE 2.98", "40% phase = AB", "a &amp; b", "20190101", "Wandering",
        "1.2.840.10008.5.1.4.1.1.2", "2.25.329800735698586629295641978511506172918", "manner", "99",
    ]),
)  # fmt: skip
def test_what_identifies_nobody_is_no_finding(place: str, text: str) -> None:
    assert _findings(PLACES[place](_case()[1], text.encode())) == ()


def test_a_clean_result_has_no_finding_and_the_raw_object_has_many() -> None:
    raw, body, _ = _case()
    assert _findings(body) == ()
    assert {"verify.identity", "verify.uid", "verify.date", "verify.patient_id"} <= set(_findings(raw))


@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_other_encodings_are_walked_as_well(syntax: str) -> None:
    raw = _raw(syntax)
    done = deidentify_instance(raw, policy=load_policy("platform-default"), pseudonyms=PSEUDONYMS)
    expected = replace(_case()[2], patient_id=done.new_ids.patient.patient_id)
    assert Verifier().verify(raw, done.body, expected=expected) == ()
    leaky = pydicom.dcmread(BytesIO(done.body))
    leaky.ImageComments = "seen by Müller"
    leaky.SpecificCharacterSet = "ISO_IR 100"
    out = BytesIO()
    leaky.save_as(out)
    found = Verifier().verify(raw, out.getvalue(), expected=expected)
    assert {(one.rule, one.tag) for one in found} == {("verify.identity", "(0020,4000)")}


@pytest.mark.parametrize("frame", ["jpeg", "jpeg 2000", "tail"])
def test_comments_of_compressed_frames_are_searched(frame: str) -> None:
    text = b"Wanda Przybylski"
    bodies = {
        "jpeg": b"\xff\xd8\xff\xfe" + struct.pack(">H", 2 + len(text)) + text + b"\xff\xda\0\2data\xff\xd9",
        "jpeg 2000": b"\xff\x4f\xff\x51\0\4ab\xff\x64" + struct.pack(">H", 4 + len(text)) + b"\0\1" + text
        + b"\xff\x93data\xff\xd9",
        "tail": b"\xff\xd8\xff\xda\0\2data\xff\xd9" + text,
    }  # fmt: skip
    body = _encapsulated(bodies[frame])
    assert "verify.identity" in _findings(body)
    assert "verify.identity" not in _findings(_encapsulated(bodies[frame].replace(text, b"0" * len(text))))


def _encapsulated(frame: bytes) -> bytes:
    frame += b"\0" * (len(frame) % 2)
    layout = read_layout(_case()[1])
    assert layout.pixels is not None
    item = b"\xfe\xff\x00\xe0"
    pixels = item + b"\0\0\0\0" + item + struct.pack("<L", len(frame)) + frame + b"\xfe\xff\xdd\xe0\0\0\0\0"
    head = _case()[1][: layout.pixels[0] - 12].replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.4.50"[:20])
    return head + b"\xe0\x7f\x10\x00OB\0\0\xff\xff\xff\xff" + pixels


def test_a_shifted_date_that_equals_another_original_is_no_leak_but_an_original_left_is() -> None:
    raw, body, expected = _case()
    assert expected.shift_days is not None
    dataset = pydicom.dcmread(BytesIO(raw))
    moved = shift_date("20200228", expected.shift_days)
    assert moved is not None
    dataset.ContentDate = moved  # an original date that the study date's shifted one coincides with
    dataset.PatientBirthDate = "19610312"
    coincident = _written(dataset)
    result = pydicom.dcmread(BytesIO(body))
    assert result.StudyDate == moved
    result.ContentDate = shift_date(moved, expected.shift_days)
    assert Verifier().verify(coincident, _written(result), expected=expected) == ()
    result.ContentDate = moved
    found = Verifier().verify(coincident, _written(result), expected=expected)
    assert [(one.rule, one.tag) for one in found] == [("verify.date", "(0008,0023)")]


@pytest.mark.parametrize("form", ["12 3 61", "12 03 61", "12/3/61", "12.3.61", "12 3 1961", "1961 3 12"])
def test_a_birth_date_is_found_as_people_write_it(form: str) -> None:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.PatientBirthDate = "19610312"
    raw = _written(dataset)
    dataset.PatientID, dataset.StudyDescription = "MADE-UP-X", f"CT {form} abdomen"
    found = Verifier().verify(raw, _written(dataset), expected=Expectation("MADE-UP-X", shift_days=-100))
    assert "(0008,1030)" in {one.tag for one in found if one.rule == "verify.date"}


def test_specimens_that_content_items_name_are_looked_for() -> None:
    """(0040,A160) under the concept Specimen Identifier (DCM 121041), in an image as in a report."""
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    item, code = pydicom.Dataset(), pydicom.Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = "121041", "DCM", "Specimen Identifier"
    item.ValueType, item.ConceptNameCodeSequence, item.TextValue = "TEXT", [code], "S19-7731_B"
    step = pydicom.Dataset()
    step.SpecimenPreparationStepContentItemSequence = [item]
    dataset.SpecimenPreparationSequence = [step]
    raw = _written(dataset)
    dataset.PatientID, dataset.SpecimenPreparationSequence = "MADE-UP-X", []
    dataset.StudyDescription = "block s19_7731_b"
    found = Verifier().verify(raw, _written(dataset), expected=Expectation("MADE-UP-X", shift_days=-100))
    assert "(0008,1030)" in {one.tag for one in found if one.rule == "verify.identity"}


def test_short_values_must_at_least_leave_their_own_element() -> None:
    raw, body, expected = _case()
    dataset = pydicom.dcmread(BytesIO(raw))
    dataset.StudyID, dataset.InstitutionName = "17", "Hospital"
    result = pydicom.dcmread(BytesIO(body))
    result.StudyID, result.InstitutionName = "17", "Hospital"
    found = Verifier().verify(_written(dataset), _written(result), expected=expected)
    assert {(one.rule, one.tag) for one in found} == {
        ("verify.unchanged", "(0020,0010)"), ("verify.unchanged", "(0008,0080)"),
    }  # fmt: skip
    kept = replace(expected, kept=frozenset({Kind.PLACE}))
    assert {one.tag for one in Verifier().verify(_written(dataset), _written(result), expected=kept)} == {"(0020,0010)"}


def test_short_names_are_found_as_whole_words_of_text_only() -> None:
    raw, body, expected = _case()
    dataset = pydicom.dcmread(BytesIO(raw))
    dataset.PatientName = "Li^Ng"
    for text, finds in (("CT for Li axial", True), ("lithium", False), ("NG", True)):
        result = pydicom.dcmread(BytesIO(body))
        result.SeriesDescription = text
        found = Verifier().verify(_written(dataset), _written(result), expected=expected)
        assert bool(found) is finds, text


@pytest.mark.parametrize(
    ("charset", "name"),
    [
        ("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう"),
        ("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동"),
        ("ISO_IR 144", "Люкceмбypг"),
        ("ISO_IR 126", "Διονυσιος"),
        ("GB18030", "Wang^XiaoDong=王^小东"),
        ("ISO_IR 13", "ﾔﾏﾀﾞ^ﾀﾛｳ"),
    ],
)
def test_names_of_other_scripts_are_found_in_their_own_bytes_and_in_others(charset: str, name: str) -> None:
    """Examples of PS3.5 annexes H, I and J."""
    raw, body, expected = _case()
    dataset = pydicom.dcmread(BytesIO(raw))
    dataset.SpecificCharacterSet = charset.split("\\")
    dataset.PatientName = name
    written_raw = _written(dataset)
    own = pydicom.dcmread(BytesIO(written_raw))
    stored = next(
        written_raw[start : start + length]
        for tag, _, start, length, _ in read_layout(written_raw).leaves if tag == 0x00100010
    )  # fmt: skip
    last = str(own.PatientName).split("=")[-1].split("^")[0]
    for planted in (
        stored,
        stored.split(b"=")[-1],
        b"CT of " + stored.strip(b" "),
        last.encode(),
        last.encode("utf-16-be"),
    ):
        leaky = PLACES["description"](body, planted)
        assert Verifier().verify(written_raw, leaky, expected=expected), (charset, planted)
    assert Verifier().verify(written_raw, body, expected=expected) == ()


def test_what_one_instance_names_is_looked_for_in_the_next() -> None:
    raw, body, expected = _case()
    other = pydicom.dcmread(BytesIO(raw))
    other.PatientName, other.OperatorsName = "Przybyłski^Wanda", "Szymborska"
    result = pydicom.dcmread(BytesIO(body))
    result.SeriesDescription = "by szymborska"
    leaky = _written(result)
    verifier = Verifier()
    assert verifier.verify(raw, leaky, expected=expected) == ()
    assert verifier.verify(_written(other), body, expected=expected) == ()
    assert verifier.verify(raw, leaky, expected=expected)


def test_kinds_that_the_policy_keeps_are_not_looked_for() -> None:
    raw, body, expected = _case()
    planted = PLACES["description"](body, b"SN-778812")
    assert Verifier().verify(raw, planted, expected=expected)
    assert Verifier().verify(raw, planted, expected=replace(expected, kept=frozenset({Kind.DEVICE}))) == ()


def test_private_elements_are_findings_where_none_may_be() -> None:
    raw, body, expected = _case()
    planted = PLACES["private text"](body, b"harmless")
    assert Verifier().verify(raw, planted, expected=expected) == ()
    found = Verifier().verify(raw, planted, expected=replace(expected, private=False))
    assert {one.rule for one in found} == {"verify.private"}
    assert "(0029,1010)" in {one.tag for one in found}


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 2000))
def test_broken_bytes_end_in_a_finding_or_none_but_never_in_an_error(junk: bytes, at: int) -> None:
    raw, body, expected = _case()
    for broken in (junk, body[:at], body[:at] + junk + body[at + len(junk) :]):
        Verifier().verify(raw, broken, expected=expected)
        Verifier().verify(broken, body, expected=expected)
    assert Verifier().verify(raw, body[: len(body) // 2], expected=expected)


def test_no_value_shows_in_what_the_verifier_says_of_itself() -> None:
    raw, _, expected = _case()
    verifier = Verifier()
    findings = verifier.verify(raw, raw, expected=expected)
    shown = repr((verifier, findings, expected, identities_in(read_layout(raw)), verifier.study)).lower()
    assert not any(word.lower() in shown for word in (*WORDS, UID))
    assert isinstance(verifier.study, Identities)


@settings(deadline=None)
@given(st.dates())
def test_every_written_form_of_a_day_is_read_back(day) -> None:
    text = day.strftime("%Y%m%d").zfill(8)
    if 1850 <= day.year <= 2099 and text not in {"19000101", "19700101", "19010101", "18991230"}:
        for form in written(text):
            assert text in days_in(form), form
            assert text in days_in(f"p4 {form}: axial")


@settings(deadline=None)
@given(st.binary(), st.binary(), st.binary())
def test_what_is_in_the_bytes_is_in_the_normalised_bytes(before: bytes, needle: bytes, after: bytes) -> None:
    assert normalised(needle) in normalised(before + needle + after)
    assert normalised(needle) in normalised(before + needle.upper() + after)


@pytest.mark.slow
def test_every_clean_result_of_the_corpus_is_clean_and_every_raw_object_is_not(shared: Path) -> None:
    silence_readers()
    policy = load_policy("platform-default")
    clean, dirty, wrong = 0, 0, []
    for path in sorted(path for path in (shared / "corpus").rglob("*") if path.is_file()):
        raw = path.read_bytes()
        try:
            with guarded("test"):
                done = deidentify_instance(raw, policy=policy, pseudonyms=PSEUDONYMS)
        except InstanceRefusedError:
            continue
        days = PSEUDONYMS.shift_days(done.ids.patient)
        expected = Expectation(done.new_ids.patient.patient_id, shift_days=days)
        findings = Verifier().verify(raw, done.body, expected=expected)
        clean += not findings
        wrong += [path.name] if findings else []
        dirty += bool(Verifier().verify(raw, raw, expected=expected))
    assert clean > 500
    assert dirty == clean + len(wrong)
    # Its maker, a project, is also the coordinating centre of its trial: an identity by PS3.15, and it is still there.
    # Descriptions in which the cleaner sees ordinary words and the verifier an identity, a reader called User2, and a
    # station called as its maker writes itself (GENESIS_SIGNA): emptied at the second try.
    signa = {f"MR{number:02}.dcm" for number in range(1, 17)}
    assert set(wrong) <= {"partial_overlaps.dcm", "seg.dcm", "sr.dcm", "GH133.dcm", "GH342.dcm"} | signa


def _written(dataset: Dataset) -> bytes:
    out = BytesIO()
    dataset.save_as(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("written", "typed"),
    [
        ("Μαυροκορδίδης", "Mavrokordidis"), ("Θεοδωρουλέας", "Theodorouleas"), ("Ευσταθίου", "Efstathiou"),
        ("Μπακογιάννης", "Bakogiannis"), ("Шевченко", "Shevchenko"), ("Хрущёв", "Khrushchev"), ("Юлия", "Yuliya"),
    ],
)  # fmt: skip
def test_a_name_in_its_own_script_is_known_in_latin_letters_too(written: str, typed: str) -> None:
    """By the verifier and by the cleaner, each in its own way."""
    from ingestion.deidentify.rules import TextKind
    from ingestion.deidentify.text import IdentityCollector, StudyCleaner

    raw, body, expected = _case()
    dataset = pydicom.dcmread(BytesIO(raw))
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = f"{written}^Anna"
    planted = PLACES["description"](body, typed.encode())
    assert Verifier().verify(_written(dataset), planted, expected=expected)
    collector = IdentityCollector()
    collector.add(0x00100010, "PN", f"{written}^Anna")
    cleaner = StudyCleaner(collector.freeze(), shift_days=-400)
    assert typed.lower() not in cleaner.clean(f"{typed} 2.0 axial", kind=TextKind.TECHNICAL).lower()


@given(
    st.lists(
        st.sampled_from(["ann", "li", "o'ne", "\u738b", "m\u00fcl", "CT ANN", "annex", "LI, ANN", "0ann", "x"]),
        max_size=5,
    ),
    st.sets(st.sampled_from(["ann", "li", "ex", "\u738b"]), min_size=1),
    st.booleans(),
)
def test_all_text_at_once_is_no_blinder_than_value_by_value(texts: list[str], words: set[str], wide: bool) -> None:
    codec = "utf-16-le" if wide else "utf-8"
    values = [text.encode(codec) for text in texts]
    body = bytes(128) + b"DICM" + _element(0x00020010, b"UI", b"1.2.840.10008.1.2.1\0")
    body += b"".join(_element(0x00081030 + at, b"LO", value) for at, value in enumerate(values))
    reaches = (Reach.TEXT_WORD, Reach.TEXT)
    needles = tuple(
        Needle(Kind.PERSON, reaches[at % 2], normalised(word.encode())) for at, word in enumerate(sorted(words))
    )
    searcher, layout = Searcher(needles), read_layout(body)
    pattern = re.compile(b"|".join(_bounded(needle) for needle in needles))
    met = any(pattern.search(normalised(value)) for value in values)
    assert not met or searcher._may_be_in_text(layout)
    assert met == any(True for _ in searcher._in_text(layout, seen=set()))
