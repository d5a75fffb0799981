"""A store that is a folder: for work without services, and for tests. The same promises as the S3 store."""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import psutil

from ingestion.storage.protocol import ObjectMissingError, StoredObject, StoreError

_TEMPORARY = ".tmp-"
_OWNED = re.compile(r"^\.tmp-(\d+)-[0-9a-f]{12}$")
"""With the process that writes it."""


@dataclass(frozen=True, slots=True)
class FolderStore:
    """Objects as files below ``root``, linked into place when they are whole: none is ever half-written."""

    root: Path
    durable: bool = True
    """Whether a write waits for the disk; not needed of what is thrown away."""

    def create(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> bool:
        path = self._path(key)
        if path.exists():
            return False
        with self._written(key, path, body) as temporary:
            try:
                os.link(temporary, path)  # atomic, and fails where the key exists
            except FileExistsError:
                return False
        return True

    def replace(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> None:
        path = self._path(key)
        with self._written(key, path, body) as temporary:
            os.replace(temporary, path)

    def delete(self, keys: Sequence[str]) -> None:
        for key in keys:
            path = self._path(key)
            try:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise StoreError(f"the folder store could not delete {key}: {error.strerror}") from None
            for folder in path.parents:
                if folder == self.root:
                    break
                try:
                    folder.rmdir()
                except OSError:  # others are in it, or another process was faster
                    break

    def read(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        try:
            with self._path(key).open("rb") as stream:
                stream.seek(start)
                return stream.read(-1 if length is None else length)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            raise ObjectMissingError(key) from None
        except OSError as error:
            raise StoreError(f"the folder store could not read {key}: {error.strerror}") from None

    def exists(self, key: str) -> bool:
        return self._path(key).is_file()

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[StoredObject]:
        # Only the folder that the prefix names is walked, not the whole store.
        start = self.root / prefix.rpartition("/")[0]
        found = []
        for folder, _, names in os.walk(start):
            for name in names:
                if name.startswith(_TEMPORARY):
                    continue
                path = Path(folder) / name
                key = path.relative_to(self.root).as_posix()
                if key.startswith(prefix) and key > after:
                    facts = path.stat()
                    written = dt.datetime.fromtimestamp(facts.st_mtime, tz=dt.UTC)
                    found.append(StoredObject(key=key, size=facts.st_size, written=written))
        yield from sorted(found, key=lambda item: item.key)

    def sweep(self) -> int:
        """Remove what processes left half-written that are no more; how many files.

        Raises:
            StoreError: one cannot be removed.
        """
        number = 0
        for folder, _, names in os.walk(self.root):
            for name in names:
                owner = _OWNED.match(name)
                if owner is not None and not psutil.pid_exists(int(owner.group(1))):
                    try:
                        (Path(folder) / name).unlink(missing_ok=True)
                    except OSError as error:
                        raise StoreError(f"what a broken-off run left cannot be removed: {error.strerror}") from None
                    number += 1
        return number

    @contextlib.contextmanager
    def _written(self, key: str, path: Path, body: bytes) -> Iterator[Path]:
        """A whole file beside ``path``, gone afterwards unless it was moved."""
        temporary = path.parent / f"{_TEMPORARY}{os.getpid()}-{secrets.token_hex(6)}"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("xb") as stream:
                stream.write(body)
                if self.durable:
                    stream.flush()
                    os.fsync(stream.fileno())
            yield temporary
        except OSError as error:
            raise StoreError(f"the folder store could not write {key}: {error.strerror}") from None
        finally:
            with contextlib.suppress(FileNotFoundError):
                temporary.unlink()

    def _path(self, key: str) -> Path:
        parts = PurePosixPath(key).parts
        if not parts or key.startswith("/") or ".." in parts or "\\" in key or "\0" in key:
            raise StoreError(f"{key!r} is no key: it must be a relative path without '..'")
        return self.root.joinpath(*parts)
