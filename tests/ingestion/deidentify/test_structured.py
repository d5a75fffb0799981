"""Reports, key objects, presentation states and plans: what they say of things stays, what they say of people goes."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import uid
from pydicom.dataset import Dataset
from reports import (
    ACCESSION,
    BORN,
    FAMILY,
    GIVEN,
    PATIENT_ID,
    READER,
    SERIAL,
    STATION,
    STUDY_DATE,
    body,
    coded,
    image,
    item,
    key_objects,
    measurement_report,
    presentation,
    report,
)

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.deidentify import conformance_check as check
from ingestion.deidentify.cleared import tags_to_clear
from ingestion.deidentify.dates import shift_date
from ingestion.deidentify.expectation import expectation_of
from ingestion.deidentify.instance import InstanceDeidentifier
from ingestion.deidentify.policy import load_policy
from ingestion.deidentify.structured.content import GONE, concepts, items_of
from ingestion.deidentify.structured.kinds import PLANS, PRESENTATIONS, REPORTS
from ingestion.deidentify.verification import Verifier
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import PatientIdentity, Pseudonyms

PSEUDONYMS = Pseudonyms(SourceKey("MADE-UP", bytes(range(32))))
POLICY = load_policy("platform-default")
PLANTED = (
    FAMILY, "Hruskova", GIVEN, PATIENT_ID, *READER.split("^"), "toyelaran", "Rosenheim", SERIAL, STATION, ACCESSION,
)  # fmt: skip
needs_judge = pytest.mark.skipif(
    not check.judge_is_there(), reason="dciodvfy is not installed: it is in the Debian package dicom3tools"
)


def _cleaned(made: Dataset) -> Dataset:
    """As a series does it: with the second look, and a second try where that finds something."""
    return pydicom.dcmread(BytesIO(_cleaned_bytes(body(made))))


def _cleaned_bytes(raw: bytes) -> bytes:
    deidentifier = InstanceDeidentifier(POLICY, PSEUDONYMS)
    done = deidentifier.deidentify(raw)
    expected = expectation_of(POLICY, PSEUDONYMS, done.ids.patient)
    findings = Verifier().verify(raw, done.body, expected=expected)
    cleared = tags_to_clear(findings)
    if cleared:
        done = deidentifier.deidentify(raw, cleared=cleared)
        findings = Verifier().verify(raw, done.body, expected=expected)
    assert findings == ()
    low = done.body.lower()
    for word in PLANTED:
        assert word.lower().encode() not in low
    return done.body


def _by_meaning(dataset: Dataset) -> dict[str, Dataset]:
    return {
        one.ConceptNameCodeSequence[0].CodeMeaning: one for one in items_of(dataset) if "ConceptNameCodeSequence" in one
    }


def test_a_measurement_report_keeps_its_measurements_codes_and_references() -> None:
    made = measurement_report()
    raw, new = pydicom.dcmread(BytesIO(body(made))), _cleaned(made)
    before, after = _by_meaning(raw), _by_meaning(new)
    assert len(list(items_of(new))) == len(list(items_of(raw)))
    assert after["Diameter"].MeasuredValueSequence[0].NumericValue == 14.5
    assert after["Tracking Identifier"].TextValue == "Lesion 1"
    assert after["Finding"].ConceptCodeSequence[0].CodeValue == before["Finding"].ConceptCodeSequence[0].CodeValue
    local = after["Metabolic volume"]
    assert local.ConceptNameCodeSequence[0].CodeValue == "250145"
    assert local.ConceptCodeSequence[0].CodeValue == "250138"
    assert after["Seen by"].ConceptCodeSequence[0].CodeMeaning == GONE
    assert after["Seen by"].ConceptCodeSequence[0].CodeValue == GONE
    assert after["Person Observer Name"].PersonName == GONE
    assert after["Person Observer's Organization Name"].TextValue == GONE
    assert after["Device Observer Serial Number"].TextValue == PSEUDONYMS.identifier("DeviceSerialNumber", SERIAL)
    assert PSEUDONYMS.uid(before["Device Observer UID"].UID) == after["Device Observer UID"].UID
    assert PSEUDONYMS.uid(before["Tracking Unique Identifier"].UID) == after["Tracking Unique Identifier"].UID
    region = after["Image Region"]
    assert list(region.GraphicData) == list(before["Image Region"].GraphicData)
    source = region.ContentSequence[0].ReferencedSOPSequence[0]
    assert source.ReferencedSOPInstanceUID == PSEUDONYMS.uid(image().SOPInstanceUID)
    evidence = new.CurrentRequestedProcedureEvidenceSequence[0]
    assert evidence.StudyInstanceUID == PSEUDONYMS.uid(image().StudyInstanceUID)
    assert new.SeriesDescription == "Measurements of"


def test_what_a_report_says_of_its_subject_is_said_as_its_header_says_it() -> None:
    dcm = "DCM"
    made = report(
        item("PNAME", ("121029", dcm, "Subject Name"), PersonName=f"{FAMILY}^{GIVEN}"),
        item("TEXT", ("121030", dcm, "Subject ID"), TextValue=PATIENT_ID),
        item("TEXT", ("121022", dcm, "Accession Number"), TextValue=ACCESSION),
        item("DATE", ("121031", dcm, "Subject Birth Date"), Date=BORN),
        item("DATE", ("111526", dcm, "DateTime Started"), Date=STUDY_DATE),
        item("DATETIME", ("111527", dcm, "DateTime Ended"), DateTime=f"{STUDY_DATE}101500"),
        item("TIME", ("122105", dcm, "DateTime of Acquisition"), Time="101500"),
        item("TEXT", ("121071", dcm, "Finding"), TextValue=f"Lesion of 14 mm in the liver. {GIVEN} {FAMILY} was told."),
        item("TEXT", ("121106", dcm, "Comment"), TextValue="Vojtěch Švankmajerů Dobromila"),
        item(
            "TEXT",
            ("121077", dcm, "Conclusion"),
            TextValue=f"born {BORN[6:]}.{BORN[4:6]}.{BORN[:4]}, control in 3 months",
        ),
    )
    patient = PatientIdentity(PATIENT_ID)
    new = _cleaned(made)
    found = _by_meaning(new)
    assert found["Subject Name"].PersonName == GONE
    assert found["Subject ID"].TextValue == new.PatientID == PSEUDONYMS.patient(patient)
    assert found["Accession Number"].TextValue == new.AccessionNumber
    assert found["Subject Birth Date"].Date == "19000101"
    days = PSEUDONYMS.shift_days(patient)
    assert found["DateTime Started"].Date == new.StudyDate == shift_date(STUDY_DATE, days)
    assert found["DateTime Ended"].DateTime == f"{shift_date(STUDY_DATE, days)}101500"
    assert found["DateTime of Acquisition"].Time == "101500"
    assert found["Finding"].TextValue == "Lesion of 14 mm in the liver. was told."
    assert found["Comment"].TextValue == GONE
    assert found["Conclusion"].TextValue == "born, control in 3 months"


def test_a_name_that_only_a_report_holds_goes_from_the_rest_of_it() -> None:
    made = report(
        item("TEXT", ("121008", "DCM", "Person Observer Name"), TextValue="Vaillancourt"),
        item("TEXT", ("121071", "DCM", "Finding"), TextValue="VAILLANCOURT: lesion in the liver, no change"),
    )
    made.ContentDescription = "vaillancourt liver"
    new = _cleaned(made)
    assert b"vaillancourt" not in body(new).lower()
    assert _by_meaning(new)["Finding"].TextValue.endswith("lesion in the liver, no change")


@pytest.mark.parametrize(("years", "told"), [(89.0, 89.0), (93.0, 90.0)])
def test_ages_of_ninety_and_over_are_one(years: float, told: float) -> None:
    value = Dataset()
    value.NumericValue, value.MeasurementUnitsCodeSequence = str(years), [coded("a", "UCUM", "year")]
    age = item("NUM", ("121033", "DCM", "Subject Age"), MeasuredValueSequence=[value])
    assert _by_meaning(_cleaned(report(age)))["Subject Age"].MeasuredValueSequence[0].NumericValue == told


def test_a_dose_report_keeps_its_numbers_and_loses_its_device() -> None:
    value = Dataset()
    value.NumericValue, value.MeasurementUnitsCodeSequence = "512.4", [coded("mGy.cm", "UCUM", "mGy.cm")]
    made = report(
        item("TEXT", ("121013", "DCM", "Device Observer Name"), TextValue=STATION),
        item("TEXT", ("121014", "DCM", "Device Observer Manufacturer"), TextValue="SIEMENS"),
        item("TEXT", ("121016", "DCM", "Device Observer Serial Number"), TextValue=SERIAL),
        item("TEXT", ("125203", "DCM", "Acquisition Protocol"), TextValue="Thorax nativ"),
        item("TEXT", ("113832", "DCM", "Identification of the X-Ray Source"), TextValue="A"),
        item("UIDREF", ("113769", "DCM", "Irradiation Event UID"), UID="1.2.840.113619.2.55.3.99"),
        item("NUM", ("113813", "DCM", "CT Dose Length Product Total"), MeasuredValueSequence=[value]),
        sop_class=uid.XRayRadiationDoseSRStorage,
    )
    found = _by_meaning(_cleaned(made))
    assert found["CT Dose Length Product Total"].MeasuredValueSequence[0].NumericValue == 512.4
    assert found["Acquisition Protocol"].TextValue == "Thorax nativ"
    assert found["Device Observer Manufacturer"].TextValue == "SIEMENS"
    assert PSEUDONYMS.uid("1.2.840.113619.2.55.3.99") == found["Irradiation Event UID"].UID
    assert found["Device Observer Serial Number"].TextValue == PSEUDONYMS.identifier("DeviceSerialNumber", SERIAL)


def test_key_objects_keep_their_references() -> None:
    new = _cleaned(key_objects())
    assert new.ConceptNameCodeSequence[0].CodeMeaning == "Of Interest"
    assert [one.TextValue for one in items_of(new) if one.ValueType == "TEXT"] == ["for, liver lesion"]
    images = [one.ReferencedSOPSequence[0] for one in items_of(new) if one.ValueType == "IMAGE"]
    assert [one.ReferencedSOPInstanceUID for one in images] == [PSEUDONYMS.uid(image().SOPInstanceUID)]


def test_a_presentation_state_keeps_its_lines_and_loses_names() -> None:
    new = _cleaned(presentation("Liver lesion 14 mm", f"{GIVEN} Hruskova", f"{FAMILY}: necrosis"))
    (annotation,) = new.GraphicAnnotationSequence
    texts = [one.UnformattedTextValue for one in annotation.TextObjectSequence]
    assert texts == ["Liver lesion 14 mm", GONE, "necrosis"]
    assert list(annotation.GraphicObjectSequence[0].GraphicData) == [10.0, 10.0, 20.0, 30.0]
    assert annotation.GraphicLayer == new.GraphicLayerSequence[0].GraphicLayer == "LAYER1"
    (referenced,) = new.ReferencedSeriesSequence[0].ReferencedImageSequence
    assert referenced.ReferencedSOPInstanceUID == PSEUDONYMS.uid(image().SOPInstanceUID)
    assert (new.ContentLabel, new.ContentDescription) == ("ANNOTATIONS", "liver")


def test_texts_where_no_item_should_hold_one_are_cleaned_too() -> None:
    """Whatever the value type says, and wherever a tree of items hangs."""
    strange = "Vojtěch Švankmajerů"
    smuggled = item("CONTAINER", ("121070", "DCM", "Findings"), TextValue=strange, ContinuityOfContent="SEPARATE")
    elsewhere = Dataset()
    elsewhere.ContentSequence = [item("TEXT", ("121071", "DCM", "Finding"), TextValue=strange)]
    made = report(smuggled)
    made.PerformedProcedureCodeSequence = [elsewhere]
    odd = item("CODE", ("121071", "DCM", "Finding"), ConceptCodeSequence=[coded("Svankmajeru", "99XY", "Liver")])
    longer = item("CODE", ("121071", "DCM", "Finding"), ConceptCodeSequence=[coded("V Svankmajeru 1", "DCM", "Liver")])
    reader = item("CODE", ("121114", "DCM", "Performing Physician"), ConceptCodeSequence=[coded("77", "99XY", "Liver")])
    made.ContentSequence.extend([odd, longer, reader])
    new = _cleaned(made)
    raw = body(new).lower()
    assert b"vankmajer" not in raw
    assert b"vojt" not in raw
    codes = [one.ConceptCodeSequence[0] for one in items_of(new) if "ConceptCodeSequence" in one]
    assert [(code.CodeValue, code.CodeMeaning) for code in codes] == [(GONE, "Liver"), (GONE, "Liver"), (GONE, GONE)]


def test_a_second_tree_of_the_same_object_is_not_kept_unseen() -> None:
    """What one reader of the bytes does not see must not be kept by the other."""
    finding = item("TEXT", ("121071", "DCM", "Finding"), TextValue="Švankmajerů")
    raw = body(report(finding))
    start = raw.index(b"\x40\x00\x30\xa7SQ")
    twice = raw + raw[start:]
    try:
        done = InstanceDeidentifier(POLICY, PSEUDONYMS).deidentify(twice)
    except InstanceRefusedError:
        return
    assert "vankmajer" not in done.body.decode("utf-8", "replace").lower()


def _with(change: str) -> Dataset:
    made = presentation("Liver") if change in ("overlay", "pixels") else report()
    if change == "overlay":
        made.add_new(0x60000010, "US", 8)
        made.add_new(0x60003000, "OW", bytes(8))
    elif change == "pixels":
        made.add_new(0x7FE00010, "OW", bytes(8))
    elif change == "table":
        made.ContentSequence = [item("TABLE", ("121071", "DCM", "Finding"))]
    elif change == "number":
        made.ContentSequence = [item("NUM", ("121030", "DCM", "Subject ID"), MeasuredValueSequence=[])]
    elif change == "nothing":
        made.ContentSequence = [item("", ("121071", "DCM", "Finding"))]
    return made


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("overlay", "graphics.bitmap"), ("pixels", "object.document"), ("table", "structured.value_type"),
        ("nothing", "structured.value_type"), ("number", "structured.characteristic"),
    ],
)  # fmt: skip
def test_what_cannot_be_certain_is_held_back_with_its_reason(change: str, rule: str) -> None:
    with pytest.raises(InstanceRefusedError) as refused:
        InstanceDeidentifier(POLICY, PSEUDONYMS).deidentify(body(_with(change)))
    assert (refused.value.reason, refused.value.rule) == (Reason.UNCLEANABLE_CONTENT, rule)


@pytest.mark.parametrize("make", [key_objects, lambda: presentation("Liver"), measurement_report])
def test_a_policy_without_the_option_holds_them_back(make) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InstanceRefusedError) as refused:
        InstanceDeidentifier(load_policy("strict-basic"), PSEUDONYMS).deidentify(body(make()))
    assert refused.value.reason is Reason.UNCLEANABLE_CONTENT


def test_trial_reports_and_documents_are_none_of_these_kinds() -> None:
    kinds = REPORTS | PRESENTATIONS | PLANS
    assert not kinds & {f"1.2.840.10008.5.1.4.1.1.88.{number}" for number in range(1, 5)}
    assert all(
        uid.UID(kind).is_storage_class_uid if hasattr(uid.UID, "is_storage_class_uid") else True for kind in kinds
    )
    assert {uid.UID(kind).type for kind in kinds} == {"SOP Class"}
    assert len(concepts()) > 40


@needs_judge
@pytest.mark.parametrize(
    "make", [measurement_report, key_objects, lambda: presentation("Liver", f"{GIVEN} {FAMILY}"), report]
)
def test_no_error_comes_about(make, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    raw = body(make())
    before, after = tmp_path / "before.dcm", tmp_path / "after.dcm"
    before.write_bytes(raw)
    after.write_bytes(_cleaned_bytes(raw))
    assert check.introduced_errors(before, after) == ()


REAL = (
    "dcmqi/data/sr-example/sr.dcm", "highdicom/data/test_files/sr_document.dcm",
    "highdicom/data/test_files/sr_document_with_multiple_groups.dcm",
    "dicompyler-core/tests/testdata/example_data/rtplan.dcm",
)  # fmt: skip


@pytest.mark.parametrize("name", REAL)
def test_real_reports_and_plans_pass_the_second_look(shared: Path, name: str, tmp_path: Path) -> None:
    source = shared / "corpus" / name
    result = _cleaned_bytes(source.read_bytes())
    old, new = pydicom.dcmread(source), pydicom.dcmread(BytesIO(result))
    assert [one.ValueType for one in items_of(new)] == [one.ValueType for one in items_of(old)]
    if check.judge_is_there():
        after = tmp_path / "after.dcm"
        after.write_bytes(result)
        assert check.introduced_errors(source, after) == ()


WORDS = ("liver", "lesion", "14 mm", "no change", "Leber", "foie", "T1", "s/p resection", "segment 7")


@given(
    before=st.lists(st.sampled_from(WORDS), max_size=4),
    after=st.lists(st.sampled_from(WORDS), min_size=1, max_size=4),
    planted=st.sampled_from((FAMILY, GIVEN, FAMILY.upper(), "hruskova", PATIENT_ID, ACCESSION, "Oyelaran", STATION)),
    graphic=st.booleans(),
)
@settings(max_examples=25, deadline=None)
def test_no_plant_survives_in_free_text(before: list[str], after: list[str], planted: str, graphic: bool) -> None:
    text = ", ".join([*before, planted, *after])
    made = presentation(text) if graphic else report(item("TEXT", ("121071", "DCM", "Finding"), TextValue=text))
    new = _cleaned(made)
    left = (
        new.GraphicAnnotationSequence[0].TextObjectSequence[0].UnformattedTextValue
        if graphic
        else _by_meaning(new)["Finding"].TextValue
    )
    assert all(word in left for word in (*before, *after))
