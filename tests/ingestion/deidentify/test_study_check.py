"""A contradiction within a study that de-identification brings about holds back the series that it names."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from typer.testing import CliRunner

from ingestion.cli import build_app
from ingestion.deidentify import study_check
from ingestion.deidentify.conformance_check import JudgeMissingError, judge_is_there
from ingestion.deidentify.instance import InstanceDeidentifier
from ingestion.deidentify.iod_check import IodCheck, can_judge, can_judge_studies
from ingestion.deidentify.policy import load_policy
from ingestion.deidentify.study_check import Contradiction, contradictions, judge_study, representatives
from ingestion.deidentify.study_identities import Outline, gather_identities
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import Pseudonyms
from ingestion.sources.connector import SourceObject
from ingestion.sources.folder import FolderConnector

pytestmark = pytest.mark.usefixtures("in_this_process")

needs_judges = pytest.mark.skipif(
    not (can_judge() and can_judge_studies()), reason="dcentvfy (Debian package dicom3tools) cannot judge here"
)
PARTING = """
name: parting
options: [retain_modified_dates, retain_patient_characteristics, clean_descriptors]
pixels: clean
faces: flag
dates_in_text: shift
overrides:
  - tags: [StudyID]
    treatment: dummy
    why: a value of its own for one maker
    when: {manufacturer: [Other]}
  - tags: [StudyID]
    treatment: identifier
    why: and of its own for the other
    when: {manufacturer: [GE MEDICAL SYSTEMS]}
"""
ROOT = "1.2.826.0.1.3680043.9"


def write(folder: Path, series: int, number: int = 1, **changes: object) -> Path:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.SeriesInstanceUID = f"{ROOT}.{series}"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{ROOT}.{series}.{number}"
    dataset.StudyID, dataset.SeriesNumber, dataset.InstanceNumber = "1CT1", series, number
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    folder.mkdir(exist_ok=True)
    dataset.save_as(folder / f"{series}-{number}.dcm")
    return folder


def run(tmp_path: Path, *options: str, policy: str = "platform-default") -> tuple[int, dict[str, object]]:
    key = tmp_path / "source.key"
    key.write_text(bytes(range(1, 33)).hex())
    told = ["deidentify", str(tmp_path / "raw"), str(tmp_path / "clean"), "--source", "MADE-UP", "--policy", policy]
    told += ["--key-file", str(key), "--workers", "1", "--json", *options]
    done = CliRunner().invoke(build_app("deidentify"), told)
    assert done.exit_code in (0, 1), done.output
    return done.exit_code, json.loads(done.stdout)


def answer_of(folder: Path, *, policy: str = "platform-default", seed: int = 0) -> study_check.StudyAnswer:
    connector = FolderConnector(folder)
    known = gather_identities(connector, connector.listing().objects, ())
    pseudonyms = Pseudonyms(SourceKey("MADE-UP", bytes(range(seed, seed + 32))))
    deidentifier = InstanceDeidentifier(load_policy(policy), pseudonyms, known.texts)
    return judge_study(known.outlines, check=IodCheck.REQUIRED, connector=connector, deidentifier=deidentifier)


@pytest.fixture
def parting(tmp_path: Path) -> str:
    file = tmp_path / "parting.yaml"
    file.write_text(PARTING)
    return str(file)


@needs_judges
def test_a_contradiction_that_came_about_holds_back_its_series(tmp_path: Path, parting: str) -> None:
    write(tmp_path / "raw", 1)
    write(tmp_path / "raw", 2, Manufacturer="Other")
    write(tmp_path / "raw", 3, StudyInstanceUID=f"{ROOT}.77")
    code, account = run(tmp_path, policy=parting)
    assert (code, account["reasons"]) == (1, {"iod_introduced": 2})
    told = account["quarantined"]
    assert isinstance(told, list)
    assert {item["rule"] for item in told} == {"study.introduced"}
    assert all("StudyID differs between files of one study" in item["detail"] for item in told)
    assert "1CT1" not in json.dumps(account)
    # the other study goes on, and of the two nothing is stored
    assert len(list((tmp_path / "clean").rglob("*.dcm"))) == 1
    assert account["study_check"] == "installed: 1 series compared with their study, 0 not"


@needs_judges
def test_one_that_was_there_before_holds_back_nothing(tmp_path: Path) -> None:
    write(tmp_path / "raw", 1)
    write(tmp_path / "raw", 2, PatientSex="M", StudyDescription="Abdomen", DeidentificationMethod="by hand")
    write(tmp_path / "raw", 3, DeidentificationMethod="by machine")
    code, account = run(tmp_path)
    assert (code, account["reasons"]) == (0, {})
    assert account["study_check"] == "installed: 3 series compared with their study, 0 not"


@needs_judges
def test_an_earlier_de_identification_of_one_file_is_no_contradiction(tmp_path: Path) -> None:
    """The others say less before and after, and each says what is true of it."""
    write(tmp_path / "raw", 1)
    write(tmp_path / "raw", 2, DeidentificationMethod="by hand")
    assert run(tmp_path)[1]["reasons"] == {}


@needs_judges
def test_a_study_costs_one_call_whichever_series_asks(tmp_path: Path) -> None:
    for series in (1, 2, 3):
        for number in (1, 2, 3):
            write(tmp_path / "raw", series, number)
    first, second = answer_of(tmp_path / "raw", seed=40), answer_of(tmp_path / "raw", seed=40)
    assert first is second
    assert (first.calls, len(first.judged), first.named) == (1, 3, {})


@needs_judges
def test_what_the_tool_says_loses_its_values(tmp_path: Path) -> None:
    one, other = (
        [write(tmp_path / "raw", 1, number, PatientName=name).joinpath(f"1-{number}.dcm").read_bytes()]
        for number, name in ((1, "Kowalski^Jan"), (2, "Nowak^Ewa"))
    )
    again = Contradiction("one SOPInstanceUID in several files", frozenset({0, 1}))
    assert contradictions([one, one]) == {again}
    assert contradictions([one, other]) == {
        Contradiction("PatientName differs between files of one patient", frozenset({0, 1}))
    }


def test_a_line_that_a_value_makes_up_says_nothing_of_it() -> None:
    def ask(judge: str, files: object) -> tuple[tuple[str, ...], list[str], bool]:
        return ("a", "b"), ["Error - Kowalski <Jan> IE=<Patient>", "Error - x - Element=<Kowalski> IE=<Jan> for "], True

    told = {one.what for one in contradictions([], ask=ask)}
    assert told == {"a header that cannot be read beside the others of its study", "dcentvfy itself failed"}


def test_without_the_tool_it_is_said_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "raw", 1)
    monkeypatch.setattr(study_check, "can_judge_studies", lambda: False)
    deidentifier = InstanceDeidentifier(load_policy("platform-default"), Pseudonyms(SourceKey("M", bytes(range(32)))))
    connector = FolderConnector(tmp_path / "raw")
    known = gather_identities(connector, connector.listing().objects, ())
    answer = judge_study(
        known.outlines, check=IodCheck.INSTALLED, connector=connector, deidentifier=deidentifier
    )  # fmt: skip
    assert answer.calls == 0
    assert answer.check_series(f"{ROOT}.1") is False
    monkeypatch.setenv("PATH", str(tmp_path))
    told = IodCheck.INSTALLED.told_of_studies(judged=0, unjudged=1)
    assert told == (
        "installed: 0 series compared with their study, 1 not (dcentvfy is not installed (package dicom3tools))"
    )
    with pytest.raises(JudgeMissingError, match="dcentvfy"):
        IodCheck.REQUIRED.check_start()
    assert IodCheck.OFF.told_of_studies(judged=0, unjudged=1).endswith("(the check is off)")


@needs_judges
def test_a_tool_that_takes_too_long_counts_as_not_compared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(files: object) -> object:
        raise TimeoutError

    monkeypatch.setattr(study_check, "contradictions", slow)
    write(tmp_path / "raw", 1)
    write(tmp_path / "raw", 2)
    assert judge_is_there()
    answer = answer_of(tmp_path / "raw", seed=80)
    assert (answer.judged, answer.named) == (frozenset(), {})


def test_which_objects_are_compared_depends_on_no_order() -> None:
    def made(order: Iterable[int]) -> list[str]:
        found = [
            (Outline(str(series), f"1.{series % 3}", str(number)), SourceObject(f"{series}-{number}", 1, ""))
            for series in range(100)
            for number in range(4)
        ]
        return [item.name for _, item in representatives(found[number] for number in order)]

    chosen = made(range(400))
    assert chosen == made(reversed(range(400)))
    assert len(chosen) == study_check.MOST_FILES
    assert {name.split("-")[0] for name in chosen} == {str(series) for series in range(100)}
