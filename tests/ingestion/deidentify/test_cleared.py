"""A second try: what the verifier names is emptied, and nothing else."""

from __future__ import annotations

from io import BytesIO

import pydicom
from pydicom.data import get_testdata_file

from ingestion.deidentify.cleared import tags_to_clear
from ingestion.deidentify.instance import InstanceDeidentifier
from ingestion.deidentify.policy import load_policy
from ingestion.deidentify.verification import Finding
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import Pseudonyms


def test_only_findings_that_lie_in_elements_are_mended() -> None:
    named = Finding("verify.identity", "(0008,103E)")
    nested = Finding("verify.date", "(0040,0275)[0](0040,0007)")
    assert tags_to_clear([named, nested]) == {0x0008103E, 0x00400007}
    assert tags_to_clear([named, Finding("verify.uid", "(0008,0018)")]) == frozenset()
    assert tags_to_clear([Finding("verify.identity", None)]) == frozenset()
    assert tags_to_clear([]) == frozenset()


def test_cleared_elements_are_empty_and_the_rest_is_as_before() -> None:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.SeriesDescription, dataset.StudyDescription = "axial", "abdomen"
    out = BytesIO()
    dataset.save_as(out)
    deidentifier = InstanceDeidentifier(
        load_policy("platform-default"), Pseudonyms(SourceKey("MADE-UP", bytes(range(32))))
    )
    plain = pydicom.dcmread(BytesIO(deidentifier.deidentify(out.getvalue()).body))
    cleared = pydicom.dcmread(BytesIO(deidentifier.deidentify(out.getvalue(), cleared=frozenset({0x0008103E})).body))
    assert plain.SeriesDescription == "axial"
    assert not cleared.SeriesDescription
    plain.SeriesDescription = cleared.SeriesDescription
    assert plain == cleared
