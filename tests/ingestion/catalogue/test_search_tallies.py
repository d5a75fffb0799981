"""Counts by classes and patterns against counts row by row: the same for every question that settling may ask."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ingestion.catalogue.search import classes as classes_module
from ingestion.catalogue.search import patterns as patterns_module
from ingestion.catalogue.search.build import build_index
from ingestion.catalogue.search.counting import Kernels
from ingestion.catalogue.search.engine import SearchEngine
from ingestion.catalogue.search.evaluate import both
from ingestion.catalogue.search.kernels import count_codes, count_mask, count_postings, mark_people
from ingestion.catalogue.search.pattern_kernel import count_patterns
from ingestion.catalogue.search.query import EVERYTHING, AllOf, parse_query
from ingestion.catalogue.search.settle import cuts, parts_left_out, prepared
from ingestion.catalogue.search.tallies import Tallies
from tests.ingestion.catalogue.test_search_counts import SCHEMA, make_rows, queries

FIELDS = ["Modality", "Countries", "AgeAtStudy", "source_id"]
MANY = {"any": [
    {"field": "Modality", "in": ["CT", "MR", "PT"]}, {"field": "Countries", "in": ["NL", "DE", "FR"]},
    {"field": "AgeAtStudy", "from": 10, "to": 99}, {"field": "source_id", "in": ["A", "B"]}, {"text": "t"},
]}  # fmt: skip
"""More than 64 classes: sets take more than a word."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> SearchEngine:
    folder = tmp_path_factory.mktemp("tallies")
    make_rows(seed=2).to_parquet(folder / "series.parquet")
    return SearchEngine(build_index([folder / "series.parquet"], folder / "index", schema=SCHEMA, release="1"))


@pytest.fixture(scope="module")
def compiled(engine: SearchEngine) -> SearchEngine:
    fast = SearchEngine(engine.index)
    fast._kernels = Kernels(count_postings, count_codes, mark_people, count_mask, count_patterns)
    return fast


def questions(engine: SearchEngine, query: AllOf) -> Iterator[AllOf]:
    """The question, and what is left of it after one and after two steps."""
    yield query
    yield EVERYTHING
    for one in (*cuts(engine.index, query), *parts_left_out(query)):
        yield one
        yield from list(parts_left_out(one))[:3]


def agree(engine: SearchEngine, query: AllOf, among: np.ndarray | None) -> Tallies:
    tallies = Tallies(engine, query, among)
    panel = tallies.panel(FIELDS)
    for one in questions(engine, query):
        mask = both(tallies.evaluator.mask(one), among)
        assert tallies.total(one) == engine.total(mask)
        who = engine.people(mask) != engine.people(tallies.mask(query))
        assert tallies.moved(query, one) == np.count_nonzero(who)
        assert (tallies._of(one) == engine.people(mask)).all()
        found, people = panel.counts(one), panel.people(one)
        for name, counts in zip(FIELDS, engine.count(FIELDS, mask), strict=True):
            at = panel.at[name]
            assert (people[at] == counts.people).all()
            for what in ("people", "studies", "series"):
                assert (getattr(found, what)[at] == getattr(counts, what)).all(), (one, name, what)
    return tallies


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=queries, way=st.booleans(), refused=st.booleans())
@example(said=MANY, way=False, refused=False)
@example(said=MANY, way=True, refused=True)
@example(said={"not": MANY}, way=True, refused=False)
def test_counts_by_classes_are_those_of_the_rows(
    engine: SearchEngine,
    compiled: SearchEngine,
    said: dict[str, Any],
    way: bool,
    refused: bool,
) -> None:
    one = compiled if way else engine
    query = prepared(engine.index, parse_query(said, SCHEMA))
    among = np.ones(engine.index.series, dtype=bool)
    among[engine.index.fields["source_id"].rows_of(2)] = False
    tallies = agree(one, query, among if refused else None)
    assert tallies.classes is not None and tallies.panel(FIELDS).quick


def test_sets_of_many_classes_take_several_words(engine: SearchEngine) -> None:
    classes = Tallies(engine, prepared(engine.index, parse_query(MANY, SCHEMA))).classes
    assert classes is not None and len(classes) > 64


@pytest.mark.parametrize("way", [False, True])
@pytest.mark.parametrize("limit", ["MAX_CLASSES", "MAX_SETS"])
def test_where_there_are_too_many_it_is_counted_row_by_row(
    engine: SearchEngine,
    compiled: SearchEngine,
    monkeypatch: pytest.MonkeyPatch,
    way: bool,
    limit: str,
) -> None:
    monkeypatch.setattr(classes_module if limit == "MAX_CLASSES" else patterns_module, limit, 3)
    query = prepared(engine.index, parse_query(MANY, SCHEMA))
    tallies = agree(compiled if way else engine, query, None)
    assert not tallies.panel(FIELDS).quick
    assert (tallies.classes is None) == (limit == "MAX_CLASSES")


def test_rows_of_a_group_have_the_same_values(engine: SearchEngine) -> None:
    index = engine.index
    groups = index.groups
    assert groups.row_of is not None and groups.series_in.sum() == index.series
    assert len(groups) <= index.series and (np.diff(groups.study_of) >= 0).all()
    for name, postings in groups.postings.items():
        field = index.fields[name]
        for code in range(len(field.terms)):
            units = postings.units[postings.offsets[code] : postings.offsets[code + 1]]
            assert (np.diff(units) > 0).all()
            if field.codes is not None:  # of several values a row, one value does not say what the others are
                assert groups.series_in[units].sum() == len(field.rows_of(code))
            assert np.isin(groups.row_of[units], field.rows_of(code)).all()
