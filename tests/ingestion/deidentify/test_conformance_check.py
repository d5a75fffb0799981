"""Only errors that came about count, and no value of an object is in any of them."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from typer.testing import CliRunner

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.cli import build_app
from ingestion.deidentify import conformance_check as check
from ingestion.deidentify.instance import InstanceDeidentifier
from ingestion.deidentify.iod_excuses import excuses
from ingestion.deidentify.policy import load_policy
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import Pseudonyms

LARGEST = 8_000_000
"""Bytes of a file that is compared here."""
EXCUSED = {"strict-basic": {row.message: 1 for row in excuses()}}
"""The Basic Profile takes an optional SourceImageSequence out of a segmentation, and leaves the list of its series."""
needs_judge = pytest.mark.skipif(
    not check.judge_is_there(), reason="dciodvfy is not installed: it is in the Debian package dicom3tools"
)


def _write(path: Path, **changes: object) -> Path:
    dataset = pydicom.dcmread(get_testdata_file("CT_small.dcm"))
    for keyword, value in changes.items():
        if value is None:
            delattr(dataset, keyword)
        else:
            setattr(dataset, keyword, value)
    dataset.save_as(path)
    return path


@needs_judge
def test_only_introduced_errors_count(tmp_path: Path) -> None:
    before = _write(tmp_path / "before.dcm", StudyID=None)
    same = _write(tmp_path / "same.dcm", StudyID=None, PatientName="Other^Name")
    worse = _write(tmp_path / "worse.dcm", StudyID=None, Modality=None)
    assert check.introduced_errors(before, same) == ()
    told = [error.message for error in check.introduced_errors(before, worse)]
    assert any("Modality" in message for message in told)
    assert not any("StudyID" in message for message in told)
    found = check.compare_all([(before, same), (before, worse), (worse, before)])
    assert [bool(one.introduced) for one in found] == [False, True, False]
    assert found[2].mended == found[1].introduced
    assert dict(check.grouped(found))[found[1].introduced[0]] == 1


@needs_judge
def test_contradictions_within_a_study_count(tmp_path: Path) -> None:
    one = _write(tmp_path / "one.dcm", SOPInstanceUID="1.2.3.4.1")
    two = _write(tmp_path / "two.dcm", SOPInstanceUID="1.2.3.4.2")
    odd = _write(tmp_path / "odd.dcm", SOPInstanceUID="1.2.3.4.2", PatientSex="F")
    assert check.introduced_in_study([one, two], [one, two]) == ()
    told = check.introduced_in_study([one, two], [one, odd])
    assert told
    assert not any("1.2.3.4" in error.message or "odd.dcm" in error.message for error in told)


@needs_judge
def test_a_judge_that_takes_too_long_is_told_apart(tmp_path: Path) -> None:
    one = _write(tmp_path / "one.dcm")
    with pytest.raises(TimeoutError) as told:
        check.introduced_errors(one, one, seconds=1e-9)
    assert told.value.__cause__ is None
    assert check.compare_all([(one, one)], seconds=1e-9)[0].judged is False


def test_without_the_judge_it_is_said_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(check.JudgeMissingError, match="dicom3tools"):
        check.compare_all([])


@pytest.mark.parametrize(
    ("line", "reduced"),
    [
        ("Error - Missing attribute Type 2 Required Element=<PatientSex> Module=<Patient>",
         "Missing attribute Type 2 Required Element=PatientSex Module=Patient"),
        ("Error - Value invalid for this VR - (0x0002,0x0016) AE Source AE Title  AE [1] = <Przybylski> - x",
         "Value invalid for this VR - (0002,0016) AE Source AE Title AE … = … - x"),
        ("Error - Unrecognized enumerated value = <Wanda> for value 1 of attribute <PatientSex>",
         "Unrecognized enumerated value = … for value 1 of attribute PatientSex"),
        ("Error - Unrecognized enumerated value = <Wanda>Przybylski> for value 1", "Unrecognized enumerated value …"),
        ("Error - Orientation vector is wrong - values are 0.707\\0\\-0.707",
         "Orientation vector is wrong - values are …"),
        ("Error - PixelData has incorrect value length - expected 35660 dec - got 35659 dec",
         "PixelData has incorrect value length - expected … dec - got … dec"),
        ("Warning - Retired attribute", None),
        ("CTImage", None),
    ],
)  # fmt: skip
def test_messages_lose_their_values(line: str, reduced: str | None) -> None:
    assert check.reduce_message(line) == reduced


@needs_judge
def test_the_command_tells_what_came_about(tmp_path: Path) -> None:
    before = _write(tmp_path / "before.dcm")
    worse = _write(tmp_path / "worse.dcm", Modality=None)
    app = build_app("conformance")
    assert CliRunner().invoke(app, ["conformance", str(before), str(before)]).exit_code == 0
    done = CliRunner().invoke(app, ["conformance", str(before), str(worse), "--json"])
    assert done.exit_code == 1
    assert any("Modality" in row["error"] for row in json.loads(done.stdout)["introduced"])
    assert CliRunner().invoke(app, ["conformance", str(before), str(tmp_path / "none")]).exit_code == 2


@needs_judge
def test_results_are_found_by_the_list_of_names_and_studies_are_looked_at_whole(tmp_path: Path) -> None:
    raw, clean, listed = tmp_path / "raw", tmp_path / "clean", tmp_path / "names.csv"
    raw.mkdir()
    for number in (1, 2):
        _write(raw / f"{number}.dcm", SOPInstanceUID=f"1.2.3.4.{number}", InstanceNumber=number)
    key = tmp_path / "source.key"
    key.write_text(bytes(range(1, 33)).hex())
    key.chmod(0o600)
    told = ["deidentify", str(raw), str(clean), "--source", "MADE-UP", "--policy", "platform-default", "--key-file"]
    done = CliRunner().invoke(build_app("deidentify"), [*told, str(key), "--names", str(listed)])
    assert done.exit_code == 0, done.output
    compare = ["conformance", str(raw), str(clean), "--names", str(listed), "--json"]
    same = CliRunner().invoke(build_app("conformance"), compare)
    assert same.exit_code == 0, same.output
    assert json.loads(same.stdout) == {"files": 2, "not_judged": 0, "introduced": [], "within_studies": []}
    result = next(clean.rglob("*.dcm"))
    dataset = pydicom.dcmread(result)
    dataset.PatientSex = "F" if dataset.PatientSex != "F" else "M"
    dataset.save_as(result)
    worse = CliRunner().invoke(build_app("conformance"), compare)
    assert worse.exit_code == 1
    assert any("PatientSex" in row["error"] for row in json.loads(worse.stdout)["within_studies"])


@needs_judge
@pytest.mark.slow
@pytest.mark.parametrize("policy", ["platform-default", "reference-node", "strict-basic"])
def test_no_error_comes_about_over_the_corpus(shared: Path, policy: str, tmp_path: Path) -> None:
    """Up to six files of a series. What every policy holds back for its kind is not looked at."""
    pseudonyms, chosen = Pseudonyms(SourceKey("MADE-UP", bytes(range(32)))), load_policy(policy)
    pairs: list[tuple[Path, Path]] = []
    series: Counter[str] = Counter()
    for number, path in enumerate(sorted(path for path in (shared / "corpus").rglob("*") if path.is_file())):
        if path.stat().st_size > LARGEST:
            continue
        try:
            done = InstanceDeidentifier(chosen, pseudonyms, look_at_pixels=False).deidentify(path.read_bytes())
        except InstanceRefusedError:
            continue
        series[done.ids.series_uid] += 1
        if series[done.ids.series_uid] <= 6:
            result = tmp_path / f"{number}.dcm"
            result.write_bytes(done.body)
            pairs.append((path, result))
    found = check.compare_all(pairs)
    assert len(pairs) > 50
    assert {error.message: files for error, files in check.grouped(found)} == EXCUSED.get(policy, {})
