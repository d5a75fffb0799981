"""A second run of ``cie deidentify`` into the same folder: what is of no delivered file is told, and a run that was
stopped goes on."""

from __future__ import annotations

import csv
import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from typer.testing import CliRunner

from ingestion.accounting.manifest import Manifest
from ingestion.cli import build_app
from ingestion.storage.folder import FolderStore

pytestmark = pytest.mark.usefixtures("in_this_process")

ROOT = "1.2.826.0.1.3680043.9"
STOPPED = """
import signal, sys
signal.signal({number}, {handler})
from ingestion.cli import build_app
from ingestion.commands import deidentify
from ingestion.fanout import Done, Fanout

class Here(Fanout):
    def map(self, function, tasks):
        if {when} < 0:
            signal.raise_signal({number})
        return map(function, tasks)

    def run(self, function, tasks):
        for number, task in enumerate(tasks):
            if number == {when}:
                signal.raise_signal({number})
            yield Done(task, function(task))

deidentify.Fanout = Here
sys.argv[0] = "cie"
build_app("deidentify")()
"""


def write(folder: Path, series: int, *, number: int = 1, **changes: object) -> Path:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    dataset.SeriesInstanceUID = f"{ROOT}.{series}"
    dataset.StudyInstanceUID = f"{ROOT}.9{series}"
    dataset.SOPInstanceUID = dataset.file_meta.MediaStorageSOPInstanceUID = f"{ROOT}.{series}.{number}"
    for keyword, value in changes.items():
        setattr(dataset, keyword, value)
    folder.mkdir(exist_ok=True)
    path = folder / f"{series}-{number}.dcm"
    dataset.save_as(path)
    return path


def arguments(tmp_path: Path, *options: str, out: str = "clean") -> list[str]:
    key = tmp_path / "source.key"
    key.write_text(bytes(range(1, 33)).hex())
    told = ["deidentify", str(tmp_path / "raw"), str(tmp_path / out), "--source", "MADE-UP", "--workers", "1"]
    return [*told, "--key-file", str(key), "--policy", "platform-default", *options]


def run(tmp_path: Path, *options: str, out: str = "clean") -> tuple[int, str]:
    done = CliRunner().invoke(build_app("deidentify"), arguments(tmp_path, *options, out=out))
    return done.exit_code, done.output


def tree(folder: Path) -> dict[str, str]:
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def test_a_file_that_somebody_put_among_the_results_is_told_without_its_name_and_kept(tmp_path: Path) -> None:
    write(tmp_path / "raw", 1)
    assert run(tmp_path)[0] == 0
    clean, report = tmp_path / "clean", tmp_path / "report.json"
    (series,) = (clean / "dicom" / "MADE-UP").iterdir()
    foreign = [
        series / "Doe^Jane 1952.dcm", clean / "dicom" / "Doe^Jane.dcm", clean / "manifests" / "Doe^Jane.json",
        clean / "manifests" / "MADE-UP" / series.name / "Doe^Jane.json",
    ]  # fmt: skip
    for path in foreign:
        path.write_text("not a result")
    code, said = run(tmp_path, "--report", str(report))
    assert code == 1 and "4 files in OUT/dicom or OUT/manifests are no results" in " ".join(said.split())
    code, pruned = run(tmp_path, "--prune", "--json", "--report", str(report))
    account = json.loads(report.read_bytes())
    assert (code, account["foreign_files"], account["not_delivered_now"], account["pruned"]) == (1, 4, [], 0)
    assert "Doe" not in said + pruned + report.read_text()
    assert all(path.read_text() == "not a result" for path in foreign)


def test_a_damaged_manifest_of_an_earlier_run_is_named(tmp_path: Path) -> None:
    write(tmp_path / "raw", 1)
    assert run(tmp_path)[0] == 0
    (manifest,) = (tmp_path / "clean" / "manifests").rglob("*.json")
    manifest.write_text("{")
    code, said = run(tmp_path)
    assert code == 2 and "a manifest that cannot be read" in said and manifest.name in said.replace("\n", "")


def test_results_of_a_withdrawn_file_are_told_and_deleted_only_when_asked(tmp_path: Path) -> None:
    for series in (1, 2):
        write(tmp_path / "raw", series)
    withdrawn = write(tmp_path / "raw", 2, number=2)
    assert run(tmp_path)[0] == 0
    first = tree(tmp_path / "clean")
    withdrawn.unlink()
    code, said = run(tmp_path)
    assert code == 1
    assert "1 objects and 1 manifests in OUT are of no file that is delivered now" in " ".join(said.split())
    code, said = run(tmp_path, "--json")
    account = json.loads(said)
    assert (code, account["pruned"]) == (1, 0)
    left = account["not_delivered_now"]
    assert sorted(key.split("/")[0] for key in left) == ["dicom", "manifests"]
    assert first.items() <= tree(tmp_path / "clean").items(), "nothing is deleted unasked"
    code, said = run(tmp_path, "--json", "--prune")
    assert (code, json.loads(said)["pruned"]) == (0, 2)
    kept = tree(tmp_path / "clean")
    assert not set(left) & kept.keys()
    assert run(tmp_path, out="fresh")[0] == 0
    assert kept == tree(tmp_path / "fresh")
    assert json.loads(run(tmp_path, "--json")[1])["not_delivered_now"] == []


def test_a_series_that_is_withdrawn_leaves_no_folder_behind(tmp_path: Path) -> None:
    gone = write(tmp_path / "raw", 1)
    write(tmp_path / "raw", 2)
    run(tmp_path)
    gone.unlink()
    assert run(tmp_path, "--prune")[0] == 0
    assert len(list((tmp_path / "clean" / "dicom" / "MADE-UP").iterdir())) == 1


def test_what_cannot_be_read_for_now_is_not_taken_as_withdrawn(tmp_path: Path) -> None:
    hidden = write(tmp_path / "raw", 1)
    write(tmp_path / "raw", 2)
    run(tmp_path)
    first = tree(tmp_path / "clean")
    hidden.unlink()
    hidden.symlink_to("gone")
    code, said = run(tmp_path, "--prune")
    assert code == 1
    assert "OUT was not searched" in said
    assert tree(tmp_path / "clean") == first


def test_results_of_another_source_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    write(tmp_path / "raw", 1)
    other, key = FolderStore(tmp_path / "clean"), "dicom/OTHER/1.2/1.2.0123456789abcdef.dcm"
    other.create(key, b"x")
    assert run(tmp_path, "--prune")[0] == 0
    assert other.exists(key)


def test_results_of_another_source_under_the_same_key_are_not_joined(tmp_path: Path) -> None:
    write(tmp_path / "raw", 1)
    assert run(tmp_path)[0] == 0
    code, said = run(tmp_path, "--source", "MADE-UP-2")
    assert code == 2
    assert "source MADE-UP-2 has the same key as MADE-UP" in " ".join(said.split())


@pytest.mark.parametrize(
    ("number", "handler"),
    [(signal.SIGTERM, "signal.SIG_DFL"), (signal.SIGINT, "signal.default_int_handler")],
)
def test_a_run_that_is_told_to_stop_says_how_far_it_came_and_goes_on(
    tmp_path: Path, number: signal.Signals, handler: str
) -> None:
    for series in (1, 2, 3, 4):
        write(tmp_path / "raw", series)
    script = STOPPED.format(number=int(number), handler=handler, when=2)
    report, names = tmp_path / "report.json", tmp_path / "names.csv"
    told = arguments(tmp_path, "--report", str(report), "--names", str(names))
    done = subprocess.run(
        [sys.executable, "-c", script, *told], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 128 + number, done.stderr
    assert "stopped: 2 of 4 done; run the same command again to go on" in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    account = json.loads(report.read_text())
    assert (account["complete"], account["delivered"], account["counts"]["accepted"]) == (False, 4, 2)
    assert account["not_delivered_now"] is None, "what was not come to is not withdrawn"
    assert len(list(csv.DictReader(names.open()))) == 2
    manifests = [Manifest.from_json(path.read_bytes()) for path in (tmp_path / "clean" / "manifests").rglob("*.json")]
    assert len(manifests) == 2
    for item in (item for manifest in manifests for item in manifest.instances):
        assert hashlib.sha256((tmp_path / "clean" / item.key).read_bytes()).hexdigest() == item.sha256
    assert run(tmp_path)[0] == 0
    assert run(tmp_path, out="fresh")[0] == 0
    assert tree(tmp_path / "clean") == tree(tmp_path / "fresh")


def test_a_run_that_is_told_to_stop_before_its_first_series_writes_nothing(tmp_path: Path) -> None:
    write(tmp_path / "raw", 1)
    script = STOPPED.format(number=int(signal.SIGTERM), handler="signal.SIG_DFL", when=-1)
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments(tmp_path)], capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 128 + signal.SIGTERM, done.stderr
    assert "stopped: before the first series; nothing was written" in " ".join(done.stderr.split())
    assert not (tmp_path / "clean").exists()


def test_what_a_killed_run_left_half_written_is_swept_by_the_next(tmp_path: Path) -> None:
    write(tmp_path / "raw", 1)
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = tmp_path / "clean" / "dicom" / "MADE-UP" / f".tmp-{gone.pid}-0123456789ab"
    left.parent.mkdir(parents=True)
    left.write_bytes(b"half")
    assert run(tmp_path)[0] == 0
    assert not left.exists()


def test_a_loop_of_links_has_its_row_among_the_names(tmp_path: Path) -> None:
    raw = write(tmp_path / "raw", 1).parent
    (raw / "round").symlink_to("round")
    (raw / "up").symlink_to(raw, target_is_directory=True)
    names = tmp_path / "names.csv"
    code, said = run(tmp_path, "--names", str(names), "--json")
    assert (code, json.loads(said)["counts"]) == (
        1, {"delivered": 3, "accepted": 1, "duplicate": 0, "quarantined": 2},
    )  # fmt: skip
    rows = {row["name"]: (row["state"], row["rule"], row["detail"]) for row in csv.DictReader(names.open())}
    assert rows["round"] == ("quarantined", "source.link", "a link that leads back to itself")
    assert rows["up"] == ("quarantined", "source.link", "a link to a folder that is read where it lies")
    assert rows["1-1.dcm"][0] == "accepted"
