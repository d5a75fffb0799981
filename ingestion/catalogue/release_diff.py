"""What changed from one release to another, by source: tables by their checksums, series by their manifests."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from ingestion.catalogue.release_history import held_series
from ingestion.catalogue.release_manifest import ReleaseFile, ReleaseManifest, SeriesExclusion, read_release
from ingestion.storage import ObjectStore


@dataclass(frozen=True, slots=True)
class TableChange:
    """A table of a source whose content differs; 0 rows where a release lacks it."""

    source_id: str
    table: str
    rows_before: int
    rows_after: int


@dataclass(frozen=True, slots=True)
class SeriesChange:
    """Series of a source by what happened to them; ``revised``: another manifest, so other stored instances."""

    source_id: str
    added: int
    revised: int
    retired: int


class Change(StrEnum):
    """What happened to a series from one release to another."""

    ADDED = "added"
    REVISED = "revised"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class SeriesRow:
    """One series that changed; None: the release does not hold it."""

    source_id: str
    SeriesInstanceUID: str
    change: Change
    manifest_before: str | None
    manifest_after: str | None


@dataclass(frozen=True, slots=True)
class ReleaseDiff:
    """``before`` is None for a first release."""

    before: str | None
    after: str
    sources_added: tuple[str, ...]
    sources_removed: tuple[str, ...]
    tables: tuple[TableChange, ...]
    series: tuple[SeriesChange, ...]
    series_left_out: tuple[SeriesExclusion, ...] = ()
    """By quality checks, and not left out of the release before."""
    series_let_in: tuple[SeriesExclusion, ...] = ()
    """Left out of the release before, with the reason of then, and in this one."""

    @property
    def empty(self) -> bool:
        return not (
            self.sources_added or self.sources_removed or self.tables or self.series_left_out or self.series_let_in
        )


def diff_releases(research: ObjectStore, before: str, after: str) -> ReleaseDiff:
    """What changed from release ``before`` to ``after``.

    Raises:
        UnknownReleaseError: one of the two is not there.
    """
    return diff_manifests(research, read_release(research, before), read_release(research, after))


def diff_manifests(research: ObjectStore, before: ReleaseManifest | None, after: ReleaseManifest) -> ReleaseDiff:
    """As ``diff_releases``; both must be uploaded, as the series of changed sources are read."""
    old, new = _tables(before), _tables(after)
    old_sources = set(before.built_with) if before else set()
    changes, series = [], []
    for source_id, table in sorted(old.keys() | new.keys()):
        left, right = old.get((source_id, table)), new.get((source_id, table))
        if left and right and left.sha256 == right.sha256:
            continue
        changes.append(TableChange(source_id, table, left.rows or 0 if left else 0, right.rows or 0 if right else 0))
        if table == "series":
            series.append(_series_change(source_id, _series(research, before, left), _series(research, after, right)))
    let_in = _newly(before, after)
    held = {name: _series(research, after, new.get((name, "series"))) for name in {one.source_id for one in let_in}}
    return ReleaseDiff(
        before=before.version if before else None,
        after=after.version,
        sources_added=tuple(sorted(set(after.built_with) - old_sources)),
        sources_removed=tuple(sorted(old_sources - set(after.built_with))),
        tables=tuple(changes),
        series=tuple(series),
        series_left_out=_newly(after, before),
        series_let_in=tuple(one for one in let_in if one.SeriesInstanceUID in held[one.source_id]),
    )


def series_rows(research: ObjectStore, before: str, after: str) -> Iterator[SeriesRow]:
    """The series that changed from release ``before`` to ``after``, by source and UID.

    Raises:
        UnknownReleaseError: one of the two is not there.
    """
    first, second = read_release(research, before), read_release(research, after)
    old, new = _tables(first), _tables(second)
    for source_id, table in sorted(old.keys() | new.keys()):
        left, right = old.get((source_id, table)), new.get((source_id, table))
        if table != "series" or (left and right and left.sha256 == right.sha256):
            continue
        was, now = _series(research, first, left), _series(research, second, right)
        for uid in sorted(was.keys() | now.keys()):
            if was.get(uid) != now.get(uid):
                change = Change.ADDED if uid not in was else Change.RETIRED if uid not in now else Change.REVISED
                yield SeriesRow(source_id, uid, change, was.get(uid), now.get(uid))


def _newly(release: ReleaseManifest | None, other: ReleaseManifest | None) -> tuple[SeriesExclusion, ...]:
    """The series that ``release`` leaves out and ``other`` does not."""
    known = {(one.source_id, one.SeriesInstanceUID) for one in other.series_left_out} if other else set()
    listed = release.series_left_out if release else ()
    return tuple(one for one in listed if (one.source_id, one.SeriesInstanceUID) not in known)


def _tables(release: ReleaseManifest | None) -> dict[tuple[str, str], ReleaseFile]:
    files = release.files if release else ()
    return {(file.source_id, file.table): file for file in files if file.source_id and file.table}


def _series(research: ObjectStore, release: ReleaseManifest | None, file: ReleaseFile | None) -> dict[str, str]:
    """Manifest version by series."""
    if release is None or file is None:
        return {}
    return held_series(research, release, file)


def _series_change(source_id: str, old: dict[str, str], new: dict[str, str]) -> SeriesChange:
    return SeriesChange(
        source_id=source_id,
        added=len(new.keys() - old.keys()),
        revised=sum(old[uid] != new[uid] for uid in old.keys() & new.keys()),
        retired=len(old.keys() - new.keys()),
    )
