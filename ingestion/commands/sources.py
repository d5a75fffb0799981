"""``cie sources``: the registry."""

from __future__ import annotations

from typing import Annotated

import typer

from ingestion.commands.console import console, make_table, print_json, print_whole
from ingestion.identity.keys import KeyInvalidError, KeyMissingError, load_key
from ingestion.settings import Settings
from ingestion.sources.connect import connect
from ingestion.sources.connector import SourceGoneError
from ingestion.sources.registry import SourceEntry, load_registry

app = typer.Typer(help="The registry of sources: list, show, check.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@app.command("list")
def list_sources(as_json: Json = False) -> None:
    """All sources of the registry.

    Example: cie sources list
    """
    registry = load_registry(Settings().registry)
    if as_json:
        print_json([entry.model_dump(mode="json") for entry in registry.sources])
        return
    columns = [
        ("source", False), ("project", False), ("country", False), ("cancer", False), ("modalities", False),
        ("individuals", True), ("studies", True), ("series", True), ("signed", False),
    ]  # fmt: skip
    rows = [
        (
            entry.id, entry.project, " ".join(entry.holder_countries), entry.cancer_type.value,
            " ".join(entry.modalities), entry.figures.individuals, entry.figures.studies, entry.figures.series,
            str(entry.agreement.signed_on or "not signed"),
        )
        for entry in registry.sources
    ]  # fmt: skip
    print_whole(make_table(f"{len(rows)} sources", columns, rows))
    console.print(registry.description, style="dim")


@app.command()
def show(source_id: Annotated[str, typer.Argument(metavar="ID")], as_json: Json = False) -> None:
    """One source in full.

    Example: cie sources show GBM-ES
    """
    entry = load_registry(Settings().registry).get(source_id)
    if as_json:
        print_json(entry.model_dump(mode="json"))
        return
    for name, value in entry.model_dump(mode="json").items():
        console.print(f"[bold]{name}[/]: {value}", highlight=False, soft_wrap=True)


@app.command()
def check(source_id: Annotated[str | None, typer.Argument(metavar="[ID]")] = None, as_json: Json = False) -> None:
    """Validate the registry, and try each source's connection and key. Exit code 1 when something is wrong.

    Example: cie sources check PRCI-PROST-01
    """
    settings = Settings()
    registry = load_registry(settings.registry)
    rows = [_check(entry, settings) for entry in registry.select([source_id] if source_id else None)]
    failed = sum(1 for row in rows if row[3] != "ok" or row[2] != "ok")
    if as_json:
        print_json([dict(zip(("source", "objects", "connection", "key"), row, strict=True)) for row in rows])
    else:
        columns = [("source", False), ("objects", True), ("connection", False), ("key", False)]
        print_whole(make_table("connections", columns, rows))
        console.print(f"{len(rows) - failed} of {len(rows)} sources can be synced")
    if failed:
        raise typer.Exit(1)


def _check(entry: SourceEntry, settings: Settings) -> tuple[str, int | None, str, str]:
    objects: int | None = None
    try:
        listing = connect(entry, sources_root=settings.sources_root).listing()
        objects = len(listing.objects) + len(listing.refused)
        connection = "ok" if listing.complete else "parts of it cannot be read"
    except SourceGoneError as error:
        connection = str(error)
    try:
        load_key(entry.id, keys_dir=settings.keys_root)
        key = "ok"
    except (KeyMissingError, KeyInvalidError) as error:
        key = str(error)
    return entry.id, objects, connection, key
