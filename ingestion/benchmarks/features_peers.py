"""Reading and measuring beside other tools, each in an environment and a process of its own, as ratios."""

from __future__ import annotations

import json
import math
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import numpy as np
import SimpleITK
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from ingestion.benchmarks.feature_scripts import (
    FRAME,
    HERE,
    OWN,
    READING,
    READING_NOTES,
    REGION_NOTES,
    REGIONS,
)
from ingestion.benchmarks.features_reading import FORMATS, write_series
from ingestion.benchmarks.slices import NOISE_SEED
from ingestion.features.ibsi.intensities import PEAK_RADIUS_MM

BINS = 25
SPACING_MM = (2.0, 0.75, 0.75)
SHAPE = (150, 512, 512)
REGION_SIZES: dict[str, tuple[float, float]] = {"50 mm": (25.0, 1.5), "1.5 l": (71.0, 8.0)}
"""Mean radius in mm, and the CPU seconds that our own must stay below."""
AXES = (0.97, 1.0, 1.03)
"""Not quite a ball: of one some features are not defined, and tools stop."""
SMALL_MM = 6.0
MARGIN_MM = 15.0
"""Around the region in what peers are given, since some have no crop of their own: local peaks look 6.2 mm around."""
LONG_S = 8
"""CPU seconds after which a tool begins no further round: what differs between rounds is small beside it."""
CONSTANT_MB = 40
"""Of ours, whatever the region: three blocks of spectrum of 8 MB, and what allocators keep between them."""
PATIENCE_S = 75
"""Wall-clock seconds after which a tool is stopped: the whole must take minutes."""


@dataclass(frozen=True, slots=True)
class PeerTime:
    """``cpu``: seconds of each round; empty: ``failed`` says why. ``number``: values or voxels that it gave."""

    name: str
    version: str
    cpu: tuple[float, ...] = ()
    peak_mb: float = 0.0
    number: int = 0
    same: bool = True
    failed: str | None = None

    @property
    def median(self) -> float:
        return statistics.median(self.cpu)


@dataclass(frozen=True, slots=True)
class RegionCase:
    """One region: its voxels, and its box with the margin that local intensities need, in MB of float32.

    Our own must stay below ``limit`` CPU seconds and ``limit_mb``.
    """

    name: str
    voxels: int
    box_mb: float
    limit: float
    times: tuple[PeerTime, ...]

    @property
    def limit_mb(self) -> float:
        return 3 * self.box_mb + CONSTANT_MB


@dataclass(frozen=True, slots=True)
class PeersReport:
    regions: tuple[RegionCase, ...]
    reading: Mapping[str, tuple[PeerTime, ...]]
    slices: int
    rounds: int


def run(
    folder: Path, *, environment: Path, slices: int, rounds: int, tell: Callable[[str], None] = lambda _: None
) -> PeersReport:
    """Measure all that is installed below ``environment``, a folder for each package."""
    return PeersReport(
        regions=tuple(_region_cases(folder, environment, rounds, tell)),
        reading=dict(_reading(folder, environment, slices, rounds, tell)),
        slices=slices,
        rounds=rounds,
    )


def _region_cases(folder: Path, environment: Path, rounds: int, tell: Callable[[str], None]) -> list[RegionCase]:
    image = _image()
    _save(folder, "small", image, _region(SMALL_MM), crop=True)
    found = []
    for name, (radius, limit) in REGION_SIZES.items():
        mask = _region(radius)
        _save(folder, "whole", image, mask, crop=False)
        _save(folder, "crop", image, mask, crop=True)
        box_mb = image[_box(mask, PEAK_RADIUS_MM)].size * 4 / 1e6
        times = []
        for peer, script in REGIONS.items():
            tell(f"{name}: {peer}")
            files = "whole" if peer == OWN else "crop"
            given = [str(folder / f"{files}_{kind}.nii") for kind in ("image", "mask")]
            small = [str(folder / f"small_{kind}.nii") for kind in ("image", "mask")]
            times.append(_timed(peer, script, [*given, *small], folder, environment, rounds))
        found.append(RegionCase(name, int(mask.sum()), box_mb, limit, tuple(times)))
    return found


def _reading(
    folder: Path, environment: Path, slices: int, rounds: int, tell: Callable[[str], None]
) -> list[tuple[str, tuple[PeerTime, ...]]]:
    found = []
    for name, syntax in FORMATS.items():
        series, small = folder / name, folder / f"{name} small"
        if not series.exists():
            write_series(series, slices, syntax)
        write_series(small, 3, syntax)
        times = []
        for peer, script in READING.items():
            tell(f"{name}: {peer}")
            times.append(_timed(peer, script, [str(series), "", str(small), ""], folder, environment, rounds))
        found.append((name, tuple(times)))
    return found


def _timed(peer: str, script: str, given: list[str], folder: Path, environment: Path, rounds: int) -> PeerTime:
    python = Path(sys.executable) if peer in HERE else environment / peer / "bin" / "python"
    if not python.exists():
        return PeerTime(peer, "", failed="not installed")
    version = _version(peer, python)
    scratch = folder / "scratch"
    scratch.mkdir(exist_ok=True)
    source = FRAME.replace("{script}", f"BINS, LONG = {BINS}, {LONG_S}\n{script}")
    command = [str(python), "-W", "ignore", "-c", source, *given, str(scratch), str(rounds)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=PATIENCE_S, cwd=scratch)
    except subprocess.TimeoutExpired:
        return PeerTime(peer, version, failed=f"stopped after {PATIENCE_S} s")
    lines = done.stdout.strip().splitlines()
    if done.returncode != 0 or not lines or not lines[-1].startswith("{"):
        return PeerTime(peer, version, failed=" ".join((done.stderr.strip() or "no word").splitlines()[-1:])[:90])
    told = json.loads(lines[-1])
    return PeerTime(
        peer, version, tuple(told["cpu"]), max(told["peak_mb"]), told["number"], same=len(told["told"]) < 2
    )  # fmt: skip


def _version(peer: str, python: Path) -> str:
    if peer == OWN:
        return ""
    if peer in HERE:
        return metadata.version(peer)
    asked = f"from importlib import metadata; print(metadata.version({peer!r}))"
    done = subprocess.run([str(python), "-c", asked], capture_output=True, text=True, check=False)
    return done.stdout.strip()


def _image() -> NDArray[np.int16]:
    """Soft tissue with noise."""
    noise = gaussian_filter(np.random.default_rng(NOISE_SEED).normal(size=SHAPE).astype(np.float32), 0.7)
    values: NDArray[np.int16] = np.clip(40 + 15 * noise / 0.4, -1000, 3000).astype(np.int16)
    return values


def _region(radius: float) -> NDArray[np.bool_]:
    place = [
        ((np.arange(size) - (size - 1) / 2) * mm / (radius * axis)) ** 2
        for size, mm, axis in zip(SHAPE, SPACING_MM, AXES, strict=True)
    ]
    inside: NDArray[np.bool_] = np.add.outer(np.add.outer(place[0], place[1]), place[2]) <= 1
    return inside


def _box(mask: NDArray[np.bool_], margin_mm: float) -> tuple[slice, ...]:
    """The voxels of the region and ``margin_mm`` around it."""
    found = []
    for places, mm, size in zip(mask.nonzero(), SPACING_MM, SHAPE, strict=True):
        margin = math.ceil(margin_mm / mm)
        found.append(slice(max(0, int(places.min()) - margin), min(size, int(places.max()) + 1 + margin)))
    return tuple(found)


def _save(folder: Path, name: str, image: NDArray[np.int16], mask: NDArray[np.bool_], *, crop: bool) -> None:
    """Write image and mask as NIfTI."""
    box = _box(mask, MARGIN_MM) if crop else (slice(None),) * 3
    for kind, array in (("image", image[box].astype(np.float32)), ("mask", mask[box].astype(np.uint8))):
        written = SimpleITK.GetImageFromArray(array)
        written.SetSpacing(SPACING_MM[::-1])
        SimpleITK.WriteImage(written, str(folder / f"{name}_{kind}.nii"))


def as_markdown(report: PeersReport) -> str:
    """Two sections of ``docs/benchmarks-features.md``."""
    lines = [
        "## All features of one region, beside other tools",
        "",
        f"Soft tissue with noise, {SHAPE[1]} × {SHAPE[2]} × {SHAPE[0]} voxels of {SPACING_MM[1]:g} × {SPACING_MM[2]:g} "
        f"× {SPACING_MM[0]:g} mm, an ellipsoid that is nearly a ball, {BINS} bins, texture in three dimensions, every "
        "family that the tool has. Each tool in a process of its own, after a small region; reading not counted. Ours "
        f"is given the whole image, the others a box with {MARGIN_MM:g} mm around the region. CPU of all threads: "
        f"medians of {report.rounds} rounds, fewer where they take more than {LONG_S} s. *Memory*: what is taken above "
        "the loaded image. *Ratio*: CPU of the tool by ours.",
        "",
    ]
    for case in report.regions:
        own = case.times[0]
        lines += [
            f"**{case.name}: {case.voxels:,} voxels**, {case.box_mb:.1f} MB its box with the margin that it needs, as "
            f"float32; ours at most {case.limit:g} s, and three times the box and {CONSTANT_MB} MB: "
            f"{case.limit_mb:.0f} MB.",
            "",
            "| tool | values | CPU s | memory MB | ratio | |",
            "|---|--:|--:|--:|--:|---|",
        ]
        for item in case.times:
            note = REGION_NOTES.get(item.name, "")
            if item.name == OWN and not item.failed:
                note = "same bits each round" if item.same else "not the same bits each round"
            if item.failed:
                lines.append(f"| {_named(item)} | | | | | {item.failed} |")
                continue
            lines.append(
                f"| {_named(item)} | {item.number} | {item.median:.2f} | {item.peak_mb:.0f} | {_ratio(item, own)} "
                f"| {note} |"
            )
        lines.append("")
    lines += [
        "## Reading beside other tools",
        "",
        f"The {report.slices} slices above, each tool in a process of its own after three slices, so that fresh memory "
        f"counts for all alike. CPU seconds, medians of {report.rounds} rounds, fewer where they take more than "
        f"{LONG_S} s. *Ratio*: by ours.",
        "",
        "| tool | " + " | ".join(f"{name} | ratio" for name in report.reading) + " | |",
        "|---|" + "--:|--:|" * len(report.reading) + "---|",
    ]
    columns = list(report.reading.values())
    for number, first in enumerate(columns[0]):
        cells = []
        for column in columns:
            item = column[number]
            cells.append(f"{item.failed} |" if item.failed else f"{item.median:.2f} | {_ratio(item, column[0])}")
        lines.append(f"| {_named(first)} | {' | '.join(cells)} | {READING_NOTES.get(first.name, '')} |")
    return "\n".join([*lines, ""])


def _named(item: PeerTime) -> str:
    return f"{item.name} {item.version}".strip()


def _ratio(item: PeerTime, own: PeerTime) -> str:
    return f"{item.median / own.median:.1f}" if own.cpu and own.median > 0 else ""
