"""The attacks of ``cie bench counts`` on a few worlds: what the page says of ours holds for each of them."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingestion.benchmarks.small_counts import (
    CELL,
    PAIRS,
    RARE,
    SCHEMA,
    Attack,
    Defences,
    as_markdown,
    make_world,
    run,
)
from ingestion.catalogue.search.engine import SearchEngine
from ingestion.catalogue.search.protection import CountPolicy, Protection
from ingestion.catalogue.search.public import PublicSearch
from ingestion.catalogue.search.query import parse_query

ROUNDS = 2


@pytest.fixture(scope="module")
def found() -> list[Attack]:
    return run(rounds=ROUNDS)


def advantages(found: list[Attack], defence: str) -> list[float]:
    return [one.advantage for one in found if one.defence == defence and one.advantage is not None]


def test_no_attack_tells_our_worlds_apart_and_all_tell_the_exact_ones(found: list[Attack]) -> None:
    """But by two fields that say nearly the same: that is what remains, and the page says how much it tells."""
    assert advantages(found, "ours")[:3] == [0.0, 0.0, 0.0]
    assert advantages(found, "exact") == [1.0] * (3 + len(PAIRS))


def test_the_defaults_of_focus_show_whether_a_cell_is_empty(found: list[Attack]) -> None:
    """Nobody is shown as 0, one person as 10: no noise is on either."""
    for defence in ("focus", "focus_cached"):
        (cell,) = [one for one in found if one.attack.startswith("the cell itself") and one.defence == defence]
        assert cell.advantage == 1.0


def test_the_page_has_a_row_for_each_attack(found: list[Attack]) -> None:
    page = as_markdown(found, rounds=ROUNDS)
    assert page.count("\n| ") == 1 + 6 + len(PAIRS) and "nan" not in page


def test_every_number_of_a_panel_stays_the_same_with_the_cell_added(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Not the total alone: a facet could tell what the total hides."""
    index = make_world(tmp_path_factory.mktemp("rare"), rare=True, seed=3)
    search = PublicSearch(SearchEngine(index), Protection(secret=bytes(32)))
    for base in ({"field": "Modality", "in": ["MR", "PT"]}, {"field": "AgeAtStudy", "from": 30, "to": 49}):
        plain, more = (search.answer(parse_query(said, SCHEMA)) for said in (base, {"any": [base, CELL]}))
        assert plain.total == more.total and plain.facets == more.facets


leaves = st.one_of(
    st.builds(lambda v: {"field": "Modality", "in": v}, st.lists(st.sampled_from(["CT", "MR", "PT"]), min_size=1)),
    st.builds(lambda v: {"field": "source_id", "in": v}, st.lists(st.sampled_from(["A", "B", "C"]), min_size=1)),
    st.builds(lambda v: {"field": "Model", "in": [v]}, st.sampled_from(["Model 1", "Model 2", RARE])),
    st.builds(lambda a: {"field": "AgeAtStudy", "from": a}, st.integers(20, 95)),
)
queries = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda kind, c: {kind: c}, st.sampled_from(["all", "any"]), st.lists(inner, max_size=3)),
        st.builds(lambda c: {"not": c}, inner),
    ),
    max_leaves=4,
)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Defences:
    return Defences(make_world(tmp_path_factory.mktemp("fuzz"), rare=True, seed=5), seed=5)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=queries, hidden_below=st.integers(1, 40), rounded_to=st.sampled_from([1, 5, 10, 20]))
def test_no_query_gets_a_number_that_the_policy_hides(
    answers: Defences, said: dict[str, object], hidden_below: int, rounded_to: int
) -> None:
    """Every number is a multiple, none is of a group under the bound, none is zero, facets included."""
    policy = CountPolicy(hidden_below=hidden_below, rounded_to=rounded_to)
    engine = answers._engine
    search = PublicSearch(engine, Protection(secret=bytes(32)), {name: policy for name in ("A", "B", "C")})
    answer = search.answer(parse_query(said, SCHEMA))
    shown = [answer.total, *(one.counts for facet in answer.facets for one in facet.values)]
    for counts in shown:
        numbers = [counts.people, counts.studies, counts.series]
        if counts.hidden:
            assert numbers == [None] * 3
            continue
        assert (counts.studies is None) == (counts.series is None)
        for number in numbers[: 1 if counts.series is None else 3]:
            assert number is not None and number >= policy.step and number % policy.step == 0
            assert number % rounded_to == 0
