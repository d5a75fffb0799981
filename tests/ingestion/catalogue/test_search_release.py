"""The search index of a real release, made from a real catalogue."""

import datetime as dt
import io
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from made_sources import World, make_entry, make_registry, make_source
from sqlalchemy import select, update

from ingestion.catalogue import tables as t
from ingestion.catalogue.linked_people import LINKED
from ingestion.catalogue.release import build_release
from ingestion.catalogue.release_manifest import list_releases, release_key
from ingestion.catalogue.search.engine import SearchEngine
from ingestion.catalogue.search.index import IndexUnusableError
from ingestion.catalogue.search.query import EVERYTHING, parse_query
from ingestion.catalogue.search.records import RecordFormat, Records
from ingestion.catalogue.search.release_index import RELEASE_SCHEMA, ReleaseDamagedError, open_release

pytestmark = pytest.mark.stack
TODAY = dt.date(2026, 11, 24)
LUNG, COLON = "TEST-LUNG-01", "TEST-COLON-01"


@pytest.fixture
def released(world: World) -> World:
    world.publish(make_source(LUNG))
    world.publish(make_source(COLON, patients=12, cancer_type="colon", holder_countries=["PT"]))
    registry = make_registry(make_entry(LUNG), make_entry(COLON, cancer_type="colon", holder_countries=["PT"]))
    build_release(world.engine, world.research, world.internal, registry, today=TODAY)
    return world


def test_counts_of_the_index_are_those_of_the_catalogue(released: World, tmp_path: Path) -> None:
    release = list_releases(released.research)[-1]
    index = open_release(released.research, release, tmp_path / "search")
    engine = SearchEngine(index)
    assert index.series == release.rows["series"] and index.people == release.rows["patient"]
    answer = engine.answer(parse_query({"field": "CancerType", "in": ["colon"]}, RELEASE_SCHEMA))
    assert answer.total.people == 12
    by_country = next(facet for facet in answer.facets if facet.name == "HolderCountries")
    assert by_country.counts.people[by_country.terms.index("PT")] == 12
    # made once, then opened
    assert open_release(released.research, release, tmp_path / "search").folder == index.folder
    assert len(list((tmp_path / "search").glob("*"))) == 1


def test_a_node_has_its_own_sources_and_no_others(released: World, tmp_path: Path) -> None:
    release = list_releases(released.research)[-1]
    folder = tmp_path / "search"
    parts = [open_release(released.research, release, folder, sources=frozenset({one})) for one in (LUNG, COLON)]
    whole = open_release(released.research, release, folder)
    assert sum(part.people for part in parts) == whole.people and all(part.people for part in parts)
    assert [[term for term in part.fields["source_id"].terms if term] for part in parts] == [[LUNG], [COLON]]


def test_a_damaged_release_is_not_searched(released: World, tmp_path: Path) -> None:
    release = list_releases(released.research)[-1]
    file = next(file for file in release.files if file.table == "series")
    path = Path(released.research.root) / release_key(release.version, file.path)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(ReleaseDamagedError, match=file.path):
        open_release(released.research, release, tmp_path / "search")
    assert not list((tmp_path / "search").glob("*"))


def test_an_empty_release_says_so(world: World, tmp_path: Path) -> None:
    build_release(world.engine, world.research, world.internal, make_registry(make_entry(LUNG)), today=TODAY)
    with pytest.raises(IndexUnusableError, match="no series"):
        open_release(world.research, list_releases(world.research)[-1], tmp_path)


@pytest.fixture
def linked(world: World) -> World:
    """Three people of LUNG are in COLON too, under other pseudonyms; one is twice in LUNG."""
    world.publish(make_source(LUNG, patients=15))
    world.publish(make_source(COLON, patients=12, cancer_type="colon", holder_countries=["PT"]))
    p = t.patient.c
    with world.engine.begin() as connection:
        names = {
            source_id: connection.execute(select(p.PatientID).where(p.source_id == source_id).order_by(p.PatientID))
            .scalars().all()
            for source_id in (LUNG, COLON)
        }  # fmt: skip
        same = [((LUNG, at), (COLON, 11 - at)) for at in range(3)] + [((LUNG, 5), (LUNG, 6))]
        for number, places in enumerate(same):
            for source_id, at in places:
                where = (p.source_id == source_id) & (p.PatientID == names[source_id][at])
                connection.execute(update(t.patient).where(where).values(PersonKey=f"{number:064x}"))
    registry = make_registry(make_entry(LUNG), make_entry(COLON, cancer_type="colon", holder_countries=["PT"]))
    build_release(world.engine, world.research, world.internal, registry, today=TODAY)
    return world


def test_a_person_in_two_collections_counts_once_in_totals_and_once_in_each(linked: World, tmp_path: Path) -> None:
    release = list_releases(linked.research)[-1]
    index = open_release(linked.research, release, tmp_path, internal=linked.internal)
    engine = SearchEngine(index)
    answer = engine.answer(EVERYTHING)
    assert answer.total.people == index.people == release.people == 15 + 12 - 3 - 1
    by_source = next(facet for facet in answer.facets if facet.name == "source_id")
    held = dict(zip(by_source.terms, by_source.counts.people, strict=True))
    assert (held[LUNG], held[COLON]) == (14, 12)
    # by pseudonym, as where it is not known who is one person
    assert open_release(linked.research, release, tmp_path).people == 15 + 12
    one = open_release(linked.research, release, tmp_path, sources=frozenset({COLON}), internal=linked.internal)
    assert one.people == 12
    # brute force over the rows of the index, by the table of links
    rows = pd.concat(pd.read_parquet(linked.research.root / "releases" / release.version / "series" / f"{name}.parquet")
                     for name in (LUNG, COLON))  # fmt: skip
    links = pd.read_parquet(linked.internal.root / "releases" / release.version / LINKED)
    merged = rows.merge(links, how="left", on=["source_id", "PatientID"])
    names = merged["Person"].astype("string").fillna(merged["source_id"] + merged["PatientID"])
    for said in ({"field": "CancerType", "in": ["colon"]}, {"field": "PatientSex", "in": ["F"]}):
        query = parse_query(said, RELEASE_SCHEMA)
        wanted = names[merged["source_id"].eq(COLON) if "CancerType" in said.values() else merged["PatientSex"].eq("F")]
        assert engine.answer(query).total.people == wanted.nunique()


def test_the_order_of_rows_does_not_tell_who_is_one_person(linked: World, tmp_path: Path) -> None:
    """Rows are given out as in a release in which nobody is known to be in two collections."""
    release = list_releases(linked.research)[-1]
    known, unknown = (
        Records(open_release(linked.research, release, tmp_path, internal=internal))
        for internal in (linked.internal, None)
    )
    rows = np.arange(known._index.series)
    assert known.page(rows) == unknown.page(rows)
    order = [named(row) for row in unknown.page(rows)]
    some = [named(row) for row in known.page(rows[::3])]
    assert some == [name for name in order if name in some] and len(set(some)) == len(rows[::3])
    for row in rows[:5]:
        name = named(known.one(row))
        assert [named(one) for one in known.page(known.after(known.given(rows), row))] == order[order.index(name) + 1 :]


def named(row: dict[str, object]) -> tuple[object, object]:
    """The made sources share UIDs."""
    return row["source_id"], row["SeriesInstanceUID"]


def test_a_later_number_of_the_same_people_draws_no_count_anew(linked: World, tmp_path: Path) -> None:
    release = list_releases(linked.research)[-1]
    before = open_release(linked.research, release, tmp_path / "before", internal=linked.internal)
    path = linked.internal.root / "releases" / release.version / LINKED
    links = pd.read_parquet(path)
    links["Person"] += 7
    links.to_parquet(path)
    again = open_release(linked.research, release, tmp_path / "again", internal=linked.internal)
    assert again.states == before.states and set(again.states) == {LUNG, COLON}


def test_who_is_one_person_is_told_with_no_row(linked: World, tmp_path: Path) -> None:
    release = list_releases(linked.research)[-1]
    assert not [stored.key for stored in linked.research.list("releases/") if LINKED in stored.key]
    index = open_release(linked.research, release, tmp_path, internal=linked.internal)
    records = Records(index)
    rows = np.arange(index.series)
    assert "Person" not in records.columns and "Person" not in records.one(0) and "Person" not in records.page(rows)[0]
    for kind in (RecordFormat.CSV, RecordFormat.PARQUET, RecordFormat.NDJSON):
        body = b"".join(records.written(rows, kind))
        assert b'"Person"' not in body
        if kind is RecordFormat.PARQUET:
            assert "Person" not in pd.read_parquet(io.BytesIO(body)).columns
    build_release(linked.engine, linked.research, linked.internal, make_registry(
        make_entry(LUNG), make_entry(COLON, cancer_type="colon", holder_countries=["PT"])), today=TODAY,
    )  # fmt: skip
    assert list_releases(linked.research)[-1] == release  # the same again: nothing written
