"""Results written piece by piece, large objects, and what a series' worker holds."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

from ingestion.benchmarks.slices import ct_slice, enhanced_mr, large_multiframe
from ingestion.deidentify.instance import InstanceDeidentifier, deidentify_instance
from ingestion.deidentify.policy import load_policy
from ingestion.deidentify.rules import Treatment
from ingestion.deidentify.stream import deidentify_file, write_at_once
from ingestion.dicom.mapped import MAPPED_FROM
from ingestion.dicom.summary import INSTANCE_KEYWORDS, SERIES_KEYWORDS, summarise
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import Pseudonyms

PSEUDONYMS = Pseudonyms(SourceKey("MADE-UP", bytes(range(32))))
PIXELS = bytes(range(256)) * (512 * 4)
LARGE = 700_000_000
ALLOWED_MB = 400
"""Peak memory allowed for an object of 700 MB; pydicom, numpy and the interpreter take about 130 of them."""


def _deidentifier() -> InstanceDeidentifier:
    return InstanceDeidentifier(load_policy("platform-default"), PSEUDONYMS)


def test_a_file_is_written_as_the_bytes_say(tmp_path: Path) -> None:
    raw = ct_slice(1, PIXELS)
    (tmp_path / "in.dcm").write_bytes(raw)
    done, written = deidentify_file(tmp_path / "in.dcm", tmp_path / "out.dcm", _deidentifier())
    body = (tmp_path / "out.dcm").read_bytes()
    assert body == done.body
    assert written.size == len(body) == done.rewritten.size
    assert written.sha256 == hashlib.sha256(body).hexdigest()
    with (tmp_path / "at-once.dcm").open("wb", buffering=0) as stream:
        write_at_once(done.rewritten, stream.fileno())
    assert (tmp_path / "at-once.dcm").read_bytes() == body
    with pytest.raises(FileExistsError):
        deidentify_file(tmp_path / "in.dcm", tmp_path / "out.dcm", _deidentifier())


def test_pixels_are_views_of_the_input() -> None:
    raw = ct_slice(1, PIXELS)
    parts = deidentify_instance(raw, policy=load_policy("platform-default"), pseudonyms=PSEUDONYMS).rewritten.parts
    views = [part for part in parts if isinstance(part, memoryview)]
    assert [len(view) for view in views] == [len(PIXELS)]
    assert views[0].obj is raw


def test_one_deidentifier_for_many_gives_what_each_alone_gives() -> None:
    policy, together = load_policy("platform-default"), _deidentifier()
    for number in (1, 2, 3, 2):
        for implicit in (False, True):
            raw = ct_slice(number, PIXELS, implicit=implicit)
            alone = deidentify_instance(raw, policy=policy, pseudonyms=PSEUDONYMS)
            done = together.deidentify(raw)
            assert done.body == alone.body
            assert done.treated == alone.treated


def test_the_summary_is_what_the_whole_result_says() -> None:
    import io

    import pydicom

    done = _deidentifier().deidentify(ct_slice(4, PIXELS))
    whole = pydicom.dcmread(io.BytesIO(done.body))
    for keywords in (SERIES_KEYWORDS, INSTANCE_KEYWORDS):
        assert summarise(done.dataset, keywords) == summarise(whole, keywords)
    assert "PixelData" not in done.dataset


@pytest.mark.parametrize("undefined", [True, False])
def test_nested_frames_are_rewritten_alike(undefined: bool) -> None:
    import io

    import pydicom

    done = deidentify_instance(
        enhanced_mr(20, undefined=undefined), policy=load_policy("platform-default"), pseudonyms=PSEUDONYMS
    )
    result = pydicom.dcmread(io.BytesIO(done.body))
    frames = result.PerFrameFunctionalGroupsSequence
    assert len(frames) == 20
    assert frames[7].PlanePositionSequence[0].ImagePositionPatient[2] == pytest.approx(6.3)
    source = frames[7].DerivationImageSequence[0].SourceImageSequence[0]
    assert source.PurposeOfReferenceCodeSequence[0].CodeValue == "121322"
    assert done.treated[Treatment.SHIFT] >= 40


@pytest.mark.slow
def test_a_large_object_needs_no_more_memory_than_a_small_one(tmp_path: Path) -> None:
    large_multiframe(tmp_path / "large.dcm", LARGE)
    assert (tmp_path / "large.dcm").stat().st_size > MAPPED_FROM
    code = (
        "import sys, json; from pathlib import Path\n"
        "from ingestion.benchmarks.tasks import _deidentifier\n"
        "from ingestion.deidentify.stream import deidentify_file\n"
        "_, written = deidentify_file(Path(sys.argv[1]), Path(sys.argv[2]), _deidentifier())\n"
        "status = Path('/proc/self/status').read_text().split()\n"
        "print(json.dumps({'peak_kb': int(status[status.index('VmHWM:') + 1]), 'size': written.size}))\n"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "large.dcm"), str(tmp_path / "out.dcm")]
    told = json.loads(subprocess.run(command, capture_output=True, check=True, text=True).stdout)
    assert told["size"] == (tmp_path / "out.dcm").stat().st_size > LARGE - 1_000_000
    assert told["peak_kb"] < ALLOWED_MB * 1024


def test_attributes_behind_an_open_sequence_are_told_in_implicit_little_endian_too() -> None:
    """A sequence of undefined length once made all attributes behind it look like sequences."""
    import io

    import pydicom
    from pydicom.data import get_testdata_file
    from pydicom.dataset import Dataset
    from pydicom.uid import ImplicitVRLittleEndian

    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    item = Dataset()
    item.ReferencedSOPInstanceUID = "1.2.826.0.1.3680043.9.1"
    dataset.ReferencedImageSequence = [item]
    dataset["ReferencedImageSequence"].is_undefined_length = True
    dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    out = io.BytesIO()
    dataset.save_as(out, implicit_vr=True, little_endian=True)
    done = deidentify_instance(out.getvalue(), policy=load_policy("platform-default"), pseudonyms=PSEUDONYMS)
    assert (done.dataset.Rows, done.dataset.Columns) == (dataset.Rows, dataset.Columns)
    assert done.pixels is not None and done.pixels["look"] == "screen"
