"""Every count of the search against a plain count of the rows, for queries that Hypothesis makes up."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ingestion.catalogue.search.build import build_index
from ingestion.catalogue.search.counting import Kernels
from ingestion.catalogue.search.engine import SearchEngine
from ingestion.catalogue.search.evaluate import Evaluator
from ingestion.catalogue.search.fields import FieldKind, SearchField, SearchSchema
from ingestion.catalogue.search.index import IndexUnusableError, open_index
from ingestion.catalogue.search.kernels import count_codes, count_mask, count_postings, mark_people
from ingestion.catalogue.search.pattern_kernel import count_patterns, fold_states, number_classes
from ingestion.catalogue.search.query import AllOf, QueryError, digest, normal, parse_query, to_json
from ingestion.catalogue.search.settle import Trials, prepared, settle
from ingestion.catalogue.search.settle_values import ValueSettler
from ingestion.catalogue.search.tallies import Moved, Question, Tallies

SCHEMA = SearchSchema(
    fields=(
        SearchField("source_id", FieldKind.TERM, "Source"),
        SearchField("Modality", FieldKind.TERM, "Modality"),
        SearchField("Countries", FieldKind.TERMS, "Country", separator=","),
        SearchField("AgeAtStudy", FieldKind.NUMBER, "Age", unit="year", edges=(0, 40, 60, 80)),
        SearchField("SeriesDescription", FieldKind.TEXT, "Description"),
    ),
    person=("Person",),
)
MODALITIES = ["CT", "MR", "PT", None]
COUNTRIES = ["NL", "NL,DE", "DE,FR", None]
TEXTS = ["T2 TSE axial", "t1 sag", "Thorax  5.0", None]


def make_rows(seed: int = 1, *, rows: int = 400) -> pd.DataFrame:
    """Series of people who may be in several sources; source C states no age."""
    rng = np.random.default_rng(seed)
    people = rng.integers(0, 60, rows)
    frame = pd.DataFrame(
        {
            "source_id": [("A", "B", "C")[number] for number in rng.integers(0, 3, rows)],
            "Person": [f"p{number}" for number in people],
            "StudyInstanceUID": [
                f"2.25.{person}{study}" for person, study in zip(people, rng.integers(0, 4, rows), strict=True)
            ],
            "SeriesInstanceUID": [f"2.25.9{number}" for number in rng.permutation(rows)],
            "Modality": [MODALITIES[number] for number in rng.integers(0, 4, rows)],
            "Countries": [COUNTRIES[number] for number in rng.integers(0, 4, rows)],
            "AgeAtStudy": rng.integers(20, 95, rows).astype(float),
            "SeriesDescription": [TEXTS[number] for number in rng.integers(0, 4, rows)],
        }
    )
    frame.loc[frame["source_id"] == "C", "AgeAtStudy"] = np.nan
    return frame


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return make_rows()


@pytest.fixture(scope="module")
def engine(rows: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> SearchEngine:
    folder = tmp_path_factory.mktemp("search")
    rows.to_parquet(folder / "series.parquet")
    index = build_index([folder / "series.parquet"], folder / "index", schema=SCHEMA, release="2026.11.0")
    return SearchEngine(index)


def matches(row: dict[str, Any], node: dict[str, Any]) -> bool:
    """Whether a row matches, said in the plainest way."""
    if "all" in node:
        return all(matches(row, child) for child in node["all"])
    if "any" in node:
        return any(matches(row, child) for child in node["any"])
    if "not" in node:
        return not matches(row, node["not"])
    if "text" in node:
        return all(word.casefold() in (row["SeriesDescription"] or "").casefold() for word in node["text"].split())
    value = row[node["field"]]
    if "in" in node:
        has = (value or "").split(",") if node["field"] == "Countries" else [value or ""]
        return bool(set(has) & set(node["in"]))
    if value is None or math.isnan(value):
        return False
    return node.get("from", -math.inf) <= value <= node.get("to", math.inf)


leaves = st.one_of(
    st.builds(
        lambda v: {"field": "Modality", "in": v}, st.lists(st.sampled_from(["CT", "MR", "PT", "", "XX"]), min_size=1)
    ),
    st.builds(lambda v: {"field": "Countries", "in": v}, st.lists(st.sampled_from(["NL", "DE", "FR", ""]), min_size=1)),
    st.builds(lambda v: {"field": "source_id", "in": v}, st.lists(st.sampled_from(["A", "B", "C"]), min_size=1)),
    st.builds(
        lambda a, b: {"field": "AgeAtStudy", "from": min(a, b), "to": max(a, b)},
        st.integers(10, 99),
        st.integers(10, 99),
    ),
    st.builds(lambda a: {"field": "AgeAtStudy", "from": a}, st.integers(10, 99)),
    st.builds(lambda t: {"text": t}, st.sampled_from(["t2", "TSE t2", "sag", "5.0", "thorax x"])),
)
queries = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda c: {"all": c}, st.lists(inner, max_size=3)),
        st.builds(lambda c: {"any": c}, st.lists(inner, max_size=3)),
        st.builds(lambda c: {"not": c}, inner),
    ),
    max_leaves=6,
)


def counted(rows: list[dict[str, Any]]) -> tuple[int, int, int]:
    people = {row["Person"] for row in rows}
    return len(people), len({row["StudyInstanceUID"] for row in rows}), len(rows)


def bin_of(age: float | None) -> str:
    if age is None or math.isnan(age):
        return ""
    return ["0 to 40", "40 to 60", "60 to 80", "80 and more"][sum(age >= edge for edge in (40, 60, 80))]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=queries)
def test_all_counts_are_those_of_a_plain_count(engine: SearchEngine, rows: pd.DataFrame, said: dict[str, Any]) -> None:
    query = parse_query(said, SCHEMA)
    records = rows.astype(object).where(rows.notna(), None).to_dict("records")
    asks_age = "AgeAtStudy" in str(said)
    usable = [row for row in records if not (asks_age and row["source_id"] == "C")]
    answer = engine.answer(query)
    assert [one.source_id for one in answer.refused] == (["C"] if asks_age else [])
    found = [row for row in usable if matches(row, said)]
    assert (answer.total.people, answer.total.studies, answer.total.series) == counted(found)
    for facet in answer.facets:
        children = [child for child in query.children if getattr(child, "field", None) != facet.name]
        others = [row for row in usable if matches(row, to_json(AllOf(tuple(children))))]
        for code, term in enumerate(facet.terms):
            having = [row for row in others if term in values_of(row, facet.name)]
            one = facet.counts.at(code)
            assert (one.people, one.studies, one.series) == counted(having), (facet.name, term)
    uids = {row["SeriesInstanceUID"] for row in found}
    assert len(engine.rows(query)) == len(uids)


def values_of(row: dict[str, Any], name: str) -> list[str]:
    if name == "AgeAtStudy":
        return [bin_of(row[name])]
    return (row[name] or "").split(",") if name == "Countries" else [row[name] or ""]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=queries)
def test_the_compiled_loop_counts_the_same(engine: SearchEngine, said: dict[str, Any]) -> None:
    query = parse_query(said, SCHEMA)
    plain = engine.answer(query)
    fast = SearchEngine(engine.index)
    fast._kernels = Kernels(
        count_postings, count_codes, mark_people, count_mask, count_patterns, fold_states, number_classes
    )
    compiled = fast.answer(query)
    mask = Evaluator(engine.index).mask(query)
    assert (fast.people(mask) == engine.people(mask)).all()
    assert np.count_nonzero(engine.people(mask)) == fast.answer(query, facets=(), refused=()).total.people
    assert plain.total == compiled.total
    for one, other in zip(plain.facets, compiled.facets, strict=True):
        for name in ("people", "studies", "series"):
            assert (getattr(one.counts, name) == getattr(other.counts, name)).all(), (one.name, name)


odd_text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=8)
odd_queries = st.recursive(
    st.one_of(
        leaves,
        st.builds(lambda v: {"field": "Modality", "in": v}, st.lists(odd_text, min_size=1, max_size=3)),
        st.builds(lambda t: {"text": f"x{t}"}, odd_text),
        st.builds(lambda a: {"field": "AgeAtStudy", "to": a}, st.sampled_from([0, 0.0, -0.0, 1.5, -3])),
    ),
    lambda inner: st.one_of(
        st.builds(lambda kind, c: {kind: c}, st.sampled_from(["all", "any"]), st.lists(inner, max_size=3)),
        st.builds(lambda c: {"not": c}, inner),
    ),
    max_leaves=8,
)


def deep(*, levels: int) -> dict[str, Any]:
    said: dict[str, Any] = {"text": "x"}
    for level in range(levels):
        said = {"any": [said, {"field": "Modality", "in": ["CT"]}]} if level % 2 else {"all": [said, {"text": "y"}]}
    return said


@settings(max_examples=300, deadline=None)
@given(said=odd_queries)
@example(said={"not": {"all": [{"not": {"field": "AgeAtStudy", "from": 10}}]}})
@example(said={"not": {"any": [{"not": {"any": []}}]}})
@example(said={"any": [{"not": {"not": {"any": [{"text": "a"}, {"text": "b"}]}}}, {"text": "c"}]})
@example(said={"any": [{"field": "Modality", "in": [str(n) for n in range(at, at + 900)]} for at in (0, 800, 1600)]})
@example(said={"text": "ß" * 100})
@example(said={"any": [{"text": f"x{n}"} for n in range(43)]})
@example(said=deep(levels=6))
@example(said=deep(levels=7))
def test_a_query_survives_its_normal_form(said: dict[str, Any]) -> None:
    try:
        query = parse_query(said, SCHEMA)
    except QueryError as error:
        assert "nested deeper" in str(error) or "too many criteria" in str(error)
        return
    again = parse_query(json.loads(json.dumps(to_json(query))), SCHEMA)
    assert again == query == normal(query)
    assert digest(query) == digest(again)


def other_ways(said: dict[str, Any], draw: st.DataObject) -> dict[str, Any]:
    """The same question, written with groups of one, double negations, repeats and another order."""
    kind, inner = next(iter(said.items()))
    if kind in ("all", "any"):
        children = [other_ways(child, draw) for child in inner]
        said = {kind: draw.draw(st.permutations(children + children[:1]))}
    elif kind == "not":
        said = {"not": other_ways(inner, draw)}
    way = draw.draw(st.sampled_from(["same", "not not", "all", "any"]))
    return {"same": said, "not not": {"not": {"not": said}}, "all": {"all": [said]}, "any": {"any": [said]}}[way]


@settings(max_examples=150, deadline=None)
@given(
    said=st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.builds(lambda kind, c: {kind: c}, st.sampled_from(["all", "any"]), st.lists(inner, max_size=2)),
            st.builds(lambda c: {"not": c}, inner),
        ),
        max_leaves=3,
    ),
    draw=st.data(),
)
def test_other_ways_to_write_a_question_have_one_digest(said: dict[str, Any], draw: st.DataObject) -> None:
    try:
        one, other = parse_query(said, SCHEMA), parse_query(other_ways(said, draw), SCHEMA)
    except QueryError as error:
        assert "nested deeper" in str(error)
        return
    assert one == other and digest(one) == digest(other)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=queries, moved=st.sampled_from(Moved))
def test_the_counts_of_a_settled_value_are_those_of_its_question(
    engine: SearchEngine, said: dict[str, Any], moved: Moved
) -> None:
    asked = prepared(engine.index, parse_query(said, SCHEMA))
    code_of = engine.index.fields["source_id"].code_of

    def refused(query: AllOf) -> frozenset[int]:
        return frozenset(code_of[one.source_id] for one in engine.refused(query))

    def answering(query: AllOf) -> set[int]:
        return set(code_of.values()) - refused(query)

    tallies = Tallies(engine, Question(asked, refused(asked)))
    trials = Trials(tallies, refused(asked), 10, moved)
    query = settle(trials, asked)
    settler = ValueSettler(trials, tallies.panel(["Modality", "Countries"]), query, answering)
    found = settler.settled(settler.many())
    for name, values in found.items():
        assert len(values) == len(engine.index.fields[name].terms)
        for one in values:
            if one.counts.people:
                exact = engine.total(tallies.mask(Question(one.query, one.others.refused)))
                assert one.counts.people == exact.people and (moved is Moved.PEOPLE or one.counts == exact)


def test_order_and_repeats_do_not_make_another_query() -> None:
    one, two = {"field": "Modality", "in": ["CT", "MR"]}, {"field": "source_id", "in": ["A"]}
    forms = [
        {"all": list(order)} for order in itertools.permutations([one, two, dict(one, **{"in": ["MR", "CT", "CT"]})])
    ]
    assert len({digest(parse_query(form, SCHEMA)) for form in forms}) == 1


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ([], "a criterion is an object"),
        ({"field": "Modality"}, "has field"),
        ({"field": "Modality'; drop table series; --", "in": ["CT"]}, "is no field with values"),
        ({"field": "Modality", "in": []}, "list of 1 to"),
        ({"field": "Modality", "in": [7]}, "values are strings"),
        ({"field": "AgeAtStudy", "in": ["5"]}, "is no field with values"),
        ({"field": "AgeAtStudy", "from": "x"}, "finite numbers"),
        ({"field": "AgeAtStudy", "from": float("inf")}, "finite numbers"),
        ({"field": "AgeAtStudy", "from": 60, "to": 50}, "swap the ends"),
        ({"field": "AgeAtStudy", "from": None, "to": None}, "neither 'from' nor 'to'"),
        ({"field": "Modality", "in": ["\ud800"]}, "values are strings"),
        ({"text": "\ud800"}, "text is a string"),
        ({"text": "ΐ" * 100}, "text is a string"),
        ({"\ud800": 1}, "has \\ud800"),
        ({"text": "  "}, "holds no word"),
        ({"all": {"field": "Modality"}}, "is a list"),
        ({"any": [{"not": {"stage": "IV"}}]}, "query.any[0].not: has stage"),
        ({"all": [{"text": "x"}] * 300}, "more than 200 criteria"),
        ({"any": [{"text": f"x{number}"} for number in range(60)]}, "too many criteria"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(said: Any, problem: str) -> None:
    with pytest.raises(QueryError) as error:
        parse_query(said, SCHEMA)
    assert problem in str(error.value)


def test_deep_nesting_is_refused_and_does_not_recurse_on() -> None:
    said: dict[str, Any] = {"text": "x"}
    for _ in range(5000):
        said = {"not": said}
    with pytest.raises(QueryError, match="nested deeper"):
        parse_query(said, SCHEMA)


def test_a_series_is_looked_up_by_its_uid(engine: SearchEngine, rows: pd.DataFrame) -> None:
    wanted = rows["SeriesInstanceUID"].iloc[17]
    row = engine.index.row(wanted)
    stored = pd.read_parquet(engine.index.rows_file)
    assert row is not None and stored["SeriesInstanceUID"].iloc[row] == wanted
    assert engine.index.row("2.25.404") is None and engine.index.row("é") is None


def test_a_broken_or_foreign_folder_is_no_index(tmp_path: Path) -> None:
    with pytest.raises(IndexUnusableError, match="build it again"):
        open_index(tmp_path)
    (tmp_path / "index.json").write_text('{"format": 99}')
    with pytest.raises(IndexUnusableError, match="format 99"):
        open_index(tmp_path)


def test_a_table_without_a_column_is_named(tmp_path: Path) -> None:
    make_rows().drop(columns="Countries").to_parquet(tmp_path / "series.parquet")
    with pytest.raises(IndexUnusableError, match="Countries"):
        build_index([tmp_path / "series.parquet"], tmp_path / "index", schema=SCHEMA, release="1")
    assert not (tmp_path / "index").exists() and not list(tmp_path.glob(".index*"))
