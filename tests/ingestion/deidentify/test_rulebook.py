"""Rules for every kind of attribute, compound codes by type, exceptions, private attributes."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.datadict import tag_for_keyword

from ingestion.deidentify.dictionary import FAMILY_OF, Family, family_of, vr_of
from ingestion.deidentify.iod_types import Type, object_type
from ingestion.deidentify.policy import Policy, load_policy, shipped_policies
from ingestion.deidentify.profile import rows
from ingestion.deidentify.rulebook import CompiledRules, compile_policy
from ingestion.deidentify.rules import RuleBook, TextKind, Treatment

CT, MR, SEG, US, UNKNOWN = (
    "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.66.4",
    "1.2.840.10008.5.1.4.1.1.6.1", "1.2.3.4",
)  # fmt: skip


def _book(policy: str = "platform-default", sop_class: str = CT) -> CompiledRules:
    return compile_policy(load_policy(policy), sop_class_uid=sop_class)


def _treat(book: RuleBook, keyword: str, *path: str) -> Treatment:
    tag = _tag(keyword)
    return book.rule(tag, str(vr_of(tag)), path=tuple(_tag(name) for name in path)).treatment


def _tag(keyword: str) -> int:
    return next((tag for tag, row in rows().items() if row.keyword == keyword), None) or int(
        tag_for_keyword(keyword) or 0
    )


@pytest.mark.parametrize(
    ("keyword", "sop_class", "treatment"),
    [
        ("ContrastBolusAgent", CT, Treatment.EMPTY),  # Z/D, type 2
        ("ContentDate", SEG, Treatment.DUMMY),  # Z/D, type 1
        ("AcquisitionDateTime", MR, Treatment.REMOVE),  # X/Z/D, type 3
        ("AcquisitionDateTime", "1.2.840.10008.5.1.4.1.1.2.1", Treatment.DUMMY),  # X/Z/D, type 1C in Enhanced CT
        ("DeviceSerialNumber", CT, Treatment.REMOVE),  # X/Z/D, type 3
        ("DeviceSerialNumber", SEG, Treatment.DUMMY),  # X/Z/D, type 1 in enhanced equipment
        ("OperatorsName", CT, Treatment.REMOVE),
        ("ReferencedImageSequence", CT, Treatment.REMOVE),
        ("ContentCreatorName", SEG, Treatment.EMPTY),
        ("StudyDate", CT, Treatment.EMPTY),
        ("SeriesDescription", CT, Treatment.REMOVE),
        ("SOPInstanceUID", CT, Treatment.UID),
        ("DeviceSerialNumber", UNKNOWN, Treatment.DUMMY),  # the strictest type of all
    ],
)
def test_compound_codes_follow_the_type_in_the_object(keyword: str, sop_class: str, treatment: Treatment) -> None:
    assert _treat(_book("strict-basic", sop_class), keyword) is treatment


def test_types_hold_within_sequences() -> None:
    kind = object_type(CT)
    code, meaning = 0x00080100, 0x00080104
    assert kind.type_of(code, parent=_tag("ProcedureCodeSequence")) is Type.VALUE
    assert kind.type_of(meaning, parent=_tag("ViewCodeSequence")) is Type.VALUE
    assert kind.type_of(code, parent=None) is Type.OPTIONAL
    references = (_tag("DerivationImageSequence"), _tag("SourceImageSequence"))
    book = _book("strict-basic", SEG)
    assert book.rule(references[1], "SQ", path=(_tag("SharedFunctionalGroupsSequence"), references[0])).treatment in (
        Treatment.RECURSE,
    )
    assert _treat(book, "ReferencedSOPInstanceUID", "DerivationImageSequence", "SourceImageSequence") is Treatment.UID


@pytest.mark.parametrize("policy", shipped_policies())
@pytest.mark.parametrize("sop_class", [CT, MR, SEG, US, UNKNOWN])
def test_names_and_numbers_of_people_stay_under_no_policy(policy: str, sop_class: str) -> None:
    book = _book(policy, sop_class)
    assert _treat(book, "PatientName") is _treat(book, "PatientID") is Treatment.PSEUDONYM
    for keyword in ("SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert _treat(book, keyword) is Treatment.UID
    gone = {Treatment.REMOVE, Treatment.EMPTY, Treatment.DUMMY}
    for tag, row in rows().items():
        if family_of(row.vr) in (Family.PERSON, Family.ADDRESS) and tag != 0x00100010:
            assert book.rule(tag, row.vr).treatment in gone, row.keyword
    for keyword in ("PatientBirthDate", "OtherPatientIDs", "PatientAddress", "NameToUse", "PatientComments",
                    "IssuerOfPatientID", "PatientBirthDateInAlternativeCalendar", "RetrieveURL", "PronounComment",
                    "IconImageSequence", "OriginalAttributesSequence", "EncapsulatedDocument"):  # fmt: skip
        assert _treat(book, keyword) in gone, keyword
    assert _treat(book, "AccessionNumber") is Treatment.ACCESSION


def test_research_keeps_what_it_needs() -> None:
    book = _book(sop_class=MR)
    for keyword in ("SeriesDescription", "StudyDescription", "ProtocolName", "ImageComments", "ContrastBolusAgent"):
        rule = book.rule(_tag(keyword), str(vr_of(_tag(keyword))))
        assert (rule.treatment, rule.text) == (Treatment.CLEAN, TextKind.DESCRIPTOR)
    assert _treat(book, "PatientAge") is Treatment.AGE
    for keyword in ("StudyDate", "AcquisitionDateTime", "RadiopharmaceuticalStartDateTime", "DateOfLastCalibration"):
        assert _treat(book, keyword) is Treatment.SHIFT
    for keyword in ("PatientSex", "PatientWeight", "AcquisitionTime", "RepetitionTime", "PixelData", "WindowCenter"):
        assert _treat(book, keyword) is Treatment.KEEP
    for keyword in ("Manufacturer", "ManufacturerModelName", "SoftwareVersions", "SequenceName"):
        assert book.rule(_tag(keyword), "LO").text is TextKind.TECHNICAL
    assert _treat(book, "SourceImageSequence") is _treat(book, "DerivationCodeSequence") is Treatment.RECURSE
    assert _treat(book, "DeviceSerialNumber") is _treat(book, "StudyID") is Treatment.IDENTIFIER
    assert _treat(book, "TimezoneOffsetFromUTC") is Treatment.REMOVE
    assert _treat(book, "SOPClassUID") is _treat(book, "ReferencedSOPClassUID") is Treatment.KEEP


@pytest.mark.parametrize(
    ("tag", "vr", "path", "treatment"),
    [
        (0x60003000, "OW", (), Treatment.REMOVE),
        (0x60020010, "US", (), Treatment.REMOVE),
        (0x50003000, "OW", (), Treatment.REMOVE),
        (0x00081111, "LO", (), Treatment.REMOVE),  # a sequence by the dictionary
        (0x0008103E, "US", (), Treatment.REMOVE),  # a text by the dictionary
        (0x00081030, "OB", (), Treatment.REMOVE),
        (0x00080000, "UL", (), Treatment.REMOVE),
        (0x00091001, "LO", (), Treatment.REMOVE),
        (0x00189999, "LO", (), Treatment.REMOVE),
        (0x7FE00010, "OW", (0x00880200,), Treatment.REMOVE),
        (0x00020016, "AE", (), Treatment.REMOVE),
        (0x00020010, "UI", (), Treatment.KEEP),
        (0xFFFCFFFC, "OB", (), Treatment.REMOVE),
        (0x00080020, "LO", (), Treatment.SHIFT),  # a date, whatever it says it is
    ],
)
def test_what_is_not_what_it_seems(tag: int, vr: str, path: tuple[int, ...], treatment: Treatment) -> None:
    assert _book().rule(tag, vr, path=path).treatment is treatment


def test_values_of_unknown_vr_are_read_as_the_standard_says() -> None:
    book = _book()
    assert (book.rule(0x00080020, "UN").treatment, book.rule(0x00080020, "UN").vr) == (Treatment.SHIFT, "DA")
    assert book.rule(0x0008103E, "UN").vr == "LO"
    assert book.rule(0x00081140, "UN").vr == "SQ"
    assert book.rule(0x0008103E, "LO").vr is None


@given(
    st.integers(0, 0xFFFFFFFF),
    st.sampled_from([*FAMILY_OF, "", "XX"]),
    st.lists(st.integers(0, 0xFFFFFFFF), max_size=3).map(tuple),
)
def test_every_tag_has_a_rule_and_always_the_same(tag: int, vr: str, path: tuple[int, ...]) -> None:
    for policy in shipped_policies():
        book = _book(policy)
        rule = book.rule(tag, vr, path=path)
        assert rule == book.rule(tag, vr, path=path)
        assert rule.why
        assert rule.treatment is not Treatment.CLEAN or rule.text is not None
        if vr_of(tag) is None and tag >> 16 != 2:
            assert rule.treatment is Treatment.REMOVE
        assert book.private("", tag >> 16, tag & 0xFF, vr).treatment is Treatment.REMOVE


def test_texts_of_people_in_sequences_kept_for_validity_say_nothing() -> None:
    book = _book("strict-basic")
    assert _treat(book, "CodeMeaning", "PersonIdentificationCodeSequence") is Treatment.DUMMY
    assert _treat(book, "TextValue", "ContentSequence") is Treatment.DUMMY
    assert _treat(book, "CodeMeaning", "ContentSequence", "ConceptCodeSequence") is Treatment.DUMMY
    assert _treat(book, "CodeMeaning", "ProcedureCodeSequence") is Treatment.CLEAN
    default = _book()
    assert _treat(default, "TextValue", "ContentSequence") is Treatment.CLEAN
    assert _treat(default, "UnformattedTextValue", "GraphicAnnotationSequence", "TextObjectSequence") is Treatment.CLEAN
    assert _treat(default, "CodeMeaning", "PersonIdentificationCodeSequence") is Treatment.DUMMY


def test_a_type_1_text_that_loses_everything_becomes_a_dummy() -> None:
    label = _tag("SegmentLabel")
    rule = _book(sop_class=SEG).rule(label, "LO", path=(_tag("SegmentSequence"),))
    assert (rule.treatment, rule.fallback) == (Treatment.CLEAN, Treatment.DUMMY)
    assert _book().rule(0x0008103E, "LO").fallback is Treatment.EMPTY


@pytest.mark.parametrize(
    ("creator", "group", "offset", "vr", "treatment"),
    [
        ("SIEMENS MR HEADER", 0x0019, 0x0C, "IS", Treatment.KEEP),  # b-value
        ("SIEMENS MR HEADER", 0x0019, 0x0E, "FD", Treatment.KEEP),  # gradient direction
        ("SIEMENS MR HEADER", 0x0019, 0x27, "FD", Treatment.KEEP),  # b-matrix
        ("GEMS_PARM_01", 0x0043, 0x39, "IS", Treatment.KEEP),  # b-value
        ("GEMS_ACQU_01", 0x0019, 0xBB, "DS", Treatment.KEEP),  # gradient direction
        ("GEMS_ACQU_01", 0x0019, 0xBC, "DS", Treatment.KEEP),
        ("GEMS_ACQU_01", 0x0019, 0xBD, "DS", Treatment.KEEP),
        ("Philips Imaging DD 001", 0x2001, 0x03, "FL", Treatment.KEEP),  # b-value
        ("Philips MR Imaging DD 001", 0x2005, 0xB0, "FL", Treatment.KEEP),  # gradient direction
        ("Philips MR Imaging DD 001", 0x2005, 0xB1, "FL", Treatment.KEEP),
        ("Philips MR Imaging DD 001", 0x2005, 0xB2, "FL", Treatment.KEEP),
        ("Philips PET Private Group", 0x7053, 0x00, "DS", Treatment.KEEP),  # SUV scale factor
        ("Philips PET Private Group", 0x7053, 0x09, "DS", Treatment.KEEP),  # activity scale factor
        ("GEMS_IDEN_01", 0x0009, 0x27, "SL", Treatment.SHIFT_SECONDS),
        ("GEMS_PETD_01", 0x0009, 0x0D, "DT", Treatment.SHIFT),
        ("GEMS_GENIE_1", 0x0013, 0x23, "LO", Treatment.SHIFT),
        ("GEMS_IDEN_01", 0x0009, 0xE3, "UI", Treatment.UID),
        ("SIEMENS CSA HEADER", 0x0029, 0x10, "OB", Treatment.REMOVE),
        ("SIEMENS CSA HEADER", 0x0029, 0x20, "OB", Treatment.REMOVE),
        ("CTP", 0x0013, 0x10, "LO", Treatment.REMOVE),
        ("HMC", 0x0011, 0x10, "LO", Treatment.REMOVE),
        ("20100324115102", 0x0019, 0x10, "LO", Treatment.REMOVE),
        ("PRZYBYLSKI", 0x0099, 0x01, "LO", Treatment.REMOVE),
    ],
)
def test_private_attributes(creator: str, group: int, offset: int, vr: str, treatment: Treatment) -> None:
    assert _book().private(creator, group, offset, vr).treatment is treatment
    assert _book().private(creator + " ", group, 0x1000 | offset, vr).treatment is treatment
    assert _book("strict-basic").private(creator, group, offset, vr).treatment is Treatment.REMOVE
    assert not _book("strict-basic").keeps_block(creator, group)
    if treatment is not Treatment.REMOVE:
        assert _book().keeps_block(creator, group)


@pytest.mark.parametrize(
    ("creator", "group", "offset", "vr", "text"),
    [
        ("SIEMENS MR HEADER", 0x0051, 0x0B, "SH", TextKind.TECHNICAL),  # a matrix as text
        ("SIEMENS MEDCOM HEADER2", 0x0029, 0x60, "LO", TextKind.TECHNICAL),  # series workflow status
        ("GEMS_ACQU_01", 0x0019, 0x9C, "LO", TextKind.DESCRIPTOR),  # name of the pulse sequence
        ("Philips MR Imaging DD 001", 0x2005, 0x6F, "CS", TextKind.TECHNICAL),
    ],
)
def test_private_codes_of_devices_are_trusted_as_codes_and_what_people_type_is_not(
    creator: str, group: int, offset: int, vr: str, text: TextKind
) -> None:
    rule = _book().private(creator, group, offset, vr)
    assert (rule.treatment, rule.text) == (Treatment.CLEAN, text)


def test_what_the_steps_of_a_specimen_say_goes_and_other_content_items_are_cleaned() -> None:
    steps = (0x00400560, 0x00400610, 0x00400612)
    assert _book().rule(0x0040A160, "UT", path=steps).treatment is Treatment.DUMMY
    assert _book().rule(0x0040A160, "UT", path=(0x00400555,)).treatment is Treatment.CLEAN


def test_private_values_of_unknown_vr_are_read_as_the_list_says() -> None:
    rule = _book().private("SIEMENS MR HEADER", 0x0019, 0x0C, "UN")
    assert (rule.treatment, rule.vr) == (Treatment.KEEP, "IS")
    assert _book().private("GEMS_PETD_01", 0x0009, 0x0D, "SH").vr == "DT"
    assert not _book().keeps_block("PRZYBYLSKI", 0x0099)


def _own(tmp_path, text: str) -> Policy:
    file = tmp_path / "own.yaml"
    file.write_text(text)
    return load_policy(str(file))


def test_the_most_specific_exception_wins(tmp_path) -> None:
    policy = _own(
        tmp_path,
        """
name: own
options: [clean_descriptors]
overrides:
  - tags: [SeriesDescription]
    treatment: remove
    why: in general
    when: {modality: [MR], manufacturer: [siemens]}
  - tags: [SeriesDescription]
    treatment: keep
    why: phantoms only
    when: {modality: [MR]}
  - private: {creator: ACME 1.0, group: '0019', elements: ['0C']}
    treatment: keep
    why: a temperature
    when: {sop_class: [MRImageStorage]}
""",
    )

    def book(sop_class: str = MR, modality: str = "MR", maker: str = "") -> CompiledRules:
        return compile_policy(policy, sop_class_uid=sop_class, modality=modality, manufacturer=maker)

    assert _treat(book(), "SeriesDescription") is Treatment.KEEP
    assert _treat(book(maker="SIEMENS Healthineers"), "SeriesDescription") is Treatment.REMOVE
    assert _treat(book(modality="CT"), "SeriesDescription") is Treatment.CLEAN
    assert book().private("ACME 1.0", 0x0019, 0x0C, "DS").treatment is Treatment.KEEP
    assert book().private("ACME 1.0", 0x0019, 0x0D, "DS").treatment is Treatment.REMOVE
    assert book(sop_class=CT).private("ACME 1.0", 0x0019, 0x0C, "DS").treatment is Treatment.REMOVE
    assert book().keeps_block("ACME 1.0", 0x0019)
    assert book(maker="GE") is book(maker="Philips")
    assert "phantoms only" in book().rule(0x0008103E, "LO").why


def test_policies_and_rules_travel_to_other_processes() -> None:
    policy = load_policy("platform-default")
    again = pickle.loads(pickle.dumps(policy))
    assert again == policy
    assert compile_policy(again, sop_class_uid=CT) is compile_policy(policy, sop_class_uid=CT)
    rule = _book().rule(0x0008103E, "LO")
    assert pickle.loads(pickle.dumps(rule)) == rule
