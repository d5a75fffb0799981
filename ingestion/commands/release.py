"""``cie release``: snapshots of the catalogue for those who may use the data, and its public record."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated

import typer

from ingestion.accounting.database import engine_of
from ingestion.catalogue.plain_cells import plain_cell
from ingestion.catalogue.release import build_release
from ingestion.catalogue.release_diff import ReleaseDiff, SeriesRow, diff_releases, series_rows
from ingestion.catalogue.release_manifest import NO_RELEASE, UnknownReleaseError, VersionError, list_releases
from ingestion.catalogue.resolve import SeriesNotReleasedError, resolve_series
from ingestion.commands.console import console, errors, make_table, print_json, print_whole
from ingestion.settings import Settings
from ingestion.sources.registry import load_registry
from ingestion.storage.open import open_stores

WRONG_USE = 2

app = typer.Typer(name="release", help="Build, list and compare releases.", no_args_is_help=True)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("build")
def build_command(
    version: Annotated[str | None, typer.Option(help="YYYY.MM.N; the next of this month when left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Release what the catalogue shows of all sources with a signed and valid agreement. Same content: nothing written.

    Example: cie release build
    """
    settings = Settings()
    registry, stores = load_registry(settings.registry), open_stores(settings)
    engine = engine_of(settings.sqlalchemy_url())
    today = dt.datetime.now(dt.UTC).date()
    try:
        release = build_release(engine, stores.research, stores.internal, registry, today=today, version=version)
    except VersionError as error:
        raise _wrong_use(error) from None
    if as_json:
        print_json({**asdict(release), "rows": dict(release.rows), "series_left_out": dict(release.series_left_out)})
        return
    columns = [("table", False), ("rows", True)]
    print_whole(make_table(f"release {release.version}", columns, list(release.rows.items())))
    if release.excluded:
        print_whole(make_table("left out", [("source", False), ("reason", False)], release.excluded))
    if release.series_left_out:
        columns = [("source", False), ("series left out by quality", True)]
        print_whole(make_table("released without", columns, list(release.series_left_out.items())))
    done = (
        f"{release.objects_written} objects written"
        if release.objects_written
        else "the same as before: nothing written"
    )
    console.print(f"{len(release.sources)} source(s) released; {done}")


@app.command("list")
def list_command(as_json: AsJson = False) -> None:
    """All releases, oldest first.

    Example: cie release list
    """
    releases = list_releases(open_stores(Settings()).research)
    if as_json:
        print_json([{**asdict(release), "rows": release.rows} for release in releases])
        return
    if not releases:
        console.print(NO_RELEASE, soft_wrap=True, highlight=False, markup=False)
        return
    columns = [
        ("version", False),
        ("day", False),
        ("sources", True),
        ("left out", True),
        ("series", True),
        ("bytes", True),
    ]
    rows = [
        (
            release.version, release.released_on, len(release.sources), len(release.excluded),
            release.rows.get("series", 0), sum(file.size for file in release.files),
        )
        for release in releases
    ]  # fmt: skip
    print_whole(make_table("releases", columns, rows))
    for release in releases:
        for one in release.erased:
            if one.files:
                said = f"{release.version}: {one.source_id} was erased on {one.erased_on} ({one.reason})"
                console.print(f"{said}; {len(one.files)} tables are gone, the counts are those of the build",
                              highlight=False, soft_wrap=True)  # fmt: skip


@app.command("diff")
def diff_command(
    before: Annotated[str, typer.Argument(help="The earlier release.")],
    after: Annotated[str, typer.Argument(help="The later release.")],
    rows: Annotated[Path | None, typer.Option("--rows", help="Write every series that changed to this CSV.")] = None,
    as_json: AsJson = False,
) -> None:
    """What changed from one release to another: series added, revised and retired, by source.

    Example: cie release diff 2026.11.1 2026.11.2 --rows changed.csv
    """
    research = open_stores(Settings()).research
    try:
        found = diff_releases(research, before, after)
        if rows is not None:
            _write_rows(rows, series_rows(research, before, after))
    except UnknownReleaseError as error:
        raise _wrong_use(error) from None
    if as_json:
        print_json(found)
        return
    if found.empty:
        console.print(f"{before} and {after} hold the same")
        return
    for title, sources in (("added", found.sources_added), ("removed", found.sources_removed)):
        if sources:
            console.print(f"sources {title}: {', '.join(sources)}", highlight=False, soft_wrap=True)
    columns = [("source", False), ("table", False), (before, True), (after, True)]
    tables = [(change.source_id, change.table, change.rows_before, change.rows_after) for change in found.tables]
    print_whole(make_table("tables that differ, rows", columns, tables))
    columns = [("source", False), ("added", True), ("revised", True), ("retired", True)]
    rows_of_series = [(change.source_id, change.added, change.revised, change.retired) for change in found.series]
    if rows_of_series:
        print_whole(make_table("series", columns, rows_of_series))
    _show_left_out(found)


def _write_rows(path: Path, rows: Iterable[SeriesRow]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(SeriesRow)], lineterminator="\n")
        writer.writeheader()
        writer.writerows({name: plain_cell(value) for name, value in asdict(row).items()} for row in rows)


@app.command("resolve")
def resolve_command(
    series: Annotated[str, typer.Argument(help="SeriesInstanceUID, as in any release.")],
    version: Annotated[
        str | None, typer.Option("--release", help="One release; all that hold it when left out.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Where a series is, in any release: its manifest and its stored instances as they were then.

    Example: cie release resolve 2.25.123 --release 2026.11.1
    """
    research = open_stores(Settings()).research
    try:
        found = resolve_series(research, series, version=version)
    except (UnknownReleaseError, SeriesNotReleasedError) as error:
        raise _wrong_use(error) from None
    if as_json:
        print_json(found)
        return
    columns = [("release", False), ("source", False), ("manifest", False), ("instances", True), ("bytes", True)]
    rows = [
        (
            one.version, one.source_id, one.manifest_key or f"erased on {one.erased_on}", len(one.instances),
            sum(item.size for item in one.instances),
        )
        for one in found
    ]  # fmt: skip
    print_whole(make_table(f"series {series}", columns, rows))


def _show_left_out(found: ReleaseDiff) -> None:
    columns = [("source", False), ("series", False), ("rules", False)]
    for title, listed in (
        ("series left out by quality", found.series_left_out),
        ("series let in again", found.series_let_in),
    ):
        if listed:
            print_whole(
                make_table(title, columns, [(one.source_id, one.SeriesInstanceUID, one.reason) for one in listed])
            )


def _wrong_use(error: Exception) -> typer.Exit:
    errors.print(str(error), style="bold red", highlight=False, markup=False)
    return typer.Exit(WRONG_USE)
