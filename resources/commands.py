"""``cie up``, ``cie down``, ``cie status``."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ingestion.commands.console import console, errors, make_table, print_json, print_whole
from ingestion.settings import Settings
from ingestion.sources.registry import load_registry
from resources.embedded.stack import EmbeddedStack, PartStatus, StackError

PURPOSE = {
    "database": "tables of the catalogue, and what Dagster remembers",
    "store": "objects: de-identified images, reports, releases",
    "portal": "pages and API for visitors",
    "operators": "pages for operators (same process as the portal)",
    "code-server": "the pipeline's code, for Dagster",
    "webserver": "the Dagster UI",
    "daemon": "starts queued runs, schedules and sensors",
}
"""Each part in a few words."""

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
    data = Settings().data_dir  # before: what the stack wrote is gone with it
    stopped = EmbeddedStack(Settings()).down(progress=lambda text: errors.print(text, highlight=False, soft_wrap=True))
    if as_json:
        print_json({"stopped": len(stopped), "parts": list(stopped), "data": str(data)})
        return
    if stopped:
        _say(f"stopped: {', '.join(stopped)}. Nothing else was touched.")
    else:
        _say("nothing to stop: none of the stack's parts ran here.")
    if data.exists():
        _say(f"kept: all data in {data} (sources of the demo, keys, database, stored objects, logs). `cie up` goes on.")
        _say(
            f"to remove them for good: rm -r {shlex.quote(str(data))}   (the keys too: what was pseudonymised by them "
            "is not found again)"
        )


def status(as_json: Json = False) -> None:
    """What runs, what it is for, where it answers, and what to do. Exit code 1 when a part is not running.

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
    rows = [
        (
            part.name,
            "not running" if part.pid is None else f"process {part.pid}",
            part.address or "",
            PURPOSE[part.name],
        )
        for part in parts
    ]
    columns = [("part", False), ("state", False), ("address", False), ("what it is for", False)]
    print_whole(make_table("stack", columns, rows))
    if settings.dagster_url:
        _say(f"Dagster UI       {settings.dagster_url}   (bring sources in, see what runs did)")
        _say(f"portal           {settings.portal_url}   (what visitors see: collections, search, API)")
        _say(f"for operators    {settings.operator_url}   (reports and exact numbers: not for visitors)")
    _say(f"logs             {Path(parts[0].log).parent}   (one file a part)")
    _say(f"data             {settings.data_dir}   (all state; stays when the stack stops)")
    for line in advice(parts):
        _say(line)


def advice(parts: Sequence[PartStatus]) -> list[str]:
    """What to do, in plain words."""
    dead = [part for part in parts if part.pid is None]
    if len(dead) == len(parts):
        return ["Nothing runs: `cie up` starts it."]
    if dead:
        logs = [f"{part.name} does not run. Why: see the end of {part.log}" for part in dead]
        return [*logs, "`cie up` starts what is missing and leaves the rest as it is."]
    return [
        "All parts run. `cie backfill --all` brings the sources in, `cie release build` publishes, `cie down` stops."
    ]


def _say(text: str) -> None:
    console.print(text, highlight=False, soft_wrap=True, markup=False)
