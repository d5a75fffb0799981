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

from ingestion.benchmarks.small_counts import CELL, MODELS, RARE, SCHEMA, make_world
from ingestion.catalogue.search.build import build_index
from ingestion.catalogue.search.engine import SearchEngine
from ingestion.catalogue.search.fields import FieldKind, SearchField, SearchSchema
from ingestion.catalogue.search.index import SearchIndex
from ingestion.catalogue.search.protection import CountPolicy, Protection
from ingestion.catalogue.search.public import PublicAnswer, PublicSearch
from ingestion.catalogue.search.query import parse_query
from ingestion.catalogue.search.settle import prepared, settle
from ingestion.catalogue.search.tallies import Moved, Question, Tallies

Ask = Callable[[dict[str, Any]], PublicAnswer]


def world(folder: Path, *, secretly_rare: bool) -> PublicSearch:
    return search_of(make_world(folder, rare=secretly_rare, seed=11))


def search_of(index: SearchIndex, *, secret: bytes = bytes(range(32))) -> PublicSearch:
    return PublicSearch(SearchEngine(index), Protection(secret=secret))


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


def test_a_value_more_in_a_list_changes_no_number(worlds: tuple[PublicSearch, PublicSearch]) -> None:
    """Differencing by a list of values, one of which only the target may have."""
    for number in range(6):
        for more in ([], [f"Model {other}" for other in range(6) if other < number]):
            first = {"field": "Model", "in": [f"Model {number}", *more]}
            second = {"field": "Model", "in": [f"Model {number}", *more, RARE]}
            for search in worlds:
                one, other = (
                    asked(search, {"all": [{"field": "source_id", "in": ["A"]}, listed]}) for listed in (first, second)
                )
                assert (one.total, one.facets) == (other.total, other.facets)


def test_the_bound_of_what_is_left_out_cannot_be_searched_for(worlds: tuple[PublicSearch, PublicSearch]) -> None:
    """Groups of under ten are left out, of fifteen and more never, between it is by the secret."""
    search, left_out = worlds[0], dict[bool, list[int]]({True: [], False: []})
    everybody = asked(search, {"all": []})
    for source in "ABC":
        for modality in ("CT", "MR", "PT"):
            for number in range(6):
                cell = {
                    "all": [
                        {"field": "source_id", "in": [source]},
                        {"field": "Modality", "in": [modality]},
                        {"field": "Model", "in": [f"Model {number}"]},
                    ]
                }
                people = search.engine.answer(parse_query(cell, SCHEMA)).total.people
                answer = asked(search, {"not": cell})
                left_out[(answer.total, answer.facets) == (everybody.total, everybody.facets)].append(people)
    assert set(range(6, 10)) <= set(left_out[True]) and min(left_out[False]) >= 10
    assert max(left_out[True]) < 15 <= max(left_out[False])


def test_whether_a_group_near_the_bound_is_left_out_is_by_the_secret(worlds: tuple[PublicSearch, PublicSearch]) -> None:
    engine, left_out = worlds[0].engine, set()
    cell = {"all": [{"field": "source_id", "in": ["A"]}, {"field": "Modality", "in": ["CT"]}]}
    by_model = [{"all": [cell, {"field": "Model", "in": [f"Model {number}"]}]} for number in range(6)]
    near = [one for one in by_model if 11 <= engine.answer(parse_query(one, SCHEMA)).total.people <= 14]
    for secret in range(12):
        search = PublicSearch(engine, Protection(secret=bytes([secret]) * 32))
        everybody = asked(search, {"all": []})
        answer = asked(search, {"not": near[0]})
        left_out.add((answer.total, answer.facets) == (everybody.total, everybody.facets))
    assert left_out == {True, False}


def test_the_policy_told_is_that_of_the_question_asked(tmp_path: Path) -> None:
    """Not of the settled one: that would tell whether the criterion on the sources moved enough people to stay."""
    made = world(tmp_path, secretly_rare=False)
    strict = PublicSearch(
        made.engine,
        Protection(secret=bytes(range(32))),
        {"C": CountPolicy(hidden_below=20, rounded_to=20)},
    )
    sources = {"field": "source_id", "in": ["A", "B"]}
    for others in ([], [{"field": "AgeAtStudy", "from": 85}], [{"field": "AgeAtStudy", "from": 85}, CELL]):
        assert asked(strict, {"all": [sources, *others]}).policy == CountPolicy()
    assert asked(strict, {"all": []}).policy.hidden_below == 20


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


def later(search: PublicSearch, folder: Path, *, more_in: str | None) -> PublicSearch:
    """The next release: the same rows in another order, and one person more in one source."""
    rows = pd.read_parquet(search.engine.index.rows_file)
    if more_in is not None:
        new = rows[rows["source_id"] == more_in].head(1)
        new = new.assign(Person="new", StudyInstanceUID="1.2.9000", SeriesInstanceUID="1.2.9000.1")
        rows = pd.concat([rows, new])
    rows.sample(frac=1, random_state=1).to_parquet(folder / "later.parquet")
    return search_of(build_index([folder / "later.parquet"], folder / "later", schema=SCHEMA, release="2026.12.0"))


def cells_of(source: str) -> list[dict[str, Any]]:
    named = {"field": "source_id", "in": [source]}
    return [named, *({"all": [named, {"field": "Modality", "in": [one]}]} for one in ("CT", "MR", "PT"))]


def test_a_release_without_changes_draws_nothing_anew(
    worlds: tuple[PublicSearch, PublicSearch], tmp_path: Path
) -> None:
    """Averaging over releases of unchanged data gives what one release gives."""
    again = later(worlds[0], tmp_path, more_in=None)
    assert again.engine.index.release != worlds[0].engine.index.release
    for said in [{"all": []}, CELL, *cells_of("A"), *cells_of("B")]:
        first, second = asked(worlds[0], said), asked(again, said)
        assert (first.total, first.facets) == (second.total, second.facets)


def test_a_source_that_changed_draws_all_its_numbers_anew_and_no_others(
    worlds: tuple[PublicSearch, PublicSearch], tmp_path: Path
) -> None:
    """Else the numbers that move would tell to which groups the one belongs who joined."""
    changed = later(worlds[0], tmp_path, more_in="C")
    for said in cells_of("A") + cells_of("B"):
        assert asked(worlds[0], said).total == asked(changed, said).total
    moved = 0
    for number in range(6):
        for said in cells_of("C"):
            # the one who joined is on one scanner only; the others of the source move as well
            by_age = {"field": "AgeAtStudy", "to": 40 + 9 * number}
            for part in ({"field": "Model", "in": [f"Model {number}"]}, by_age):
                cell = {"all": [said, part]}
                moved += asked(worlds[0], cell).total != asked(changed, cell).total
    assert moved >= 6


def total_of(search: PublicSearch, said: dict[str, Any]) -> object:
    return search.answer(parse_query(said, search.engine.index.schema), facets=()).total


def idle_groups(number: int) -> list[dict[str, Any]]:
    """Groups of the sources B and C, which move nobody of A."""
    ages = [(low, high) for low in range(30, 70, 5) for high in range(low + 19, 90, 5)]
    return [
        {"all": [{"field": "source_id", "in": ["B", "C"]}, {"field": "AgeAtStudy", "from": low, "to": high}]}
        for low, high in ages[:number]
    ]


def test_a_value_of_a_panel_has_one_number_whatever_else_is_asked_for(
    worlds: tuple[PublicSearch, PublicSearch],
) -> None:
    """Averaging over panels: what moves nobody of a value gives it no draw of its own."""
    group = {"all": [{"field": "source_id", "in": ["A"]}, {"field": "Modality", "in": ["CT", "MR"]}]}
    shown = set()
    for idle in idle_groups(12):
        answer = worlds[0].answer(parse_query({"any": [group, idle]}, SCHEMA), facets=("source_id",))
        (facet,) = answer.facets
        shown |= {one.counts for one in facet.values if one.value == "A"}
    assert len(shown) == 1


def test_a_longer_range_that_nobody_is_in_changes_no_number(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    rows = pd.DataFrame(
        {
            "Person": [f"p{number}" for number in range(300)],
            "StudyInstanceUID": [f"1.{number}" for number in range(300)],
            "SeriesInstanceUID": [f"1.{number}.1" for number in range(300)],
            "source_id": rng.choice(["A", "B"], 300),
            "AgeAtStudy": rng.integers(40, 65, 300).astype(float),
            **{name: "x" for name in ("Modality", "Model", "Maker", "PatientSex")},
        }
    )
    rows.to_parquet(tmp_path / "rows.parquet")
    search = search_of(build_index([tmp_path / "rows.parquet"], tmp_path / "i", schema=SCHEMA, release="1"))
    ends: list[dict[str, Any]] = [{}, *({"to": high} for high in range(64, 95, 5))]
    starts: list[dict[str, Any]] = [{}, *({"from": low} for low in range(0, 45, 5))]
    asked_for = [{"field": "AgeAtStudy", **start, **end} for start in starts for end in ends]
    named = {"field": "source_id", "in": ["A"]}
    assert len({total_of(search, {"all": [named, one]}) for one in asked_for if len(one) > 1}) == 1


def test_words_that_find_no_other_rows_change_no_number(tmp_path: Path) -> None:
    texts = ["angio thorax", "t2 tse axial", "localizer"]
    rows = pd.DataFrame(
        {
            "Person": [f"p{number}" for number in range(300)],
            "StudyInstanceUID": [f"1.{number}" for number in range(300)],
            "SeriesInstanceUID": [f"1.{number}.1" for number in range(300)],
            "source_id": np.random.default_rng(4).choice(["A", "B"], 300),
            "SeriesDescription": np.random.default_rng(5).choice(texts, 300),
        }
    )
    rows.to_parquet(tmp_path / "rows.parquet")
    schema = SearchSchema(
        fields=(
            SearchField("source_id", FieldKind.TERM, "Source"),
            SearchField("SeriesDescription", FieldKind.TEXT, "Description"),
        ),
        person=("Person",),
    )
    search = search_of(build_index([tmp_path / "rows.parquet"], tmp_path / "i", schema=schema, release="1"))
    asked_for = ["angio", "angi", "gio", "thorax", "angio th", "an gio thorax", "gio tho rax", "ax th io"]
    assert len({total_of(search, {"text": text}) for text in asked_for}) == 1
    assert total_of(search, {"text": "localizer"}) != total_of(search, {"text": "nowhere"})


def test_a_question_of_which_too_much_is_left_out_gets_no_number(tmp_path: Path) -> None:
    """Sixty models of nine people each: every one of them moves too few, all together are most."""
    rows = pd.DataFrame(
        {
            "Person": [f"p{number}" for number in range(1_200)],
            "StudyInstanceUID": [f"1.{number}" for number in range(1_200)],
            "SeriesInstanceUID": [f"1.{number}.1" for number in range(1_200)],
            "Model": [f"m{number // 9}" if number < 540 else "other" for number in range(1_200)],
            "source_id": "A",
            "AgeAtStudy": 50.0,
            **{name: "x" for name in ("Modality", "Maker", "PatientSex")},
        }
    )
    rows.to_parquet(tmp_path / "rows.parquet")
    search = search_of(build_index([tmp_path / "rows.parquet"], tmp_path / "i", schema=SCHEMA, release="1"))
    small = {"field": "Model", "in": [f"m{number}" for number in range(60)]}
    for said in (small, {"not": small}):
        answer = asked(search, said)
        assert answer.total.hidden and all(not facet.values for facet in answer.facets)
    assert asked(search, {"field": "Model", "in": ["other"]}).total.people in (660, 670, 650)


def test_neither_a_value_nor_a_source_shows_by_one_person(tmp_path: Path) -> None:
    """How many values are hidden is not told, and who alone states a field makes no source answer."""
    answers = []
    for secretly in (False, True):
        rows = pd.read_parquet(world_rows(tmp_path / str(secretly)))
        in_a = rows["source_id"] == "A"
        rows.loc[in_a, "PatientSex"] = None
        first = rows.index[in_a][0]
        if secretly:
            rows.loc[first, ["Model", "PatientSex"]] = ["Nobody else's", "F"]
        rows.to_parquet(tmp_path / f"{secretly}.parquet")
        index = build_index([tmp_path / f"{secretly}.parquet"], tmp_path / f"i{secretly}", schema=SCHEMA, release="1")
        search = search_of(index)
        answers.append((
            [(facet.name, facet.hidden) for facet in asked(search, {"all": []}).facets],
            asked(search, {"field": "PatientSex", "in": ["F"]}).refused,
        ))  # fmt: skip
    assert answers[0] == answers[1]
    assert [one.source_id for one in answers[0][1]] == ["A"]


def world_rows(folder: Path) -> Path:
    folder.mkdir()
    make_world(folder, rare=False, seed=11)
    return folder / "series.parquet"


def test_whether_a_cell_near_the_bound_counts_is_the_same_in_every_question(
    worlds: tuple[PublicSearch, PublicSearch],
) -> None:
    """By whom it moves: else the share of questions in which it counts would tell how many they are."""
    search = worlds[0]
    models = (f"Model {number}" for number in range(6))
    cells = [{"all": [{"field": "source_id", "in": ["A"]}, {"field": "Modality", "in": ["CT"]},
                      {"field": "Model", "in": [model]}]} for model in models]  # fmt: skip
    near = [
        cell for cell in cells if 11 <= search.engine.answer(parse_query(cell, SCHEMA), facets=()).total.people <= 14
    ]
    named: dict[str, Any] = {"field": "source_id", "in": ["A"]}
    assert near
    for cell in near:
        same = set()
        for idle in idle_groups(12):
            base = {"any": [named, {"all": [idle, {"field": "Modality", "in": ["MR", "PT"]}]}]}
            questions = [
                prepared(search.engine.index, parse_query(said, SCHEMA))
                for said in (base, {"all": [base, {"not": cell}]})
            ]
            with_and_without = [
                settle(search._trials(Tallies(search.engine, Question(one)), CountPolicy(), Moved.PEOPLE), one)
                for one in questions
            ]
            same.add(with_and_without[0] == with_and_without[1])
        assert len(same) == 1


def test_which_of_two_criteria_is_left_out_does_not_tell_who_is_in_them(
    worlds: tuple[PublicSearch, PublicSearch],
) -> None:
    """Of two that say nearly the same, the target alone meets one only: what moves fewest first would tell that."""
    named: dict[str, Any] = {"field": "source_id", "in": ["A"]}
    models: dict[str, Any] = {"field": "Model", "in": list(MODELS)}
    maker: dict[str, Any] = {"not": {"field": "Maker", "in": ["Another maker"]}}
    alike = []
    for search in worlds:
        answers = [asked(search, {"all": [named, *parts]}) for parts in ([models, maker], [models], [maker])]
        both, first, second = ((one.total, one.facets) for one in answers)
        alike.append((both == first, both == second))
    assert alike[0] == alike[1] and sum(alike[0]) == 1


def test_what_other_sources_cannot_answer_gives_a_group_of_one_no_new_number(tmp_path: Path) -> None:
    """Averaging over idle criteria on fields that others lack: a group of A as if it were asked of B to H."""
    fields = [f"Stated but in {name}" for name in "BCDEFGH"]
    rng = np.random.default_rng(8)
    rows = pd.DataFrame(
        {
            "Person": [f"p{number}" for number in range(600)],
            "StudyInstanceUID": [f"1.{number}" for number in range(600)],
            "SeriesInstanceUID": [f"1.{number}.1" for number in range(600)],
            "source_id": rng.choice(list("ABCDEFGH"), 600),
        }
    )
    for name in fields:
        rows[name] = ["yes" if source != name[-1] else None for source in rows["source_id"]]
    rows.to_parquet(tmp_path / "rows.parquet")
    schema = SearchSchema(
        fields=tuple(SearchField(name, FieldKind.TERM, name) for name in ("source_id", *fields)), person=("Person",)
    )
    search = search_of(build_index([tmp_path / "rows.parquet"], tmp_path / "i", schema=schema, release="1"))
    stated = [{"field": name, "in": ["yes"]} for name in fields]
    idle = [{"any": [one, {"not": one}]} for one in stated]
    totals = set()
    for group in ({"field": "source_id", "in": ["A"]}, {"not": {"field": "source_id", "in": list("BCDEFGH")}}):
        answers = [
            search.answer(parse_query({"all": [group, *idle[at : at + width]]}, schema), facets=())
            for at in range(len(idle))
            for width in range(1, 4)
        ]
        assert len({one.refused for one in answers}) > 7
        totals |= {one.total for one in answers}
    assert len(totals) == 1


def test_a_question_written_otherwise_is_the_same_question(worlds: tuple[PublicSearch, PublicSearch]) -> None:
    """Averaging: ages in pieces, neither of the opposites, what is left of a list, each with a draw of its own."""
    search = worlds[0]
    group = {"field": "PatientSex", "in": ["F"]}
    ages = [
        [(30, 84)], [(30, 44), (45, 84)], [(30, 54), (55, 84)], [(30, 49), (50, 64), (65, 84)], [(30, 64), (50, 84)],
        [(30, 39), (40, 59), (60, 74), (75, 84)],
    ]  # fmt: skip
    forms: list[dict[str, Any]] = []
    for pieces in ages:
        some = {"any": [{"field": "AgeAtStudy", "from": low, "to": high} for low, high in pieces]}
        forms += [{"all": [group, some]}, {"not": {"any": [{"not": group}, {"not": some}]}}]
    assert len({total_of(search, form) for form in forms}) == 1


def test_how_much_is_left_out_does_not_tell_whether_a_cell_is_empty(tmp_path: Path) -> None:
    """Small cells beside a group, up to where they are too many, and one more that holds the target or nobody."""
    small = [
        {"all": [{"field": "Model", "in": [f"Model {at % 6}"]}, {"field": "PatientSex", "in": ["FM"[at % 2]]},
                 {"field": "AgeAtStudy", "from": 30 + 5 * at, "to": 34 + 5 * at}]}
        for at in range(11)
    ]  # fmt: skip
    group = {"all": [{"field": "Modality", "in": ["MR"]}, {"field": "source_id", "in": ["B", "C"]}]}
    shown = []
    for rare in (False, True):
        (tmp_path / str(rare)).mkdir()
        search = search_of(make_world(tmp_path / str(rare), rare=rare, seed=4))
        asked_for = [[*small[:at], *small[at + 1 : most], CELL] for most in range(3, 9) for at in range(most)]
        shown.append([total_of(search, {"any": [group, *cells]}) for cells in asked_for])
    assert shown[0] == shown[1] and len(set(shown[0])) == 2


def test_a_value_that_one_person_has_does_not_show_where_all_others_are_shown(tmp_path: Path) -> None:
    """Also those who state none are enough to be shown, so that there was nothing else to hide."""
    hidden = []
    for secretly in (False, True):
        rows = pd.read_parquet(world_rows(tmp_path / str(secretly)))
        rows.loc[rows.index[100:160], "PatientSex"] = None
        if secretly:
            rows.loc[0, "PatientSex"] = "Nobody else's"
        rows.to_parquet(tmp_path / f"{secretly}.parquet")
        index = build_index([tmp_path / f"{secretly}.parquet"], tmp_path / f"i{secretly}", schema=SCHEMA, release="1")
        (facet,) = search_of(index).answer(parse_query({"all": []}, SCHEMA), facets=("PatientSex",)).facets
        assert {one.value for one in facet.values} == {"", "F", "M"}
        hidden.append(facet.hidden)
    assert hidden[0] == hidden[1]
