"""``cie catalogue export`` and ``cie release``: options that do not go together, and what is written."""

import datetime as dt
import json
from pathlib import Path

import pytest
from made_sources import World, make_entry, make_registry, make_source
from typer.testing import CliRunner

from ingestion.catalogue.release import build_release
from ingestion.cli import build_app
from ingestion.commands import catalogue as command
from ingestion.commands import release as release_command
from ingestion.storage.open import Stores

SOURCE = "TEST-LUNG-01"


def run(*words: str) -> tuple[int, str]:
    found = CliRunner().invoke(build_app(words[0]), list(words), env={"COLUMNS": "200"})
    return found.exit_code, " ".join(found.output.split())  # however wide the terminal is


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--format", "omop"), "--approved"),
        (("--format", "s5cmd"), "--approved"),
        (("--format", "csv", "--release", "2026.11.1"), "--release does not go with csv"),
        (("--format", "dcat", "--source", SOURCE), "--source goes with parquet and csv"),
        (("--format", "datacite", "--check"), "--check goes with dcat"),
    ],
)
def test_options_that_do_not_go_together_are_refused(tmp_path: Path, words: tuple[str, ...], told: str) -> None:
    code, output = run("catalogue", "export", str(tmp_path / "out"), *words)
    assert code == 2
    assert told in " ".join(output.split())
    assert not (tmp_path / "out").exists()


@pytest.mark.stack
def test_formats_are_written_and_checked(world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stores = Stores(research=world.research, internal=world.internal)
    monkeypatch.setattr(command, "open_stores", lambda settings: stores)
    monkeypatch.setattr(release_command, "open_stores", lambda settings: stores)
    code, output = run("catalogue", "export", str(tmp_path), "--format", "dcat")
    assert (code, "cie release build" in output) == (2, True)
    world.publish(make_source(SOURCE, patients=12, series=1))
    registry = make_registry(make_entry(SOURCE))
    monkeypatch.setattr(command, "load_registry", lambda file: registry)
    release = build_release(world.engine, world.research, world.internal, registry, today=dt.date(2026, 11, 24))
    code, output = run("catalogue", "export", str(tmp_path / "dcat"), "--format", "dcat", "--check")
    assert (code, "0 violation(s)" in output) == (0, True)
    assert (tmp_path / "dcat" / "dcat.ttl").read_bytes() == world.research.read(f"releases/{release.version}/dcat.ttl")
    code, output = run("catalogue", "export", str(tmp_path), "--format", "croissant", "--release", "2020.01.1")
    assert (code, release.version in output) == (2, True)
    code, output = run("catalogue", "export", str(tmp_path / "omop"), "--format", "omop", "--approved", "--json")
    assert code == 0
    assert json.loads(output)[str(tmp_path / "omop" / "image_occurrence.csv")] == 12
    code, output = run("catalogue", "export", str(tmp_path), "--format", "s5cmd", "--approved")
    assert (code, f"may not be downloaded: {SOURCE}" in output) == (0, True)
    uid = f"2.25.{1}0101"
    code, output = run("release", "resolve", uid, "--json")
    assert (code, json.loads(output)[0]["version"]) == (0, release.version)
    code, output = run("release", "resolve", "2.25.9")
    assert (code, "not in any of 1 release(s)" in output) == (2, True)
    rows = tmp_path / "rows.csv"
    code, output = run("release", "diff", release.version, release.version, "--rows", str(rows))
    assert (code, rows.read_text().splitlines()) == (
        0, ["source_id,SeriesInstanceUID,change,manifest_before,manifest_after"],
    )  # fmt: skip
