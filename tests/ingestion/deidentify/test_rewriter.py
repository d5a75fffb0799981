"""The header rewriter on data sets that no library would write."""

from __future__ import annotations

import struct
from dataclasses import replace
from io import BytesIO

import pydicom
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_bytes import (
    BIG,
    CT,
    DEFLATED,
    EXPLICIT,
    IMPLICIT,
    PATIENT,
    PLANTED,
    PSEUDONYMS,
    Made,
    MadeRules,
    as_file,
    encode_one,
    ids,
    rewriter,
)  # fmt: skip

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.deidentify.dates import shift_date
from ingestion.deidentify.rules import Rule, TextKind, Treatment
from ingestion.identity.pseudonyms import PatientIdentity

SYNTAXES = (EXPLICIT, IMPLICIT, BIG, DEFLATED)
CHARSETS = {
    b"": "latin-1", b"ISO_IR 100": "latin-1", b"ISO_IR 192": "utf-8", b"GB18030": "gb18030",
    b"ISO_IR 101": "iso8859_2", b"\\ISO 2022 IR 87": "iso2022_jp", b"\\ISO 2022 IR 149": "ascii",
}  # fmt: skip
LETTERS = {
    "latin-1": "abcXYZ äéß 12", "utf-8": "abc äłЖ山 12", "gb18030": "abc 山张 12", "iso8859_2": "abc łńż 12",
    "iso2022_jp": "abc 山田太郎 12", "ascii": "abc XYZ 12",
}  # fmt: skip


def _read(body: bytes) -> pydicom.Dataset:
    return pydicom.dcmread(BytesIO(body))


def _forms(text: str) -> list[bytes]:
    return [text.lower().encode("utf-8"), text.lower().encode("utf-16-le"), text.lower().encode("utf-16-be")]


def _holds(body: bytes, text: str) -> bool:
    low = body.lower()
    return any(form in low for form in _forms(text))


@st.composite
def _elements(draw: st.DrawFn, encoding: str, depth: int = 0) -> tuple[Made, ...]:
    """Elements of all VRs, with a name in some of them."""
    found = [draw(_element(encoding, depth)) for _ in range(draw(st.integers(0, 6)))]
    if draw(st.booleans()):
        creator = draw(st.sampled_from((b"SAFE", b"OTHER ", PLANTED.encode())))
        found.append(Made(0x00290010, "LO", creator))
    value = draw(_bytes_with_name())
    found.append(Made(0x00291001, "UN", value))
    if draw(st.booleans()):
        found.append(Made(0x00080000, "UL", b"\4\0\0\0"))
    if found and draw(st.booleans()):
        found.append(draw(st.sampled_from(found)))  # a tag twice
    return tuple(sorted(found, key=lambda element: element.tag))


@st.composite
def _bytes_with_name(draw: st.DrawFn) -> bytes:
    name = draw(st.sampled_from((b"", PLANTED.encode(), PLANTED.upper().encode(), PLANTED.encode("utf-16-le"))))
    return draw(st.binary(max_size=9)) + name + draw(st.binary(max_size=9))


_TEXTS = (
    (0x00081030, "LO"), (0x00080070, "LO"), (0x00104000, "LT"), (0x00080050, "SH"), (0x00081010, "SH"),
    (0x00081050, "PN"), (0x0040A160, "UT"), (0x00081070, "PN"), (0x00180010, "LO"), (0x00080060, "CS"),
    (0x00080054, "AE"), (0x00081155, "UI"), (0x0040E010, "UR"), (0x00080119, "UC"), (0x00204000, "LT"),
)  # fmt: skip
_BINARY = (
    (0x00280010, "US", 2), (0x00189074, "DT", 0), (0x00280106, "SS", 2), (0x00189087, "FD", 8), (0x00186020, "SL", 4),
    (0x00281201, "OW", 0), (0x00420011, "OB", 0), (0x00181310, "US", 8), (0x00720026, "AT", 4), (0x00180013, "FL", 4),
)  # fmt: skip


@st.composite
def _element(draw: st.DrawFn, encoding: str, depth: int) -> Made:
    kind = draw(st.integers(0, 3 if depth < 3 else 2))
    if kind == 0:
        tag, vr = draw(st.sampled_from(_TEXTS))
        if vr == "UI":
            return Made(tag, vr, draw(st.sampled_from((b"1.2.3", b"1.2.840.10008.1.1\0", b"1.2\\3.4.5", b""))))
        letters = LETTERS[encoding if vr not in ("CS", "AE", "UR") else "ascii"]
        name = draw(st.sampled_from(("", PLANTED, PLANTED.upper())))
        text = draw(st.text(letters, max_size=8)) + name + draw(st.text(letters, max_size=8))
        return Made(tag, vr, text.encode(encoding))
    if kind == 1:
        tag, vr, width = draw(st.sampled_from(_BINARY))
        if vr == "DT":
            return Made(tag, vr, draw(st.sampled_from((b"20200101", b"20200101101010.5", b"", b"2020"))))
        value = draw(st.binary(min_size=width, max_size=width)) if width else draw(_bytes_with_name())
        return Made(tag, vr, value)
    if kind == 2:
        tag, vr = draw(
            st.sampled_from(((0x00201206, "IS"), (0x00180050, "DS"), (0x00101010, "AS"), (0x00080030, "TM")))
        )
        values = {"IS": (b"12", b"3 "), "DS": (b"1.5\\2", b"-0.25"), "AS": (b"069Y", b"095Y"), "TM": (b"101010",)}
        return Made(tag, vr, draw(st.sampled_from(values[vr])))
    tag, vr = draw(st.sampled_from(((0x00081140, "SQ"), (0x0040A730, "SQ"), (0x00081115, "UN"), (0x00291002, "SQ"))))
    items = tuple(draw(_elements(encoding, depth + 1)) for _ in range(draw(st.integers(0, 2))))
    return Made(tag, vr, items=items, undefined=draw(st.booleans()))


@st.composite
def _objects(draw: st.DrawFn) -> tuple[tuple[Made, ...], str]:
    charset = draw(st.sampled_from(sorted(CHARSETS)))
    syntax = draw(st.sampled_from(SYNTAXES))
    return (*ids(charset), *draw(_elements(CHARSETS[charset]))), syntax


def _big_endian_cannot(element: Made) -> bool:
    """Undefined-length UN is implicit *little* endian inside whatever is around it, which the encoder here is not."""
    return element.vr == "UN" and element.items is not None


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(_objects())
def test_no_planted_name_survives_and_the_result_is_readable(made: tuple[tuple[Made, ...], str]) -> None:
    elements, syntax = made
    if syntax == BIG:
        elements = _without_unknown_sequences(elements)
    result = rewriter().rewrite(as_file(elements, syntax=syntax))
    dataset = _read(result.body())
    assert not _holds(result.header, PLANTED)
    assert not _holds(result.body(), PLANTED)
    assert dataset.PatientID == PSEUDONYMS.patient(PATIENT)
    assert dataset.PatientIdentityRemoved == "YES"
    assert str(dataset.file_meta.TransferSyntaxUID) == syntax
    for element in dataset.iterall():
        assert element.tag.element != 0
        assert element.VR


def _without_unknown_sequences(elements: tuple[Made, ...]) -> tuple[Made, ...]:
    return tuple(
        replace(element, items=tuple(_without_unknown_sequences(item) for item in element.items))
        if element.items is not None
        else element
        for element in elements
        if not _big_endian_cannot(element)
    )


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(_objects())
def test_untouched_elements_are_the_same_bytes(made: tuple[tuple[Made, ...], str]) -> None:
    elements, syntax = made
    if syntax == BIG:
        elements = _without_unknown_sequences(elements)
    header = rewriter().rewrite(as_file(elements, syntax=syntax)).header
    form = {"implicit": syntax == IMPLICIT, "little": syntax != BIG}
    for element in elements:
        public = not element.tag >> 16 & 1 and element.tag & 0xFFFF and element.tag != 0x00100010
        if not public or element.items is not None or element.vr in ("UI", "UN", "CS") or len(element.value) % 2:
            continue
        if element.tag == 0x00100020 or any(form in element.value.lower() for form in _forms(PLANTED)):
            continue
        if element.vr in ("LO", "SH", "LT", "PN", "UT", "UC") and not element.value.isascii():
            continue  # whether it can be decoded is another test's matter
        assert encode_one(element, **form) in header


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(_objects())
def test_a_second_run_changes_ids_only(made: tuple[tuple[Made, ...], str]) -> None:
    """The same key over its own output: UIDs and the pseudonym are remapped again, as the policy says; no more."""
    elements, syntax = made
    if syntax == BIG:
        elements = _without_unknown_sequences(elements)
    first = rewriter().rewrite(as_file(elements, syntax=syntax))
    pseudonym = PatientIdentity(PSEUDONYMS.patient(PATIENT))
    second = rewriter(patient=pseudonym).rewrite(first.body())
    one, two = _read(first.body()), _read(second.body())
    assert [element.tag for element in one] == [element.tag for element in two]
    for element in one:
        if element.VR not in ("UI", "SQ") and element.tag not in (0x00100010, 0x00100020):
            assert two.get_item(element.tag).value == one.get_item(element.tag).value


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.lists(_objects(), min_size=2, max_size=4))
def test_what_came_before_changes_nothing(many: list[tuple[tuple[Made, ...], str]]) -> None:
    files = [as_file(_without_unknown_sequences(elements), syntax=syntax) for elements, syntax in many]
    together = rewriter()
    warm = [together.rewrite(raw) for raw in (*files, *files)]
    for position, raw in enumerate((*files, *files)):
        alone = rewriter().rewrite(raw)
        assert warm[position].body() == alone.body()
        assert warm[position].treated == alone.treated


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 400))
def test_hostile_bytes_are_refused_or_rewritten(noise: bytes, place: int) -> None:
    raw = as_file((*ids(), Made(0x00081140, "SQ", items=((Made(0x00081155, "UI", b"1.2"),),), undefined=True)))
    cut = min(place + 150, len(raw))
    for hostile in (raw[:cut] + noise, raw[:cut] + noise + raw[cut:], raw[:cut]):
        try:
            body = rewriter().rewrite(hostile).body()
        except InstanceRefusedError as refused:
            assert refused.reason in set(Reason)
        else:
            assert not _holds(body, PLANTED)


def test_lengths_keep_the_style_of_the_source() -> None:
    inner = Made(0x00081155, "UI", b"1.2.3.4")
    for undefined in (True, False):
        made = Made(0x00081140, "SQ", items=((inner,), (inner,)), undefined=undefined)
        header = rewriter().rewrite(as_file((*ids(), made))).header
        place = header.index(struct.pack("<HH2sH", 0x0008, 0x1140, b"SQ", 0))
        length, _, _, item = struct.unpack_from("<LHHL", header, place + 8)
        assert (length == 0xFFFFFFFF) is undefined
        assert (item == 0xFFFFFFFF) is undefined
    new = _read(rewriter().rewrite(as_file((*ids(), made))).body())
    assert [item.ReferencedSOPInstanceUID for item in new.ReferencedImageSequence] == [PSEUDONYMS.uid("1.2.3.4")] * 2


def test_unknown_vr_is_read_as_the_sequence_it_holds() -> None:
    name = Made(0x00100010, "PN", PLANTED.encode())
    uid = Made(0x00081155, "UI", b"1.2.3")
    for undefined in (True, False):
        made = Made(0x00081140, "UN", items=((uid, name),), undefined=undefined)
        header = rewriter().rewrite(as_file((*ids(), made))).header
        assert PSEUDONYMS.uid("1.2.3").encode() in header
        assert not _holds(header, PLANTED)
    assert b"no items" not in rewriter().rewrite(as_file((*ids(), Made(0x00081140, "UN", b"no items")))).header


def test_private_elements_are_known_by_their_creator() -> None:
    def kept(*private: Made) -> bytes:
        return rewriter().rewrite(as_file((*ids(), *private))).header

    value = Made(0x00291001, "LO", b"value1")
    assert b"value1" in kept(Made(0x00290010, "LO", b"SAFE"), value)
    assert b"value1" not in kept(Made(0x00290010, "LO", b"OTHER "), value)
    assert b"OTHER " not in kept(Made(0x00290010, "LO", b"OTHER "), value)
    assert b"value1" not in kept(value)
    assert b"value1" not in kept(Made(0x00290011, "LO", b"SAFE"), value)
    assert b"SAFE" not in kept(Made(0x00290010, "LO", b"SAFE"))  # a block of nothing
    item = (Made(0x00290010, "LO", b"SAFE"), value)
    outside = Made(0x00081140, "SQ", items=((value,), item))
    assert kept(outside).count(b"value1") == 1


@pytest.mark.parametrize("charset", sorted(CHARSETS))
def test_cleaned_text_is_written_in_its_own_character_set(charset: bytes) -> None:
    encoding = CHARSETS[charset]
    rest = {"utf-8": " Łódź", "gb18030": " 张山", "iso8859_2": " Łódź", "iso2022_jp": " 山田"}.get(encoding, " abc")
    made = Made(0x00081030, "LO", (PLANTED + rest).encode(encoding))
    rules = MadeRules({0x00081030: Rule(Treatment.CLEAN, "text", TextKind.DESCRIPTOR)})
    result = _read(rewriter(rules).rewrite(as_file((*ids(charset), made))).body())
    assert result.StudyDescription.strip() == rest.strip()


def test_a_text_that_cannot_be_decoded_is_removed() -> None:
    rules = MadeRules({0x00081030: Rule(Treatment.CLEAN, "text", TextKind.DESCRIPTOR)})
    for charset, value in ((b"ISO_IR 192", b"\xff\xfe\xfd "), (b"NONSENSE", b"\xe9t\xe9 "), (b"ISO_IR 192", b"\xc3(")):
        for book in (rules, MadeRules()):
            result = rewriter(book).rewrite(as_file((*ids(charset), Made(0x00081030, "LO", value))))
            assert value not in result.header
            assert "StudyDescription" not in _read(result.body())


def test_items_can_have_their_own_character_set_wherever_it_stands() -> None:
    text = Made(0x00080104, "LO", "Łódź ".encode())
    own = Made(0x00080005, "CS", b"ISO_IR 192")
    rules = MadeRules({0x00080104: Rule(Treatment.CLEAN, "text")})
    for item in ((own, text), (text, own)):
        raw = as_file((*ids(b"ISO_IR 100"), Made(0x00081140, "SQ", items=(item,))))
        result = _read(rewriter(rules, words=(PLANTED, "Łó")).rewrite(raw).body())
        assert result.ReferencedImageSequence[0].CodeMeaning == "dź"
    with pytest.raises(InstanceRefusedError) as refused:
        rewriter(rules).rewrite(
            as_file((*ids(), Made(0x00081140, "SQ", items=((own, text, replace(own, value=b"ISO_IR 100")),))))
        )
    assert refused.value.rule == "dicom.charset"


def test_odd_values_are_padded_and_order_is_kept() -> None:
    late = (Made(0x00081030, "LO", b"odd"), Made(0x00080070, "LO", b"maker "))
    header = rewriter().rewrite(as_file((*ids(), *late), sort=False)).header
    assert header.index(b"odd ") < header.index(b"maker ")
    binary = rewriter().rewrite(as_file((*ids(), Made(0x00420011, "OB", b"\1\2\3")))).header
    assert b"\4\0\0\0\1\2\3\0" in binary


@pytest.mark.parametrize(
    ("treatment", "vr", "value", "expected"),
    [
        (Treatment.SHIFT, "DA", b"20200228", "date"),
        (Treatment.SHIFT, "DA", b"nonsense", b""),
        (Treatment.SHIFT, "LO", b"20200228", "date"),
        (Treatment.SHIFT, "UL", struct.pack("<L", 1_600_000_000), "seconds"),
        (Treatment.SHIFT, "SL", struct.pack("<l", 12), None),
        (Treatment.AGE, "AS", b"095Y", b"090Y"),
        (Treatment.AGE, "AS", b"old ", None),
        (Treatment.EMPTY, "LO", b"text", b""),
        (Treatment.DUMMY, "PN", b"A^B ", b"ANONYMIZED"),
        (Treatment.DUMMY, "US", b"\1\1", b"\0\0"),
        (Treatment.REMOVE, "LO", b"text", None),
        (Treatment.ACCESSION, "SH", b"A1", PSEUDONYMS.accession("A1").encode()),
        (Treatment.IDENTIFIER, "SH", b"A1", PSEUDONYMS.identifier("StudyDescription", "A1").encode()),
        (Treatment.UID, "UI", b"1.2\\1.2.840.10008.1.1\0", PSEUDONYMS.uid("1.2").encode() + b"\\1.2.840.10008.1.1"),
        (Treatment.RECURSE, "LO", b"text", None),
        (Treatment.KEEP, "LO", b"a przybylski", None),
        (Treatment.KEEP, "DS", b"0.4471", b"0.4471"),
        (Treatment.KEEP, "IS", b"4471", None),
        (Treatment.KEEP, "DS", b"text", None),
    ],
)  # fmt: skip
def test_each_treatment(treatment: Treatment, vr: str, value: bytes, expected: bytes | str | None) -> None:
    rules = MadeRules({0x00081030: Rule(treatment, "tested")})
    raw = as_file((*ids(), Made(0x00081030, vr, value)))
    result = rewriter(rules, words=(PLANTED, "4471")).rewrite(raw)
    element = _read(result.body()).get_item(0x00081030)
    days = PSEUDONYMS.shift_days(PATIENT)
    if expected == "date":
        expected = (shift_date("20200228", days) or "").encode()
    elif expected == "seconds":
        expected = struct.pack("<L", 1_600_000_000 + days * 86_400)
    if expected is None:
        assert element is None
    else:
        assert element is not None
        assert (element.value or b"").rstrip(b" \0" if vr != "US" else b"") == expected.rstrip(
            b"\0" if vr == "UI" else b""
        )


def test_the_patient_is_named_at_the_top_level_only() -> None:
    other = Made(0x00101002, "SQ", items=((Made(0x00100020, "LO", b"OTHER-ID"), Made(0x00100010, "PN", b"B^C ")),))
    result = _read(rewriter().rewrite(as_file((*ids(), other))).body())
    assert result.PatientName == PSEUDONYMS.patient(PATIENT)
    assert not result.OtherPatientIDsSequence[0].PatientID
    assert not result.OtherPatientIDsSequence[0].PatientName


def test_earlier_history_is_kept_and_said_once() -> None:
    item = tuple(
        Made(tag, vr, value)
        for tag, vr, value in (
            (0x00080100, "SH", b"113105"), (0x00080102, "SH", b"DCM "), (0x00080104, "LO", b"Clean Descriptors "),
        )
    )  # fmt: skip
    history = (
        Made(0x00120062, "CS", b"NO"), Made(0x00120063, "LO", b"earlier tool"), Made(0x00280303, "CS", b"UNMODIFIED"),
        Made(0x00120064, "SQ", items=(item,), undefined=True),
    )  # fmt: skip
    first = rewriter().rewrite(as_file((*ids(), *history)))
    again = rewriter(patient=PatientIdentity(PSEUDONYMS.patient(PATIENT))).rewrite(first.body())
    for body in (first.body(), again.body()):
        result = _read(body)
        assert result.PatientIdentityRemoved == "YES"
        assert list(result.DeidentificationMethod) == ["earlier tool", "made rules"]
        assert [code.CodeValue for code in result.DeidentificationMethodCodeSequence] == ["113105", "113100"]
        assert result.LongitudinalTemporalInformationModified == "MODIFIED"


def test_another_patients_object_is_refused_without_a_name() -> None:
    with pytest.raises(InstanceRefusedError) as refused:
        rewriter(patient=PatientIdentity("someone")).rewrite(as_file(ids()))
    assert refused.value.reason is Reason.MIXED_PATIENTS
    assert "PL-4471" not in str(refused.value)
    assert "PL-4471" not in repr(rewriter())


def test_sequences_nested_too_deep_are_refused() -> None:
    made = Made(0x00081155, "UI", b"1.2")
    for _ in range(70):
        made = Made(0x0040A730, "SQ", items=((made,),), undefined=True)
    with pytest.raises(InstanceRefusedError) as refused:
        rewriter().rewrite(as_file((*ids(), made)))
    assert refused.value.reason is Reason.NESTED_TOO_DEEP


def test_counts_tell_what_was_done() -> None:
    treated = rewriter().rewrite(as_file((*ids(), Made(0x00291001, "UN", b"gone")))).treated
    assert treated[Treatment.PSEUDONYM] == 2
    assert treated[Treatment.REMOVE] == 1
    assert treated[Treatment.UID] == 4


def test_class_of_object_stays() -> None:
    assert _read(rewriter().rewrite(as_file(ids())).body()).SOPClassUID == CT
