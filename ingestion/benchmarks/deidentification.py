"""The benchmark of de-identification: our own beside plain copying and beside the peers, as a table."""

from __future__ import annotations

import platform
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pydicom
from pydicom.uid import JPEGLSLossless

from ingestion.benchmarks.measure import Case, Measured, measure, run_once
from ingestion.benchmarks.peers import peers, versions
from ingestion.benchmarks.slices import enhanced_mr, large_multiframe, write_slices

RUNS = 5
FRAMES = 2000
LARGE_BYTES = 4_200_000_000
_OURS = {
    "header": "cie, header only (read, rewrite, write)",
    "without_verification": "cie, and both SHA-256, summary",
    "whole_way": "cie, whole way (and verification)",
}


@dataclass(frozen=True, slots=True)
class Report:
    """All that was measured. ``nested`` and ``large``: of single objects."""

    slices: int
    megabytes: float
    explicit: tuple[Measured, ...]
    implicit: tuple[Measured, ...]
    encapsulated: tuple[Measured, ...]
    encapsulated_megabytes: float
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
        BenchmarkError: one of our own cases failed.
    """
    tell(f"making {slices} CT slices, explicit, implicit and JPEG-LS")
    explicit = write_and_size(scratch / "explicit", slices, implicit=False)
    write_slices(scratch / "implicit", slices, implicit=True)
    compressed = write_compressed(scratch / "explicit", scratch / "encapsulated")
    out = scratch / "out"
    cases = [Case("cp", ("cp", "-rT", "IN", "OUT")), _task("read", "read"), _task("pydicom_copy", "pydicom, no change")]
    cases += [_task(name, title) for name, title in _OURS.items()]
    others, missing = peers(environment, scratch, scratch / "explicit") if with_peers else ([], [])
    tell(f"measuring {len(cases) + len(others)} ways, {runs} rounds")
    found, failed = measure(cases + others, scratch / "explicit", out, runs=runs)
    anonymizers = [case for case in others if case.name == "gdcmanon"]
    few = [cases[0], _task("header", _OURS["header"]), *anonymizers]
    tell("measuring implicit little endian")
    again, _ = measure(few, scratch / "implicit", out, runs=runs)
    tell("measuring JPEG-LS")
    wrapped, _ = measure(few, scratch / "encapsulated", out, runs=runs)
    tell(f"measuring a header of {FRAMES} nested frames")
    nested = scratch / "nested"
    nested.mkdir(exist_ok=True)
    (nested / "enhanced.dcm").write_bytes(enhanced_mr(FRAMES))
    [deep], _ = measure([_task("header", "enhanced MR")], nested, out, runs=runs)
    large = None
    if with_large:
        tell(f"measuring an object of {LARGE_BYTES / 1e9:.1f} GB")
        big = scratch / "large"
        big.mkdir(exist_ok=True)
        large_multiframe(big / "large.dcm", LARGE_BYTES)
        got = run_once(_task("file_by_file", "large"), big, out)
        large = Measured("large", got.cpu, got.work, got.peak_mb, got.files, 1)
        shutil.rmtree(big)
    shutil.rmtree(out, ignore_errors=True)
    told = versions(environment) if with_peers else {}
    return Report(
        slices, explicit / 1e6, tuple(found), tuple(again), tuple(wrapped), compressed / 1e6, deep, large, failed,
        tuple(missing), told,
    )  # fmt: skip


def write_and_size(folder: Path, slices: int, *, implicit: bool) -> int:
    """Write the slices; the bytes of all of them."""
    return sum(path.stat().st_size for path in write_slices(folder, slices, implicit=implicit))


def write_compressed(source: Path, folder: Path) -> int:
    """The slices of ``source`` as JPEG-LS lossless, an encapsulated syntax; the bytes of all of them."""
    folder.mkdir(exist_ok=True)
    size = 0
    for path in sorted(source.iterdir()):
        dataset = pydicom.dcmread(path)
        dataset.compress(JPEGLSLossless, generate_instance_uid=False)
        dataset.save_as(folder / path.name)
        size += (folder / path.name).stat().st_size
    return size


def _task(name: str, title: str) -> Case:
    command = (sys.executable, "-m", "ingestion.benchmarks.tasks", name, "IN", "OUT")
    return Case(title, command, tells_cpu=True)


def as_markdown(report: Report) -> str:
    """The report as ``docs/benchmarks.md``."""
    lines = [
        "# Benchmarks of de-identification",
        "",
        "Made by `make bench` (`cie bench deidentify`); every number on this page is measured by it. Use the ratios: "
        "seconds depend on the machine and on what else it does.",
        "",
        f"Input: {report.slices:,} CT slices made by code (512 × 512 × 16 bits, a chest with noise, 139 elements, 27 "
        f"of them private, {report.megabytes:,.0f} MB), warm cache, one process, Python {platform.python_version()}, "
        f"{platform.machine()}. Medians of {report.explicit[0].runs} rounds; in each round every way runs once, so "
        "that a busy minute falls on all alike. CPU is user and system time of the work; of Python programs of our "
        "own the start of the interpreter (the column beside it includes it) is left out, since a worker starts once "
        "and works for hours; for peers it is included.",
        "",
        "## Explicit little endian",
        "",
        *_table(report.explicit, report.slices, report.megabytes),
        "",
        "## Implicit little endian",
        "",
        *_table(report.implicit, report.slices, report.megabytes),
        "",
        f"## Encapsulated (JPEG-LS lossless, {report.encapsulated_megabytes:,.0f} MB)",
        "",
        *_table(report.encapsulated, report.slices, report.encapsulated_megabytes),
        "",
        "## Deeply nested, and large",
        "",
        f"- Enhanced MR, {FRAMES:,} frames of per-frame functional groups with private sequences, all lengths "
        f"undefined (about 70,000 elements): {report.nested.work:.2f} CPU s, "
        f"{report.nested.work / FRAMES * 1e6:.0f} µs a frame, "
        f"peak {report.nested.peak_mb:.0f} MB.",
    ]
    if report.large is not None:
        lines.append(
            f"- One multi-frame object of {LARGE_BYTES / 1e9:.1f} GB, rewritten from file to file and hashed: "
            f"{report.large.work:.1f} CPU s, peak memory {report.large.peak_mb:.0f} MB."
        )
    lines += ["", "## What was compared", ""]
    lines += [f"- {name} {version}" for name, version in report.versions.items()]
    lines += [f"- not measured, it failed: {error}" for error in report.failed.values()]
    lines += [f"- not installed here: {name}" for name in report.missing]
    lines += [
        "",
        "`gdcmanon -e` applies the Basic Profile and keeps the encrypted originals in the file. `dcmodify` sets or "
        "erases 18 named attributes, far less than a profile, on copies that are not counted. dicognito, "
        "dicom-anonymizer and deid run with their defaults (deid: its own recipe, private elements removed).",
        "",
    ]
    return "\n".join(lines)


def _table(found: tuple[Measured, ...], slices: int, megabytes: float) -> list[str]:
    copied = next(item for item in found if item.name == "cp").cpu
    lines = [
        "| way | CPU s | with start | × `cp` | slices/CPU s | MB/CPU s | peak MB | files |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    lines += [
        f"| {item.name} | {item.work:.2f} | {item.cpu:.2f} | {item.work / copied:.1f} | {slices / item.work:,.0f} | "
        f"{megabytes / item.work:,.0f} | {item.peak_mb:.0f} | {item.files:,} |"
        for item in found
    ]
    return lines
