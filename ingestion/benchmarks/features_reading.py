"""CPU seconds of reading a CT series into a volume, and of measuring it, by way of compression."""

from __future__ import annotations

import os
import statistics
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless
from scipy.ndimage import gaussian_filter

from ingestion.benchmarks.slices import NOISE_SEED, ROWS, ct_slice
from ingestion.dicom.images import ImageReader
from ingestion.dicom.quiet import silence_readers
from ingestion.dicom.volume import read_volume
from ingestion.features.series_measures import measure_series
from ingestion.features.settings import FeatureSettings

FORMATS: dict[str, str | None] = {
    "uncompressed": None, "JPEG-LS": str(JPEGLSLossless), "JPEG 2000": str(JPEG2000Lossless),
}  # fmt: skip
LIMITS: dict[str, float] = {"uncompressed": 0.5, "JPEG-LS": 2.5, "JPEG 2000": 9.0}
"""CPU seconds for 300 slices that reading must stay below."""
MEASURE_LIMIT = 3.0
"""CPU seconds for 300 uncompressed slices, from files to all measures of a series."""
OFFSET_HU = 1024
NOISE_HU, SMOOTH_PIXELS = 14.0, 0.7
"""Noise of a usual abdomen at 1.25 mm, as correlated as a soft kernel makes it."""

Picture: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Reading:
    """Medians over the rounds, in CPU seconds. ``megabytes``: of all files. ``system``: of ``read``, in the kernel."""

    name: str
    megabytes: float
    read: float
    system: float
    measure: float


@dataclass(frozen=True, slots=True)
class ReadingReport:
    slices: int
    rounds: int
    found: tuple[Reading, ...]


def run(folder: Path, *, slices: int = 300, rounds: int = 3) -> ReadingReport:
    """Make the series in each format, then read and measure them. One round before is not counted."""
    silence_readers()
    for name, syntax in FORMATS.items():
        write_series(folder / name, slices, syntax)
    seen: dict[str, list[tuple[float, float, float]]] = {name: [] for name in FORMATS}
    for number in range(rounds + 1):
        for name in FORMATS:
            paths = sorted((folder / name).iterdir())
            started = os.times()
            reader = ImageReader()
            read_volume([reader.from_file(path) for path in paths])
            read = os.times()
            reader = ImageReader()
            measure_series((reader.from_file(path) for path in paths), FeatureSettings(), frames_expected=len(paths))
            done = os.times()
            if number:
                seen[name].append((_cpu(started, read), read.system - started.system, _cpu(read, done)))
    return ReadingReport(
        slices,
        rounds,
        tuple(
            Reading(
                name,
                sum(path.stat().st_size for path in (folder / name).iterdir()) / 1e6,
                *(statistics.median(times) for times in zip(*seen[name], strict=True)),
            )
            for name in FORMATS
        ),
    )


def _cpu(before: os.times_result, after: os.times_result) -> float:
    return after.user - before.user + after.system - before.system


def write_series(folder: Path, slices: int, syntax: str | None) -> None:
    """CT slices of a chest with a scanner's noise, compressed or not."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(NOISE_SEED)
    chest = _chest()
    for number in range(1, slices + 1):
        grain = gaussian_filter(noise.normal(size=chest.shape), SMOOTH_PIXELS)
        pixels = chest + grain * (NOISE_HU / grain.std()) + OFFSET_HU
        path = folder / f"{number:05d}.dcm"
        path.write_bytes(ct_slice(number, np.clip(np.rint(pixels), 0, 4095).astype(np.int16).tobytes()))
        if syntax is not None:
            dataset = pydicom.dcmread(path)
            dataset.compress(syntax)
            dataset.save_as(path)


def as_markdown(report: ReadingReport) -> str:
    """The section of ``docs/benchmarks-features.md``."""
    lines = [
        "## Reading and measuring a CT series",
        "",
        f"{report.slices} slices of 512 × 512 made by code (a chest, noise of {NOISE_HU:g} HU smoothed over "
        f"{SMOOTH_PIXELS:g} pixels), one process, warm cache, medians of {report.rounds} rounds. *Read*: from files to "
        "one float32 volume in HU; *system*: of it in the kernel, mostly for fresh memory, which a virtual machine may "
        "make dear. *Measure*: from files to all measures of the series.",
        "",
        "| format | MB | read, CPU s | of it system | limit | measure, CPU s | limit |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for item in report.found:
        share = report.slices / 300
        most = f"{MEASURE_LIMIT * share:.1f}" if FORMATS[item.name] is None else ""
        lines.append(
            f"| {item.name} | {item.megabytes:.0f} | {item.read:.2f} | {item.system:.2f} | "
            f"{LIMITS[item.name] * share:.1f} | {item.measure:.2f} | {most} |"
        )
    return "\n".join([*lines, ""])


def _chest() -> Picture:
    """HU of a body with two lungs and a spine in air; air beyond the field of view as scanners fill it."""
    row, column = np.mgrid[-1 : 1 : ROWS * 1j, -1 : 1 : ROWS * 1j]
    picture = np.full((ROWS, ROWS), -1000.0)
    picture[(row / 0.6) ** 2 + (column / 0.85) ** 2 < 1] = 40
    for side in (-0.4, 0.4):
        picture[(row / 0.4) ** 2 + ((column - side) / 0.28) ** 2 < 1] = -850
    picture[((row - 0.35) / 0.12) ** 2 + (column / 0.1) ** 2 < 1] = 400
    return picture
