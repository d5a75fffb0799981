"""Counts by classes and patterns against counts row by row: the same for every question that settling may ask."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
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
from ingestion.catalogue.search.kernels import count_codes, count_mask, count_postings, mark_people
from ingestion.catalogue.search.pattern_kernel import count_patterns, fold_states, number_classes
from ingestion.catalogue.search.query import EVERYTHING, Between, leaves, parse_query
from ingestion.catalogue.search.settle import parts_left_out, prepared, shortened, with_range
from ingestion.catalogue.search.tallies import Moved, Question, Tallies, named
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
    fast._kernels = Kernels(
        count_postings, count_codes, mark_people, count_mask, count_patterns, fold_states, number_classes
    )
    return fast


def questions(engine: SearchEngine, asked: Question) -> Iterator[Question]:
    """The question, what is left of it after one and after two steps, and with sources that are refused no more."""
    yield asked
    yield Question(EVERYTHING)
    yield replace(asked, refused=frozenset(sorted(asked.refused)[:1]))
    ranges = [leaf for leaf in leaves(asked.query) if isinstance(leaf, Between)]
    cut = [with_range(asked.query, leaf, (one, leaf)) for leaf in ranges for one in shortened(engine.index, leaf, 0)]
    for one in (*cut, *parts_left_out(asked.query)):
        yield replace(asked, query=one)
        yield from (Question(simpler) for simpler in list(parts_left_out(one))[:3])


def agree(engine: SearchEngine, asked: Question) -> Tallies:
    tallies = Tallies(engine, asked)
    panel = tallies.panel(FIELDS)
    rows_of = {(name, code): engine.index.fields[name].rows_of(code) for name in FIELDS
               for code in range(len(engine.index.fields[name].terms))}  # fmt: skip
    before = rows_under(tallies, asked)
    for one in questions(engine, asked):
        rows = rows_under(tallies, one)
        assert tallies.total(one) == engine.total(rows)
        found = panel.counts(one)
        assert (panel.people(one) == found.people).all()
        for name, counts in zip(FIELDS, engine.count(FIELDS, rows), strict=True):
            for what in ("people", "studies", "series"):
                assert (getattr(found, what)[panel.at[name]] == getattr(counts, what)).all(), (one, name, what)
        people = engine.people(before) != engine.people(rows)
        series = engine.people(before ^ rows)
        for moved, who in ((Moved.PEOPLE, people), (Moved.SERIES, series)):
            assert tallies.moved(asked, one, moved) == np.count_nonzero(who)
            assert (tallies._differ(asked, one, moved) == who).all()
            assert tallies.who(asked, one, moved) == named(tallies.digest(np.flatnonzero(who)))
            values = panel.moved(asked, one, moved)
            for (name, code), has in rows_of.items():
                value = np.zeros_like(rows)
                value[has] = True
                first, then = engine.people(before & value), engine.people(rows & value)
                wanted = first != then if moved is Moved.PEOPLE else engine.people((before ^ rows) & value)
                assert values[panel.at[name]][code] == np.count_nonzero(wanted), (one, moved, name, code)
                who_has = panel.who(asked, one, moved)(name, code)
                assert who_has == named(tallies.digest(np.flatnonzero(wanted)))
        for (name, code), has in list(rows_of.items())[::5]:
            lacks = rows.copy()
            lacks[has] = False
            without = panel.without(one, name, code)
            assert without.tolist() == np.flatnonzero(engine.people(lacks)).tolist()
            value = np.zeros_like(rows)
            value[has] = True
            lacking = engine.people(rows) & ~engine.people(rows & value)
            assert panel.who_lacks(one, name, code) == named(tallies.digest(np.flatnonzero(lacking)))
    return tallies


def rows_under(tallies: Tallies, question: Question) -> np.ndarray:
    """(N,) row by row."""
    mask = tallies.mask(question)
    return np.ones(tallies.engine.index.series, dtype=bool) if mask is None else mask


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=queries, way=st.booleans(), refused=st.frozensets(st.integers(1, 3), max_size=2))
@example(said=MANY, way=False, refused=frozenset())
@example(said=MANY, way=True, refused=frozenset({1, 3}))
@example(said={"not": MANY}, way=True, refused=frozenset())
def test_counts_by_classes_are_those_of_the_rows(
    engine: SearchEngine, compiled: SearchEngine, said: dict[str, Any], way: bool, refused: frozenset[int]
) -> None:
    query = prepared(engine.index, parse_query(said, SCHEMA))
    tallies = agree(compiled if way else engine, Question(query, refused))
    assert tallies.classes is not None and tallies.panel(FIELDS).quick


def test_sets_of_many_classes_take_several_words(engine: SearchEngine) -> None:
    classes = Tallies(engine, Question(prepared(engine.index, parse_query(MANY, SCHEMA)))).classes
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
    tallies = agree(compiled if way else engine, Question(query, frozenset({2})))
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
