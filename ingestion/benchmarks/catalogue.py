"""The search of the catalogue, measured on the million series of the Imaging Data Commons' public index, beside peers.

Every figure is taken in a process of its own, so that opening is cold and peak memory is that of the case alone. The
index of the Commons comes with the package ``idc-index-data``; nothing of it is kept.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ingestion.benchmarks.measure import BenchmarkError
from ingestion.catalogue.search.build import build_index
from ingestion.catalogue.search.fields import FieldKind, SearchField, SearchSchema

IDC_SCHEMA = SearchSchema(
    fields=(
        SearchField("collection_id", FieldKind.TERM, "Collection"),
        SearchField("Modality", FieldKind.TERM, "Modality"),
        SearchField("BodyPartExamined", FieldKind.TERM, "Body part"),
        SearchField("Manufacturer", FieldKind.TERM, "Manufacturer"),
        SearchField("ManufacturerModelName", FieldKind.TERM, "Model"),
        SearchField("PatientSex", FieldKind.TERM, "Sex"),
        SearchField("Age", FieldKind.NUMBER, "Age", unit="year", edges=tuple(range(0, 95, 5))),
        SearchField("Year", FieldKind.NUMBER, "Year", edges=tuple(range(1980, 2031))),
        SearchField("license_short_name", FieldKind.TERM, "Licence"),
        SearchField("sop_class_name", FieldKind.TERM, "SOP class"),
        SearchField("SeriesDescription", FieldKind.TEXT, "Series description"),
        SearchField("StudyDescription", FieldKind.TEXT, "Study description"),
    ),
    person=("PatientID",),
    source="collection_id",
)
IDC_SELECT = (
    "*, try_cast(regexp_extract(PatientAge, '^(\\d+)Y$', 1) as double) as Age, "
    "try_cast(left(StudyDate, 4) as double) as Year"
)
"""Ten counted fields, as a panel has them, and two of text."""
CASES = ("open", "panel_cold", "panel_warm", "public_cold", "public_warm", "text", "lookup", "http")
PEERS = ("duckdb", "idc_index")
TARGETS = {
    "open": (300.0, 250.0), "panel_cold": (300.0, None), "public_cold": (300.0, None), "panel_warm": (50.0, None),
    "public_warm": (50.0, None), "text": (100.0, None), "lookup": (20.0, None),
}  # fmt: skip
"""The most that each case may take: milliseconds of the 95th percentile, and MB."""
TARGET_RATE = 100.0
"""Requests a second that the API sustains."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One case: seconds of each question (wall clock and CPU), peak memory, and what was counted for comparison."""

    name: str
    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    peak_mb: float
    note: str = ""
    rate: float | None = None
    """Requests a second, of a case of many at once."""

    @property
    def target(self) -> str:
        """What was aimed at, and whether it was reached, as a cell of the table."""
        if self.name == "http":
            # a request in two hundred may be late: the rate is what was sent, less what failed
            return f"{TARGET_RATE:.0f}/s: {'met' if (self.rate or 0) >= 0.99 * TARGET_RATE else 'missed'}"
        if self.name not in TARGETS:
            return ""
        most_ms, most_mb = TARGETS[self.name]
        met = self.p95_ms < most_ms and (most_mb is None or self.peak_mb < most_mb)
        said = f"{most_ms:.0f} ms" + (f", {most_mb:.0f} MB" if most_mb is not None else "")
        return f"{said}: {'met' if met else 'missed'}"

    @property
    def median_ms(self) -> float:
        return statistics.median(self.wall) * 1e3

    @property
    def p95_ms(self) -> float:
        return percentile(self.wall) * 1e3


def percentile(values: Sequence[float]) -> float:
    """The 95th, of few values the largest."""
    ordered = sorted(values)
    return ordered[min(int(0.95 * len(ordered)), len(ordered) - 1)]


@dataclass(frozen=True, slots=True)
class CatalogueReport:
    series: int
    studies: int
    people: int
    index_mb: float
    build_cpu: float
    figures: tuple[Figures, ...]


def run(parquet: Path, folder: Path, *, peer_python: Path | None, tell: Callable[[str], object]) -> CatalogueReport:
    """Measure all cases on the series of ``parquet`` (the Commons' ``idc_index.parquet``).

    Args:
        folder: for the index; it is made there.
        peer_python: the interpreter of an environment that has ``idc-index``; None: that peer is left out.

    Raises:
        BenchmarkError: a case failed; the message has its last words.
    """
    tell("making the index")
    made = _child([sys.executable, "-m", "ingestion.benchmarks.catalogue_tasks", "build", str(parquet), str(folder)])
    figures = []
    for case in CASES:
        tell(case)
        figures.append(_case(case, [sys.executable, "-m", "ingestion.benchmarks.catalogue_tasks", case, str(folder)]))
    tell("duckdb")
    figures.append(
        _case("duckdb", [sys.executable, "-m", "ingestion.benchmarks.catalogue_tasks", "duckdb", str(parquet)])
    )
    if peer_python is not None:
        tell("idc-index")
        script = Path(__file__).with_name("catalogue_peer.py")
        figures.append(_case("idc_index", [str(peer_python), str(script)]))
    return CatalogueReport(
        series=made["series"],
        studies=made["studies"],
        people=made["people"],
        index_mb=sum(file.stat().st_size for file in folder.iterdir()) / 1e6,
        build_cpu=made["cpu"],
        figures=tuple(figures),
    )


def build(parquet: Path, folder: Path) -> dict[str, int]:
    """Make the index of the Commons' series at ``folder``."""
    index = build_index([parquet], folder, schema=IDC_SCHEMA, release="benchmark", select=IDC_SELECT)
    return {"series": index.series, "studies": index.studies, "people": index.people}


def as_markdown(report: CatalogueReport, *, machine: str) -> str:
    """The page."""
    ours = {figure.name: figure for figure in report.figures}
    duckdb = ours["duckdb"].median_ms
    lines = [
        "# Benchmarks of the catalogue's search",
        "",
        "Made by `cie bench catalogue`; every number on this page is measured by it. Use the ratios.",
        "",
        f"Input: the public index of the Imaging Data Commons (`idc-index-data`): {report.series:,} series, "
        f"{report.studies:,} studies, {report.people:,} people. {machine}. Each case in a process of its own; a panel "
        "is ten fields with distinct people, studies and series of every value, cross-filtered, for 30 queries of one "
        "to four criteria drawn with a fixed seed.",
        "",
        f"The index: {report.index_mb:.0f} MB, made in {report.build_cpu:.0f} CPU seconds.",
        "",
        "Targets are of the 95th percentile by the clock. CPU time is what it costs where others use the machine too.",
        "",
        "| case | median ms | p95 ms | median CPU ms | p95 CPU ms | × plain DuckDB | peak MB | target | note |",
        "|---|--:|--:|--:|--:|--:|--:|---|---|",
    ]
    for figure in report.figures:
        cpu = statistics.median(figure.cpu) * 1e3
        cpu_p95 = percentile(figure.cpu) * 1e3
        ratio = f"{figure.median_ms / duckdb:.2f}" if figure.name.startswith(("panel", "public", "duckdb")) else ""
        lines.append(
            f"| {figure.name.replace('_', ' ')} | {figure.median_ms:.1f} | {figure.p95_ms:.1f} | {cpu:.1f} "
            f"| {cpu_p95:.1f} | {ratio} | {figure.peak_mb:.0f} | {figure.target} | {figure.note} |"
        )
    peer = ours.get("idc_index")
    if peer is not None:
        times = peer.median_ms / ours["public_warm"].median_ms
        memory = peer.peak_mb / ours["public_warm"].peak_mb
        lines += [
            "",
            f"idc-index counts one field in {times:.0f} × the time of a whole public panel of ten here, with "
            f"{memory:.1f} × the memory.",
        ]
    else:
        lines += ["", "idc-index was not measured this time: give its interpreter with `--peer-python`."]
    return "\n".join([*lines, ""])


def as_json(report: CatalogueReport) -> dict[str, Any]:
    return asdict(report)


def _case(name: str, command: Sequence[str]) -> Figures:
    told = _child(command)
    return Figures(
        name, tuple(told["wall"]), tuple(told["cpu"]), told["peak_mb"], told.get("note", ""), told.get("rate")
    )


def _child(command: Sequence[str]) -> dict[str, Any]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        last = done.stderr.strip().splitlines()[-1:] or ["no word"]
        raise BenchmarkError(f"{command[-2]} failed: {last[0]}")
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer
