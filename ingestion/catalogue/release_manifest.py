"""What a release says of itself: ``releases/<version>/manifest.json``, written last, so it stands for the whole."""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from ingestion.storage import ObjectStore

ROOT = "releases/"
MANIFEST = "manifest.json"
FORMAT = 4
"""Raise it when the same catalogue gives other files: the next release is then a new one."""
_VERSION = re.compile(r"^(\d{4})\.(\d{2})\.(\d+)$")


NO_RELEASE = "there is no release yet: `cie backfill --all` brings the sources in, then `cie release build` makes one"


class UnknownReleaseError(LookupError):
    """There is no release of that version."""


class VersionError(ValueError):
    """Not a calendar version, or one that is taken."""


@dataclass(frozen=True, slots=True)
class ReleaseFile:
    """One file. ``path`` counts from the release's folder; ``rows`` is None where it is no table; ``size`` in bytes."""

    path: str
    sha256: str
    size: int
    table: str | None = None
    source_id: str | None = None
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Exclusion:
    """A source that is not in the release, and why."""

    source_id: str
    reason: str


@dataclass(frozen=True, slots=True)
class SeriesExclusion:
    """A series of a released source that is not in the release; ``reason``: quality rules, comma-joined."""

    source_id: str
    SeriesInstanceUID: str
    reason: str


@dataclass(frozen=True, slots=True)
class Replaced:
    """A file whose bytes are others than at the build."""

    path: str
    sha256_before: str
    sha256_after: str


@dataclass(frozen=True, slots=True)
class Erasure:
    """A source that the release held and that was erased since.

    ``files``: its tables as they were, by checksum, size and rows; they are deleted. ``replaced``: files of the release
    that named series of it. ``series_left_out``: how many of its series the release was built without.
    """

    source_id: str
    erased_on: str
    reason: str
    files: tuple[ReleaseFile, ...]
    replaced: tuple[Replaced, ...] = ()
    series_left_out: int = 0

    @staticmethod
    def from_dict(data: dict[str, Any]) -> Erasure:
        files = tuple(ReleaseFile(**one) for one in data.pop("files"))
        return Erasure(files=files, replaced=tuple(Replaced(**one) for one in data.pop("replaced")), **data)


@dataclass(frozen=True, slots=True)
class ReleaseManifest:
    """A release: its tables by source, all files with their checksums, and what was left out.

    ``series_left_out``: of the released sources; series in the catalogue = series in the release + these.
    """

    version: str
    released_on: str
    previous: str | None
    content_digest: str
    small_count: int
    sources: tuple[str, ...]
    excluded: tuple[Exclusion, ...]
    files: tuple[ReleaseFile, ...]
    series_left_out: tuple[SeriesExclusion, ...] = ()
    people: int | None = None
    """Distinct people over all sources; None in releases before there was such a figure."""
    publisher: dict[str, str] | None = None
    """Who publishes the catalogue: name and email."""
    erased: tuple[Erasure, ...] = ()
    """Sources that were erased since: no longer among ``sources`` and ``files``; all counts are those of the build."""

    @property
    def built_with(self) -> tuple[str, ...]:
        """The sources of the release as it was built, sorted."""
        return tuple(sorted({*self.sources, *(one.source_id for one in self.erased if one.files)}))

    @property
    def rows(self) -> dict[str, int]:
        """Rows by table, as the release was built."""
        found: dict[str, int] = {}
        for file in (*self.files, *(file for one in self.erased for file in one.files)):
            if file.table is not None and file.rows is not None:
                found[file.table] = found.get(file.table, 0) + file.rows
        return found

    def to_json(self) -> bytes:
        return json.dumps(asdict(self), sort_keys=True, ensure_ascii=False, indent=1).encode()

    @staticmethod
    def from_json(body: bytes) -> ReleaseManifest:
        data = json.loads(body)
        return ReleaseManifest(
            sources=tuple(data.pop("sources")),
            excluded=tuple(Exclusion(**item) for item in data.pop("excluded")),
            files=tuple(ReleaseFile(**item) for item in data.pop("files")),
            series_left_out=tuple(SeriesExclusion(**item) for item in data.pop("series_left_out", ())),
            erased=tuple(Erasure.from_dict(item) for item in data.pop("erased", ())),
            **data,
        )


def content_digest(
    files: Iterable[ReleaseFile], excluded: Iterable[Exclusion], series_left_out: Iterable[SeriesExclusion] = ()
) -> str:
    """Digest (24 hex digits) of what a release holds, whatever its version and day."""
    said = {
        "format": FORMAT,
        "files": [asdict(file) for file in files],
        "excluded": [asdict(one) for one in excluded],
        "series_left_out": [asdict(one) for one in series_left_out],
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()[:24]


def list_releases(research: ObjectStore) -> tuple[ReleaseManifest, ...]:
    """All complete releases, oldest first."""
    keys = [stored.key for stored in research.list(ROOT) if stored.key.endswith(f"/{MANIFEST}")]
    found = [ReleaseManifest.from_json(research.read(key)) for key in keys]
    return tuple(sorted(found, key=lambda release: parse_version(release.version)))


def read_release(research: ObjectStore, version: str) -> ReleaseManifest:
    """The release of that version.

    Raises:
        UnknownReleaseError: there is none; names those there are.
    """
    for release in list_releases(research):
        if release.version == version:
            return release
    known = ", ".join(release.version for release in list_releases(research))
    if not known:
        raise UnknownReleaseError(f"no release {version!r}: {NO_RELEASE}")
    raise UnknownReleaseError(f"no release {version!r}; there are: {known}")


def release_key(version: str, path: str) -> str:
    return f"{ROOT}{version}/{path}"


def parse_version(version: str) -> tuple[int, int, int]:
    """``2026.11.2`` as three numbers.

    Raises:
        VersionError: not of the form YYYY.MM.N.
    """
    match = _VERSION.match(version)
    if match is None or not 1 <= int(match.group(2)) <= 12:
        raise VersionError(f"{version!r} is no release version; use YYYY.MM.N, such as 2026.11.1")
    year, month, number = (int(part) for part in match.groups())
    return year, month, number


def taken(research: ObjectStore, version: str) -> bool:
    """Whether anything is stored under that version: a release, or what a build that broke off left."""
    return next(iter(research.list(release_key(version, ""))), None) is not None


def next_version(research: ObjectStore, today: dt.date) -> str:
    """The next free number of today's month. Numbers of builds that broke off are not used again."""
    month = f"{today:%Y.%m}."
    taken = {
        stored.key.removeprefix(ROOT).split("/", 1)[0].removeprefix(month) for stored in research.list(f"{ROOT}{month}")
    }
    return f"{month}{max((int(number) for number in taken if number.isdecimal()), default=0) + 1}"
