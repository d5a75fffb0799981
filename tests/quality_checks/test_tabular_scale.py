"""200,000 series: judged and compared with each other in bounded memory, every planted copy found."""

from __future__ import annotations

import json
from collections.abc import Callable
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


def test_the_measurement_measures(sound) -> None:
    held(measure_tables(sound.entry(), series=800), series=800)


@pytest.mark.slow
def test_200_000_series(sound, record_property: Callable[[str, object], None]) -> None:
    figures = measure_tables(sound.entry())
    record_property("figures", json.dumps(asdict(figures)))
    held(figures, series=200_000)
