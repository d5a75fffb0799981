"""Attacks by panels, by what sources can't answer, and by counts of series, replayed."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from ingestion.benchmarks.small_counts import MODELS, SCHEMA, make_world
from ingestion.catalogue.search.build import build_index
from ingestion.catalogue.search.engine import SearchEngine
from ingestion.catalogue.search.fields import FieldKind, SearchField, SearchSchema
from ingestion.catalogue.search.protection import CountPolicy, Protection, PublicCounts
from ingestion.catalogue.search.public import PublicSearch
from ingestion.catalogue.search.query import parse_query

SECRETS = [bytes([number]) * 32 for number in range(8)]


def values(search: PublicSearch, schema: SearchSchema, said: dict[str, Any], field: str) -> dict[str, PublicCounts]:
    (facet,) = search.answer(parse_query(said, schema), facets=(field,)).facets
    return {one.value: one.counts for one in facet.values}


def test_which_criterion_is_left_out_of_a_value_does_not_tell_who_is_in_it(tmp_path: Path) -> None:
    """Of two that say nearly the same of source A, the target alone meets one only."""
    alike: list[tuple[bool, bool]] = []
    for rare in (False, True):
        folder = tmp_path / str(rare)
        folder.mkdir()
        make_world(folder, rare=rare, seed=11)
        rows = pd.read_parquet(folder / "series.parquet")
        in_b = rows.index[rows["source_id"] == "B"][:40]
        in_c = rows.index[(rows["source_id"] == "C") & (rows["Model"] == "Model 0")][:40]
        # elsewhere they say other things, so that both stay in the question
        rows.loc[in_b, ["Model", "Maker"]] = ["Rare scanner", "Maker of the rare scanner"]
        rows.loc[in_c, "Maker"] = "Another maker"
        rows.to_parquet(folder / "rows.parquet")
        index = build_index([folder / "rows.parquet"], folder / "i", schema=SCHEMA, release="1")
        models = {"field": "Model", "in": list(MODELS)}
        maker = {"not": {"field": "Maker", "in": ["Another maker"]}}
        for secret in SECRETS:
            search = PublicSearch(SearchEngine(index), Protection(secret=secret))
            both, first, second = (
                values(search, SCHEMA, {"all": said}, "source_id")["A"].people
                for said in ([models, maker], [models], [maker])
            )
            alike.append((both == first, both == second))
    # it is the number of one and the same criterion in both worlds; of the other it may be by chance
    assert any(all(one[at] for one in alike) for at in (0, 1))


@pytest.fixture(scope="module")
def stating(tmp_path_factory: pytest.TempPathFactory) -> tuple[PublicSearch, SearchSchema, list[dict[str, Any]]]:
    """Sources A to H, of which B to H lack a field each; a group that only A has people of; criteria all meet."""
    folder = tmp_path_factory.mktemp("stating")
    rng = np.random.default_rng(8)
    rows = pd.DataFrame(
        {
            "Person": [f"p{number}" for number in range(600)],
            "StudyInstanceUID": [f"1.{number}" for number in range(600)],
            "SeriesInstanceUID": [f"1.{number}.1" for number in range(600)],
            "source_id": rng.choice(list("AAAABCDEFGH"), 600),
            "Sex": rng.choice(["F", "M"], 600),
        }
    )
    rows["Model"] = np.where((rows["source_id"] == "A") & (rng.random(600) < 0.4), "X", "Y")
    fields = [f"Stated but in {name}" for name in "BCDEFGH"]
    for name in fields:
        rows[name] = ["yes" if source != name[-1] else None for source in rows["source_id"]]
    rows.to_parquet(folder / "rows.parquet")
    named = ("source_id", "Sex", "Model", *fields)
    schema = SearchSchema(fields=tuple(SearchField(name, FieldKind.TERM, name) for name in named), person=("Person",))
    index = build_index([folder / "rows.parquet"], folder / "i", schema=schema, release="1")
    search = PublicSearch(SearchEngine(index), Protection(secret=SECRETS[1]))
    return search, schema, [{"field": name, "in": ["yes"]} for name in fields]


def test_what_other_sources_cannot_answer_gives_a_group_no_new_number(
    stating: tuple[PublicSearch, SearchSchema, list[dict[str, Any]]],
) -> None:
    """Averaging: nothing but the data says that the group is of one source; others can't answer criteria all meet."""
    search, schema, idle = stating
    group = {"field": "Model", "in": ["X"]}
    totals, panels, refused = set(), set(), set()
    for many in range(4):
        for some in itertools.combinations(idle, many):
            said = {"all": [group, *some]}
            answer = search.answer(parse_query(said, schema), facets=())
            totals.add(answer.total)
            refused.add(answer.refused)
            panels.add(tuple(values(search, schema, said, "Sex").items()))
            panels.add(tuple(values(search, schema, {"all": list(some)}, "Model")["X"] for _ in range(2)))
    assert len(refused) == 64 and len(totals) == 1
    # the group as a selection and as a value of the panel of everybody: one draw each
    assert len({one for one in panels if len(one) == 2 and isinstance(one[0], PublicCounts)}) == 1
    assert len({one for one in panels if isinstance(one[0], tuple)}) == 1


def test_a_source_with_people_in_the_group_stays_refused(
    stating: tuple[PublicSearch, SearchSchema, list[dict[str, Any]]],
) -> None:
    search, schema, idle = stating
    everybody = search.answer(parse_query({"field": "Model", "in": ["Y"]}, schema), facets=()).total.people
    without = search.answer(parse_query({"all": [{"field": "Model", "in": ["Y"]}, *idle]}, schema), facets=())
    assert {one.source_id for one in without.refused} == set("BCDEFGH")
    exact = search.engine.answer(
        parse_query({"all": [{"field": "Model", "in": ["Y"]}, {"field": "source_id", "in": ["A"]}]}, schema), facets=()
    ).total.people
    assert everybody is not None and without.total.people is not None
    assert everybody > 400 and abs(without.total.people - exact) <= 10


def series_world(folder: Path, *, more: bool) -> PublicSearch:
    """130 people with 20 CT series and a segmentation each; ``more``: one has no segmentation."""
    rows = pd.DataFrame(
        [
            (f"p{person}", f"1.{person}", f"1.{person}.{at}", "A", "SEG" if at == 20 else "CT")
            for person in range(130)
            for at in range(20 if person == 0 and more else 21)
        ],
        columns=["Person", "StudyInstanceUID", "SeriesInstanceUID", "source_id", "Modality"],
    )
    folder.mkdir()
    rows.to_parquet(folder / "rows.parquet")
    schema = SearchSchema(
        fields=tuple(SearchField(name, FieldKind.TERM, name) for name in ("source_id", "Modality")), person=("Person",)
    )
    index = build_index([folder / "rows.parquet"], folder / "i", schema=schema, release="1")
    return PublicSearch(SearchEngine(index), Protection(secret=SECRETS[2]))


def test_series_are_those_asked_for_though_all_people_have_some(tmp_path: Path) -> None:
    """People who have a segmentation are all; their segmentations are not all of their series."""
    for more in (False, True):
        search = series_world(tmp_path / str(more), more=more)
        schema = search.engine.index.schema
        everything = search.answer(parse_query({"all": []}, schema))
        said = parse_query({"field": "Modality", "in": ["SEG"]}, schema)
        asked = search.answer(said, facets=()).total
        shown = values(search, schema, {"all": []}, "Modality")["SEG"]
        assert asked == shown and asked.people == everything.total.people
        assert everything.total.series is not None and everything.total.series >= 2_000
        # in steps of what fifty people bring
        assert asked.series is not None and asked.series <= 1_500
        # who has none is in neither number: with and without the criterion the people are one question
        without = search.answer(parse_query({"not": {"field": "Modality", "in": ["SEG"]}}, schema), facets=()).total
        assert without.people == everything.total.people


def test_numbers_that_mix_a_stricter_source_are_as_coarse_as_its_bound(
    stating: tuple[PublicSearch, SearchSchema, list[dict[str, Any]]],
) -> None:
    """What it hides would else be all people less those of the others."""
    search, schema, _ = stating
    strict = PublicSearch(search.engine, Protection(secret=SECRETS[3]), {"B": CountPolicy(hidden_below=150)})
    total = strict.answer(parse_query({"all": []}, schema), facets=()).total.people
    others = strict.answer(parse_query({"field": "source_id", "in": list("ACDEFGH")}, schema), facets=()).total.people
    assert total is not None and total % 150 == 0 and others is not None and others % 10 == 0
    assert strict.answer(parse_query({"field": "source_id", "in": ["B"]}, schema), facets=()).total.hidden
