"""`cie inspect` lists what can be read beside what cannot."""

from __future__ import annotations

import json
from pathlib import Path

import pydicom
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from typer.testing import CliRunner

from ingestion.cli import build_app


def test_an_object_cut_off_within_a_sequence_does_not_hide_the_others(tmp_path: Path) -> None:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.save_as(tmp_path / "whole.dcm")
    dataset.PerFrameFunctionalGroupsSequence = [Dataset() for _ in range(50)]
    for item in dataset.PerFrameFunctionalGroupsSequence:
        item.FrameContentSequence = [Dataset()]
        item.FrameContentSequence[0].FrameComments = "words " * 20
    dataset["PerFrameFunctionalGroupsSequence"].is_undefined_length = True
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4"
    dataset.save_as(tmp_path / "cut.dcm")
    body = (tmp_path / "cut.dcm").read_bytes()
    told = set()
    for end in range(body.index(b"words"), body.rindex(b"words"), 97):
        (tmp_path / "cut.dcm").write_bytes(body[:end])
        done = CliRunner().invoke(build_app("inspect"), ["inspect", str(tmp_path), "--json"])
        assert done.exception is None or isinstance(done.exception, SystemExit)
        found = json.loads(done.stdout)
        assert [row["objects"] for row in found["series"]] in ([1], [2])
        told |= set(found["refused"])
    assert told <= {"truncated", "malformed"} and told
