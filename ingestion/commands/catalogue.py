"""``cie catalogue``: questions to the catalogue, its tables as files, and making it anew from the buckets."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ingestion.accounting.database import engine_of
from ingestion.catalogue.export import ExportFormat, export_tables
from ingestion.catalogue.exports.omop import ConceptsUnusableError
from ingestion.catalogue.exports.record_level import TableMissingError
from ingestion.catalogue.exports.s5cmd import SeriesUnknownError
from ingestion.catalogue.exports.validation import Finding, violations
from ingestion.catalogue.migrate import upgrade
from ingestion.catalogue.publication import PublicationError
from ingestion.catalogue.query import DEFAULT_ROWS, DEFAULT_TIMEOUT_SECONDS, QueryError, ask
from ingestion.catalogue.rebuild import NothingToPublishError, rebuild
from ingestion.catalogue.release_manifest import UnknownReleaseError
from ingestion.catalogue.rows import ManifestsIncompleteError
from ingestion.commands import catalogue_erase
from ingestion.commands.catalogue_export import (
    RECORD_LEVEL,
    Format,
    WrongOptionError,
    check_record,
    ended,
    newest,
    write_list,
    write_public,
    write_tables,
)
from ingestion.commands.console import console, errors, make_table, print_json, print_whole
from ingestion.settings import Settings
from ingestion.sources.registry import load_registry
from ingestion.storage import ObjectMissingError
from ingestion.storage.open import open_stores

WRONG_USE = 2

app = typer.Typer(name="catalogue", help="Ask the catalogue, export it, make it anew.", no_args_is_help=True)

catalogue_erase.register(app)

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("sql")
def sql_command(
    question: Annotated[str, typer.Argument(help="One SELECT. Tables: see docs/catalogue.md.")],
    as_json: AsJson = False,
    limit: Annotated[int, typer.Option(min=1, help="Rows to print at most.")] = DEFAULT_ROWS,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds until the question is given up.")] = (
        DEFAULT_TIMEOUT_SECONDS
    ),
) -> None:
    """Answer one SQL question; nothing can be changed. Column names need no quotes.

    Example: cie catalogue sql "SELECT Modality, count(*) FROM series GROUP BY 1 ORDER BY 2 DESC"
    """
    engine = engine_of(Settings().sqlalchemy_url())
    with _wrong_use(QueryError):
        answer = ask(engine, question, max_rows=limit, timeout_seconds=timeout)
    if as_json:
        print_json([dict(zip(answer.columns, row, strict=True)) for row in answer.rows])
    else:
        numeric = [any(isinstance(row[at], (int, float)) for row in answer.rows) for at in range(len(answer.columns))]
        print_whole(make_table("", list(zip(answer.columns, numeric, strict=True)), answer.rows))
        console.print(f"{len(answer.rows):,} row(s)" + ("" if answer.complete else "; there are more: raise --limit"))


@app.command("export")
def export_command(
    folder: Annotated[Path, typer.Argument(help="Where the files go.")],
    kind: Annotated[
        Format,
        typer.Option(
            "--format",
            help="parquet, csv: the database's tables, exact figures. dcat, schema-org, croissant, datacite: "
            "record of a release, for operators and approved users (the portal gives the public one). omop, "
            "s5cmd: record level, for approved use.",
        ),
    ] = Format.PARQUET,
    release: Annotated[
        str | None, typer.Option("--release", help="Version to export; the newest when left out. Not for parquet, csv.")
    ] = None,
    source: Annotated[
        str | None, typer.Option("--source", help="One source (parquet, csv); all when left out.")
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="dcat: hold it against the SHACL shapes; exit 1 on a violation.")
    ] = False,
    approved: Annotated[
        bool, typer.Option("--approved", help="omop, s5cmd: the use is approved (docs/rules/data-users.md).")
    ] = False,
    series: Annotated[
        Path | None, typer.Option("--series", exists=True, help="s5cmd: a file with one SeriesInstanceUID a line.")
    ] = None,
    secure: Annotated[
        bool,
        typer.Option(
            "--secure-environment", help="s5cmd, omop: copies stay where the data are, so every source may be in."
        ),
    ] = False,
    concepts: Annotated[
        Path | None, typer.Option("--concepts", exists=True, help="omop: CONCEPT.csv of an OHDSI vocabulary download.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Write the catalogue as files: its tables, or a release in a format that others read.

    Examples:

      cie catalogue export ./tables --format csv --source PRCI-PROST-01

      cie catalogue export ./record --format dcat --release 2026.11.1 --check

      cie catalogue export ./copy --format s5cmd --approved --series chosen.txt
    """
    settings = Settings()
    with _wrong_use(
        WrongOptionError, UnknownReleaseError, TableMissingError, ConceptsUnusableError, SeriesUnknownError
    ):
        _check_options(kind, release=release, source=source, check=check, approved=approved)
        if kind in (Format.PARQUET, Format.CSV):
            if source is not None:
                load_registry(settings.registry).get(source)
            engine = engine_of(settings.sqlalchemy_url())
            written = export_tables(engine, folder, kind=ExportFormat(kind.value), source_id=source)
            _say(written, as_json=as_json, counted="rows")
            return
        research = open_stores(settings).research
        version = release or newest(research)
        over = {}
        if kind in RECORD_LEVEL:
            over = ended(research, version, load_registry(settings.registry), dt.datetime.now(dt.UTC).date())
        if over and not as_json:
            said = ", ".join(f"{one} ({why})" for one, why in over.items())
            console.print(f"left out, as nothing of them may be handed out any more: {said}", soft_wrap=True)
        if kind is Format.OMOP:
            rows = write_tables(research, version, folder, concepts=concepts, secure=secure, without=over)
            _say(rows, as_json=as_json, counted="rows")
        elif kind is Format.S5CMD:
            listed, kept_in = write_list(
                research, version, folder, bucket=settings.bucket_research, series=series, secure=secure, without=over
            )
            _say(listed, as_json=as_json, counted="lines")
            if kept_in and not as_json:
                console.print(f"left out, as their data may not be downloaded: {', '.join(kept_in)}", soft_wrap=True)
        else:
            _say(write_public(research, version, kind, folder), as_json=as_json, counted="bytes")
    if check:
        _show_findings(check_record(research, version), as_json=as_json)


def _check_options(kind: Format, *, release: str | None, source: str | None, check: bool, approved: bool) -> None:
    own = kind in (Format.PARQUET, Format.CSV)
    if own and release is not None:
        raise WrongOptionError(f"--release does not go with {kind}: these are the database's tables as they are now")
    if source is not None and not own:
        raise WrongOptionError(f"--source goes with parquet and csv, not with {kind}")
    if check and kind is not Format.DCAT:
        raise WrongOptionError(f"--check goes with dcat, not with {kind}: the shapes are of the DCAT record")
    if kind in RECORD_LEVEL and not approved:
        raise WrongOptionError(
            f"{kind} holds rows of single people: for approved use only. Where yours is approved, add --approved "
            "(docs/rules/data-users.md)"
        )


def _say(written: Mapping[Path, int], *, as_json: bool, counted: str) -> None:
    if as_json:
        print_json({str(path): number for path, number in written.items()})
    else:
        rows = [(str(path), number) for path, number in written.items()]
        print_whole(make_table("exported", [("file", False), (counted, True)], rows))


def _show_findings(findings: tuple[Finding, ...], *, as_json: bool) -> None:
    wrong = violations(findings)
    if not as_json:
        if findings:
            columns = [("severity", False), ("about", False), ("message", False)]
            rows = [(one.severity, one.node, one.message) for one in findings]
            print_whole(make_table("SHACL (our shapes of EUCAIM DCAT-AP 2.0)", columns, rows))
        console.print(f"{len(wrong)} violation(s)")
    if wrong:
        errors.print(f"{len(wrong)} violation(s) of the shapes, the first: {wrong[0].node} {wrong[0].message}")
        raise typer.Exit(1)


@app.command("rebuild")
def rebuild_command(as_json: AsJson = False) -> None:
    """Make all catalogue rows anew from the buckets alone, through what was published of each source.

    Example: cie catalogue rebuild
    """
    settings = Settings()
    registry, stores = load_registry(settings.registry), open_stores(settings)
    upgrade(settings.sqlalchemy_url())
    with _wrong_use(PublicationError, ManifestsIncompleteError, NothingToPublishError, ObjectMissingError, code=1):
        counts = rebuild(engine_of(settings.sqlalchemy_url()), stores.research, stores.internal, registry)
    if as_json:
        print_json({source_id: dict(found.by_table) for source_id, found in counts.items()})
    else:
        names = sorted({name for found in counts.values() for name in found.by_table})
        rows = [(source_id, *(found.by_table.get(name, 0) for name in names)) for source_id, found in counts.items()]
        print_whole(make_table("rows written", [("source", False), *((name, True) for name in names)], rows))
        console.print(f"{len(counts)} source(s) made anew")


@contextmanager
def _wrong_use(*kinds: type[Exception], code: int = WRONG_USE) -> Iterator[None]:
    """Errors made for people end the command with one message."""
    try:
        yield
    except kinds as error:
        errors.print(str(error.args[0] if error.args else error), style="bold red", highlight=False, markup=False)
        raise typer.Exit(code) from None
