"""Values within sequences of PET and enhanced objects reach the summary; damaged ones count as absent."""

from __future__ import annotations

from io import BytesIO

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, ExplicitVRLittleEndian, ImplicitVRLittleEndian

from ingestion.deidentify.instance import deidentify_instance
from ingestion.deidentify.policy import load_policy
from ingestion.deidentify.study import open_object
from ingestion.dicom.header import read_header
from ingestion.dicom.nested import nested_values
from ingestion.dicom.summary import SERIES_KEYWORDS, summarise
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import Pseudonyms


def item(**values: object) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(made, keyword, value)
    return made


def body(**values: object) -> bytes:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    for keyword, value in values.items():
        setattr(dataset, keyword, value)
    out = BytesIO()
    dataset.save_as(out)
    return out.getvalue()


PET = [item(RadionuclideTotalDose="350000000", RadionuclideHalfLife="6586.2", RadiopharmaceuticalStartTime="101500")]
SHARED = [
    item(
        MRTimingAndRelatedParametersSequence=[item(RepetitionTime=4200.0, FlipAngle=90.0)],
        MREchoSequence=[item(EffectiveEchoTime=80.0)],
    )
]


def test_radiopharmaceutical_and_shared_groups_are_summarised_after_deidentification() -> None:
    raw = body(Modality="PT", RadiopharmaceuticalInformationSequence=PET, SharedFunctionalGroupsSequence=SHARED)
    done = deidentify_instance(
        raw, policy=load_policy("platform-default"), pseudonyms=Pseudonyms(SourceKey("MADE-UP", bytes(range(32))))
    )
    said = summarise(done.dataset, SERIES_KEYWORDS)
    assert said["RadionuclideTotalDose"] == 350000000
    assert (said["RepetitionTime"], said["FlipAngle"], said["EchoTime"]) == (4200, 90, 80)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, ExplicitVRBigEndian])
def test_in_every_encoding(syntax: str) -> None:
    dataset = item(RadiopharmaceuticalInformationSequence=PET)
    out = BytesIO()
    pydicom.filewriter.write_dataset(
        _Out(out, little=syntax != ExplicitVRBigEndian, implicit=syntax == ImplicitVRLittleEndian), dataset
    )
    from ingestion.dicom.encoding import encoding_of

    header = read_header(out.getvalue(), 0, encoding_of(syntax))
    assert {element.keyword for element in nested_values(header)} >= {"RadionuclideTotalDose"}


def _Out(stream: BytesIO, *, little: bool, implicit: bool) -> pydicom.filebase.DicomIO:
    made = pydicom.filebase.DicomIO(stream)
    made.is_little_endian, made.is_implicit_VR = little, implicit
    return made


def test_empty_and_missing_sequences_give_nothing() -> None:
    for values in ({}, {"RadiopharmaceuticalInformationSequence": []}, {"SharedFunctionalGroupsSequence": [item()]}):
        assert nested_values(open_object(body(**values)).header) == []
