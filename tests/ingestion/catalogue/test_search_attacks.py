"""Attacks on the public counts, replayed on two worlds that differ in one person; and on the defaults of Samply Focus.

Focus's published defaults: counts under 10 become 10, others get Laplace noise of epsilon 0.28 and are rounded to 10.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ingestion.catalogue.search.build import build_index
from ingestion.catalogue.search.engine import SearchEngine
from ingestion.catalogue.search.fields import FieldKind, SearchField, SearchSchema
from ingestion.catalogue.search.protection import Protection
from ingestion.catalogue.search.public import PublicAnswer, PublicSearch
from ingestion.catalogue.search.query import parse_query

SCHEMA = SearchSchema(
    fields=(
        SearchField("source_id", FieldKind.TERM, "Source"),
        SearchField("Modality", FieldKind.TERM, "Modality"),
        SearchField("Model", FieldKind.TERM, "Model"),
        SearchField("PatientSex", FieldKind.TERM, "Sex"),
        SearchField("AgeAtStudy", FieldKind.NUMBER, "Age", unit="year", edges=tuple(range(0, 95, 5))),
    ),
    person=("Person",),
)
TARGET = "p42"
RARE = "Rare scanner"
Ask = Callable[[dict[str, Any]], PublicAnswer]


def world(folder: Path, *, secretly_rare: bool) -> PublicSearch:
    """600 people of one series each; in one world the target was examined on a scanner that few others were."""
    rng = np.random.default_rng(11)
    people = 600
    frame = pd.DataFrame(
        {
            "source_id": rng.choice(["A", "B", "C"], people),
            "Person": [f"p{number}" for number in range(people)],
            "StudyInstanceUID": [f"1.2.{number}" for number in range(people)],
            "SeriesInstanceUID": [f"1.2.{number}.1" for number in range(people)],
            "Modality": rng.choice(["CT", "MR", "PT"], people),
            "Model": rng.choice([f"Model {number}" for number in range(6)], people),
            "PatientSex": rng.choice(["F", "M"], people),
            "AgeAtStudy": rng.integers(30, 90, people).astype(float),
        }
    )
    target = frame["Person"] == TARGET
    frame.loc[target, ["source_id", "Modality", "PatientSex", "AgeAtStudy"]] = ["A", "CT", "F", 67.0]
    if secretly_rare:
        frame.loc[target, "Model"] = RARE
    # three others, so that the value is known in both worlds
    frame.loc[frame["Person"].isin(["p1", "p2", "p3"]), ["Model", "source_id"]] = [RARE, "B"]
    frame.to_parquet(folder / "series.parquet")
    index = build_index([folder / "series.parquet"], folder / "index", schema=SCHEMA, release="2026.11.0")
    return PublicSearch(SearchEngine(index), Protection(secret=bytes(range(32)), release=index.release))


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> tuple[PublicSearch, PublicSearch]:
    folders = [tmp_path_factory.mktemp(name) for name in ("ordinary", "rare")]
    return world(folders[0], secretly_rare=False), world(folders[1], secretly_rare=True)


def asked(search: PublicSearch, said: dict[str, Any]) -> PublicAnswer:
    return search.answer(parse_query(said, SCHEMA))


def bases() -> list[dict[str, Any]]:
    """Ninety groups that the target is not in."""
    return [
        {"all": [{"field": "Modality", "in": ["MR", "PT"]}, {"field": "AgeAtStudy", "from": low, "to": low + width}]}
        for low in range(30, 75, 5)
        for width in range(9, 59, 5)
    ]


CELL = {
    "all": [
        {"field": "Model", "in": [RARE]},
        {"field": "source_id", "in": ["A"]},
        {"field": "Modality", "in": ["CT"]},
        {"field": "PatientSex", "in": ["F"]},
    ]
}
"""Whom it holds: the target, in one world; nobody, in the other."""


def test_adding_a_single_person_by_a_disjunction_changes_no_number(worlds: tuple[PublicSearch, PublicSearch]) -> None:
    """Differencing: count a group, count it again with a cell that holds the target or nobody."""
    for base in bases():
        for search in worlds:
            assert asked(search, {"any": [base, CELL]}).total == asked(search, base).total


def test_taking_a_single_person_out_by_a_negation_changes_no_number(worlds: tuple[PublicSearch, PublicSearch]) -> None:
    groups = [{"field": "source_id", "in": ["A"]}, {"field": "Modality", "in": ["CT"]}, {"all": []}]
    for group in groups:
        for search in worlds:
            assert asked(search, {"all": [group, {"not": CELL}]}).total == asked(search, group).total


def test_plain_rounding_gives_the_target_away(worlds: tuple[PublicSearch, PublicSearch]) -> None:
    """The same attack on exact counts rounded to 10: some base stands at the edge, and the number moves."""
    moved = []
    for search in worlds:
        exact = [
            [search.engine.answer(parse_query(said, SCHEMA)).total.people for said in (base, {"any": [base, CELL]})]
            for base in bases()
        ]
        moved.append(any(round(one / 10) != round(other / 10) for one, other in exact))
    assert moved == [False, True]


def test_many_ways_of_one_question_give_one_number(worlds: tuple[PublicSearch, PublicSearch]) -> None:
    """Averaging: two hundred forms of one question, by parts that change nothing, against fresh noise each time."""
    search = worlds[0]
    group = {"field": "Modality", "in": ["CT"]}
    forms: list[dict[str, Any]] = [group]
    for number in range(200):
        idle = {"field": "Model", "in": [f"Model that is not there {number}"]}
        age = {"field": "AgeAtStudy", "from": number % 30}
        forms += [{"any": [group, idle]}, {"all": [group, age]}, {"all": [group, {"not": {"all": [idle, age]}}]}]
    answers = {asked(search, form).total for form in forms}
    assert len(answers) == 1
    truth = search.engine.answer(parse_query(group, SCHEMA)).total.people
    rng = np.random.default_rng(3)
    focus = [round((truth + rng.laplace(scale=1 / 0.28)) / 10) * 10 for _ in forms]
    assert abs(float(np.mean(focus)) - truth) < 1.5  # what fresh noise gives away
    (only,) = answers
    assert only.people is not None and abs(only.people - truth) < 10 and only.people % 10 == 0


def test_the_panel_does_not_add_up_to_a_hidden_value(worlds: tuple[PublicSearch, PublicSearch]) -> None:
    """Complement: the total less the values shown, for a value of three or four people. The worlds look the same."""
    spans = []
    for search in worlds:
        answer = asked(search, {"all": []})
        models = next(facet for facet in answer.facets if facet.name == "Model")
        assert RARE not in {one.value for one in models.values}
        total = answer.total.people
        shown = [one.counts.people for one in models.values]
        assert total is not None
        spans.append(total - sum(value for value in shown if value is not None))
    assert spans[0] == spans[1] or abs(spans[0] - spans[1]) >= 10


def test_nobody_and_a_few_look_the_same(worlds: tuple[PublicSearch, PublicSearch]) -> None:
    ordinary, rare = (asked(search, CELL) for search in worlds)
    assert ordinary.total == rare.total and ordinary.total.hidden


def test_ranges_between_the_bins_are_widened(worlds: tuple[PublicSearch, PublicSearch]) -> None:
    """One year at a time would walk over single people."""
    search = worlds[1]
    answers = {asked(search, {"field": "AgeAtStudy", "from": low, "to": 69}).total for low in range(65, 70)}
    assert len(answers) == 1
