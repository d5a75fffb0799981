"""The page of the benchmark of features says what ran, what failed and what is not installed."""

from __future__ import annotations

from pathlib import Path

import pytest

from ingestion.benchmarks import feature_scripts, features_peers
from ingestion.benchmarks.features_peers import PeersReport, PeerTime, RegionCase, as_markdown

COUNTS = """
WARM = True
def load(image, mask):
    return [int(part) for part in (image, mask)]
def work(loaded):
    TOLD.append(str(loaded))
    sum(range(3_000_000))
    return sum(loaded)
"""


def _timed(folder: Path, peer: str, script: str) -> PeerTime:
    return features_peers._timed(peer, script, ["3", "4", "1", "1"], folder, folder / "peers", 2)


def test_a_tool_is_timed_in_a_process_of_its_own(tmp_path: Path) -> None:
    found = _timed(tmp_path, feature_scripts.OWN, COUNTS)
    assert (found.number, found.same, found.failed, len(found.cpu)) == (7, True, None, 2)
    assert found.median > 0


@pytest.mark.parametrize(
    ("peer", "script", "said"),
    [
        ("z-rad", COUNTS, "not installed"),
        (feature_scripts.OWN, "raise SystemExit('cannot')", "cannot"),
        (feature_scripts.OWN, "WARM = False\nload = print\nwork = len", "TypeError"),
    ],
)
def test_what_does_not_run_says_why(tmp_path: Path, peer: str, script: str, said: str) -> None:
    found = _timed(tmp_path, peer, script)
    assert found.cpu == ()
    assert said in (found.failed or "")


def test_the_page_names_all_and_gives_ratios() -> None:
    own, other = PeerTime("own", "", (2.0,), 10, 210), PeerTime("other", "1.2", (4.0, 8.0, 6.0), 99, 100)
    missing = PeerTime("gone", "", failed="not installed")
    text = as_markdown(
        PeersReport(
            (RegionCase("50 mm", 58_000, 1.2, 1.5, (own, other, missing)),), {"plain": (own, other, missing)}, 3, 3
        )
    )
    assert "| other 1.2 | 100 | 6.00 | 99 | 3.0 |" in text
    assert text.count("not installed") == 2
    assert "| other 1.2 | 6.00 | 3.0 |" in text


def test_every_script_is_code() -> None:
    for script in (*feature_scripts.REGIONS.values(), *feature_scripts.READING.values()):
        compile(feature_scripts.FRAME.replace("{script}", script), "script", "exec")
