"""A node by itself: the endpoint that a federation site calls, over some or all sources of a release, and no pages."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ingestion.catalogue.federation.node import CollectionText
from ingestion.sources.registry import SourceEntry
from portal.search.journal import Journal
from portal.search.limits import Limits
from portal.search.node import NodeEndpoint
from portal.search.service import SearchService

NODE_BUDGET = 20_000
"""Different questions a day and client. A node's clients are hubs, which keep a budget for each person that asks."""
NODE_RATE = 50.0
NODE_BURST = 200


def build_node(
    service: SearchService, *, secret: bytes, provider: str, entries: Iterable[SourceEntry] = (),
    budget: int = NODE_BUDGET, journal: Journal | None = None,
) -> Starlette:  # fmt: skip
    """The application: ``/node`` (``/`` too, as Focus wants an address) and ``/health``.

    Args:
        entries: the sources as the registry describes them; others are called by their id.
    """
    known = {entry.id: collection_text(entry) for entry in entries}

    def texts() -> tuple[CollectionText, ...]:
        index = service.current().index
        ids = (term for term in index.fields[index.schema.source].terms if term)
        return tuple(known.get(one) or CollectionText(one, one, "") for one in ids)

    limits = Limits(secret=secret, now=lambda: dt.datetime.now(dt.UTC), rate=NODE_RATE, burst=NODE_BURST, budget=budget,
                    journal=journal)  # fmt: skip
    node = NodeEndpoint(service, limits, provider=provider, collections=texts)

    def health(request: Request) -> Response:
        return JSONResponse({"provider": provider})

    methods = ["GET", "POST"]
    return Starlette(
        routes=[
            Route("/", node.endpoint, methods=methods),
            Route("/node", node.endpoint, methods=methods),
            Route("/health", health),
        ]
    )


def collection_text(entry: SourceEntry) -> CollectionText:
    """How a source is called in a node's answers."""
    meaning = entry.cancer_code.meaning.lower()
    held = ", ".join(entry.holder_countries)
    return CollectionText(
        id=entry.id,
        name=f"{entry.project}: {meaning}",
        description=f"De-identified images of {meaning} from {entry.project}, held in {held}.",
    )
