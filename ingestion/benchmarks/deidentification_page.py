"""The page of the benchmark of de-identification: all of it is written here, from what was measured."""

from __future__ import annotations

import platform

from ingestion.benchmarks.deidentification import FEW, FRAMES, LARGE_BYTES, OURS, Report, Table
from ingestion.benchmarks.measure import Measured
from ingestion.benchmarks.peers import NOT_RUN

SLICES_A_SECOND, MEGABYTES_A_SECOND = 300, 150
"""What the whole way of an instance is held to, per core."""
TIMES_CP = 3
"""What the header alone is held to."""


def as_markdown(report: Report) -> str:
    """The report as ``docs/benchmarks.md``."""
    first = report.tables[0]
    lines = [
        "# Benchmarks of de-identification",
        "",
        "Written whole by `make bench` (`cie bench deidentify`). Use the ratios: seconds depend on the machine and on "
        "what else it does.",
        "",
        f"Input: {first.slices:,} CT slices made by code (512 × 512 × 16 bits, a chest with noise, 139 elements, 27 "
        f"of them private, {first.megabytes:,.0f} MB), warm cache, one process, Python {platform.python_version()}, "
        f"{platform.machine()}. Medians of {report.rounds} rounds; in each round every way runs once, so that a busy "
        "minute falls on all alike. CPU is user and system time of the work; the start of an interpreter is left out, "
        "since a worker starts once and works for hours (of Python programs of others it is what they take for one "
        f"slice). What is slow is measured on {min(FEW, first.slices)} of the slices; the column `measured on` says "
        "so.",
        "",
        "Each way of ours does all that the one above it does. The last is the pipeline's own code, with the "
        "inventory, the identities of the whole study, every frame screened before the first is written (so that "
        "each file is read twice), results stored under their digests and synced to the disk, and the manifest.",
        "",
        "## In short",
        "",
        *_in_short(report),
    ]
    for table in report.tables:
        lines += ["", f"## {table.title} ({table.megabytes:,.0f} MB)", "", *_rows(table)]
    nested = report.nested
    lines += [
        "",
        "## Deeply nested, and large",
        "",
        f"- Enhanced MR, {FRAMES:,} frames of per-frame functional groups with private sequences, all lengths "
        f"undefined (about 70,000 elements), header only: {nested.work:.2f} CPU s, {nested.work / FRAMES * 1e6:.0f} "
        f"µs a frame, peak {nested.peak_mb:.0f} MB.",
    ]
    if report.large is not None:
        lines.append(
            f"- One multi-frame object of {LARGE_BYTES / 1e9:.1f} GB, from file to file, every frame screened, "
            f"hashed: {report.large.work:.1f} CPU s, peak memory {report.large.peak_mb:.0f} MB (one run)."
        )
    return "\n".join([*lines, "", "## What was compared", "", *_compared(report), ""])


def _in_short(report: Report) -> list[str]:
    lines = [
        f"| | header × `cp` (held to {TIMES_CP}) | header × gdcmanon (held to 1) | whole way without pixels (held to "
        f"{SLICES_A_SECOND} slices/s, {MEGABYTES_A_SECOND} MB/s) | whole way, screened | pipeline |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for table in report.tables:
        ways = {way.name: way for way in table.ways}
        header, copied, peer = ways[OURS["header"]], ways["cp"], ways.get("gdcmanon")
        beside = "not measured" if peer is None else f"{header.each / peer.each:.2f}"
        rates = " | ".join(_rates(ways[OURS[name]], table) for name in ("unscreened", "screened", "pipeline"))
        lines.append(f"| {table.title} | {header.each / copied.each:.1f} | {beside} | {rates} |")
    return lines


def _rates(way: Measured, table: Table) -> str:
    return f"{1 / way.each:,.0f} slices/s, {table.megabytes / table.slices / way.each:,.0f} MB/s"


def _rows(table: Table) -> list[str]:
    copied = next(way for way in table.ways if way.name == "cp")
    lines = [
        "| way | measured on | CPU s per 1,000 | × `cp` | slices/CPU s | MB/CPU s | CPU s with start | peak MB |",
        "|---|--:|--:|--:|--:|--:|--:|--:|",
    ]
    each_megabytes = table.megabytes / table.slices
    lines += [
        f"| {way.name} | {way.counted:,} | {way.each * 1000:.2f} | {way.each / copied.each:.1f} | "
        f"{1 / way.each:,.0f} | {each_megabytes / way.each:,.0f} | {way.cpu:.2f} | {way.peak_mb:.0f} |"
        for way in table.ways
    ]
    return lines


def _compared(report: Report) -> list[str]:
    lines = [f"- {name} {version}" for name, version in report.versions.items()]
    lines += [f"- not measured, it failed: {error}" for error in report.failed.values()]
    lines += [f"- not installed here: {name}" for name in report.missing]
    lines += [f"- not run: {name}, {why}" for name, why in NOT_RUN.items()]
    return [
        *lines,
        "",
        "`gdcmanon -e` applies the Basic Profile and keeps the encrypted originals in the file. `dcmodify` and "
        "dicomsdl, which are no anonymisers, set or erase 18 named attributes, far less than a profile; `dcmodify` "
        "gives new UIDs and erases private attributes besides, on copies that are not counted. dicognito, "
        "dicom-anonymizer, idiscore and deid run with their defaults (deid: its own recipe, private elements "
        "removed). None of the peers verifies its results or looks at every frame.",
    ]
