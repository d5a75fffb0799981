"""What the pipeline's store promises, on our server, on moto's, and on an outside one such as Ceph's gateway."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
from pydantic import SecretStr
from s3_servers import SERVERS, Endpoint, endpoint, free_port, new_bucket

from ingestion.settings import Settings, SettingsError
from ingestion.storage import ObjectMissingError, StoreError
from ingestion.storage.folder import FolderStore
from ingestion.storage.numbered import append, numbered_key, read_latest
from ingestion.storage.open import open_stores
from ingestion.storage.s3 import S3Store

SOME_MEGABYTES = 12 << 20
"""Longer than one part of a multipart upload, in case a client chooses to make parts."""
MORE_THAN_A_PAGE = 1001
"""S3 lists at most 1,000 keys a page."""


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    with endpoint(request.param, tmp_path_factory.mktemp("s3")) as made:
        yield made


@pytest.fixture(scope="module")
def store(server: Endpoint) -> S3Store:
    return server.store(new_bucket(server))


def test_a_bucket_can_be_asked_for_twice(store: S3Store) -> None:
    store.ensure_bucket()


def test_created_once(store: S3Store) -> None:
    assert store.create("once", b"first", content_type="application/dicom")
    assert not store.create("once", b"second")
    assert store.read("once") == b"first"
    assert store.exists("once")
    assert not store.exists("never")


def test_only_erasure_replaces_and_deletes(store: S3Store) -> None:
    keys = [f"erase/{number:04d} ü&.json" for number in range(MORE_THAN_A_PAGE)]
    for key in keys:
        store.create(key, b"{}")
    store.replace(keys[0], b"replaced", content_type="application/json")
    assert store.read(keys[0]) == b"replaced"
    store.delete([*keys[1:], "erase/never there"])
    assert [item.key for item in store.list("erase/")] == keys[:1]
    store.delete(keys[:1])
    assert not store.exists(keys[0])
    with pytest.raises(ObjectMissingError):
        store.read(keys[0])


@pytest.mark.parametrize("key", ["a/b c+ü=1.dcm", "2.25.1/2.25.2.0123456789abcdef.dcm", "q?x=1&y#z%2Fé", "😀/~!'()*"])
def test_read_whole_and_in_part(store: S3Store, key: str) -> None:
    assert store.create(key, b"0123456789")
    assert store.read(key) == b"0123456789"
    assert store.read(key, start=2, length=3) == b"234"
    assert store.read(key, start=8) == b"89"
    assert store.read(key, length=4) == b"0123"
    assert store.read(key, start=8, length=50) == b"89"
    assert store.read(key, start=4, length=0) == b""
    assert store.read(key, start=10) == b""
    assert store.read(key, start=50) == b""
    assert [found.key for found in store.list(key)] == [key]


@pytest.mark.parametrize("size", [0, 1, SOME_MEGABYTES])
def test_any_size(store: S3Store, size: int) -> None:
    body = bytes(range(256)) * (size // 256 + 1)
    assert store.create(f"size/{size}", body[:size])
    assert store.read(f"size/{size}") == body[:size]
    assert [found.size for found in store.list(f"size/{size}")] == [size]


def test_what_is_missing_is_told_apart_from_what_fails(server: Endpoint, store: S3Store) -> None:
    for start, length in ((0, None), (3, 4)):
        with pytest.raises(ObjectMissingError):
            store.read("nothing", start=start, length=length)
    nowhere = server.store("no-such-bucket-anywhere")
    with pytest.raises(StoreError):
        nowhere.create("key", b"x")
    with pytest.raises(StoreError):
        list(nowhere.list())


def test_lists_page_after_page_in_the_order_of_bytes(store: S3Store) -> None:
    keys = [f"page/{number:05d}" for number in range(MORE_THAN_A_PAGE)]
    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(lambda key: store.create(key, b"x"), keys))
    assert [found.key for found in store.list("page/")] == keys
    assert [found.key for found in store.list("page/", after=keys[-3])] == keys[-2:]
    assert list(store.list("page/none")) == []
    odd = ["order/A", "order/_", "order/a", "order/a/b", "order/é", "order/😀"]
    for key in reversed(odd):
        assert store.create(key, b"x")
    assert [found.key for found in store.list("order/")] == odd


def test_of_many_who_create_one_key_one_wins_and_its_bytes_stay(store: S3Store) -> None:
    writers = 4
    for attempt in range(5):
        together = threading.Barrier(writers)

        def write(number: int, attempt: int = attempt, together: threading.Barrier = together) -> bool:
            together.wait()
            return store.create(f"race/{attempt}", bytes([number]) * 100_000)

        with ThreadPoolExecutor(writers) as pool:
            won = list(pool.map(write, range(writers)))
        assert sum(won) == 1
        assert store.read(f"race/{attempt}") == bytes([won.index(True)]) * 100_000


def test_other_bytes_than_were_written_are_noticed(server: Endpoint, store: S3Store) -> None:
    server.client().put_object(Bucket=store.bucket, Key="damaged", Body=b"bytes", Metadata={"sha256": "0" * 64})
    with pytest.raises(StoreError, match="damaged"):
        store.read("damaged")
    server.client().put_object(Bucket=store.bucket, Key="of another writer", Body=b"bytes")
    assert store.read("of another writer") == b"bytes"


def test_the_digest_is_there_for_others(server: Endpoint, store: S3Store) -> None:
    store.create("with digest", b"bytes")
    told = server.client().head_object(Bucket=store.bucket, Key="with digest")["Metadata"]
    assert told == {"sha256": "277089d91c0bdf4f2e6862ba7e4a07605119431f5d13f726dd352b06f1b206a9"}


def test_a_wrong_secret_is_an_error_that_shows_no_secret(server: Endpoint, store: S3Store) -> None:
    if "wrong_secret" in server.gaps:
        pytest.skip("this server checks no signature")
    wrong = server.store(store.bucket, secret="another-secret-7d1f")
    for act in (
        lambda: wrong.create("never", b"x"), lambda: wrong.read("once"), lambda: wrong.exists("once"),
        lambda: list(wrong.list()),
    ):  # fmt: skip
        with pytest.raises(StoreError) as refused:
            act()
        shown = f"{refused.value!r} {refused.value.__cause__!r} {wrong!r}"
        assert "another-secret" not in shown
    assert not store.exists("never")


def test_nobody_there_is_an_error_that_shows_no_secret() -> None:
    gone = S3Store("bucket", f"http://127.0.0.1:{free_port()}", "key-91c0", "secret-91c0")
    for act in (lambda: gone.create("k", b"x"), lambda: gone.read("k"), lambda: gone.exists("k")):
        with pytest.raises(StoreError) as failed:
            act()
        assert "91c0" not in f"{failed.value!r} {failed.value.__cause__!r} {gone!r}"


def _write_and_read(store: S3Store, number: int) -> bytes:
    store.create(f"worker/{number}", b"by a worker")
    return store.read(f"worker/{number}")


def test_workers_in_other_processes_use_it(store: S3Store) -> None:
    assert store.create("worker/here", b"used before the others start")
    assert pickle.loads(pickle.dumps(store)) == store
    with ProcessPoolExecutor(2, mp_context=get_context("forkserver")) as pool:
        assert set(pool.map(_write_and_read, [store] * 4, range(4))) == {b"by a worker"}


def test_a_process_forked_too_late_says_so_and_does_not_hang(store: S3Store) -> None:
    assert store.create("forked/here", b"used before the other starts")
    with (
        ProcessPoolExecutor(1, mp_context=get_context("fork")) as pool,
        pytest.raises(StoreError, match="forked after"),
    ):
        pool.submit(_write_and_read, store, 100).result(timeout=60)


def test_a_log_of_states(store: S3Store) -> None:
    assert read_latest(store, "log/") is None
    assert append(store, "log/", b"one") == (1, True)
    assert append(store, "log/", b"one") == (1, False)
    assert append(store, "log/", b"two") == (2, True)
    assert read_latest(store, "log/") == (2, b"two")
    assert store.read(numbered_key("log/", 1)) == b"one"


def test_settings_alone_choose_the_store(server: Endpoint, tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    research, internal = new_bucket(server), new_bucket(server)
    for name, value in {
        "CIE_DATA_DIR": str(tmp_path), "CIE_S3_ENDPOINT": server.url, "CIE_S3_ACCESS_KEY": server.access,
        "CIE_S3_SECRET_KEY": server.secret, "CIE_BUCKET_RESEARCH": research, "CIE_BUCKET_INTERNAL": internal,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    stores = open_stores(Settings())
    assert stores.research.create("a", b"research")
    assert stores.internal.create("a", b"internal")
    assert (stores.research.read("a"), stores.internal.read("a")) == (b"research", b"internal")
    assert server.secret not in repr(stores)


def test_no_store_set_says_what_to_do(tmp_path) -> None:
    with pytest.raises(SettingsError, match="CIE_S3_ENDPOINT"):
        open_stores(Settings(data_dir=tmp_path, s3_endpoint=None, s3_access_key=None, s3_secret_key=SecretStr("x")))


def test_a_folder_replaces_and_deletes_too(tmp_path: Path) -> None:
    store = FolderStore(tmp_path / "store")
    for key in ("a/b/1", "a/b/2", "a/3"):
        store.create(key, b"first")
    store.replace("a/3", b"second")
    store.delete(["a/b/1", "a/b/2", "a/never"])
    assert [item.key for item in store.list()] == ["a/3"]
    assert store.read("a/3") == b"second"
    assert sorted(path.name for path in (tmp_path / "store" / "a").iterdir()) == ["3"]
