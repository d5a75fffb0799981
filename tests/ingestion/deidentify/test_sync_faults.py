"""A sync whose source, store or database fails in the middle: a clear error, nothing lost, and the same end after."""

from __future__ import annotations

import errno
import os
import resource
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from sqlalchemy import create_engine, text

from ingestion.accounting.erasure import ErasureRecord, SourceErasedError, erasure_key
from ingestion.accounting.ledger import Ledger, LedgerError, engine_of
from ingestion.accounting.reconcile import reconcile
from ingestion.accounting.source_state import Counts, SourceState
from ingestion.accounting.states import Reason
from ingestion.catalogue.migrate import upgrade
from ingestion.deidentify.folder import FolderUseError, deidentify_folder
from ingestion.deidentify.policy import load_policy
from ingestion.deidentify.source import SourceSync
from ingestion.demo.make import DemoSource, make_source
from ingestion.fanout import Done
from ingestion.identity.keys import KeyInvalidError, SourceKey
from ingestion.sources.connector import DELIVERY_MARKER, Listing, SourceGoneError, SourceObject
from ingestion.sources.folder import FolderConnector
from ingestion.storage import StoreError
from ingestion.storage.folder import FolderStore

SOURCE = DemoSource("FAULTY", "lung", ("CT",), ("IT",))
KEY = SourceKey(SOURCE.id, bytes(range(32)))


class Inline:
    """The fan-out without processes, so that a fault can be counted to the call."""

    def map(self, function: Callable[[Any], Any], tasks: Iterable[Any]) -> Iterator[Any]:
        return map(function, tasks)

    def run(self, function: Callable[[Any], Any], tasks: Sequence[Any]) -> Iterator[Done[Any, Any]]:
        return (Done(task, function(task)) for task in tasks)


@dataclass(eq=False)
class FaultyConnector:
    """A folder source; ``fault`` is called with the number of each read before it."""

    inner: FolderConnector
    fault: Callable[[int], None]
    reads: int = 0

    def listing(self) -> Listing:
        return self.inner.listing()

    def open(self, item: SourceObject) -> BinaryIO:
        return self.inner.open(item)

    def read(self, item: SourceObject, *, limit: int) -> bytes:
        self.reads += 1
        self.fault(self.reads)
        return self.inner.read(item, limit=limit)


@dataclass(frozen=True)
class FullStore(FolderStore):
    """A folder store on a disk that is full after ``room`` objects."""

    room: list[int] = field(default_factory=list)

    def create(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> bool:
        if self.room[0] == 0:
            raise StoreError(f"the folder store could not write {key}: {os.strerror(errno.ENOSPC)}")
        self.room[0] -= 1
        return FolderStore(self.root).create(key, body, content_type=content_type)


@pytest.fixture(scope="module")
def delivery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("sources")
    make_source(SOURCE, root, seed=7, scale=0.3)
    return root / SOURCE.id / "delivery"


@pytest.fixture
def world(delivery: Path, postgres_url: str, tmp_path: Path) -> Iterator[World]:
    upgrade(postgres_url)
    engine = engine_of(postgres_url)
    folder = tmp_path / "delivery"
    shutil.copytree(delivery, folder)
    yield World(folder, Ledger(engine), tmp_path)
    engine.dispose()


@dataclass(eq=False)
class World:
    folder: Path
    ledger: Ledger
    scratch: Path

    def sync(self, *, connector: Any = None, research: Any = None, key: SourceKey = KEY) -> SourceState:
        sync = SourceSync(
            source_id=SOURCE.id, connector=connector or FolderConnector(self.folder), key=key,
            policy=load_policy("platform-default"), ledger=self.ledger,
            research=research or FolderStore(self.scratch / "research"),
            internal=FolderStore(self.scratch / "internal"),
        )  # fmt: skip
        fanout: Any = Inline()
        sync.take_inventory(fanout)
        return sync.deidentify(fanout, run_id="r").state

    def problems(self) -> tuple[str, ...]:
        return reconcile(
            SOURCE.id, ledger=self.ledger, research=FolderStore(self.scratch / "research"),
            internal=FolderStore(self.scratch / "internal"),
        ).problems  # fmt: skip


@pytest.fixture(scope="module")
def undisturbed(delivery: Path, postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> SourceState:
    """What the same delivery comes to when nothing fails."""
    admin = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text("CREATE DATABASE undisturbed"))
    url = admin.url.set(database="undisturbed").render_as_string(hide_password=False)
    upgrade(url)
    engine = engine_of(url)
    state = World(delivery, Ledger(engine), tmp_path_factory.mktemp("undisturbed")).sync()
    engine.dispose()
    with admin.connect() as connection:
        connection.execute(text("DROP DATABASE undisturbed WITH (FORCE)"))
    admin.dispose()
    return state


def test_a_source_that_goes_away_in_the_middle_loses_nothing(world: World, undisturbed: SourceState) -> None:
    away = world.folder.with_name("unmounted")

    def unmount(number: int) -> None:
        if number == 6:
            world.folder.rename(away)

    with pytest.raises(SourceGoneError, match="run again"):
        world.sync(connector=FaultyConnector(FolderConnector(world.folder), unmount))
    with pytest.raises(SourceGoneError):
        world.sync()  # still away: nothing is taken as withdrawn
    away.rename(world.folder)
    assert world.sync() == undisturbed
    assert world.problems() == ()


@pytest.mark.parametrize("room", [0, 1, 9])
def test_a_full_store_loses_nothing(world: World, undisturbed: SourceState, room: int) -> None:
    with pytest.raises(StoreError, match="No space left"):
        world.sync(research=FullStore(world.scratch / "research", room=[room]))
    assert world.problems(), "an unfinished sync must not look finished"
    assert world.sync() == undisturbed
    assert world.problems() == ()


def test_a_write_that_the_system_cuts_short_leaves_no_half_object(tmp_path: Path) -> None:
    store = FolderStore(tmp_path)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))  # as a full disk: the write fails half-way
    try:
        with pytest.raises(StoreError, match="could not write"):
            store.create("a/b", bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert store.create("a/b", bytes(5000))


def test_a_database_that_goes_away_in_the_middle_loses_nothing(
    world: World, undisturbed: SourceState, postgres_server: str
) -> None:
    """Every connection is cut, as a restart of the server does."""
    admin = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    name = world.ledger.engine.url.database

    def cut(number: int) -> None:
        if number == 6:
            with admin.connect() as connection:
                connection.execute(
                    text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"),
                    {"name": name},
                )

    with pytest.raises(LedgerError, match="Run again"):
        world.sync(connector=FaultyConnector(FolderConnector(world.folder), cut))
    admin.dispose()
    world.ledger.engine.dispose()
    assert world.sync() == undisturbed
    assert world.problems() == ()


def test_a_folder_that_cannot_be_read_hides_only_itself(
    world: World, undisturbed: SourceState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it holds is not taken as withdrawn; when it can be read again all is as it was."""
    assert world.sync() == undisturbed
    hidden = next(path for path in sorted(world.folder.iterdir()) if path.is_dir())
    scandir = os.scandir

    def refusing(path: Any = ".") -> Any:
        if Path(path) == hidden:
            raise PermissionError(errno.EACCES, "Permission denied")
        return scandir(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refusing)
        state = world.sync()
    assert state.reasons.get(Reason.UNREADABLE_FOLDER.value) == 1
    assert state.counts.accepted == undisturbed.counts.accepted
    assert world.sync() == undisturbed
    assert world.problems() == ()


def test_another_key_processes_nothing(world: World, undisturbed: SourceState) -> None:
    assert world.sync() == undisturbed
    with pytest.raises(KeyInvalidError, match="Restore the first key"):
        world.sync(key=SourceKey(SOURCE.id, bytes(32)))
    assert world.sync() == undisturbed
    assert world.problems() == ()


def test_an_emptied_folder_is_an_unmounted_one_unless_a_marker_says_otherwise(
    world: World, undisturbed: SourceState
) -> None:
    assert world.sync() == undisturbed
    kept = world.folder.with_name("kept")
    world.folder.rename(kept)
    world.folder.mkdir()
    with pytest.raises(SourceGoneError, match="is empty and held"):
        world.sync()
    (world.folder / DELIVERY_MARKER).touch()
    assert world.sync().counts.delivered == 0
    shutil.rmtree(world.folder)
    kept.rename(world.folder)
    assert world.sync() == undisturbed


def test_results_of_two_keys_do_not_mix_in_one_folder(delivery: Path, tmp_path: Path) -> None:
    fanout: Any = Inline()
    out, policy = FolderStore(tmp_path / "out"), load_policy("platform-default")
    first = deidentify_folder(delivery, key=KEY, policy=policy, target=out, fanout=fanout)
    assert first.counts.accepted > 0
    assert sorted(first.names.values())[0] in {str(path.relative_to(delivery)) for path in delivery.rglob("*")}
    assert len(first.names) == first.counts.delivered
    with pytest.raises(FolderUseError, match="second pseudonyms"):
        other = SourceKey(SOURCE.id, bytes(range(1, 33)))
        deidentify_folder(delivery, key=other, policy=policy, target=out, fanout=fanout)
    strict = load_policy("strict-basic")
    with pytest.raises(FolderUseError, match="side by side"):
        deidentify_folder(delivery, key=KEY, policy=strict, target=out, fanout=fanout)
    again = deidentify_folder(delivery, key=KEY, policy=policy, target=out, fanout=fanout)
    assert again.work.objects_written == 0


def test_a_source_that_was_erased_is_not_brought_in_again(world: World) -> None:
    record = ErasureRecord(SOURCE.id, "2026-11-24", "a test", "withdrawn on 2026-11-24", Counts(), {})
    internal = FolderStore(world.scratch / "internal")
    internal.create(erasure_key(SOURCE.id), record.to_json())
    with pytest.raises(SourceErasedError, match="erased on 2026-11-24"):
        world.sync()
    assert [stored.key for stored in internal.list()] == [erasure_key(SOURCE.id)]
    assert list(FolderStore(world.scratch / "research").list()) == []
    assert world.ledger.delivered(SOURCE.id) == 0
