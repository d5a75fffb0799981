"""``cie up``, ``cie down``, ``cie status``."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from ingestion.commands.console import console, errors, make_table, print_json, print_whole
from ingestion.settings import Settings
from ingestion.sources.registry import load_registry
from resources.embedded.stack import EmbeddedStack, StackError

Json = Annotated[bool, typer.Option("--json", help="Print as JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands of the embedded stack."""
    app.command()(up)
    app.command()(down)
    app.command()(status)


def up(as_json: Json = False) -> None:
    """Start the embedded stack: database, store, portal, Dagster; and leave it running.

    Example: cie up
    """
    settings = Settings()
    load_registry(settings.registry)  # before anything starts: all its errors at once, and nothing to clean up
    stack = EmbeddedStack(settings)
    try:
        stack.up(progress=lambda text: errors.print(f"starting {text}", highlight=False, soft_wrap=True))
    except StackError as error:
        errors.print(f"[bold red]stopped:[/] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None
    _show(stack, Settings(), as_json=as_json)


def down(as_json: Json = False) -> None:
    """Stop what `cie up` started here, and nothing else. Data stays.

    Example: cie down
    """
    stopped = EmbeddedStack(Settings()).down(progress=lambda text: errors.print(text, highlight=False, soft_wrap=True))
    if as_json:
        print_json({"stopped": stopped})
    else:
        console.print(
            f"{stopped} parts stopped; the data stays in {Settings().data_dir}", highlight=False, soft_wrap=True
        )


def status(as_json: Json = False) -> None:
    """What runs, where it answers, where data and logs are. Exit code 1 when a part is not running.

    Example: cie status --json
    """
    settings = Settings()
    stack = EmbeddedStack(settings)
    _show(stack, settings, as_json=as_json)
    if any(part.pid is None for part in stack.status()):
        raise typer.Exit(1)


def _show(stack: EmbeddedStack, settings: Settings, *, as_json: bool) -> None:
    parts = stack.status()
    if as_json:
        print_json({"data": str(settings.data_dir), "parts": [asdict(part) for part in parts]})
        return
    rows = [(part.name, str(part.pid or "not running"), part.address or "", part.log) for part in parts]
    print_whole(make_table("stack", [("part", False), ("process", True), ("address", False), ("log", False)], rows))
    if settings.dagster_url:
        console.print(f"Dagster UI       {settings.dagster_url}", highlight=False, soft_wrap=True)
        console.print(f"portal           {settings.portal_url}", highlight=False, soft_wrap=True)
        console.print(f"for operators    {settings.operator_url}", highlight=False, soft_wrap=True)
    console.print(f"data             {settings.data_dir}", highlight=False, soft_wrap=True)
