"""CPU seconds of all IBSI features of one region, by its size."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import gaussian_filter

from ingestion.benchmarks.slices import NOISE_SEED
from ingestion.features.ibsi import IbsiSettings, compute

DIAMETERS_MM = (20, 60, 120)
SPACING_MM = (1.5, 0.75, 0.75)


@dataclass(frozen=True, slots=True)
class RegionTime:
    """``features``: values computed. ``seconds``: median CPU time. ``again``: the same bits in every round."""

    voxels: int
    features: int
    seconds: float
    again: bool


def run(*, rounds: int = 3) -> tuple[RegionTime, ...]:
    """A ball in soft tissue with noise, by default settings. A round before, in which kernels load, is not counted."""
    return tuple(_time(diameter, rounds) for diameter in DIAMETERS_MM)


def _time(diameter: int, rounds: int) -> RegionTime:
    shape = [round(diameter * 1.4 / mm) for mm in SPACING_MM]
    noise = np.random.default_rng(NOISE_SEED).normal(size=shape)
    image = (40 + 15 * gaussian_filter(noise, 0.7) / 0.4).astype(np.int16).astype(np.float32)
    place = [(np.arange(size) - (size - 1) / 2) * mm for size, mm in zip(shape, SPACING_MM, strict=True)]
    squares = np.add.outer(np.add.outer(place[0] ** 2, place[1] ** 2), place[2] ** 2)
    mask = squares <= (diameter / 2) ** 2
    times, seen = [], set()
    for number in range(rounds + 1):
        started = time.process_time()
        found = compute(image, mask, spacing_mm=SPACING_MM, settings=IbsiSettings())
        if number:
            times.append(time.process_time() - started)
        seen.add(tuple(value.value for value in found.values))
    given = sum(value.value is not None for value in found.values)
    return RegionTime(int(mask.sum()), given, statistics.median(times), len(seen) == 1)


def as_markdown(found: tuple[RegionTime, ...], *, rounds: int) -> str:
    """The section of ``docs/benchmarks-features.md``."""
    lines = [
        "## All features of one region",
        "",
        f"A ball of soft tissue with noise, voxels of {SPACING_MM[0]} × {SPACING_MM[1]} × {SPACING_MM[2]} mm, default "
        f"settings (every family, texture in three dimensions), one core, medians of {rounds} rounds.",
        "",
        "| voxels | values | CPU s | same bits each time |",
        "|--:|--:|--:|---|",
    ]
    lines += [
        f"| {item.voxels:,} | {item.features} | {item.seconds:.2f} | {'yes' if item.again else 'no'} |"
        for item in found
    ]
    return "\n".join([*lines, ""])
