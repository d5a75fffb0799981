"""The benchmark's page tells all that was measured, and all that was not."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ingestion.benchmarks.deidentification import OURS, Report, Table
from ingestion.benchmarks.deidentification_page import as_markdown
from ingestion.benchmarks.measure import BenchmarkError, Case, Inputs, Measured, Run, measure
from ingestion.benchmarks.peers import NOT_RUN, PYPI, peers
from ingestion.benchmarks.tasks import TASKS

COPY = "import shutil, sys; shutil.copytree(sys.argv[1], sys.argv[2], dirs_exist_ok=True)"


def inputs(tmp_path: Path, *, count: int = 5) -> Inputs:
    folders = Inputs(tmp_path / "all", tmp_path / "few", tmp_path / "one")
    for folder, files in ((folders.all, count), (folders.few, 3), (folders.one, 1)):
        folder.mkdir()
        for number in range(files):
            (folder / str(number)).write_bytes(b"x")
    return folders


def case(name: str, code: str = COPY, **options: bool) -> Case:
    return Case(name, (sys.executable, "-S", "-c", code, "IN", "OUT"), **options)


def measured(name: str, work: float, counted: int = 1000) -> Measured:
    return Measured(name, work + 1, work, 50.0, counted, counted, 5)


def report() -> Report:
    ways = [measured("cp", 0.4), *(measured(title, 1.0 + number) for number, title in enumerate(OURS.values()))]
    table = Table("Explicit little endian", 1000, 527.0, (*ways, measured("gdcmanon", 2.0), measured("deid", 1.5, 99)))
    return Report(
        (table, replace(table, title="Implicit little endian", ways=tuple(ways))), 5, measured("nested", 0.4, 1), None,
        {"dcmodify": "dcmodify: exit code 60: "}, ("idiscore (PyPI)",), {"gdcmanon": "3.0"},
    )  # fmt: skip


def test_every_way_is_a_row_and_rates_are_of_what_was_counted() -> None:
    page = as_markdown(report())
    assert "| deid | 99 | 15.15 | 37.9 | 66 | 35 |" in page
    for title in OURS.values():
        assert page.count(f"| {title} | 1,000 |") == 2
    assert "| Explicit little endian | 2.5 | 0.50 | 333 slices/s, 176 MB/s |" in page
    assert "| Implicit little endian | 2.5 | not measured |" in page


def test_what_was_not_measured_is_told() -> None:
    page = as_markdown(report())
    assert "- not measured, it failed: dcmodify: exit code 60" in page
    assert "- not installed here: idiscore (PyPI)" in page
    assert all(f"- not run: {name}, " in page for name in NOT_RUN)


def test_all_ways_of_ours_are_tasks() -> None:
    assert OURS.keys() <= TASKS.keys()


def test_peers_that_are_not_installed_are_named(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    cases, missing = peers(tmp_path / "nothing", tmp_path, tmp_path / "in")
    told = " ".join(missing)
    assert all(name in told for name in PYPI)
    assert not {found.name.split()[0] for found in cases} & set(PYPI)


def test_slow_ones_are_measured_on_few_and_their_start_is_left_out(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def run_once(case: Case, source: Path, target: Path) -> Run:
        files = len(list(source.iterdir()))
        cpu = 2.0 + 0.5 * files
        return Run(cpu, cpu, 50.0, files, files)

    monkeypatch.setattr("ingestion.benchmarks.measure.run_once", run_once)
    cases = [case("slow", slow=True, starts=True), case("starts", starts=True), case("plain")]
    found, failed = measure(cases, inputs(tmp_path), tmp_path / "out", runs=3)
    assert not failed
    assert [(item.counted, item.each, item.cpu) for item in found] == [(2, 0.5, 3.5), (4, 0.5, 4.5), (5, 0.9, 4.5)]


def test_what_fails_or_loses_files_is_told_and_left_out(tmp_path: Path) -> None:
    cases = [case("sound"), case("broken", "raise SystemExit('no')"), case("lossy", "", starts=True)]
    found, failed = measure(cases, inputs(tmp_path), tmp_path / "out", runs=2)
    assert [item.name for item in found] == ["sound"]
    assert failed["broken"] == "broken: exit code 1: no"
    assert failed["lossy"] == "lossy: 0 of 5 files written"


def test_a_failure_of_our_own_ends_the_benchmark(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import ingestion.benchmarks.deidentification as benchmark

    monkeypatch.setattr(benchmark, "OURS", {"header": "header"})
    monkeypatch.setattr(benchmark, "_task", lambda name, title: case(title, "raise SystemExit('no')"))
    with pytest.raises(BenchmarkError, match="exit code 1: no"):
        benchmark.run(tmp_path, slices=2, with_peers=False, with_large=False, environment=tmp_path, runs=1)
