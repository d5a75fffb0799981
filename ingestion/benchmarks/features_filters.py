"""CPU seconds and memory of the features of one region in the response map of each filter."""

from __future__ import annotations

import statistics
import time
import tracemalloc
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.benchmarks.slices import NOISE_SEED
from ingestion.features.ibsi import IbsiSettings, compute

SHAPE = (150, 512, 512)
SPACING_MM = (2.0, 0.75, 0.75)
DIAMETER_MM = 50
GRID = {"method": "trilinear", "spacing_mm": [1, 1, 1]}
TURNED = {"rotation_invariance": True}
FILTERS: dict[str, dict[str, Any] | None] = {
    "none": None,
    "mean, 5 voxels": {"name": "mean", "support": 5},
    "LoG, 1.5 mm": {"name": "laplacian_of_gaussian", "sigma_mm": 1.5},
    "LoG, 5 mm": {"name": "laplacian_of_gaussian", "sigma_mm": 5},
    "Laws L5E5E5, 24 rotations, energy": {
        "name": "laws", "kernels": ["L5", "E5", "E5"], "energy_distance": 7, **TURNED,
    },
    "Gabor, 5 mm, 16 orientations, 3 planes": {
        "name": "gabor", "sigma_mm": 5, "wavelength_mm": 2, "gamma": 1.5, "rotation_step_degrees": 22.5,
    },
    "wavelet coif1 HHL": {"name": "wavelet", "family": "coif1", "response": "HHL"},
    "wavelet db3 LLH, 24 rotations": {"name": "wavelet", "family": "db3", "response": "LLH", **TURNED},
    "wavelet db3 HHH, level 2, 24 rotations": {
        "name": "wavelet", "family": "db3", "response": "HHH", "level": 2, **TURNED,
    },
    "Simoncelli, level 1 (whole image)": {"name": "simoncelli"},
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class FilterTime:
    """Median CPU seconds of the 18 statistics and of all families; peak memory of the latter above the image."""

    name: str
    statistics: float
    everything: float
    peak_mb: float


def run(*, rounds: int = 3) -> tuple[FilterTime, ...]:
    """A ball in noise, in an image of 39 million voxels. A round before, in which kernels load, is not counted."""
    image = np.random.default_rng(NOISE_SEED).normal(40, 50, SHAPE).astype(np.float32)
    places = [(np.arange(size) - size // 2) * mm for size, mm in zip(SHAPE, SPACING_MM, strict=True)]
    squares = np.add.outer(np.add.outer(places[0] ** 2, places[1] ** 2), places[2] ** 2)
    mask = squares <= (DIAMETER_MM / 2) ** 2
    return tuple(_time(name, chosen, image, mask, rounds) for name, chosen in FILTERS.items())


def _time(
    name: str, chosen: dict[str, Any] | None, image: NDArray[np.float32], mask: NDArray[np.bool_], rounds: int
) -> FilterTime:
    said = {"interpolation": GRID, "filter": chosen, "discretisation": {"method": "fixed_bin_number", "bin_number": 25}}
    few = IbsiSettings.from_mapping(said | {"families": ["intensity_statistics"]})
    everything = IbsiSettings.from_mapping(said)
    _seconds(image, mask, everything)
    tracemalloc.start()
    _seconds(image, mask, everything)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    times = [(_seconds(image, mask, few), _seconds(image, mask, everything)) for _ in range(rounds)]
    return FilterTime(
        name,
        statistics.median(one for one, _ in times),
        statistics.median(other for _, other in times),
        peak / 1e6,
    )


def _seconds(image: NDArray[np.float32], mask: NDArray[np.bool_], settings: IbsiSettings) -> float:
    started = time.process_time()
    found = compute(image, mask, spacing_mm=SPACING_MM, settings=settings)
    if found.refusal is not None:
        raise RuntimeError(f"the benchmark's region was refused: {found.refusal} {found.detail}")
    return time.process_time() - started


def as_markdown(found: tuple[FilterTime, ...], *, rounds: int) -> str:
    """The section of ``docs/benchmarks-features.md``."""
    size = " × ".join(str(size) for size in SHAPE[::-1])
    lines = [
        "## Response maps of filters",
        "",
        f"A ball of {DIAMETER_MM} mm in an image of {size} voxels ({SPACING_MM[1]} × {SPACING_MM[2]} × "
        f"{SPACING_MM[0]} mm), interpolated to 1 mm, 25 bins, one core, medians of {rounds} rounds. *Statistics*: the "
        "18 intensity statistics alone; *all*: every family, texture in three dimensions. Memory: peak of *all* above "
        "the image and the mask.",
        "",
        "| filter | statistics, CPU s | all, CPU s | MB |",
        "|---|--:|--:|--:|",
    ]
    lines += [f"| {item.name} | {item.statistics:.2f} | {item.everything:.2f} | {item.peak_mb:.0f} |" for item in found]
    return "\n".join([*lines, ""])
