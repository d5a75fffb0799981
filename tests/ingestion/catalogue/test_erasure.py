"""Erasing a withdrawn source: nothing of it is left, nothing of another is touched, a kill is harmless."""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from dagster._core.storage.event_log.schema import SqlEventLogStorageMetadata
from dagster._core.storage.runs.schema import RunStorageSqlMetadata
from made_sources import MadeSource, World, make_entry, make_registry, make_source
from sqlalchemy import insert, text
from typer.testing import CliRunner

from ingestion.accounting import tables as ledger_tables
from ingestion.accounting.database import engine_of
from ingestion.accounting.erasure import SourceErasedError, read_erasure, refuse_erased
from ingestion.accounting.ledger import Ledger
from ingestion.accounting.reconcile import reconcile
from ingestion.catalogue import tables as t
from ingestion.catalogue.clinical import ClinicalRole, register_clinical
from ingestion.catalogue.erasure.erase import NotErasableError, Place, erase
from ingestion.catalogue.erasure.holdings import find_holdings, source_of
from ingestion.catalogue.erasure.releases import take_out_of_releases
from ingestion.catalogue.erasure.tombstone import group_series, read_tombstone, series_digest
from ingestion.catalogue.exports.record_level import RecordTables
from ingestion.catalogue.exports.view import ReleaseView
from ingestion.catalogue.linked_people import LINKED, PERSON
from ingestion.catalogue.migrate import upgrade
from ingestion.catalogue.rebuild import rebuild
from ingestion.catalogue.release import build_release
from ingestion.catalogue.release_diff import diff_releases
from ingestion.catalogue.release_manifest import ReleaseManifest, list_releases, read_release, release_key
from ingestion.catalogue.resolve import SeriesNotReleasedError, resolve_series
from ingestion.catalogue.search.release_index import open_release
from ingestion.catalogue.writer import read
from ingestion.cli import build_app
from ingestion.commands import catalogue_erase as command
from ingestion.sources.registry import Registry, SourceEntry
from ingestion.storage import StoreError
from ingestion.storage.folder import FolderStore

pytestmark = pytest.mark.stack
TODAY = dt.date(2026, 11, 24)
GONE, STAYS = "TEST-LUNG-01", "TEST-LUNG-02"
V1, V2, V3 = "2026.11.1", "2026.11.2", "2026.11.3"
BY = "data protection officer, request 1"
PEOPLE = 4
LAST = "2.25.40101"
"""A series of the fourth person, whom only the source that goes has."""


def entry_of(source_id: str, *, withdrawn: bool = False) -> SourceEntry:
    entry = make_entry(source_id)
    day = TODAY.isoformat() if withdrawn else None
    return make_entry(source_id, agreement=entry.agreement.model_dump(mode="json") | {"withdrawn_on": day})


BEFORE = make_registry(entry_of(GONE), entry_of(STAYS))
AFTER = make_registry(entry_of(GONE, withdrawn=True), entry_of(STAYS))


def made(source_id: str) -> MadeSource:
    return make_source(source_id, patients=PEOPLE if source_id == GONE else PEOPLE - 1, series=1)


def put_the_rest(world: World, source: MadeSource) -> None:
    """Images, rows of the ledger, and one object of every other kind that the platform keeps of a source."""
    source_id = source.entry.id
    for manifest in source.manifests:
        for item in manifest.instances:
            world.research.create(item.key, f"image of {manifest.PatientID}".encode())
    for folder in (
        "judgements",
        "crossing",
        "crossings",
        "vocabulary/unknown",
        "clinical",
        "examinations",
        "measurements",
    ):
        key = f"{folder}/{source_id}/kept.bin"
        world.internal.create(key, f"of {source_id}-0001".encode())
    with world.engine.begin() as connection:
        for table in ledger_tables.metadata.sorted_tables:
            row = {column.name: _some(column, source_id) for column in table.columns if column.server_default is None}
            connection.execute(insert(table), [row])


def _some(column: Any, source_id: str) -> Any:
    kind = column.type.python_type
    if column.name in ("source_id", "key_id"):
        return source_id[-12:] if column.name == "key_id" else source_id
    return "accepted" if column.name == "state" else "0" if kind is str else kind(1)


def two_releases_and_a_withdrawal(world: World) -> World:
    for source in (made(GONE), made(STAYS)):
        world.publish(source)
        put_the_rest(world, source)
    build(world, BEFORE)
    changed = made(GONE)
    first = replace(changed.manifests[0], instances=changed.manifests[0].instances[:-1])
    world.publish(replace(changed, manifests=[first, *changed.manifests[1:]]))
    build(world, BEFORE)
    build(world, AFTER)
    return world


@pytest.fixture(scope="module")
def new_world(
    new_database: Callable[[], AbstractContextManager[str]], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], AbstractContextManager[World]]:
    @dataclass
    class Made:
        def __enter__(self) -> World:
            folder = tmp_path_factory.mktemp("erasure")
            self.database = new_database()
            url = self.database.__enter__()
            upgrade(url)
            self.engine = engine_of(url)
            stores = (FolderStore(folder / name, durable=False) for name in ("research", "internal"))
            return two_releases_and_a_withdrawal(World(self.engine, *stores))

        def __exit__(self, *error: object) -> None:
            self.engine.dispose()
            self.database.__exit__(None, None, None)

    return Made


@pytest.fixture
def withdrawn(new_world: Callable[[], AbstractContextManager[World]]) -> Iterator[World]:
    with new_world() as world:
        yield world


def build(world: World, registry: Registry) -> str:
    return build_release(world.engine, world.research, world.internal, registry, today=TODAY).version


def place_of(world: World, search: Path) -> Place:
    return Place(world.engine, world.research, world.internal, search)  # type: ignore[arg-type]


def root_of(store: object) -> Path:
    assert isinstance(store, FolderStore)
    return store.root


def dump(world: World) -> dict[str, Any]:
    """All that is kept: bytes by key, rows by table."""
    found: dict[str, Any] = {}
    for name, store in (("research", world.research), ("internal", world.internal)):
        found |= {f"{name}/{stored.key}": store.read(stored.key) for stored in store.list()}
    with world.engine.connect() as connection:
        for table in (*t.metadata.sorted_tables, *ledger_tables.metadata.sorted_tables):
            rows = connection.execute(text(f'SELECT * FROM cie."{table.name}"')).mappings()
            found[f"rows/{table.name}"] = sorted(
                json.dumps({k: str(v) for k, v in row.items() if not k.endswith("_at")}, sort_keys=True) for row in rows
            )
    return found


def readable(key: str, value: Any) -> str:
    if isinstance(value, list):
        return "\n".join(value)
    if key.endswith(".parquet"):
        try:
            table = pq.read_table(io.BytesIO(value))
        except OSError:
            return str(value)
        return json.dumps(table.to_pylist(), default=str)
    return str(value, "utf-8")


def naming(world: World, needles: Sequence[str]) -> list[str]:
    return [key for key, value in dump(world).items() if any(one in key + readable(key, value) for one in needles)]


def test_nothing_of_the_source_is_left_and_nothing_of_another_is_touched(withdrawn: World, tmp_path: Path) -> None:
    people = [f"{GONE}-{number:04d}" for number in range(1, PEOPLE + 1)]
    assert len(naming(withdrawn, people)) > 15
    before = dump(withdrawn)
    found = find_holdings(withdrawn.engine, place_of(withdrawn, tmp_path).buckets, tmp_path, GONE)
    record, left = erase(place_of(withdrawn, tmp_path), AFTER, GONE, today=TODAY, by=BY)
    assert left.nothing
    assert naming(withdrawn, [*people, LAST]) == []
    after = dump(withdrawn)
    lost = before.keys() - after.keys()
    assert {source_of(key.partition("/")[2]) for key in lost} == {GONE}
    assert after.keys() - before.keys() == {
        f"research/erasures/{GONE}.json", f"internal/erasures/{GONE}.json", f"internal/erasures/{GONE}.names.json"
    }  # fmt: skip
    other = {key for key in before.keys() & after.keys() if before[key] != after[key]}
    assert {key.rpartition("/")[2] for key in other if not key.startswith("rows/")} == {
        "manifest.json", "collection.parquet"
    }  # fmt: skip
    assert {key for key in other if key.endswith(".parquet")} == {
        f"internal/{release_key(version, 'collection.parquet')}" for version in (V1, V2)
    }
    for key in other:
        if key.startswith("rows/"):
            assert set(after[key]) == {row for row in before[key] if f'"source_id": "{GONE}"' not in row}, key
    assert len(lost) == sum(number for number, _ in record.objects.values()) == found.number_of_objects
    assert set(record.rows) == {
        *(table.name for table in (t.publication, t.release_series, *t.ROW_TABLES)),
        *(table.name for table in ledger_tables.metadata.sorted_tables),
    } - {"source_key", "lineage"} | ({"lineage"} & set(record.rows))  # fmt: skip


def test_the_releases_keep_version_counts_and_the_files_of_the_others(withdrawn: World, tmp_path: Path) -> None:
    before = {release.version: release for release in list_releases(withdrawn.research)}
    view = {version: ReleaseView.read(withdrawn.research, version).rows for version in (V1, V2, V3)}
    told = read(withdrawn.engine, t.release)
    erase(place_of(withdrawn, tmp_path), AFTER, GONE, today=TODAY, by=BY)
    assert [release.version for release in list_releases(withdrawn.research)] == [V1, V2, V3]
    for version in (V1, V2):
        release, was = read_release(withdrawn.research, version), before[version]
        assert (release.rows, release.content_digest, release.people) == (was.rows, was.content_digest, was.people)
        assert release.sources == (STAYS,)
        assert release.built_with == was.sources == (GONE, STAYS)
        [gone] = release.erased
        assert gone.files == tuple(file for file in was.files if file.source_id == GONE)
        assert (gone.source_id, gone.erased_on, gone.reason) == (GONE, "2026-11-24", "withdrawn on 2026-11-24")
        assert ReleaseManifest.from_json(release.to_json()) == release
        for file in release.files:
            assert withdrawn.research.exists(release_key(version, file.path)), file.path
        tables = RecordTables.of(withdrawn.research, version)
        assert [source_id for source_id, _ in tables.each("series")] == [STAYS]
    assert read_release(withdrawn.research, V3) == before[V3]
    assert {version: ReleaseView.read(withdrawn.research, version).rows for version in view} == view
    assert diff_releases(withdrawn.research, V2, V3).sources_removed == (GONE,)
    with withdrawn.engine.begin() as connection:
        connection.execute(text("DELETE FROM cie.release"))
    rebuild(withdrawn.engine, withdrawn.research, withdrawn.internal, AFTER)
    assert read(withdrawn.engine, t.release).equals(told)


def test_a_series_of_it_resolves_at_any_version_to_the_day_of_its_erasure(withdrawn: World, tmp_path: Path) -> None:
    other = resolve_series(withdrawn.research, "2.25.20101")
    erase(place_of(withdrawn, tmp_path), AFTER, GONE, today=TODAY, by=BY)
    found = resolve_series(withdrawn.research, LAST)
    assert [(one.version, one.source_id, one.erased_on) for one in found] == [
        (V1, GONE, "2026-11-24"), (V2, GONE, "2026-11-24"),
    ]  # fmt: skip
    assert all(one.instances == () and one.manifest_key is None for one in found)
    assert resolve_series(withdrawn.research, LAST, version=V1)[0].erased_on == "2026-11-24"
    with pytest.raises(SeriesNotReleasedError):
        resolve_series(withdrawn.research, LAST, version=V3)
    with pytest.raises(SeriesNotReleasedError):
        resolve_series(withdrawn.research, "2.25.4711")
    # both sources are made with the same UIDs: that of the other one resolves as before, beside the erased one
    assert [one for one in resolve_series(withdrawn.research, "2.25.20101") if one.erased_on is None] == [
        one for one in other if one.source_id == STAYS
    ]
    tombstone = read_tombstone(withdrawn.research, GONE)
    assert tombstone is not None
    assert "2.25." not in tombstone.to_json().decode()


def test_it_is_refused_while_it_is_not_withdrawn_or_the_newest_release_holds_it(world: World, tmp_path: Path) -> None:
    world.publish(made(GONE))
    build(world, BEFORE)
    before = dump(world)
    for registry, told in ((BEFORE, "not withdrawn"), (AFTER, "cie release build")):
        with pytest.raises(NotErasableError, match=told):
            erase(place_of(world, tmp_path), registry, GONE, today=TODAY, by=BY)
    with pytest.raises(NotErasableError, match="not withdrawn"):
        erase(place_of(world, tmp_path), AFTER, GONE, today=TODAY - dt.timedelta(days=1), by=BY)
    assert dump(world) == before


def test_again_it_changes_nothing_and_keeps_the_first_day(withdrawn: World, tmp_path: Path) -> None:
    first, _ = erase(place_of(withdrawn, tmp_path), AFTER, GONE, today=TODAY, by=BY)
    before = dump(withdrawn)
    later = TODAY + dt.timedelta(days=9)
    again, left = erase(place_of(withdrawn, tmp_path), AFTER, GONE, today=later, by="somebody else")
    assert (again, left.nothing) == (first, True)
    assert dump(withdrawn) == before


class KilledError(Exception):
    pass


@dataclass(frozen=True)
class Dying(FolderStore):
    """Lets so many changes through, one object each, and then dies in the middle."""

    left: list[int] = field(default_factory=list)

    def _spend(self) -> None:
        if not self.left[0]:
            raise KilledError
        self.left[0] -= 1

    def create(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> bool:
        if self.exists(key):
            return False
        self._spend()
        return FolderStore.create(self, key, body, content_type=content_type)

    def replace(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> None:
        self._spend()
        FolderStore.replace(self, key, body, content_type=content_type)

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            if self.exists(key):
                self._spend()
                FolderStore.delete(self, [key])


def test_killed_at_any_moment_it_ends_the_same_when_it_is_run_again(
    new_world: Callable[[], AbstractContextManager[World]], tmp_path: Path
) -> None:
    with new_world() as whole, new_world() as world:
        erase(place_of(whole, tmp_path), AFTER, GONE, today=TODAY, by=BY)
        kills, steps = 0, 1
        while True:
            left = [steps]
            research, internal = (Dying(root_of(one), False, left) for one in (world.research, world.internal))
            try:
                place = Place(world.engine, research, internal, tmp_path)
                _, holdings = erase(place, AFTER, GONE, today=TODAY, by=BY)
                break
            except KilledError:
                kills += 1
            steps = 1 if kills < 8 else 40  # each of the first changes alone: record, tombstone, manifests
            for release in list_releases(world.research):
                for source_id, _ in RecordTables(world.research, release).each("series"):
                    assert source_id in (GONE, STAYS)
            assert [one.version for one in resolve_series(world.research, LAST)] == [V1, V2]
            if read_erasure(world.internal, GONE) is not None:
                counts = rebuild(world.engine, world.research, world.internal, AFTER)
                assert GONE not in counts
        assert kills >= 8
        assert holdings.nothing
        assert dump(world).keys() == dump(whole).keys()
        for key, value in dump(whole).items():
            if not key.startswith("internal/erasures"):  # the rebuild between two kills took rows away before
                assert dump(world)[key] == value, key


def test_it_does_not_come_back(withdrawn: World, tmp_path: Path) -> None:
    erase(place_of(withdrawn, tmp_path), AFTER, GONE, today=TODAY, by=BY)
    before = dump(withdrawn)
    with pytest.raises(SourceErasedError, match="erased on 2026-11-24"):
        refuse_erased(withdrawn.internal, GONE)
    with pytest.raises(SourceErasedError):
        register_clinical(withdrawn.internal, GONE, b"patient\n", {ClinicalRole.PATIENT: "patient"})
    assert set(rebuild(withdrawn.engine, withdrawn.research, withdrawn.internal, BEFORE)) == {STAYS}
    assert dump(withdrawn) == before
    with pytest.raises(SourceErasedError):
        withdrawn.publish(made(GONE))
    assert build(withdrawn, AFTER) == V3


def test_the_accounting_of_an_erased_source_adds_up_as_erased(withdrawn: World, tmp_path: Path) -> None:
    counts = made(GONE).state().counts
    erase(place_of(withdrawn, tmp_path), AFTER, GONE, today=TODAY, by=BY)
    ledger, stores = Ledger(withdrawn.engine), {"research": withdrawn.research, "internal": withdrawn.internal}
    account = reconcile(GONE, ledger=ledger, **stores)
    assert account.adds_up
    assert (account.erased_on, account.stored, account.in_manifests) == ("2026-11-24", 0, 0)
    assert account.counts.accepted == counts.accepted - 1  # the second release has an instance less
    assert account.inventory == account.counts.delivered
    withdrawn.research.create(f"dicom/{GONE}/2.25.1/again.dcm", b"")
    again = reconcile(GONE, ledger=ledger, **stores)
    assert not again.adds_up
    assert "cie catalogue erase" in again.problems[0]
    found = find_holdings(withdrawn.engine, place_of(withdrawn, tmp_path).buckets, tmp_path, GONE)
    assert found.objects == {"research/dicom": (1, 0)}


def test_indexes_with_rows_of_it_go_and_are_made_anew_without(withdrawn: World, tmp_path: Path) -> None:
    release = read_release(withdrawn.research, V1)
    index = open_release(withdrawn.research, release, tmp_path, internal=withdrawn.internal)
    newest = open_release(withdrawn.research, read_release(withdrawn.research, V3), tmp_path)
    assert index.series == 2 * PEOPLE - 1
    erase(place_of(withdrawn, tmp_path), AFTER, GONE, today=TODAY, by=BY)
    assert [path.name.partition("-")[0] for path in tmp_path.iterdir() if path.is_dir()] == [V3]
    again = open_release(withdrawn.research, read_release(withdrawn.research, V1), tmp_path)
    assert again.series == newest.series == PEOPLE - 1


def test_releases_name_no_series_that_they_were_built_without(tmp_path: Path) -> None:
    research, internal = FolderStore(tmp_path / "research"), FolderStore(tmp_path / "internal")
    out = [{"source_id": one, "SeriesInstanceUID": f"2.25.{at}", "reason": "r"} for at, one in enumerate((GONE, STAYS))]
    diff = {"after": V1, "series_left_out": out, "series_let_in": out, "tables": [{"source_id": GONE}]}
    research.create(release_key(V1, "diff.json"), json.dumps(diff).encode())
    said = {
        "version": V1, "released_on": "2026-11-24", "previous": None, "content_digest": "0", "small_count": 10,
        "sources": [GONE, STAYS], "excluded": [], "series_left_out": out,
        "files": [{"path": "diff.json", "sha256": "0", "size": 1, "table": None, "source_id": None, "rows": None}],
    }  # fmt: skip
    research.create(release_key(V1, "manifest.json"), json.dumps(said).encode())
    linked = [(GONE, "a", 1), (STAYS, "b", 1), (STAYS, "c", 2), ("TEST-LUNG-03", "d", 2)]
    columns = dict(zip(("source_id", "PatientID", PERSON), map(list, zip(*linked, strict=True)), strict=True))
    body = io.BytesIO()
    pq.write_table(pq.read_table(io.BytesIO(_parquet(columns))), body)
    internal.create(release_key(V1, LINKED), body.getvalue())
    changed = take_out_of_releases(research, internal, GONE, erased_on="2026-11-24", reason="r")
    assert changed == (V1,)
    release = read_release(research, V1)
    assert [one.source_id for one in release.series_left_out] == [STAYS]
    [gone] = release.erased
    assert (gone.series_left_out, [one.path for one in gone.replaced]) == (1, ["diff.json"])
    assert gone.replaced[0].sha256_before == "0"
    assert gone.replaced[0].sha256_after == release.files[0].sha256
    left = json.loads(research.read(release_key(V1, "diff.json")))
    assert [one["source_id"] for one in left["series_left_out"] + left["series_let_in"]] == [STAYS, STAYS]
    assert left["tables"] == [{"source_id": GONE}]
    people = pq.read_table(io.BytesIO(internal.read(release_key(V1, LINKED)))).to_pylist()
    assert [(one["source_id"], one["PatientID"]) for one in people] == [(STAYS, "c"), ("TEST-LUNG-03", "d")]
    assert take_out_of_releases(research, internal, GONE, erased_on="2026-12-24", reason="r") == ()


def made_runs(world: World) -> None:
    """Dagster's own tables, with a run of each source."""
    for made in (RunStorageSqlMetadata, SqlEventLogStorageMetadata):
        made.create_all(world.engine)
    with world.engine.begin() as connection:
        for source_id, uid in ((GONE, LAST), (STAYS, "2.25.20101")):
            event = json.dumps({"data": {"SeriesInstanceUID": uid, "AgeAtStudy": 80.0}})
            values = {
                "run": f"run of {source_id}",
                "source": source_id,
                "event": event,
                "day": dt.datetime(2026, 11, 24),
            }
            for statement in (
                "INSERT INTO runs (run_id, run_body) VALUES (:run, :event)",
                "INSERT INTO run_tags (run_id, key, value) VALUES (:run, 'dagster/partition', :source)",
                "INSERT INTO event_logs (run_id, event, timestamp) VALUES (:run, :event, :day)",
                "INSERT INTO asset_check_executions (run_id, evaluation_event) VALUES (:run, :event)",
                "INSERT INTO asset_keys (asset_key, last_materialization, last_run_id) VALUES (:source, :event, :run)",
                "INSERT INTO asset_event_tags (event_id, asset_key, key, value, event_timestamp) "
                "SELECT id, :source, 'k', 'v', :day FROM event_logs WHERE run_id = :run",
            ):
                connection.execute(text(statement), values)


def test_its_runs_go_and_nobody_names_its_people_any_more(withdrawn: World, tmp_path: Path) -> None:
    made_runs(withdrawn)
    told = f"the same as series {LAST} of {GONE}, of {GONE}-ABCDEFGH234567AB, not series 2.25.4711"
    left = f"the same as series erased of {GONE}, of erased, not series 2.25.4711"
    folder = f"quality/{STAYS}/0"
    withdrawn.internal.create(f"{folder}/report.html", told.encode())
    withdrawn.internal.create(f"{folder}/verdict.json", json.dumps({"é": told}).encode())
    withdrawn.internal.create(f"{folder}/findings.parquet", _parquet({"detail": [told, None], "rows": [1, 2]}))
    with withdrawn.engine.begin() as connection:
        connection.execute(text("UPDATE event_logs SET event = :said WHERE run_id LIKE '%02'"), {"said": told})
        change = f"UPDATE cie.quality SET \"Other\" = CAST(:said AS jsonb) WHERE source_id = '{STAYS}'"
        connection.execute(text(change), {"said": json.dumps({"detail": told})})
    found = find_holdings(withdrawn.engine, place_of(withdrawn, tmp_path).buckets, tmp_path, GONE)
    assert found.mentions["reports of other sources"] == 3
    assert sum(found.runs.values()) == 6
    record, holdings = erase(place_of(withdrawn, tmp_path), AFTER, GONE, today=TODAY, by=BY)
    assert holdings.nothing
    assert record.mentions == found.mentions
    assert withdrawn.internal.read(f"{folder}/report.html").decode() == left
    assert json.loads(withdrawn.internal.read(f"{folder}/verdict.json")) == {"é": left}
    rows = pq.read_table(io.BytesIO(withdrawn.internal.read(f"{folder}/findings.parquet"))).to_pylist()
    assert rows == [{"detail": left, "rows": 1}, {"detail": None, "rows": 2}]
    with withdrawn.engine.connect() as connection:
        runs = connection.execute(text("SELECT run_id FROM runs")).scalars().all()
        events = connection.execute(text("SELECT event FROM event_logs")).scalars().all()
        last = (
            connection.execute(text("SELECT last_materialization FROM asset_keys ORDER BY asset_key")).scalars().all()
        )
        others = connection.execute(text("SELECT DISTINCT \"Other\"->>'detail' FROM cie.quality")).scalars().all()
        tags = connection.execute(text("SELECT count(*) FROM asset_event_tags")).scalar_one()
    assert (runs, events, others, tags) == ([f"run of {STAYS}"], [left], [left], 1)
    assert last[0] is None
    assert "2.25.20101" in last[1]
    names = withdrawn.internal.read(f"erasures/{GONE}.names.json").decode()
    assert "2.25." not in names
    again, _ = erase(place_of(withdrawn, tmp_path), AFTER, GONE, today=TODAY, by=BY)
    assert again == record


def _parquet(columns: dict[str, list[Any]]) -> bytes:
    import pyarrow as pa

    body = io.BytesIO()
    pq.write_table(pa.table(columns), body)
    return body.getvalue()


@pytest.mark.parametrize(
    ("key", "source_id"),
    [
        ("dicom/A-1/2.25.1/2.dcm", "A-1"), ("state/A-1/00000001.json", "A-1"), ("features/A-1/tables/0.parquet", "A-1"),
        ("vocabulary/unknown/A-1/00000001.json", "A-1"), ("vocabulary/mappings/00000001.json", None),
        ("releases/2026.11.1/series/A-1.parquet", "A-1"), ("releases/2026.11.1/datacite/A-1.json", None),
        ("releases/2026.11.1/manifest.json", None), ("erasures/A-1.json", None),
    ],
)  # fmt: skip
def test_the_walk_knows_whose_each_object_is(key: str, source_id: str | None) -> None:
    assert source_of(key) == source_id


def test_series_are_kept_by_digest_and_grouped_by_the_releases_that_held_them() -> None:
    one, two = group_series({V1: ["2.25.1", "2.25.2"], V2: ["2.25.2"]})
    assert (one.releases, one.digests) == ((V1,), (series_digest("2.25.1"),))
    assert (two.releases, two.digests) == ((V1, V2), (series_digest("2.25.2"),))


def test_a_store_that_fails_leaves_an_error_and_not_a_success(withdrawn: World, tmp_path: Path) -> None:
    class Failing(FolderStore):
        def delete(self, keys: Sequence[str]) -> None:
            raise StoreError("the store refused")

    place = Place(
        withdrawn.engine, Failing(root_of(withdrawn.research)), Failing(root_of(withdrawn.internal)), tmp_path
    )
    with pytest.raises(StoreError):
        erase(place, AFTER, GONE, today=TODAY, by=BY)


def test_the_command_shows_then_deletes_and_says_what_is_left(
    withdrawn: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*words: str) -> tuple[int, str]:
        found = CliRunner().invoke(build_app("catalogue"), ["catalogue", "erase", *words], env={"COLUMNS": "200"})
        return found.exit_code, " ".join(found.output.split())

    monkeypatch.setattr(command, "place_of", lambda settings: place_of(withdrawn, tmp_path))
    monkeypatch.setattr(command, "load_registry", lambda file: BEFORE)
    code, output = run(GONE, "--yes", "--by", BY)
    assert (code, "is not withdrawn" in output) == (2, True)
    monkeypatch.setattr(command, "load_registry", lambda file: AFTER)
    before = dump(withdrawn)
    code, output = run(GONE)
    assert (code, "nothing was deleted" in output, "research/dicom" in output) == (0, True, True)
    code, output = run(GONE, "--yes")
    assert (code, "--by" in output) == (2, True)
    assert dump(withdrawn) == before
    code, output = run(GONE, "--yes", "--by", BY, "--json")
    said = json.loads(output)
    assert (code, said["nothing_left"], said["record"]["by"]) == (0, True, BY)
    code, output = run(GONE)
    assert (code, f"nothing is kept of {GONE}" in output) == (0, True)
    code, output = run("TEST-NOBODY-09")
    assert (code, "no source" in output) == (2, True)
