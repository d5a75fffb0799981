"""The search index of a real release, made from a real catalogue."""

import datetime as dt
from pathlib import Path

import pytest
from made_sources import World, make_entry, make_registry, make_source

from ingestion.catalogue.release import build_release
from ingestion.catalogue.release_manifest import list_releases, release_key
from ingestion.catalogue.search.engine import SearchEngine
from ingestion.catalogue.search.index import IndexUnusableError
from ingestion.catalogue.search.query import parse_query
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
