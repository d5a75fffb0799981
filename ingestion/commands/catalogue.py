"""``cie catalogue``: questions to the catalogue, its tables as files, and making it anew from the buckets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ingestion.accounting.database import engine_of
from ingestion.catalogue.export import ExportFormat, export_tables
from ingestion.catalogue.migrate import upgrade
from ingestion.catalogue.publication import PublicationError
from ingestion.catalogue.query import DEFAULT_ROWS, DEFAULT_TIMEOUT_SECONDS, QueryError, ask
from ingestion.catalogue.rebuild import NothingToPublishError, rebuild
from ingestion.catalogue.rows import ManifestsIncompleteError
from ingestion.commands.console import console, errors, make_table, print_json, print_whole
from ingestion.settings import Settings
from ingestion.sources.registry import load_registry
from ingestion.storage import ObjectMissingError
from ingestion.storage.open import open_stores

WRONG_USE = 2

app = typer.Typer(name="catalogue", help="Ask the catalogue, export it, make it anew.", no_args_is_help=True)

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
    kind: Annotated[ExportFormat, typer.Option("--format", help="Kind of files.")] = ExportFormat.PARQUET,
    source: Annotated[str | None, typer.Option("--source", help="One source; all when left out.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write every catalogue table as a file: exact figures, so not for the public (see `cie release`).

    Example: cie catalogue export ./tables --format csv --source PRCI-PROST-01
    """
    settings = Settings()
    if source is not None:
        load_registry(settings.registry).get(source)
    written = export_tables(engine_of(settings.sqlalchemy_url()), folder, kind=kind, source_id=source)
    if as_json:
        print_json({str(path): rows for path, rows in written.items()})
    else:
        rows = [(str(path), number) for path, number in written.items()]
        print_whole(make_table("exported", [("file", False), ("rows", True)], rows))


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
