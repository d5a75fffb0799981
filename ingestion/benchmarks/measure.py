"""CPU seconds and peak memory of a child process, repeated, each time in an empty folder."""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
from dataclasses import dataclass
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

    ``tells_cpu``: the command prints its own CPU seconds, without its start, as JSON.
    """

    name: str
    command: tuple[str, ...]
    in_place: bool = False
    tells_cpu: bool = False


@dataclass(frozen=True, slots=True)
class Run:
    """One run. ``work``: CPU seconds without the process's start, where the command tells them."""

    cpu: float
    work: float
    peak_mb: float
    files: int


@dataclass(frozen=True, slots=True)
class Measured:
    """Medians over the runs of one case."""

    name: str
    cpu: float
    work: float
    peak_mb: float
    files: int
    runs: int


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
    return Run(cpu=float(usage["cpu"]), work=work, peak_mb=float(usage["peak_kb"]) / 1024, files=files)


def measure(cases: list[Case], source: Path, target: Path, *, runs: int) -> tuple[list[Measured], dict[str, str]]:
    """Medians of ``runs`` rounds, one run of each case a round, so that a busy minute falls on all alike.

    What fails in the first round is left out of the others; the second value says why.
    """
    found: dict[str, list[Run]] = {case.name: [] for case in cases}
    failed: dict[str, str] = {}
    for _ in range(runs):
        for case in cases:
            if case.name in failed:
                continue
            try:
                found[case.name].append(run_once(case, source, target))
            except BenchmarkError as error:
                failed[case.name] = str(error)
    shutil.rmtree(target, ignore_errors=True)
    return [_medians(name, got) for name, got in found.items() if got and name not in failed], failed


def _medians(name: str, runs: list[Run]) -> Measured:
    return Measured(
        name=name,
        cpu=statistics.median(run.cpu for run in runs),
        work=statistics.median(run.work for run in runs),
        peak_mb=statistics.median(run.peak_mb for run in runs),
        files=runs[-1].files,
        runs=len(runs),
    )
