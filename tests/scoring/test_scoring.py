"""The scorer judged, and the whole de-identification judged by it."""

import json
from copy import deepcopy
from pathlib import Path

import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from typer.testing import CliRunner

from ingestion.deidentify.rules import TextKind
from ingestion.deidentify.text import IdentityCollector, StudyCleaner
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import Pseudonyms

from .__main__ import as_text, main
from .key import Action, BadKeyError, Check, read_key, write_key
from .pairs import Pairs, pair
from .planted import make_delivery, path_of
from .policies import POLICIES, all_scores, as_table
from .score import Outcome, Score, score

KEY = SourceKey("MADE-UP", bytes(range(32)))


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Check]]:
    folder = tmp_path_factory.mktemp("delivery")
    return folder, make_delivery(folder)


@pytest.fixture
def untouched(delivery: tuple[Path, list[Check]]) -> Pairs:
    folder, _ = delivery
    return {uid: (original, deepcopy(original)) for uid, (original, _) in pair(folder, folder).items()}


def test_an_untouched_delivery_keeps_all_and_leaves_all(delivery: tuple[Path, list[Check]], untouched: Pairs) -> None:
    _, checks = delivery
    found = score(checks, untouched)
    assert found.identifiers_left == found.identifier_checks > 200
    assert {item.check.action for item in found.judged if item.outcome is Outcome.LOST} == set()
    assert found.information_kept == 100.0


def test_an_empty_delivery_leaves_nothing_and_keeps_nothing(
    delivery: tuple[Path, list[Check]], untouched: Pairs
) -> None:
    _, checks = delivery
    found = score(checks, {uid: (original, None) for uid, (original, _) in untouched.items()})
    assert (found.identifiers_left, found.information_kept) == (0, 0.0)
    assert len(found.missing) == len(untouched)


@pytest.mark.parametrize(
    ("action", "path", "change", "outcome"),
    [
        (Action.DATE_SHIFTED, "StudyDate", "20180101", Outcome.LOST),
        (Action.DATE_SHIFTED, "StudyDate", "", Outcome.LOST),
        (Action.UID_CHANGED, "StudyInstanceUID", "2.25.7", Outcome.PASSED),
        (Action.UID_CHANGED, "StudyInstanceUID", "2.25.07", Outcome.LOST),
        (Action.UID_CONSISTENT, "StudyInstanceUID", "2.25.7", Outcome.LOST),
        (Action.PATID_CONSISTENT, "PatientID", "X-1", Outcome.LOST),
        (Action.PATID_CONSISTENT, "PatientID", "X 6505936988", Outcome.LEFT),
        (Action.TEXT_RETAINED, "SeriesDescription", "XR CHEST", Outcome.LOST),
        (Action.TEXT_REMOVED, "SeriesDescription", "xr douglas", Outcome.LEFT),
        (Action.TEXT_NOTNULL, "PatientAge", "", Outcome.LOST),
    ],
)
def test_each_action_finds_what_it_is_for(
    delivery: tuple[Path, list[Check]], untouched: Pairs, action: Action, path: str, change: str, outcome: Outcome
) -> None:
    """One instance changed in one place: the row about that place says so."""
    _, checks = delivery
    first = next(uid for uid in untouched if uid.endswith(".1.1.1"))
    setattr(untouched[first][1], path, change)
    rows = [c for c in checks if (c.instance, c.action, c.path) == (first, action, path_of(path))]
    judged = score(rows, untouched).judged
    assert outcome in {item.outcome for item in judged}
    assert "Douglas" not in as_text(score(rows, untouched))


def test_pixels_hidden_and_kept(delivery: tuple[Path, list[Check]], untouched: Pairs) -> None:
    _, checks = delivery
    first = next(uid for uid, (original, _) in untouched.items() if original.Modality == "US")
    rows = [c for c in checks if c.instance == first and c.action in (Action.PIXELS_HIDDEN, Action.PIXELS_RETAINED)]
    result = untouched[first][1]
    samples = result.pixel_array.copy()
    samples[:80] = 0
    result.PixelData = samples.tobytes()
    assert {item.outcome for item in score(rows, untouched).judged} == {Outcome.PASSED}
    samples[200, 200] ^= 1
    result.PixelData = samples.tobytes()
    assert {item.outcome for item in score(rows, untouched).judged} == {Outcome.PASSED, Outcome.LOST}


def test_a_key_goes_through_a_file_and_a_bad_one_is_refused(
    delivery: tuple[Path, list[Check]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, checks = delivery
    file = tmp_path / "key.json"
    write_key(file, checks)
    assert read_key(file) == checks
    assert main([str(file), str(folder), str(folder), "--json"]) == 1
    assert json.loads(capsys.readouterr().out)["identifiers_left"] > 200
    file.with_suffix(".csv").write_text("instance,action,path\n1.2,text_vanished,00100010\n")
    with pytest.raises(BadKeyError, match="row 1"):
        read_key(file.with_suffix(".csv"))


def _cleaned(dataset: Dataset, cleaner: StudyCleaner) -> None:
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value:
                _cleaned(item, cleaner)
        elif element.VR in ("LO", "SH", "ST", "LT", "UT", "PN", "CS") and element.tag != 0x00080005:
            parts = element.value if isinstance(element.value, MultiValue) else [element.value]
            kind = TextKind.TECHNICAL if element.VR == "CS" else TextKind.DESCRIPTOR
            element.value = [cleaner.clean(str(part), kind=kind) for part in parts]


def test_the_text_cleaner_alone_passes_every_row_about_text(
    delivery: tuple[Path, list[Check]], untouched: Pairs
) -> None:
    _, checks = delivery
    by_study: dict[str, IdentityCollector] = {}
    for original, _ in untouched.values():
        collector = by_study.setdefault(str(original.StudyInstanceUID), IdentityCollector())
        for element in original:
            if element.VR != "SQ" and not isinstance(element.value, bytes):
                collector.add(int(element.tag), element.VR, str(element.value))
    cleaners = {uid: StudyCleaner(found.freeze(), shift_days=-500) for uid, found in by_study.items()}
    for original, result in untouched.values():
        assert result is not None
        _cleaned(result, cleaners[str(original.StudyInstanceUID)])
    about_text = [
        check
        for check in checks
        if check.action in (Action.TEXT_REMOVED, Action.TEXT_RETAINED) and check.category not in ("private", "code")
    ]
    found = score(about_text, untouched)
    assert (found.identifiers_left, found.information_kept) == (0, 100.0), as_text(found)


def _deidentified(folder: Path, tmp_path: Path) -> Pairs:
    """The delivery through the command that users call, paired by the keyed UIDs."""
    from ingestion.cli import build_app

    key_file = tmp_path / "made-up.key"
    key_file.write_text(KEY.secret.hex())
    out = tmp_path / "out"
    arguments = ["deidentify", str(folder), str(out), "--source", KEY.source_id, "--key-file", str(key_file)]
    done = CliRunner().invoke(
        build_app("deidentify"), [*arguments, "--policy", "platform-default", "--workers", "1", "--json"]
    )
    assert done.exit_code in (0, 1), done.exception
    results = {str(dataset.SOPInstanceUID): dataset for dataset in map(pydicom.dcmread, out.rglob("*.dcm"))}
    pseudonyms = Pseudonyms(KEY)
    return {uid: (original, results.get(pseudonyms.uid(uid))) for uid, (original, _) in pair(folder, folder).items()}


def test_the_platform_policy_leaves_nothing_and_keeps_nearly_all(
    delivery: tuple[Path, list[Check]], tmp_path: Path
) -> None:
    folder, checks = delivery
    found: Score = score(checks, _deidentified(folder, tmp_path))
    assert found.identifiers_left == 0, as_text(found)
    assert found.missing == (), as_text(found)
    assert found.information_kept >= 99.0, as_text(found)


def test_the_page_says_what_the_run_gives(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "scoring.md").read_text(encoding="utf-8")
    scores = all_scores(tmp_path)
    assert as_table(scores) in page
    assert {name: found.identifiers_left for name, found in scores.items()} == dict.fromkeys(POLICIES, 0)
