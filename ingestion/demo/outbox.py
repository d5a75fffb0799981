"""The delivery while it is packed: which file holds what, and what is to become of it."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

from ingestion.accounting.states import Reason
from ingestion.demo.answer_key import Expected, KeyObject, ObjectKind
from ingestion.sources.connector import DELIVERY_MARKER

ZIP_DAY = (2024, 9, 2, 10, 30, 0)
"""All archive members carry this day, so that the same content gives the same archive."""
MTIME_BASE = int(datetime(2024, 9, 2, 10, 30, tzinfo=UTC).timestamp())
MTIME_SPAN_S = 40 * 86400


@dataclass(frozen=True, slots=True)
class End:
    """What must become of an object."""

    expected: Expected
    reasons: tuple[Reason, ...] = ()
    lettering: tuple[int, int] | None = None

    @classmethod
    def quarantined(cls, *reasons: Reason) -> End:
        return cls(Expected.QUARANTINED, reasons)


ACCEPTED = End(Expected.ACCEPTED)
ANY = End(Expected.ANY)
NOT_DICOM = End.quarantined(Reason.NOT_DICOM)


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object lies: a path below the delivery, or the member ``path`` of the archive ``archive``."""

    path: str
    archive: str | None = None


@dataclass(frozen=True, slots=True)
class Item:
    """One object to deliver."""

    place: Place
    body: bytes = field(repr=False)
    kind: ObjectKind
    end: End
    series_uid: str | None = None
    note: str = ""


@dataclass(frozen=True, slots=True)
class RawArchive:
    """An archive made by hand because no tool would make it, and the objects it counts as."""

    path: str
    body: bytes = field(repr=False)
    objects: tuple[KeyObject, ...]


@dataclass(slots=True)
class Outbox:
    """Gathers a delivery and writes it."""

    items: list[Item] = field(default_factory=list)
    raw_archives: list[RawArchive] = field(default_factory=list)

    def add(self, item: Item) -> Item:
        self.items.append(item)
        return item

    def objects(self) -> tuple[KeyObject, ...]:
        """All objects by name as the inventory will list them. Of equal accepted files all but the first are
        duplicates."""
        named = [(name, item) for name, item in self._named()]
        named.sort(key=lambda pair: pair[0])
        seen: set[tuple[str | None, bytes]] = set()
        found: list[KeyObject] = []
        for name, item in named:
            end = item.end
            if end.expected is Expected.ACCEPTED:
                content = (item.series_uid, hashlib.sha256(item.body).digest())
                end = replace(end, expected=Expected.DUPLICATE) if content in seen else end
                seen.add(content)
            found.append(
                KeyObject(name, item.kind, end.expected, end.reasons, item.series_uid, item.note, end.lettering)
            )
        for archive in self.raw_archives:
            found.extend(archive.objects)
        return tuple(sorted(found, key=lambda entry: entry.name))

    def write(self, folder: Path) -> int:
        """Write the delivery anew, the marker last; returns the bytes of its files.

        Times of change follow from the contents, so that other contents never look unchanged.
        """
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        files: dict[str, bytes] = {}
        named = [(item.place.path, item.body) for item in self.items if item.place.archive is None]
        named += [(path, packed(members)) for path, members in self._archives().items()]
        named += [(archive.path, archive.body) for archive in self.raw_archives]
        for path, body in named:
            if path in files:
                raise ValueError(f"two objects of the delivery are named {path}; give one of them another name")
            files[path] = body
        whole = hashlib.sha256()
        for path, body in sorted(files.items()):
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(body)
            digest = hashlib.sha256(body).digest()
            whole.update(path.encode() + b"\0" + digest)
            _set_time(target, digest)
        for below in sorted((found for found in folder.rglob("*") if found.is_dir()), reverse=True):
            os.utime(below, (MTIME_BASE, MTIME_BASE))
        marker = folder / DELIVERY_MARKER
        marker.write_bytes(f"{len(files)} files\n".encode())
        _set_time(marker, whole.digest())
        os.utime(folder, (MTIME_BASE, MTIME_BASE))
        return sum(len(body) for body in files.values()) + marker.stat().st_size

    def _archives(self) -> dict[str, list[tuple[str, bytes]]]:
        found: dict[str, list[tuple[str, bytes]]] = defaultdict(list)
        for item in self.items:
            if item.place.archive is not None:
                found[item.place.archive].append((item.place.path, item.body))
        return found

    def _named(self) -> Iterable[tuple[str, Item]]:
        position: dict[str, int] = defaultdict(int)
        for item in self.items:
            archive = item.place.archive
            if archive is None:
                yield item.place.path, item
            else:
                yield member_name(archive, position[archive], item.place.path), item
                position[archive] += 1


def _set_time(path: Path, digest: bytes) -> None:
    stamp = MTIME_BASE + int.from_bytes(digest[:4], "big") % MTIME_SPAN_S
    os.utime(path, (stamp, stamp))


def member_name(archive: str, index: int, path: str) -> str:
    """The name of an archive member in inventories: the index keeps two members of one name apart."""
    return f"{archive}!{index}!{path}"


def packed(members: Iterable[tuple[str, bytes]], *, level: int = 6) -> bytes:
    """A zip archive of (name, content), the same bytes every time."""
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, body in members:
            facts = zipfile.ZipInfo(name, ZIP_DAY)
            facts.compress_type = zipfile.ZIP_DEFLATED
            facts.external_attr = 0o644 << 16
            facts.create_system = 3
            archive.writestr(facts, body, compresslevel=level)
    return buffer.getvalue()
