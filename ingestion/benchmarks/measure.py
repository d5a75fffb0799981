"""CPU seconds and peak memory of a child process, repeated, each time in an empty folder."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

_LAUNCHER = """
import json, os, sys
pid = os.posix_spawnp(sys.argv[2], sys.argv[2:], os.environ)
_, status, usage = os.wait4(pid, 0)
with open(sys.argv[1], "w") as told:
    json.dump({"cpu": usage.ru_utime + usage.ru_stime, "peak_kb": usage.ru_maxrss}, told)
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""A small process between: Linux tells a child's peak memory as no less than that of the process that started it."""


class BenchmarkError(RuntimeError):
    """A command of the benchmark failed; the message names it and what it said last."""


@dataclass(frozen=True, slots=True)
class Case:
    """Something to measure. ``command`` holds IN and OUT; ``in_place``: OUT starts as a copy of IN, not measured.

    ``tells_cpu``: the command prints its own CPU seconds, without its start, as JSON. ``starts``: a program of others
    with a start worth leaving out, which is what it takes for one file. ``slow``: measured on fewer files.
    """

    name: str
    command: tuple[str, ...]
    in_place: bool = False
    tells_cpu: bool = False
    starts: bool = False
    slow: bool = False


@dataclass(frozen=True, slots=True)
class Inputs:
    """What is measured on: all files; ``few`` of them, for what is slow; ``one``. Each a folder."""

    all: Path
    few: Path
    one: Path


@dataclass(frozen=True, slots=True)
class Run:
    """One run. ``work``: CPU seconds without the process's start, where that is known, for ``counted`` files."""

    cpu: float
    work: float
    peak_mb: float
    files: int
    counted: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians over the runs of one case. ``work`` is for ``counted`` files, ``cpu`` includes the process's start."""

    name: str
    cpu: float
    work: float
    peak_mb: float
    files: int
    counted: int
    runs: int

    @property
    def each(self) -> float:
        """CPU seconds of one file."""
        return self.work / self.counted


def run_once(case: Case, source: Path, target: Path) -> Run:
    """Run ``case`` from ``source`` into an empty ``target``.

    Raises:
        BenchmarkError: it failed.
    """
    shutil.rmtree(target, ignore_errors=True)
    if case.in_place:
        shutil.copytree(source, target)
    else:
        target.mkdir(parents=True)
    words = [{"IN": str(source), "OUT": str(target)}.get(word, word) for word in case.command]
    told = target.parent / "usage.json"
    launcher = [sys.executable, "-S", "-E", "-c", _LAUNCHER, str(told), *words]
    done = subprocess.run(
        launcher, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=target.parent, check=False, text=True
    )
    if done.returncode != 0 or not told.exists():
        last = " ".join(done.stdout.strip().splitlines()[-1:])[:200]
        raise BenchmarkError(f"{case.name}: exit code {done.returncode}: {last}")
    usage = json.loads(told.read_text())
    told.unlink()
    work = float(json.loads(done.stdout)["cpu"]) if case.tells_cpu else float(usage["cpu"])
    files = sum(1 for path in target.rglob("*") if path.is_file())
    counted = sum(1 for _ in source.iterdir())
    return Run(float(usage["cpu"]), work, float(usage["peak_kb"]) / 1024, files, counted)


def measure(cases: list[Case], inputs: Inputs, target: Path, *, runs: int) -> tuple[list[Measured], dict[str, str]]:
    """Medians of ``runs`` rounds, one run of each case a round, so that a busy minute falls on all alike.

    What fails in a round is left out of those that follow and of the result; the second value says why.
    """
    found: dict[str, list[Run]] = {case.name: [] for case in cases}
    failed: dict[str, str] = {}
    for _ in range(runs):
        for case in cases:
            if case.name in failed:
                continue
            try:
                found[case.name].append(_without_start(case, inputs, target))
            except BenchmarkError as error:
                failed[case.name] = str(error)
    shutil.rmtree(target, ignore_errors=True)
    return [_medians(name, got) for name, got in found.items() if got and name not in failed], failed


def _without_start(case: Case, inputs: Inputs, target: Path) -> Run:
    """One run of ``case``; of one whose start is left out, the difference of two.

    Raises:
        BenchmarkError: it failed, or wrote fewer files than it was given.
    """
    many = run_once(case, inputs.few if case.slow else inputs.all, target)
    if not case.starts:
        return many
    if many.files < many.counted:
        raise BenchmarkError(f"{case.name}: {many.files} of {many.counted} files written")
    one = run_once(case, inputs.one, target)
    if many.counted <= one.counted or many.cpu <= one.cpu:
        return many  # too few to tell the start from the work
    return replace(many, work=many.cpu - one.cpu, counted=many.counted - one.counted)


def _medians(name: str, runs: list[Run]) -> Measured:
    return Measured(
        name=name,
        cpu=statistics.median(run.cpu for run in runs),
        work=statistics.median(run.work for run in runs),
        peak_mb=statistics.median(run.peak_mb for run in runs),
        files=runs[-1].files,
        counted=runs[-1].counted,
        runs=len(runs),
    )
