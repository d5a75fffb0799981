"""An error of its definition that de-identification brings about holds a series back, and nothing is silent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from pydicom.uid import EncapsulatedPDFStorage, ImplicitVRLittleEndian
from typer.testing import CliRunner

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.cli import build_app
from ingestion.commands import deidentify as commands
from ingestion.deidentify import iod_check, iod_excuses
from ingestion.deidentify.conformance_check import ConformanceError, JudgeMissingError, errors_in_memory, errors_of
from ingestion.deidentify.instance import InstanceDeidentifier
from ingestion.deidentify.iod_check import IodCheck, IodJudge, can_judge
from ingestion.deidentify.policy import load_policy
from ingestion.dicom.byte_shape import ByteShapes
from ingestion.dicom.encoding import EXPLICIT_LITTLE
from ingestion.dicom.reading import read_meta
from ingestion.fanout import Done, Fanout, Result, Task
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import Pseudonyms

needs_judge = pytest.mark.skipif(not can_judge(), reason="dciodvfy (Debian package dicom3tools) cannot judge here")
PSEUDONYMS = Pseudonyms(SourceKey("MADE-UP", bytes(range(32))))
BREAKING = """
name: breaking
options: [retain_modified_dates, retain_patient_characteristics, clean_descriptors]
pixels: clean
faces: flag
dates_in_text: shift
overrides:
  - tags: [RescaleSlope]
    treatment: remove
    why: takes out what a CT image needs
"""


class Here(Fanout):
    """Series are worked on in this process: that of a worker keeps the path that the first test gave it."""

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        return map(function, tasks)

    def run(self, function: Callable[[Task], Result], tasks: Sequence[Task]) -> Iterator[Done[Task, Result]]:
        return (Done(task, function(task)) for task in tasks)


def slices(folder: Path, number: int = 3) -> Path:
    folder.mkdir()
    for index in range(number):
        dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
        dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"1.2.3.4.{index + 1}"
        dataset.InstanceNumber = index + 1
        dataset.save_as(folder / f"{index}.dcm")
    return folder


@pytest.fixture
def breaking(tmp_path: Path) -> Path:
    file = tmp_path / "breaking.yaml"
    file.write_text(BREAKING)
    return file


def run(tmp_path: Path, *options: str, policy: str = "platform-default") -> tuple[int, dict[str, object], Path]:
    key, out = tmp_path / "source.key", tmp_path / "clean"
    key.write_text(bytes(range(1, 33)).hex())
    key.chmod(0o600)
    told = ["deidentify", str(tmp_path / "raw"), str(out), "--source", "MADE-UP", "--policy", policy, "--key-file"]
    done = CliRunner().invoke(build_app("deidentify"), [*told, str(key), "--workers", "1", "--json", *options])
    assert done.exit_code in (0, 1), done.output
    return done.exit_code, json.loads(done.stdout), out


@needs_judge
def test_a_policy_that_breaks_objects_stores_none_of_them(tmp_path: Path, breaking: Path) -> None:
    slices(tmp_path / "raw")
    code, account, out = run(tmp_path, policy=str(breaking))
    assert code == 1
    assert account["reasons"] == {"iod_introduced": 3}
    told = account["quarantined"]
    assert isinstance(told, list)
    assert {item["rule"] for item in told} == {"iod.introduced"}
    assert all(item["detail"] == "Value is zero for value 1 of attribute Rescale Slope" for item in told)
    assert not list(out.rglob("*.dcm"))


@needs_judge
@pytest.mark.parametrize("implicit", [False, True])
@pytest.mark.parametrize("model", ["FCR-5000", "FCR-50", "1.2.3.4", "1.2.3.45"])
def test_a_text_where_a_maker_has_a_uid_stays_a_text(tmp_path: Path, implicit: bool, model: str) -> None:
    """The safe list says UID, the object LO: what is written is filled up as a text."""
    for file in slices(tmp_path / "raw", 8).iterdir():  # about half of the new UIDs have an odd length
        dataset = pydicom.dcmread(file)
        block = dataset.private_block(0x0009, "FDMS 1.0", create=True)
        block.add_new(0x0C, "LO" if not implicit or "FCR" in model else "UI", f"{model}.{file.stem}")
        if implicit:
            dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
        dataset.save_as(file, implicit_vr=implicit, little_endian=True)
    _, account, out = run(tmp_path)
    assert account["reasons"] == {}
    found = [pydicom.dcmread(file).private_block(0x0009, "FDMS 1.0")[0x0C] for file in out.rglob("*.dcm")]
    assert len(found) == 8 and all(str(element.value).startswith("2.25.") for element in found if not implicit)


@needs_judge
def test_a_document_is_told_as_one(tmp_path: Path) -> None:
    """Its header without the document breaks its definition; that it is a document is why it is held back."""
    [file] = slices(tmp_path / "raw", 1).iterdir()
    dataset = pydicom.dcmread(file)
    del dataset.PixelData
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = EncapsulatedPDFStorage
    dataset.Modality, dataset.MIMETypeOfEncapsulatedDocument = "DOC", "application/pdf"
    dataset.EncapsulatedDocument = b"%PDF-1.4 "
    dataset.save_as(file)
    assert run(tmp_path)[1]["reasons"] == {"uncleanable_content": 1}


@needs_judge
def test_switched_off_it_is_said_that_nothing_was_judged(tmp_path: Path, breaking: Path) -> None:
    slices(tmp_path / "raw")
    code, account, _ = run(tmp_path, "--iod-check", "off", policy=str(breaking))
    assert (code, account["iod_check"]) == (0, "off: 0 objects judged, 3 not (the check is off)")


@needs_judge
def test_a_sound_series_costs_two_calls_at_most(tmp_path: Path) -> None:
    judge, deidentifier = IodJudge(IodCheck.REQUIRED), _deidentifier()
    bodies = [path.read_bytes() for path in sorted(slices(tmp_path / "raw", 9).iterdir())]
    for raw in bodies:
        judge.look_ahead(raw, deidentifier)
    assert all(judge.check_object(deidentifier.deidentify(raw)) for raw in bodies)
    assert 1 <= judge.calls <= 2
    slices(tmp_path / "more", 3)
    assert run(tmp_path)[1]["iod_check"] == "installed: 9 objects judged, 0 not"


def test_without_the_tool_it_is_said_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    slices(tmp_path / "raw")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(commands, "Fanout", Here)
    code, account, _ = run(tmp_path)
    assert (code, account["iod_check"]) == (
        0, "installed: 0 objects judged, 3 not (dciodvfy is not installed (package dicom3tools))",
    )  # fmt: skip
    with pytest.raises(JudgeMissingError, match="dicom3tools"):
        IodCheck.REQUIRED.check_start()
    target = tmp_path / "other"
    told = ["deidentify", str(tmp_path / "raw"), str(target), "--source", "MADE-UP", "--policy", "platform-default"]
    told += ["--key-file", str(tmp_path / "source.key"), "--workers", "1", "--iod-check", "required"]
    refused = CliRunner().invoke(build_app("deidentify"), told)
    assert refused.exit_code == 2
    assert not list(target.rglob("*"))


@needs_judge
def test_an_object_in_memory_is_judged_as_one_on_a_disk() -> None:
    path = Path(str(get_testdata_file("CT_small.dcm")))
    raw = path.read_bytes()
    assert errors_in_memory([raw[:100], raw[100:]]) == errors_of((path,), "dciodvfy")


@needs_judge
def test_an_error_that_was_there_before_is_not_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    del dataset.RescaleSlope
    raw = encoded(dataset)
    judge = IodJudge(IodCheck.REQUIRED)
    assert judge.check_object(_deidentifier().deidentify(raw))
    assert judge.calls == 2


@needs_judge
def test_a_tool_that_takes_too_long_counts_as_not_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(data: object) -> object:
        raise TimeoutError

    monkeypatch.setattr(iod_check, "errors_in_memory", slow)
    raw = Path(str(get_testdata_file("CT_small.dcm"))).read_bytes()
    assert IodJudge(IodCheck.REQUIRED).check_object(_deidentifier().deidentify(raw)) is False


def test_an_excuse_holds_only_for_its_kind_its_cause_and_its_number() -> None:
    (row,) = iod_excuses.excuses()

    def left(*, sop_class: str = row.sop_class, tag: int = row.removed, times: int = 1, said: str = row.message) -> int:
        errors = [ConformanceError(said, times)]
        return len(iod_excuses.not_excused(errors, sop_class=sop_class, removed=lambda asked: asked == tag))

    assert left() == 0
    assert left(sop_class="1.2.840.10008.5.1.4.1.1.2") == 1
    assert left(tag=0x00080060) == 1
    assert left(times=2) == 1
    assert left(said="Missing attribute Type 1 Required Element=Rows Module=ImagePixel") == 1
    assert row.reason


@pytest.mark.parametrize(
    ("keyword", "value", "same"),
    [
        ("InstanceNumber", 77, True),
        ("SOPInstanceUID", "1.2.3.99", True),
        ("StudyDate", "20200101", True),
        ("StudyDate", "2020.01.01", False),
        ("PatientSex", "F", False),
        ("RescaleSlope", None, False),
        ("AccessionNumber", "12345678901234567890", False),
    ],
)
@pytest.mark.filterwarnings("ignore")
def test_what_a_definition_asks_for_is_the_shape(keyword: str, value: object, same: bool) -> None:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.PatientSex, dataset.AccessionNumber = "M", "1"
    shapes = ByteShapes()
    first = _shape(shapes, encoded(dataset))
    if value is None:
        delattr(dataset, keyword)
    else:
        dataset[keyword] = pydicom.DataElement(
            keyword, dataset[keyword].VR, value, validation_mode=pydicom.config.IGNORE
        )
    # The same whether it is met after headers like it, or first.
    again = encoded(dataset)
    assert _shape(shapes, again) == _shape(ByteShapes(), again)
    assert (_shape(shapes, again) == first) is same


def test_the_shape_of_a_header_does_not_depend_on_those_before_it() -> None:
    shapes = ByteShapes()
    for body in _bodies():
        assert _shape(shapes, body) == _shape(ByteShapes(), body)


def _bodies() -> Iterator[bytes]:
    for number in range(4):
        dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
        dataset.InstanceNumber = number
        if number == 2:
            del dataset.Modality
        yield encoded(dataset)


def test_a_message_cannot_smuggle_a_value_out() -> None:
    from ingestion.deidentify.conformance_check import reduce_message

    line = "Error - Unrecognized enumerated value = <X> Module=<Kowalski> for value 1 of attribute <PatientSex>"
    reduced = reduce_message(line)
    assert reduced is not None
    assert "Kowalski" not in reduced
    assert "PatientSex" in reduced


def test_the_reason_has_its_words() -> None:
    assert Reason.IOD_INTRODUCED.facts.remedy
    refused = InstanceRefusedError(Reason.IOD_INTRODUCED, rule=iod_check.RULE, detail="x")
    assert refused.rule == "iod.introduced"


def _deidentifier() -> InstanceDeidentifier:
    return InstanceDeidentifier(load_policy("platform-default"), PSEUDONYMS)


def encoded(dataset: pydicom.Dataset) -> bytes:
    from io import BytesIO

    out = BytesIO()
    dataset.save_as(out)
    return out.getvalue()


def _shape(shapes: ByteShapes, body: bytes) -> str:
    return shapes.of(body, read_meta(body).dataset_start, EXPLICIT_LITTLE).digest
