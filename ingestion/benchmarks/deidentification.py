"""The benchmark of de-identification: our own beside plain copying and beside the peers. ``report`` makes the page."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pydicom
from pydicom.uid import JPEGLSLossless

from ingestion.benchmarks.measure import BenchmarkError, Case, Inputs, Measured, measure, run_once
from ingestion.benchmarks.peers import peers, versions
from ingestion.benchmarks.slices import enhanced_mr, large_multiframe, write_slices

RUNS = 5
FRAMES = 2000
LARGE_BYTES = 4_200_000_000
FEW = 100
"""Files that what is slow is measured on: five rounds of it on a thousand would take half an hour."""
OURS = {
    "header": "cie, header only (read, rewrite, write)",
    "digests": "cie, and both SHA-256, summary",
    "unscreened": "cie, whole way without looking at pixels (and the bytes verified)",
    "screened": "cie, whole way, every frame screened for lettering",
    "pipeline": "cie, as the pipeline does, folder to folder",
}
SLOW_COMPRESSED = frozenset({OURS["screened"], OURS["pipeline"]})
"""What decodes every frame: with JPEG-LS, ten times what it takes of native ones."""
PEERS_EVERYWHERE = frozenset({"gdcmanon"})
"""Peers that are measured in every syntax; the others in explicit little endian."""


@dataclass(frozen=True, slots=True)
class Table:
    """One transfer syntax. ``megabytes``: of all files."""

    title: str
    slices: int
    megabytes: float
    ways: tuple[Measured, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """All that was measured. ``nested`` and ``large``: of single objects."""

    tables: tuple[Table, ...]
    rounds: int
    nested: Measured
    large: Measured | None
    failed: dict[str, str]
    missing: tuple[str, ...]
    versions: dict[str, str]


def run(
    scratch: Path,
    *,
    slices: int,
    with_peers: bool,
    with_large: bool,
    environment: Path,
    runs: int = RUNS,
    tell: Callable[[str], None] = lambda text: None,
) -> Report:
    """Make the inputs in ``scratch`` and measure everything.

    Raises:
        BenchmarkError: one of our own cases, or ``cp``, failed.
    """
    tell(f"making {slices} CT slices, explicit, implicit and JPEG-LS")
    write_slices(scratch / "explicit", slices)
    write_slices(scratch / "implicit", slices, implicit=True)
    write_compressed(scratch / "explicit", scratch / "encapsulated")
    out = scratch / "out"
    ours = [Case("cp", ("cp", "-rT", "IN", "OUT")), *(_task(name, title) for name, title in OURS.items())]
    plain = [_task("read", "read"), _task("pydicom_copy", "pydicom, no change")]
    others, missing = peers(environment, scratch, scratch / "explicit") if with_peers else ([], [])
    everywhere = [case for case in others if case.name in PEERS_EVERYWHERE]
    decoding = [replace(case, slow=case.name in SLOW_COMPRESSED) for case in ours]
    tables: list[Table] = []
    failed: dict[str, str] = {}
    for title, name, cases in (
        ("Explicit little endian", "explicit", [ours[0], *plain, *ours[1:], *others]),
        ("Implicit little endian", "implicit", [*ours, *everywhere]),
        ("Encapsulated (JPEG-LS lossless)", "encapsulated", [*decoding, *everywhere]),
    ):
        tell(f"{title}: measuring {len(cases)} ways, {runs} rounds")
        inputs = _inputs(scratch / name)
        found, wrong = measure(cases, inputs, out, runs=runs)
        for case in (*ours, *plain):
            if case.name in wrong:
                raise BenchmarkError(wrong[case.name])
        failed |= {f"{way} ({title})": said for way, said in wrong.items()}
        tables.append(Table(title, slices, _size(inputs.all) / 1e6, tuple(found)))
    tell(f"measuring a header of {FRAMES} nested frames")
    nested = _alone(scratch, out, _task("header", "enhanced MR"), runs=runs)
    large = _large(scratch, out, tell) if with_large else None
    shutil.rmtree(out, ignore_errors=True)
    told = versions(environment) if with_peers else {}
    return Report(tuple(tables), runs, nested, large, failed, tuple(missing), told)


def write_compressed(source: Path, folder: Path) -> None:
    """The slices of ``source`` as JPEG-LS lossless, an encapsulated syntax."""
    folder.mkdir(exist_ok=True)
    for path in sorted(source.iterdir()):
        dataset = pydicom.dcmread(path)
        dataset.compress(JPEGLSLossless, generate_instance_uid=False)
        dataset.save_as(folder / path.name)


def _inputs(folder: Path) -> Inputs:
    """``folder``, and two beside it that hold links to the first files of it."""
    files = sorted(folder.iterdir())
    parts = []
    for count in (FEW, 1):
        part = folder.parent / f"{folder.name}-{count}"
        part.mkdir()
        for path in files[:count]:
            os.link(path, part / path.name)
        parts.append(part)
    return Inputs(folder, *parts)


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.iterdir())


def _alone(scratch: Path, out: Path, case: Case, *, runs: int) -> Measured:
    folder = scratch / "nested"
    folder.mkdir(exist_ok=True)
    (folder / "enhanced.dcm").write_bytes(enhanced_mr(FRAMES))
    found, wrong = measure([case], Inputs(folder, folder, folder), out, runs=runs)
    if wrong:
        raise BenchmarkError(wrong[case.name])
    return found[0]


def _large(scratch: Path, out: Path, tell: Callable[[str], None]) -> Measured:
    tell(f"measuring an object of {LARGE_BYTES / 1e9:.1f} GB")
    folder = scratch / "large"
    folder.mkdir(exist_ok=True)
    large_multiframe(folder / "large.dcm", LARGE_BYTES)
    got = run_once(_task("file_by_file", "large"), folder, out)
    shutil.rmtree(folder)
    return Measured("large", got.cpu, got.work, got.peak_mb, got.files, got.counted, 1)


def _task(name: str, title: str) -> Case:
    command = (sys.executable, "-m", "ingestion.benchmarks.tasks", name, "IN", "OUT")
    return Case(title, command, tells_cpu=True)
