"""A list of ``cp`` commands for s5cmd: the stored instances of a release or of chosen series, one a line.

``s5cmd --endpoint-url URL run FILE`` copies them (s5cmd 2, "run"). Keys are by content, so what is copied is exactly
what the release says.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from ingestion.catalogue.exports.record_level import RecordTables
from ingestion.catalogue.exports.words import not_listed

_SAFE = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./")


class SeriesUnknownError(LookupError):
    """Series that are not in the release; the message names them."""


def manifest_lines(
    tables: RecordTables,
    *,
    bucket: str,
    series: Collection[str] | None = None,
    folder: str = ".",
    without: Mapping[str, tuple[str, str]] | None = None,
) -> Iterator[str]:
    """One line per instance, sorted by source, series and instance; comments say which sources are not listed.

    Args:
        series: SeriesInstanceUIDs; None: all of the release.
        without: sources whose instances are not listed, each with its access mode and whom to ask.
        folder: where the copies go: ``<folder>/<source>/<SeriesInstanceUID>/``.

    Raises:
        SeriesUnknownError: a series is not in the release; raised before the first line.
    """
    wanted = None if series is None else set(series)
    if wanted is not None:
        _check(tables, wanted)
    kept_in = without or {}
    for source_id in sorted(set(tables.release.sources) & set(kept_in)):
        uids = tables.read("series", source_id, ("SeriesInstanceUID",))["SeriesInstanceUID"]
        count = len(uids) if wanted is None else int(uids.isin(wanted).sum())
        if count:
            yield not_listed(source_id, kept_in[source_id][0], count, kept_in[source_id][1])
    columns = ("SeriesInstanceUID", "SOPInstanceUID", "Key")
    for source_id in sorted(set(tables.release.sources) - set(kept_in)):
        rows = tables.read("instance_manifest", source_id, columns)
        chosen = rows if wanted is None else rows[rows["SeriesInstanceUID"].isin(wanted)]
        for uid, _, key in chosen.sort_values(["SeriesInstanceUID", "SOPInstanceUID"]).itertuples(index=False):
            target = f"{folder.rstrip('/')}/{source_id}/{uid}/"
            yield copy_line(f"s3://{bucket}/{key}", target)


def copy_line(address: str, target: str) -> str:
    """One ``cp`` of an object into a folder."""
    return f"cp {_quoted(address)} {_quoted(target)}"


def _check(tables: RecordTables, wanted: set[str]) -> None:
    known: set[str] = set()
    for _, rows in tables.each("series", ("SeriesInstanceUID",)):
        known |= wanted & set(rows["SeriesInstanceUID"])
    missing = sorted(wanted - known)
    if missing:
        raise SeriesUnknownError(
            f"{len(missing)} series not in release {tables.release.version}, the first {missing[0]!r}; "
            "see `cie release resolve UID`"
        )


def _quoted(text: str) -> str:
    """As s5cmd's line parser (shell words) reads it back."""
    return text if set(text) <= _SAFE | {":"} else "'" + text.replace("'", "'\\''") + "'"
