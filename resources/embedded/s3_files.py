"""Objects in files, known by an index in SQLite: an object is there when its row is, so a killed write leaves nothing
but an unnamed file."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

LAST = "\U0010ffff"
"""No character, and sorted after each: ``folder/`` + this comes after all that begins with ``folder/``."""
_SCHEMA = """
create table if not exists bucket (name text primary key);
create table if not exists object (
    bucket text not null, key text not null, file text not null, size integer not null, etag text not null,
    type text not null, meta text not null, changed text not null default (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    primary key (bucket, key)) without rowid;
create table if not exists upload (id text primary key, bucket text not null, key text not null, type text not null,
    meta text not null);
create table if not exists part (upload text not null, number integer not null, file text not null,
    etag text not null, size integer not null, primary key (upload, number)) without rowid;
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One object as the index knows it."""

    key: str
    file: str
    size: int
    etag: str
    type: str
    meta: str
    changed: str


class ExistsError(Exception):
    """The key is taken, and the writer asked to write only where nothing is."""


class Files:
    """All buckets below one folder. Safe for several threads and for ``kill -9`` at any moment."""

    def __init__(self, root: Path) -> None:
        self._blobs = root / "blobs"
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._blobs.mkdir(exist_ok=True, mode=0o700)
        self._index = root / "index.sqlite"
        with self._connection() as connection:
            connection.executescript("pragma journal_mode=wal;" + _SCHEMA)
        _sync_folder(root)

    @contextmanager
    def _connection(self) -> Iterator[sqlite3.Connection]:
        connection = sqlite3.connect(self._index, timeout=30)
        connection.execute("pragma synchronous=full")  # sync the log at every commit
        try:
            with connection:
                yield connection
        finally:
            connection.close()

    def create_bucket(self, name: str) -> bool:
        with self._connection() as connection:
            return connection.execute("insert or ignore into bucket values (?)", (name,)).rowcount == 1

    def has_bucket(self, name: str) -> bool:
        with self._connection() as connection:
            return connection.execute("select 1 from bucket where name = ?", (name,)).fetchone() is not None

    def keep(self, body: bytes) -> str:
        """Write the bytes to a file that has no name in any bucket yet; on the disk when this returns.

        File and folder are both synced, and so is the index when it names the file: an object that was acknowledged
        outlives a loss of power, as far as the disk keeps what it said it has.
        """
        name = uuid.uuid4().hex
        folder = self._blobs / name[:2]
        if not folder.is_dir():
            folder.mkdir(exist_ok=True, mode=0o700)
            _sync_folder(self._blobs)
        path = folder / name
        try:
            with path.open("xb") as file:
                file.write(body)
                file.flush()
                os.fdatasync(file.fileno())
            _sync_folder(folder)
        except OSError:
            path.unlink(missing_ok=True)  # a full disk is not to be filled with halves
            raise
        return f"{name[:2]}/{name}"

    def put(self, bucket: str, key: str, body: bytes, *, type_: str, meta: dict[str, str], only_new: bool) -> str:
        """Store the object; its entity tag.

        Raises:
            ExistsError: ``only_new`` and the key is taken.
        """
        if only_new and self.find(bucket, key) is not None:
            raise ExistsError(key)
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        self._name(bucket, key, self.keep(body), len(body), etag, type_, json.dumps(meta), only_new=only_new)
        return etag

    def _name(
        self, bucket: str, key: str, file: str, size: int, etag: str, type_: str, meta: str, *, only_new: bool
    ) -> None:
        old = None if only_new else self.find(bucket, key)
        verb = "insert" if only_new else "insert or replace"
        try:
            with self._connection() as connection:
                connection.execute(
                    f"{verb} into object (bucket, key, file, size, etag, type, meta) values (?, ?, ?, ?, ?, ?, ?)",
                    (bucket, key, file, size, etag, type_, meta),
                )
        except sqlite3.IntegrityError:
            self._drop(file)
            raise ExistsError(key) from None
        except sqlite3.OperationalError:  # a full disk: the index stays as it was
            self._drop(file)
            raise
        if old is not None:
            self._drop(old.file)

    def find(self, bucket: str, key: str) -> Row | None:
        with self._connection() as connection:
            row = connection.execute(
                "select key, file, size, etag, type, meta, changed from object where bucket = ? and key = ?",
                (bucket, key),
            ).fetchone()
        return Row(*row) if row else None

    def read(self, row: Row, *, start: int, length: int) -> bytes:
        with (self._blobs / row.file).open("rb") as file:
            file.seek(start)
            return file.read(length)

    def list(self, bucket: str, *, prefix: str, after: str, limit: int) -> list[Row]:
        """At most ``limit`` objects with ``prefix`` and keys after ``after``, in the order of their UTF-8 bytes."""
        query = (
            "select key, file, size, etag, type, meta, changed from object"
            " where bucket = ? and key > ? and key >= ? and key < ? and substr(key, 1, ?) = ? order by key limit ?"
        )
        values = (bucket, after, prefix, prefix + LAST, len(prefix), prefix, limit)
        with self._connection() as connection:
            rows = connection.execute(query, values).fetchall()
        return [Row(*row) for row in rows]

    def delete(self, bucket: str, key: str) -> None:
        row = self.find(bucket, key)
        if row is not None:
            with self._connection() as connection:
                connection.execute("delete from object where bucket = ? and key = ?", (bucket, key))
            self._drop(row.file)

    def has_upload(self, upload: str, bucket: str, key: str) -> bool:
        with self._connection() as connection:
            values = (upload, bucket, key)
            query = "select 1 from upload where id = ? and bucket = ? and key = ?"
            return connection.execute(query, values).fetchone() is not None

    def start_upload(self, bucket: str, key: str, *, type_: str, meta: dict[str, str]) -> str:
        upload = uuid.uuid4().hex
        with self._connection() as connection:
            values = (upload, bucket, key, type_, json.dumps(meta))
            connection.execute("insert into upload values (?, ?, ?, ?, ?)", values)
        return upload

    def put_part(self, upload: str, number: int, body: bytes) -> str:
        etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
        file = self.keep(body)
        with self._connection() as connection:
            query = "select file from part where upload = ? and number = ?"
            old = connection.execute(query, (upload, number)).fetchone()
            values = (upload, number, file, etag, len(body))
            connection.execute("insert or replace into part values (?, ?, ?, ?, ?)", values)
        if old is not None:
            self._drop(old[0])
        return etag

    def finish_upload(self, upload: str, chosen: Sequence[int], *, only_new: bool) -> str | None:
        """Make the ``chosen`` parts one object; its entity tag, None for an upload or a part that isn't there.

        Raises:
            ExistsError: ``only_new`` and the key is taken.
        """
        with self._connection() as connection:
            told = connection.execute("select bucket, key, type, meta from upload where id = ?", (upload,)).fetchone()
            known = {
                number: (file, etag)
                for number, file, etag in connection.execute(
                    "select number, file, etag from part where upload = ?", (upload,)
                )
            }
        if told is None or not chosen or not known.keys() >= set(chosen):
            return None
        parts = [known[number] for number in chosen]
        bucket, key, type_, meta = told
        if only_new and self.find(bucket, key) is not None:
            raise ExistsError(key)
        body = b"".join((self._blobs / file).read_bytes() for file, _ in parts)
        digest = hashlib.md5(b"".join(bytes.fromhex(etag) for _, etag in parts), usedforsecurity=False).hexdigest()
        etag = f"{digest}-{len(parts)}"
        self._name(bucket, key, self.keep(body), len(body), etag, type_, meta, only_new=only_new)
        self.abort_upload(upload)
        return etag

    def abort_upload(self, upload: str) -> None:
        with self._connection() as connection:
            files = connection.execute("select file from part where upload = ?", (upload,)).fetchall()
            connection.execute("delete from part where upload = ?", (upload,))
            connection.execute("delete from upload where id = ?", (upload,))
        for (file,) in files:
            self._drop(file)

    def _drop(self, file: str) -> None:
        (self._blobs / file).unlink(missing_ok=True)


def _sync_folder(folder: Path) -> None:
    """The names in ``folder`` are on the disk when this returns (POSIX: a file's own sync does not promise it)."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
