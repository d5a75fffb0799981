"""A damaged copy is held back for its damage, and takes neither its sound original nor its neighbours with it."""

from __future__ import annotations

import itertools
import json
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.data import get_testdata_file
from pydicom.uid import ImplicitVRLittleEndian
from typer.testing import CliRunner

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.cli import build_app
from ingestion.deidentify.instance import deidentify_instance
from ingestion.deidentify.policy import load_policy
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import Pseudonyms

pytestmark = pytest.mark.usefixtures("in_this_process")

POLICY, PSEUDONYMS = load_policy("platform-default"), Pseudonyms(SourceKey("MADE-UP", bytes(range(32))))


def whole(name: str = "CT_small.dcm", *, implicit: bool = False, **changes: object) -> bytes:
    dataset = pydicom.dcmread(get_testdata_file(name))
    if 0xFFFCFFFC in dataset:
        del dataset[0xFFFCFFFC]
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    if implicit:
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
    stream = BytesIO()
    dataset.save_as(stream, implicit_vr=implicit or None, little_endian=True if implicit else None)
    return stream.getvalue()


GOOD = whole()
OTHER = whole(InstanceNumber=77)
CUT = GOOD[: len(GOOD) * 2 // 3]
TAIL = GOOD + b"xyz"
KINDS = {"good": GOOD, "other": OTHER, "cut": CUT, "tail": TAIL}


def run(folder: Path, files: dict[str, bytes]) -> dict[str, str]:
    """Where each file ended: its state, or the reason."""
    raw, key, names = folder / "raw", folder / "source.key", folder / "names.csv"
    raw.mkdir(parents=True)
    for name, body in files.items():
        (raw / name).write_bytes(body)
    key.write_text(bytes(range(1, 33)).hex())
    told = ["deidentify", str(raw), str(folder / "clean"), "--source", "MADE-UP", "--key-file", str(key)]
    told += ["--workers", "1", "--json", "--names", str(names), "--policy", "platform-default"]
    done = CliRunner().invoke(build_app("deidentify"), told)
    assert done.exit_code in (0, 1), done.output
    counts = json.loads(done.stdout)["counts"]
    assert counts["delivered"] == len(files) == counts["accepted"] + counts["duplicate"] + counts["quarantined"]
    rows = [line.split(",") for line in names.read_text().splitlines()[1:]]
    return {row[0]: row[4] or row[3] for row in rows}


@pytest.mark.parametrize("order", list(itertools.permutations(["cut", "good", "tail"])))
def test_the_sound_original_goes_on_whatever_the_order(tmp_path: Path, order: tuple[str, ...]) -> None:
    told = run(tmp_path, {f"{number}-{kind}.dcm": KINDS[kind] for number, kind in enumerate(order)})
    assert {name[2:-4]: end for name, end in told.items()} == {
        "cut": "truncated", "good": "accepted", "tail": "malformed",
    }  # fmt: skip


def test_two_sound_contents_are_still_a_conflict_beside_a_damaged_one(tmp_path: Path) -> None:
    told = run(tmp_path, {"1.dcm": CUT, "2.dcm": GOOD, "3.dcm": OTHER, "4.dcm": GOOD, "5.dcm": CUT})
    conflict = "sop_instance_conflict"
    assert told == {
        "1.dcm": "truncated", "2.dcm": conflict, "3.dcm": conflict, "4.dcm": conflict, "5.dcm": "truncated",
    }  # fmt: skip


def test_a_further_copy_of_the_original_is_a_duplicate(tmp_path: Path) -> None:
    assert run(tmp_path, {"1.dcm": CUT, "2.dcm": GOOD, "3.dcm": GOOD}) == {
        "1.dcm": "truncated", "2.dcm": "accepted", "3.dcm": "duplicate",
    }  # fmt: skip


def test_two_damaged_copies_alone_are_told_as_damaged(tmp_path: Path) -> None:
    assert run(tmp_path, {"1.dcm": CUT, "2.dcm": GOOD[:-10]}) == {"1.dcm": "truncated", "2.dcm": "truncated"}


def refusal(raw: bytes) -> InstanceRefusedError:
    with pytest.raises(InstanceRefusedError) as told:
        deidentify_instance(raw, policy=POLICY, pseudonyms=PSEUDONYMS)
    return told.value


SAMPLES = {
    "explicit": GOOD,
    "implicit": whole(implicit=True),
    "fragments": whole("JPEG2000.dcm"),
    "runs": whole("MR_small_RLE.dcm"),
}


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("tail", [b"\n", b"\0\0\0", b"abc", b"a text that somebody put there", GOOD], ids=len)
def test_bytes_behind_the_last_element_are_called_so(sample: str, tail: bytes) -> None:
    refused = refusal(SAMPLES[sample] + tail)
    assert (refused.reason, refused.rule) == (Reason.MALFORMED, "dicom.trailing")
    assert refused.detail == f"{len(tail)} byte{'s' if len(tail) > 1 else ''} behind the last element"


@given(st.sampled_from(sorted(SAMPLES)), st.floats(min_value=0, max_value=1, exclude_max=True))
def test_a_file_that_is_cut_off_is_never_said_to_go_on(sample: str, share: float) -> None:
    raw = SAMPLES[sample]
    try:
        deidentify_instance(raw[: int(len(raw) * share)], policy=POLICY, pseudonyms=PSEUDONYMS)
    except InstanceRefusedError as refused:
        assert refused.rule != "dicom.trailing"
    # else it was cut between two elements, and nothing in it says so


def test_zeros_behind_an_object_without_pixels_are_behind_it() -> None:
    dataset = pydicom.dcmread(BytesIO(GOOD))
    del dataset.PixelData
    stream = BytesIO()
    dataset.save_as(stream)
    assert refusal(stream.getvalue() + b"\0\0\0").rule == "dicom.trailing"


def test_a_padding_element_that_is_cut_off_is_cut_off() -> None:
    padding = b"\xfc\xff\xfc\xffOB\0\0\x08\0\0\0" + bytes(8)
    assert refusal(GOOD + padding[:6]).reason is Reason.TRUNCATED
    assert refusal(GOOD + padding[:-3]).reason is Reason.TRUNCATED
    assert deidentify_instance(GOOD + padding, policy=POLICY, pseudonyms=PSEUDONYMS)
