"""200,000 series: judged and compared with each other in bounded memory, every planted copy found."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict

import pytest

from quality_checks.benchmark_tables import TableFigures, measure_tables

MOST_MEGABYTES = 2_000


def held(figures: TableFigures, *, series: int) -> None:
    assert figures.series == series
    assert figures.expectations > 40
    assert figures.near_found == figures.near_planted > 0
    assert figures.memory_megabytes < MOST_MEGABYTES
    assert min(figures.import_seconds, figures.evaluate_seconds, figures.near_seconds) > 0


def measured(*arguments: object, **more: int) -> TableFigures:
    """In a process of its own: the highest memory of this one is that of all tests before."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure_tables, *arguments, **more).result()  # type: ignore[arg-type]


def test_the_measurement_measures(sound) -> None:
    held(measured(sound.entry(), series=800), series=800)


@pytest.mark.slow
def test_200_000_series(sound, record_property: Callable[[str, object], None]) -> None:
    figures = measured(sound.entry())
    record_property("figures", json.dumps(asdict(figures)))
    held(figures, series=200_000)
