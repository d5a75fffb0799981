"""``cie check`` on folders made by code: what it finds, what it writes, and what it never writes."""

from __future__ import annotations

import csv
import html
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pandas as pd
import pytest
from pydicom.dataset import Dataset
from typer.testing import CliRunner

from ingestion.cli import build_app
from ingestion.deidentify.iod_check import can_judge, can_judge_studies
from ingestion.storage.folder import FolderStore
from quality_checks import documents as d
from quality_checks.object_progress import ObjectProgress, counting
from quality_checks.scratch import scratch_folder
from tests.quality_checks.defects.series import ct_series, mr_series

NAME, ID, HOSPITAL = "Wojciechowska^Grazyna", "MRN-7734-2201", "St Elsewhere Hospital"


def put(folder: Path, datasets: list[Dataset], **values: str) -> None:
    """Write raw objects of one woman of 61."""
    folder.mkdir(parents=True, exist_ok=True)
    for dataset in datasets:
        dataset.PatientName, dataset.PatientID = NAME, ID
        dataset.PatientBirthDate, dataset.PatientSex, dataset.PatientAge = "19580312", "F", "061Y"
        dataset.InstitutionName, dataset.Manufacturer = HOSPITAL, "SIEMENS"
        if dataset.Modality == "CT":
            dataset.Exposure, dataset.XRayTubeCurrent, dataset.ExposureTime = 100, 200, 500
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        dataset.save_as(folder / f"{dataset.SOPInstanceUID}.dcm", enforce_file_format=True)


def run(*arguments: str | Path) -> tuple[int, str]:
    result = CliRunner().invoke(build_app("check"), ["check", *map(str, arguments), "--workers", "1"])
    return result.exit_code, result.output


def test_a_clean_folder_would_be_taken_in(tmp_path: Path) -> None:
    put(tmp_path / "in", ct_series())
    code, said = run(tmp_path / "in", "--report", tmp_path / "out")
    assert "would be taken in" in said and "report:" in said, said
    summary = json.loads((tmp_path / "out" / d.SUMMARY).read_bytes())
    assert summary["objects"]["delivered"] == summary["objects"]["accepted"] == 7
    assert summary["series"]["examined"] == summary["series"]["judged"] == 1
    assert code == 0, said
    assert (tmp_path / "out" / d.REPORT).read_text().startswith("<!doctype html>")
    assert len(pd.read_parquet(tmp_path / "out" / d.SERIES_TABLE)) == 1


def test_no_output_names_anybody(tmp_path: Path) -> None:
    put(tmp_path / "in" / "Wojciechowska", ct_series(), SeriesDescription="Thorax Wojciechowska 12.03.1958")
    put(tmp_path / "in" / "Wojciechowska", mr_series()[:3])
    _, said = run(tmp_path / "in", "--report", tmp_path / "out", "--names", tmp_path / "names.csv")
    for written in [said.encode(), *(path.read_bytes() for path in (tmp_path / "out").iterdir())]:
        for secret in ("wojciechowska", "grazyna", "7734", "19580312", "elsewhere"):
            assert secret.encode() not in written.lower(), secret
    assert "Wojciechowska" in (tmp_path / "names.csv").read_text()
    assert (tmp_path / "names.csv").stat().st_mode & 0o077 == 0


def test_a_broken_series_is_an_error_and_the_rest_goes_on(tmp_path: Path) -> None:
    put(tmp_path / "in", ct_series())
    broken = ct_series(series=9)
    for dataset in broken:
        dataset.PixelData = bytes(len(dataset.PixelData))  # black in every slice
    put(tmp_path / "in", broken, StudyInstanceUID="1.2.3.4.5", FrameOfReferenceUID="1.2.3.4.5.6")
    code, said = run(tmp_path / "in", "--report", tmp_path / "out")
    assert code == 1 and "error" in said
    summary = json.loads((tmp_path / "out" / d.SUMMARY).read_bytes())
    assert len(summary["series"]["left_out"]) == 1 and summary["series"]["judged"] == 2


def test_what_would_be_held_back_is_told(tmp_path: Path) -> None:
    put(tmp_path / "in", ct_series())
    (tmp_path / "in" / "cut.dcm").write_bytes(next((tmp_path / "in").glob("*.dcm")).read_bytes()[:700])
    code, said = run(tmp_path / "in", "--report", tmp_path / "out")
    assert code == 1 and "To do:" in said
    assert "would be taken in in part: 1 of 8 objects would be held back" in " ".join(said.split())
    assert "1 of 8 objects held back" in (tmp_path / "out" / d.REPORT).read_text()


def test_a_finding_on_a_series_leads_to_its_files(tmp_path: Path) -> None:
    put(tmp_path / "in" / "good", ct_series())
    broken = ct_series(series=9)
    for dataset in broken:
        dataset.PixelData = bytes(len(dataset.PixelData))
    put(tmp_path / "in" / "black", broken)
    run(tmp_path / "in", "--report", tmp_path / "out", "--names", tmp_path / "names.csv")
    (left_out,) = json.loads((tmp_path / "out" / d.SUMMARY).read_bytes())["series"]["left_out"]
    rows = list(csv.DictReader((tmp_path / "names.csv").open(encoding="utf-8", newline="")))
    assert {row["name"].split("/")[0] for row in rows if row["series"] == left_out} == {"black"}
    assert len(rows) == 14


@pytest.fixture
def scratch() -> Iterator[Path]:
    """A folder for temporary ones with a short name: worker processes have sockets in it, of 107 characters at most."""
    with tempfile.TemporaryDirectory(prefix="cie-test-") as name:
        yield Path(name)


def _started(tmp_path: Path, scratch: Path, number: signal.Signals, handler: str) -> subprocess.Popen[str]:
    """The command, once it has written its first object. ``handler``: what its parent hands on for the signal."""
    start = (
        f"import runpy, signal, sys; signal.signal({int(number)}, signal.{handler});"
        " runpy.run_module('ingestion.cli', run_name='__main__', alter_sys=True)"
    )
    command = [
        sys.executable, "-c", start, "check", str(tmp_path / "in"), "--report", str(tmp_path / "out"), "--workers", "1",
    ]  # fmt: skip
    started = subprocess.Popen(
        command, env=os.environ | {"TMPDIR": str(scratch)}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    deadline = time.monotonic() + 120
    while not list(scratch.glob("cie-check-*/dicom/*/*/*.dcm")) and time.monotonic() < deadline:
        time.sleep(0.02)
    if started.poll() is not None:
        pytest.fail(f"it ended before it was stopped: {started.communicate()[0]}")
    return started


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_run_that_is_told_to_stop_leaves_no_image(tmp_path: Path, scratch: Path, number: signal.Signals) -> None:
    for series in range(1, 13):
        put(tmp_path / "in", ct_series(slices=40, series=series))
    handler = "default_int_handler" if number == signal.SIGINT else "SIG_DFL"
    started = _started(tmp_path, scratch, number, handler)
    started.send_signal(number)
    said, _ = started.communicate(timeout=60)
    assert started.returncode == 128 + number, said
    assert "no report was written" in said and "Traceback" not in said
    assert not list(scratch.glob("cie-check-*"))


def test_a_run_under_nohup_outlives_its_terminal(tmp_path: Path, scratch: Path) -> None:
    for series in range(1, 4):
        put(tmp_path / "in", ct_series(slices=20, series=series))
    started = _started(tmp_path, scratch, signal.SIGHUP, "SIG_IGN")
    started.send_signal(signal.SIGHUP)
    said, _ = started.communicate(timeout=120)
    assert started.returncode == 0, said
    assert (tmp_path / "out" / "report.html").exists()


def test_what_a_killed_run_left_is_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone = subprocess.Popen(["true"])
    gone.wait()
    for owner in (gone.pid, os.getpid()):
        (tmp_path / f"cie-check-{owner}-abc" / "dicom").mkdir(parents=True)
    (tmp_path / "cie-check-notes").mkdir()  # somebody else's
    with scratch_folder() as folder:
        names = {path.name for path in tmp_path.iterdir()}
        assert names == {f"cie-check-{os.getpid()}-abc", "cie-check-notes", folder.name}
        assert folder.stat().st_mode & 0o077 == 0
    assert not folder.exists()


def test_equal_folders_under_one_key_give_equal_reports(tmp_path: Path) -> None:
    put(tmp_path / "in", ct_series())
    (tmp_path / "key").write_text("0123456789abcdef" * 4)
    for out in ("one", "two"):
        run(tmp_path / "in", "--report", tmp_path / out, "--key-file", tmp_path / "key")
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name


def test_what_was_not_held_against_the_standard_is_said_in_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The setting holds here as for the pipeline."""
    put(tmp_path / "in", ct_series())
    monkeypatch.setenv("CIE_IOD_CHECK", "off")
    code, said = run(tmp_path / "in", "--report", tmp_path / "off")
    assert code == 0, said
    told = "off: 0 objects judged, 7 not (the check is off)"
    assert told in said
    conformance = json.loads((tmp_path / "off" / d.SUMMARY).read_bytes())["conformance"]
    assert conformance == {
        "iod_check": told,
        "study_check": "off: 0 series compared with their study, 1 not (the check is off)",
        "complete": False,
    }
    page = (tmp_path / "off" / d.REPORT).read_text()
    assert "What was not held against the standard" in page
    assert told in page
    schema = json.loads((tmp_path / "off" / d.SUMMARY_SCHEMA).read_bytes())
    jsonschema.validate(json.loads((tmp_path / "off" / d.SUMMARY).read_bytes()), schema)
    monkeypatch.setenv("CIE_IOD_CHECK", "required")
    monkeypatch.setenv("PATH", str(tmp_path))
    code, said = run(tmp_path / "in", "--report", tmp_path / "required")
    assert code == 2
    assert "dciodvfy and dcentvfy cannot run" in " ".join(said.split())
    assert not list(tmp_path.glob("required/*"))


@pytest.mark.skipif(not (can_judge() and can_judge_studies()), reason="dicom3tools cannot judge here")
def test_a_report_of_a_folder_that_was_held_against_the_standard_says_how_much(tmp_path: Path) -> None:
    put(tmp_path / "in", ct_series())
    _, said = run(tmp_path / "in", "--report", tmp_path / "out")
    assert json.loads((tmp_path / "out" / d.SUMMARY).read_bytes())["conformance"] == {
        "iod_check": "installed: 7 objects judged, 0 not",
        "study_check": "installed: 1 series compared with their study, 0 not",
        "complete": True,
    }
    assert "What was not held against" not in (tmp_path / "out" / d.REPORT).read_text()
    assert "definitions (IOD)" not in said


def test_a_second_check_tells_what_changed_by_rule(tmp_path: Path) -> None:
    put(tmp_path / "in", ct_series(slices=8))
    run(tmp_path / "in", "--report", tmp_path / "out")
    first = json.loads((tmp_path / "out" / d.SUMMARY).read_bytes())
    assert first["changes"] is None
    assert "no earlier report lay in the report's folder" in html.unescape(
        (tmp_path / "out" / d.REPORT).read_text(encoding="utf-8")
    )
    next(iter(sorted((tmp_path / "in").glob("*.4.dcm")))).unlink()  # a slice of the middle
    _, said = run(tmp_path / "in", "--report", tmp_path / "out")
    body = (tmp_path / "out" / d.SUMMARY).read_bytes()
    jsonschema.validate(json.loads(body), json.loads((tmp_path / "out" / d.SUMMARY_SCHEMA).read_bytes()))
    changes = json.loads(body)["changes"]
    gap = {"rule_id": "geometry_no_gaps", "before": None, "after": "warning", "failing_before": 0, "failing_after": 1}
    assert changes["compared_by"] == "rule" and gap in changes["rules"]
    assert changes["new_findings"] >= 1 and changes["gone_findings"] == 0
    assert "since the earlier report there, by rule and count" in said and "objects 8 before, 7 now" in said
    page = (tmp_path / "out" / d.REPORT).read_text()
    assert "Compared by rule and count" in page and "8 before" in page
    for uid in first["series"]["left_out"]:
        assert uid not in page


@pytest.mark.parametrize("content", [b"", b"[]", b'{"source_id": "X"}', b'{"source_id": 1, "blocks": 1, "series": 3}'])
def test_what_is_no_report_is_told_and_replaced(tmp_path: Path, content: bytes) -> None:
    put(tmp_path / "in", ct_series())
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / d.SUMMARY).write_bytes(content)
    code, said = run(tmp_path / "in", "--report", tmp_path / "out")
    assert code == 0 and "nothing is compared with an earlier report" in said
    assert json.loads((tmp_path / "out" / d.SUMMARY).read_bytes())["changes"] is None


def test_a_report_of_another_source_is_not_compared_with(tmp_path: Path) -> None:
    put(tmp_path / "in", ct_series())
    run(tmp_path / "in", "--report", tmp_path / "out")
    before = json.loads((tmp_path / "out" / d.SUMMARY).read_bytes()) | {"source_id": "ANOTHER-01"}
    (tmp_path / "out" / d.SUMMARY).write_text(json.dumps(before))
    _, said = run(tmp_path / "in", "--report", tmp_path / "out")
    assert "the report there is of another source" in said


def test_companions_are_counted_apart_in_all_places(tmp_path: Path) -> None:
    put(tmp_path / "in", ct_series())
    (tmp_path / "in" / "cut.dcm").write_bytes(next((tmp_path / "in").glob("*.dcm")).read_bytes()[:700])
    (tmp_path / "in" / "notes.txt").write_text("nothing")
    _, said = run(tmp_path / "in", "--report", tmp_path / "out")
    words = " ".join(said.split())
    assert "1 of 8 objects would be held back for someone to act on (1 that are no images not counted)" in words
    assert "│ 9 │ 7 │ 0 │ 1 │ 1 │" in words
    assert "1 of 8 objects held back" in (tmp_path / "out" / d.REPORT).read_text()


def test_a_folder_is_not_asked_for_what_the_platform_fills_in(tmp_path: Path) -> None:
    put(tmp_path / "in", ct_series())
    run(tmp_path / "in", "--report", tmp_path / "out")
    page = (tmp_path / "out" / d.REPORT).read_text()
    assert "How full each column is" in page and ">SliceThickness<" in page
    for column in ("FirstRelease", "LastRelease", "license_short_name", "source_DOI", "bucket", "FeatureRow"):
        assert f">{column}<" not in page, column


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["missing"], "is not a folder"),
        ([".", "--report", "./in/report"], "name another with --report, such as --report"),
        (["."], "the report's folder (cie-check) must not lie in the folder that is checked"),
        (["in", "--report", "."], "nor around it"),
        (["in", "--report", "out", "--names", "out/names.csv"], "must not lie in the report"),
        (["in", "--report", "out", "--names", "nowhere/names.csv"], "--names can't be written"),
        (["in", "--report", "out", "--names", "."], "it is a folder"),
        (["in", "--report", "file/out"], "the report can't be written"),
        (["in", "--report", "out", "--policy", "nothing-such"], "nothing-such"),
        (["in", "--report", "out", "--source", "NO-SUCH-01"], "NO-SUCH-01"),
    ],
)
def test_wrong_use_is_told_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], problem: str
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "file").touch()
    monkeypatch.chdir(tmp_path)
    code, said = run(*arguments)
    assert code == 2 and problem in " ".join(said.split())
    assert not list(tmp_path.glob("out/*"))


def test_progress_is_told_without_a_terminal_and_never_among_the_json(tmp_path: Path) -> None:
    put(tmp_path / "in", ct_series())
    command = [
        sys.executable, "-m", "ingestion.cli", "check", str(tmp_path / "in"), "--report", str(tmp_path / "out"),
        "--workers", "1", "--json",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["objects"]["delivered"] == 7
    lines = done.stderr.splitlines()
    # in between as the machine is quick: how many are seen depends on when they are looked at
    assert lines[:2] == ["listing the folder", "objects checked: 0 of 7 (0 %)"]
    assert lines[-1] == "objects checked: 7 of 7 (100 %)"
    assert all(line.startswith("objects checked: ") for line in lines[1:])


def test_objects_of_a_series_that_is_worked_on_are_counted(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    progress = ObjectProgress(lambda done, total: told.append((done, total)), tmp_path)
    progress.look()
    assert told == []
    progress(2, 9)
    with counting(FolderStore(tmp_path, durable=False), "1.2.3") as store:
        for number in range(7):
            store.create(f"dicom/S/1/{number}", b"")
            store.create(f"manifests/S/{number}", b"")
            progress.look()
    assert told == [(2, 9), (2, 9), *((2 + number, 9) for number in range(1, 7))]
    progress.look()  # the series ended and its end is not told yet: never less than before
    progress(9, 9)
    assert told[-2:] == [(8, 9), (9, 9)]
    assert not list((tmp_path / ".progress").iterdir())


def test_a_folder_is_told_of_in_the_words_for_a_folder(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "notes.txt").write_text("nothing")
    code, said = run(tmp_path / "in", "--report", tmp_path / "out")
    assert code == 1
    page = (tmp_path / "out" / d.REPORT).read_text()
    for text in (said, page, (tmp_path / "out" / d.SUMMARY).read_text()):
        assert "Check that the path is right" in " ".join(text.split())
        for word in ("connector", "next sync", "data holder", "reconcile"):
            assert word not in text, word
