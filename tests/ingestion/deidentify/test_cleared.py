"""A second try: what the verifier names is emptied, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file

from ingestion.accounting.source_state import Counts
from ingestion.deidentify.cleared import tags_to_clear
from ingestion.deidentify.folder import deidentify_folder
from ingestion.deidentify.instance import InstanceDeidentifier
from ingestion.deidentify.policy import load_policy
from ingestion.deidentify.verification import Expectation, Finding, Verifier
from ingestion.fanout import Done
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import Pseudonyms
from ingestion.storage.folder import FolderStore

KEY = SourceKey("MADE-UP", bytes(range(32)))


class Inline:
    """The fan-out without processes, so that what is changed here is changed there."""

    def map(self, function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[Any]:
        return map(function, tasks)

    def run(self, function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[Done[Any, Any]]:
        return (Done(task, function(task)) for task in tasks)


def test_only_findings_that_lie_in_elements_are_mended() -> None:
    named = Finding("verify.identity", "(0008,103E)")
    nested = Finding("verify.date", "(0040,0275)[0](0040,0007)")
    assert tags_to_clear([named, nested]) == {0x0008103E, 0x00400007}
    assert tags_to_clear([named, Finding("verify.uid", "(0008,0018)")]) == frozenset()
    assert tags_to_clear([Finding("verify.identity", None)]) == frozenset()
    assert tags_to_clear([Finding("verify.unchanged", "(0040,0560)[0](0040,A160)")]) == {0x0040A160}
    assert tags_to_clear([]) == frozenset()


def test_cleared_elements_are_empty_and_the_rest_is_as_before() -> None:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.SeriesDescription, dataset.StudyDescription = "axial", "abdomen"
    out = BytesIO()
    dataset.save_as(out)
    deidentifier = InstanceDeidentifier(load_policy("platform-default"), Pseudonyms(KEY))
    plain = pydicom.dcmread(BytesIO(deidentifier.deidentify(out.getvalue()).body))
    cleared = pydicom.dcmread(BytesIO(deidentifier.deidentify(out.getvalue(), cleared=frozenset({0x0008103E})).body))
    assert plain.SeriesDescription == "axial"
    assert not cleared.SeriesDescription
    plain.SeriesDescription = cleared.SeriesDescription
    assert plain == cleared


def test_a_series_with_one_instance_that_fails_is_held_back_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in (1, 2, 3):
        dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.826.0.1.3680043.9.{number}"
        (tmp_path / "in").mkdir(exist_ok=True)
        dataset.save_as(tmp_path / "in" / f"{number}.dcm")
    failing = Pseudonyms(KEY).uid("1.2.826.0.1.3680043.9.2").encode()
    verify = Verifier.verify

    def finding_one(self: Verifier, raw: bytes, body: bytes, *, expected: Expectation) -> tuple[Finding, ...]:
        return (
            (Finding("verify.uid", "(0008,0018)"),) if failing in body else verify(self, raw, body, expected=expected)
        )

    monkeypatch.setattr(Verifier, "verify", finding_one)
    fanout: Any = Inline()
    done = deidentify_folder(
        tmp_path / "in", key=KEY, policy=load_policy("platform-default"), target=FolderStore(tmp_path / "out"),
        fanout=fanout,
    )  # fmt: skip
    assert done.counts == Counts(delivered=3, accepted=0, duplicate=0, quarantined=3)
    assert done.reasons == {"identity_residue": 3}
    assert not list((tmp_path / "out").glob("manifests/**/*.json"))
