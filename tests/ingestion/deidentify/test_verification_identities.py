"""Which values of an object are looked for in its result, in which forms, and which are not."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import pydicom
import pytest
from leaks import (
    PLACES,
    case,
    written_case,
)
from pydicom.data import get_testdata_file

from ingestion.deidentify.dates import shift_date
from ingestion.deidentify.verification import Expectation, Kind, Verifier, read_layout


def test_a_shifted_date_that_equals_another_original_is_no_leak_but_an_original_left_is() -> None:
    raw, body, expected = case()
    assert expected.shift_days is not None
    dataset = pydicom.dcmread(BytesIO(raw))
    moved = shift_date("20200228", expected.shift_days)
    assert moved is not None
    dataset.ContentDate = moved  # an original date that the study date's shifted one coincides with
    dataset.PatientBirthDate = "19610312"
    coincident = written_case(dataset)
    result = pydicom.dcmread(BytesIO(body))
    assert result.StudyDate == moved
    result.ContentDate = shift_date(moved, expected.shift_days)
    assert Verifier().verify(coincident, written_case(result), expected=expected) == ()
    result.ContentDate = moved
    found = Verifier().verify(coincident, written_case(result), expected=expected)
    assert [(one.rule, one.tag) for one in found] == [("verify.date", "(0008,0023)")]


@pytest.mark.parametrize("form", ["12 3 61", "12 03 61", "12/3/61", "12.3.61", "12 3 1961", "1961 3 12"])
def test_a_birth_date_is_found_as_people_write_it(form: str) -> None:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.PatientBirthDate = "19610312"
    raw = written_case(dataset)
    dataset.PatientID, dataset.StudyDescription = "MADE-UP-X", f"CT {form} abdomen"
    found = Verifier().verify(raw, written_case(dataset), expected=Expectation("MADE-UP-X", shift_days=-100))
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
    raw = written_case(dataset)
    dataset.PatientID, dataset.SpecimenPreparationSequence = "MADE-UP-X", []
    dataset.StudyDescription = "block s19_7731_b"
    found = Verifier().verify(raw, written_case(dataset), expected=Expectation("MADE-UP-X", shift_days=-100))
    assert "(0008,1030)" in {one.tag for one in found if one.rule == "verify.identity"}


def test_short_values_must_at_least_leave_their_own_element() -> None:
    raw, body, expected = case()
    dataset = pydicom.dcmread(BytesIO(raw))
    dataset.StudyID, dataset.InstitutionName = "17", "Hospital"
    result = pydicom.dcmread(BytesIO(body))
    result.StudyID, result.InstitutionName = "17", "Hospital"
    found = Verifier().verify(written_case(dataset), written_case(result), expected=expected)
    assert {(one.rule, one.tag) for one in found} == {
        ("verify.unchanged", "(0020,0010)"), ("verify.unchanged", "(0008,0080)"),
    }  # fmt: skip
    kept = replace(expected, kept=frozenset({Kind.PLACE}))
    assert {one.tag for one in Verifier().verify(written_case(dataset), written_case(result), expected=kept)} == {
        "(0020,0010)"
    }


def test_short_names_are_found_as_whole_words_of_text_only() -> None:
    raw, body, expected = case()
    dataset = pydicom.dcmread(BytesIO(raw))
    dataset.PatientName = "Li^Ng"
    for text, finds in (("CT for Li axial", True), ("lithium", False), ("NG", True)):
        result = pydicom.dcmread(BytesIO(body))
        result.SeriesDescription = text
        found = Verifier().verify(written_case(dataset), written_case(result), expected=expected)
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
    raw, body, expected = case()
    dataset = pydicom.dcmread(BytesIO(raw))
    dataset.SpecificCharacterSet = charset.split("\\")
    dataset.PatientName = name
    written_raw = written_case(dataset)
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
    raw, body, expected = case()
    other = pydicom.dcmread(BytesIO(raw))
    other.PatientName, other.OperatorsName = "Przybyłski^Wanda", "Szymborska"
    result = pydicom.dcmread(BytesIO(body))
    result.SeriesDescription = "by szymborska"
    leaky = written_case(result)
    verifier = Verifier()
    assert verifier.verify(raw, leaky, expected=expected) == ()
    assert verifier.verify(written_case(other), body, expected=expected) == ()
    assert verifier.verify(raw, leaky, expected=expected)


def test_kinds_that_the_policy_keeps_are_not_looked_for() -> None:
    raw, body, expected = case()
    planted = PLACES["description"](body, b"SN-778812")
    assert Verifier().verify(raw, planted, expected=expected)
    assert Verifier().verify(raw, planted, expected=replace(expected, kept=frozenset({Kind.DEVICE}))) == ()


def test_private_elements_are_findings_where_none_may_be() -> None:
    raw, body, expected = case()
    planted = PLACES["private text"](body, b"harmless")
    assert Verifier().verify(raw, planted, expected=expected) == ()
    found = Verifier().verify(raw, planted, expected=replace(expected, private=False))
    assert {one.rule for one in found} == {"verify.private"}
    assert "(0029,1010)" in {one.tag for one in found}


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

    raw, body, expected = case()
    dataset = pydicom.dcmread(BytesIO(raw))
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = f"{written}^Anna"
    planted = PLACES["description"](body, typed.encode())
    assert Verifier().verify(written_case(dataset), planted, expected=expected)
    collector = IdentityCollector()
    collector.add(0x00100010, "PN", f"{written}^Anna")
    cleaner = StudyCleaner(collector.freeze(), shift_days=-400)
    assert typed.lower() not in cleaner.clean(f"{typed} 2.0 axial", kind=TextKind.TECHNICAL).lower()
