"""What the asset shows of a source's features."""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from ingestion.fanout import Done
from ingestion.features.distributions import distributions
from ingestion.features.run import SourceFeatures, compute_source_features

metadata = pytest.importorskip("assets.metadata")
STORED = np.random.default_rng(5).integers(0, 2000, (3, 16, 16)).astype(np.int16)


@pytest.fixture
def found(made: Any, make_ct: Any) -> SourceFeatures:
    """Ten series of two makers, one of them far brighter, and one refused."""

    def inline(function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Done[Any, Any]]:
        return (Done(task, function(task)) for task in tasks)

    for number in range(10):
        stored = STORED + number if number else STORED + 20_000
        made.add(make_ct(stored, Manufacturer=f"Maker {number % 2}"))
    slices = make_ct(STORED)
    del slices[1].RescaleSlope
    made.add(slices)
    return compute_source_features(made.state, made.manifests, research=made.store, run=inline)


def test_outliers_and_failures_are_listed(found: SourceFeatures) -> None:
    from assets.series_features import _failures, _outliers

    listed = _outliers(found).records
    assert {record.data["Feature"] for record in listed} >= {"Mean_Q4LE", "Maximum_84IY"}
    assert len({record.data["SeriesInstanceUID"] for record in listed}) == 1
    (failure,) = _failures(found).records
    assert (failure.data["kind"], failure.data["reason"]) == ("series", "rescale_invalid")


def test_distributions_are_drawn_by_maker(found: SourceFeatures) -> None:
    from assets.distribution_plot import distribution_plots

    text = distribution_plots(found.long).md_str
    assert text is not None
    pictures = re.findall(r"!\[([^\]]*)\]\(data:image/png;base64,([^)]*)\)", text)
    assert any(title.startswith("Mean_Q4LE, series, CT") for title, _ in pictures)
    assert all(base64.b64decode(body).startswith(b"\x89PNG") for _, body in pictures)
    assert len(text) < 400_000
    table = distributions(found.long)
    makers = table[table["Feature"] == "Mean_Q4LE"].set_index("Manufacturer")["Number"]
    assert makers.to_dict() == {"Maker 0": 5, "Maker 1": 5}
    assert distribution_plots(found.long[:0]).md_str == "no values"
