"""A source that is a folder of files and zip archives, as hospitals deliver them.

Archive members are objects of their own, named ``<archive>!<member>``. An archive that opens is not an object; one
that doesn't is a refused object, so that it is accounted for. Links are not followed out of the folder.
"""

from __future__ import annotations

import datetime as dt
import errno
import os
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import IO, BinaryIO, cast

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.sources.connector import (
    DELIVERY_MARKER,
    Listing,
    RefusedObject,
    SourceGoneError,
    SourceObject,
)

MEMBER_MARK = "!"
MAX_MEMBERS = 200_000
"""Most members of one archive: a full study has some thousands; a central directory of millions is an attack."""
MAX_MEMBER_BYTES = 1 << 30
MAX_COMPRESSION_RATIO = 200
OPEN_ARCHIVES = 4
"""Archives that a process keeps open; a series lies in one or two."""
OTHER_ARCHIVES = (".tar", ".tgz", ".gz", ".bz2", ".xz", ".7z", ".rar", ".iso")
"""Containers that are not opened: images in them must not pass for files that hold none."""
_ENCRYPTED_FLAG = 0x1
_ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError, struct.error)


@dataclass(frozen=True, slots=True)
class FolderConnector:
    """A folder. The root can name a hospital, so it is kept out of ``repr`` and of error texts."""

    root: Path = field(repr=False)
    max_member_bytes: int = MAX_MEMBER_BYTES
    max_compression_ratio: int = MAX_COMPRESSION_RATIO

    def listing(self) -> Listing:
        if not self.root.is_dir():
            raise SourceGoneError(
                "the source's folder does not exist or is no folder; nothing is taken as withdrawn. "
                "Mount it, or correct connector.path in the registry."
            )
        objects: list[SourceObject] = []
        refused: list[RefusedObject] = []
        for found in self._walk(self.root, PurePosixPath()):
            (objects if isinstance(found, SourceObject) else refused).append(found)  # type: ignore[arg-type]
        return Listing(
            objects=tuple(sorted(objects, key=lambda item: item.name)),
            refused=tuple(sorted(refused, key=lambda item: item.name)),
            complete=not any(item.reason is Reason.UNREADABLE_FOLDER for item in refused),
            announced=(self.root / DELIVERY_MARKER).exists(),
        )

    def open(self, item: SourceObject) -> BinaryIO:
        archive, mark, member = self._split(item.name)
        path = self.root / archive
        try:
            if not mark:
                stream = path.open("rb")
                if _fingerprint(os.fstat(stream.fileno())) != item.fingerprint:
                    stream.close()
                    raise _changed()
                return stream
            return cast(BinaryIO, _MemberStream(path, member, item, self))
        except OSError as error:
            raise self._unreadable(error) from None

    def read(self, item: SourceObject, *, limit: int) -> bytes:
        if item.size > limit:
            raise InstanceRefusedError(
                Reason.TOO_LARGE, rule="source.size", detail=f"{item.size} bytes, the bound is {limit}"
            )
        with self.open(item) as stream:
            try:
                body = stream.read(item.size + 1)
            except OSError as error:
                raise self._unreadable(error) from None
            except _ZIP_ERRORS as error:
                raise _damaged_member(error) from None
        if len(body) != item.size:
            raise _changed()
        return body

    def _walk(self, folder: Path, relative: PurePosixPath) -> Iterator[SourceObject | RefusedObject]:
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            if not relative.parts:
                raise SourceGoneError(f"the source's folder cannot be listed ({type(error).__name__})") from None
            yield RefusedObject(
                name=f"{relative}/", fingerprint="unlisted", reason=Reason.UNREADABLE_FOLDER,
                rule="source.folder", detail=f"listing it failed: {type(error).__name__}",
            )  # fmt: skip
            return
        for entry in listed:
            name = relative / entry.name
            if not relative.parts and entry.name == DELIVERY_MARKER:
                continue
            try:
                if entry.is_symlink() and (refused := self._refused_link(Path(entry.path), str(name))) is not None:
                    yield refused
                    continue
                facts = entry.stat()
            except OSError as error:
                yield RefusedObject(
                    name=str(name), fingerprint="unreadable", reason=Reason.UNREADABLE_OBJECT,
                    rule="source.stat", detail=f"{type(error).__name__}",
                )  # fmt: skip
                continue
            if stat.S_ISDIR(facts.st_mode):
                yield from self._walk(Path(entry.path), name)
            elif not stat.S_ISREG(facts.st_mode):
                yield RefusedObject(
                    name=str(name), fingerprint="special", reason=Reason.NOT_DICOM,
                    rule="source.special", detail="neither a file nor a folder",
                )  # fmt: skip
            elif entry.name.lower().endswith(OTHER_ARCHIVES):
                yield RefusedObject(
                    name=str(name), fingerprint=_fingerprint(facts), reason=Reason.ARCHIVE_NOT_OPENED,
                    rule="archive.kind", detail="of the archives only zip files are opened",
                )  # fmt: skip
            elif entry.name.lower().endswith(".zip"):
                yield from self._archive(Path(entry.path), name, facts)
            else:
                yield SourceObject(
                    name=str(name), size=facts.st_size, fingerprint=_fingerprint(facts), written=_written(facts)
                )

    def _refused_link(self, path: Path, name: str) -> RefusedObject | None:
        """Why a link is no object; None for one to a file within the folder, which is read under both names.

        Raises:
            OSError: it leads nowhere.
        """
        try:
            leads_to = path.resolve()
            if not leads_to.is_relative_to(self.root.resolve()):
                return _link(name, Reason.LINK_OUTSIDE, "a link that leads out of the source's folder")
            path.stat()
        except (OSError, RuntimeError) as error:  # RuntimeError: what a loop of links is to pathlib before 3.13
            if isinstance(error, RuntimeError) or error.errno == errno.ELOOP:
                return _link(name, Reason.UNREADABLE_OBJECT, "a link that leads back to itself")
            raise
        if leads_to.is_dir():
            return _link(name, Reason.NOT_DICOM, "a link to a folder that is read where it lies")
        return None

    def _archive(
        self, path: Path, name: PurePosixPath, facts: os.stat_result
    ) -> Iterator[SourceObject | RefusedObject]:
        fingerprint = _fingerprint(facts)
        try:
            with zipfile.ZipFile(path) as archive:
                members = archive.infolist()
        except (OSError, *_ZIP_ERRORS) as error:
            reason = Reason.UNREADABLE_OBJECT if isinstance(error, PermissionError) else Reason.ARCHIVE_UNREADABLE
            yield RefusedObject(
                name=str(name), fingerprint=fingerprint, reason=reason,
                rule="archive.directory", detail=f"its directory cannot be read: {type(error).__name__}",
            )  # fmt: skip
            return
        if len(members) > MAX_MEMBERS:
            yield RefusedObject(
                name=str(name), fingerprint=fingerprint, reason=Reason.ARCHIVE_UNSAFE,
                rule="archive.members", detail=f"{len(members)} members, the bound is {MAX_MEMBERS}",
            )  # fmt: skip
            return
        if all(member.is_dir() for member in members):
            yield RefusedObject(
                name=str(name), fingerprint=fingerprint, reason=Reason.NOT_DICOM,
                rule="archive.empty", detail="an archive that holds no file",
            )  # fmt: skip
        for index, member in enumerate(members):
            if member.is_dir():
                continue
            # The index keeps two members of one name apart.
            full = f"{name}{MEMBER_MARK}{index}{MEMBER_MARK}{member.filename}"
            own = f"{fingerprint}/{member.CRC:08x}/{member.file_size}"
            problem = self._member_problem(member)
            if problem is not None:
                reason, rule, detail = problem
                yield RefusedObject(name=full, fingerprint=own, reason=reason, rule=rule, detail=detail)
            else:
                yield SourceObject(name=full, size=member.file_size, fingerprint=own, written=_written(facts))

    def _member_problem(self, member: zipfile.ZipInfo) -> tuple[Reason, str, str] | None:
        path = PurePosixPath(member.filename.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or ":" in path.parts[0]:
            return Reason.ARCHIVE_UNSAFE, "archive.path", "its path leaves the archive's folder"
        if member.filename.lower().endswith((".zip", *OTHER_ARCHIVES)):
            return Reason.ARCHIVE_NOT_OPENED, "archive.nested", "an archive within an archive"
        if member.flag_bits & _ENCRYPTED_FLAG:
            return Reason.ARCHIVE_UNREADABLE, "archive.encrypted", "the member is encrypted"
        if member.file_size > self.max_member_bytes:
            return (
                Reason.ARCHIVE_UNSAFE, "archive.size",
                f"unpacks to {member.file_size} bytes, the bound is {self.max_member_bytes}",
            )  # fmt: skip
        if member.file_size > self.max_compression_ratio * max(member.compress_size, 1):
            return (
                Reason.ARCHIVE_UNSAFE,
                "archive.ratio",
                f"unpacks to more than {self.max_compression_ratio} times its size",
            )
        return None

    def _split(self, name: str) -> tuple[str, str, int]:
        parts = name.split(MEMBER_MARK)
        for position in range(len(parts) - 2, 0, -1):
            archive = MEMBER_MARK.join(parts[:position])
            if parts[position].isdecimal() and archive.lower().endswith(".zip"):
                return archive, MEMBER_MARK, int(parts[position])
        return name, "", 0

    def _unreadable(self, error: OSError) -> Exception:
        if not self.root.is_dir():
            return SourceGoneError("the source's folder went away while it was read; run again when it is back")
        if isinstance(error, FileNotFoundError):
            return _changed()
        return InstanceRefusedError(
            Reason.UNREADABLE_OBJECT, rule="source.read", detail=f"the source answered {type(error).__name__}"
        )


class _MemberStream:
    """One archive member as a stream that closes its archive with it."""

    def __init__(self, path: Path, index: int, item: SourceObject, connector: FolderConnector) -> None:
        try:
            if _fingerprint(path.stat()) != item.fingerprint.split("/")[0]:
                raise _changed()
            archive, members = _opened(str(path), item.fingerprint.split("/")[0])
            self._stream: IO[bytes] = archive.open(members[index])
        except (*_ZIP_ERRORS, IndexError) as error:
            raise _damaged_member(error) from None

    def read(self, size: int = -1) -> bytes:
        try:
            return self._stream.read(size)
        except _ZIP_ERRORS as error:
            raise _damaged_member(error) from None

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._stream.seek(offset, whence)

    def tell(self) -> int:
        return self._stream.tell()

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> _MemberStream:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


@lru_cache(maxsize=OPEN_ARCHIVES)
def _opened(path: str, fingerprint: str) -> tuple[zipfile.ZipFile, tuple[zipfile.ZipInfo, ...]]:
    """An archive as it was listed, with its directory, kept open by this process: reading the directory again for each
    of 70,000 members would take hours. ``fingerprint`` tells a changed archive from the one that is open."""
    archive = zipfile.ZipFile(path)
    return archive, tuple(archive.infolist())


def _link(name: str, reason: Reason, detail: str) -> RefusedObject:
    return RefusedObject(name=name, fingerprint="link", reason=reason, rule="source.link", detail=detail)


def _fingerprint(facts: os.stat_result) -> str:
    return f"{facts.st_size}-{facts.st_mtime_ns}"


def _written(facts: os.stat_result) -> dt.date:
    return dt.datetime.fromtimestamp(facts.st_mtime, tz=dt.UTC).date()


def _changed() -> InstanceRefusedError:
    return InstanceRefusedError(
        Reason.CHANGED_WHILE_READING, rule="source.fingerprint", detail="size or time differ from the listing"
    )


def _damaged_member(error: BaseException) -> InstanceRefusedError:
    return InstanceRefusedError(
        Reason.ARCHIVE_UNREADABLE,
        rule="archive.member",
        detail=f"the member cannot be unpacked: {type(error).__name__}",
    )
