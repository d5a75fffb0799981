"""Digests of questions: the same for all ways to write one, and of no two that find other rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingestion.catalogue.search.build import build_index
from ingestion.catalogue.search.evaluate import Evaluator
from ingestion.catalogue.search.fields import FieldKind, SearchField, SearchSchema
from ingestion.catalogue.search.index import SearchIndex
from ingestion.catalogue.search.meaning import EntangledError, Meaning
from ingestion.catalogue.search.query import parse_query
from ingestion.catalogue.search.settle import prepared

SOURCES = ("A", "B", "C")
SCHEMA = SearchSchema(
    fields=(
        SearchField("source_id", FieldKind.TERM, "Source"),
        SearchField("Modality", FieldKind.TERM, "Modality"),
        SearchField("Uses", FieldKind.TERMS, "Uses", separator=","),
        SearchField("Age", FieldKind.NUMBER, "Age", edges=(20, 40, 60)),
    ),
    person=("Person",),
)


def values(field: str, *names: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.sets(st.sampled_from(names), min_size=1).map(lambda some: {"field": field, "in": sorted(some)})


def between(ends: tuple[int, int]) -> dict[str, Any]:
    return {"field": "Age", "from": min(ends), "to": max(ends)}


LEAVES = st.one_of(
    values("source_id", *SOURCES),
    values("Modality", "CT", "MR", "PT", ""),
    values("Uses", "x", "y"),
    st.tuples(st.integers(0, 80), st.integers(0, 80)).map(between),
    st.integers(0, 80).map(lambda low: {"field": "Age", "from": low}),
)
QUESTIONS = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda some: {"all": some}),
        st.lists(inner, max_size=3).map(lambda some: {"any": some}),
        inner.map(lambda one: {"not": one}),
    ),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> SearchIndex:
    """A row of each combination of values that a question can tell apart."""
    rows = [
        (source, modality, uses, age)
        for source in SOURCES
        for modality in ("CT", "MR", "PT", "XA", None)
        for uses in ("x", "y", "x,y", "z", None)
        for age in (10.0, 20.0, 45.0, 70.0, None)
    ]
    frame = pd.DataFrame(rows, columns=["source_id", "Modality", "Uses", "Age"])
    for name in ("Person", "StudyInstanceUID", "SeriesInstanceUID"):
        frame[name] = [f"1.{number}" for number in range(len(frame))]
    folder = tmp_path_factory.mktemp("meaning")
    frame.to_parquet(folder / "rows.parquet")
    return build_index([folder / "rows.parquet"], folder / "index", schema=SCHEMA, release="1")


def digest(index: SearchIndex, said: dict[str, Any]) -> str:
    meaning = Meaning(SCHEMA, {name: f"state of {name}" for name in SOURCES})
    return meaning.digest(prepared(index, parse_query(said, SCHEMA)))


def rows(index: SearchIndex, said: dict[str, Any]) -> bytes:
    mask = Evaluator(index).mask(prepared(index, parse_query(said, SCHEMA)))
    return (np.ones(index.series, dtype=bool) if mask is None else mask).tobytes()


@settings(max_examples=150, deadline=None)
@given(QUESTIONS, QUESTIONS)
def test_two_questions_have_one_digest_where_they_find_the_same_in_all_data(
    index: SearchIndex, first: dict[str, Any], second: dict[str, Any]
) -> None:
    alike = rows(index, first) == rows(index, second)
    assert (digest(index, first) == digest(index, second)) == alike


@settings(max_examples=100, deadline=None)
@given(QUESTIONS, QUESTIONS, QUESTIONS)
def test_what_logic_makes_of_a_question_has_its_digest(
    index: SearchIndex, one: dict[str, Any], two: dict[str, Any], three: dict[str, Any]
) -> None:
    plain = digest(index, {"all": [one, {"any": [two, three]}]})
    assert plain == digest(index, {"any": [{"all": [one, two]}, {"all": [one, three]}]})
    assert plain == digest(index, {"not": {"any": [{"not": one}, {"all": [{"not": two}, {"not": three}]}]}})


def test_a_source_that_nobody_can_match_of_has_no_say(index: SearchIndex) -> None:
    query = prepared(index, parse_query({"not": {"field": "source_id", "in": ["B", "C"]}}, SCHEMA))
    alone = Meaning(SCHEMA, {"A": "a"}).digest(query)
    assert alone == Meaning(SCHEMA, {"A": "a", "B": "b", "C": "c"}).digest(query)
    assert alone != Meaning(SCHEMA, {"A": "a later state"}).digest(query)


def test_an_entangled_question_is_an_error(index: SearchIndex) -> None:
    fields = tuple(SearchField(f"{at:02}", FieldKind.TERM, "") for at in range(36))
    schema = SearchSchema(fields=(SearchField("source_id", FieldKind.TERM, ""), *fields))
    pairs = [{"all": [{"field": f"{at:02}", "in": ["x"]}, {"field": f"{at + 18:02}", "in": ["x"]}]} for at in range(12)]
    with pytest.raises(EntangledError):
        Meaning(schema, {"A": "a"}).digest(parse_query({"any": pairs}, schema))


@given(
    criteria=st.lists(LEAVES, max_size=4),
    known=st.sets(st.sampled_from([*SOURCES, "D"])),
)
def test_a_chain_has_the_digest_of_its_diagram(
    index: SearchIndex, criteria: list[dict[str, Any]], known: set[str]
) -> None:
    query = prepared(index, parse_query({"all": criteria}, SCHEMA))
    meaning = Meaning(SCHEMA, {one: f"{one}:state" for one in sorted(known)})
    assert meaning.digest(query) == Meaning(SCHEMA, meaning.states).of_diagram(query)
