"""``cie node``: this platform's sources, or some of them, as a node of a federation."""

from __future__ import annotations

import datetime as dt
import secrets
import sys
from pathlib import Path
from typing import Annotated

import typer

from ingestion.commands.console import errors
from ingestion.settings import Settings
from ingestion.sources.registry import load_registry


def register(app: typer.Typer) -> None:
    """Add the commands of the portal."""
    app.command()(node)
    app.command()(access)


def access(
    name: Annotated[str, typer.Argument(help="What the access was granted for, such as the application's number.")],
    until: Annotated[dt.datetime, typer.Option("--until", formats=["%Y-%m-%d"], help="Last day.")],
    source: Annotated[
        list[str] | None, typer.Option("--source", help="A source it reaches; repeat. All: none.")
    ] = None,
) -> None:
    """Grant access to records through the API: prints the token, which is kept nowhere, only its digest is.

    To end it early, take its entry out of access.json in the keys folder.

    Example: cie access "application 12" --until 2027-12-31 --source PRCI-PROST-01
    """
    from portal.search.access import EVERY_SOURCE, add_grant
    from portal.search.setup import grants_file

    settings = Settings()
    chosen = tuple(entry.id for entry in load_registry(settings.registry).select(source or []))
    sys.stdout.write(
        add_grant(grants_file(settings), name=name, sources=chosen or (EVERY_SOURCE,), until=until.date()) + "\n"
    )


def node(
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=0, max=65535, help="0 takes a free one.")] = 8020,
    provider: Annotated[str | None, typer.Option("--provider", help="Name of the node in its answers.")] = None,
    source: Annotated[list[str] | None, typer.Option("--source", help="A source it holds; repeat. All: none.")] = None,
    project: Annotated[list[str] | None, typer.Option("--project", help="All sources of a project; repeat.")] = None,
    index: Annotated[
        Path | None, typer.Option("--index", exists=True, file_okay=False, help="Serve this search index, no store.")
    ] = None,
) -> None:
    """Serve the endpoint that a federation site (samply/focus in EUCAIM mode) calls, until told to stop.

    The address is printed once the port is taken. Counts follow each source's policy.

    Example: cie node --project ProCAncer-I --port 8021
    """
    from portal.search.setup import node_of_index, node_of_release  # imported late: --help need not wait for it
    from portal.serving import serve

    if index is not None and (source or project):
        errors.print("--index serves all that the index holds: leave --source and --project out", style="bold red")
        raise typer.Exit(2)
    settings = Settings()
    if index is not None:
        app = node_of_index(index, provider=provider or index.name, secret=secrets.token_bytes(32))
    else:
        registry = load_registry(settings.registry)
        wanted: set[str] = {entry.id for entry in registry.select(source or [])}
        known = {entry.project for entry in registry.sources}
        for name in project or []:
            if name not in known:
                errors.print(
                    f"no project {name!r} in the registry; there are: {', '.join(sorted(known))}", markup=False
                )
                raise typer.Exit(2)
            wanted |= {entry.id for entry in registry.sources if entry.project == name}
        app = node_of_release(
            settings, registry.sources, sources=frozenset(wanted) or None, provider=provider or settings.node_provider
        )
    try:
        serve(app, host=host, port=port, proxies=settings.trusted_proxies)
    except OSError as error:
        errors.print(f"can't listen on {host}, port {port}: {error.strerror}", markup=False)
        raise typer.Exit(1) from None
