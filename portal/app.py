"""The visitors' application: pages, API and federation endpoint. Its numbers are protected; operators have their own.

Read from the two buckets, read-only. ``portal.operators`` is the other application.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from ingestion.catalogue.federation.fan_out import NodeAddress
from ingestion.catalogue.search.index import open_index
from ingestion.catalogue.search.records import Objects
from ingestion.settings import Settings
from ingestion.sources.registry import SourceEntry, load_registry
from ingestion.storage import StoreError
from ingestion.storage.open import Stores, open_stores
from portal.failed_runs import FailedRuns
from portal.search.access import Access, Terms
from portal.search.api import build_api
from portal.search.limits import Limits
from portal.search.node import NodeEndpoint
from portal.search.node_app import collection_text
from portal.search.outage import Outage
from portal.search.service import SearchService
from portal.search.setup import (
    counts_secret,
    node_addresses,
    open_records,
    other_releases,
    portal_limits,
    record_access,
    service_of,
)
from portal.site.collections import Place
from portal.site.console_files import FOLDER
from portal.site.pages import visitor_routes
from portal.site.rendering import Pages

MOVED = tuple(
    address
    for page in ("/reports", "/accounting", "/measures", "/releases")
    for address in (page, f"{page}/{{rest:path}}")
)
"""Where pages for operators were; the words of the answer say where they are now."""


def build_app(
    stores: Stores,
    entries: tuple[SourceEntry, ...],
    *,
    search: tuple[SearchService, Limits] | None = None,
    nodes: tuple[NodeAddress, ...] = (),
    records: tuple[Access, str | Objects] | None = None,
    provider: str = "",
    failed: FailedRuns | None = None,
    other: Callable[[str], SearchService] | None = None,
    address: str | None = None,
    console_files: Path | None = None,
) -> Starlette:
    """The web application over the two buckets.

    Args:
        search: what answers the explorer, the API and the federation; None: there are none of these.
        nodes: federation nodes that the API's federated search asks.
        records: who may see records through the API, and where their objects are; None: nobody.
        provider: how this node is called in the federation's answers.
        failed: tells the failed runs of sources; None: there is no Dagster to ask.
        other: the search of an older release, to compare selections with.
        address: where the portal is reached, for citations.
        console_files: the folder of the SQL console's files.
    """
    place = Place(provider or "Cancer image platform", address)
    routes: list[BaseRoute] = [
        *visitor_routes(
            stores=stores,
            entries=entries,
            search=search,
            place=place,
            other=other,
            console_files=console_files,
            failed=failed,
        ),
        Route("/health", lambda request: PlainTextResponse("ok")),
        *(Route(address, moved) for address in MOVED),
    ]
    if search is not None:
        texts = tuple(map(collection_text, entries))
        node = NodeEndpoint(*search, provider=provider, collections=lambda: texts)
        routes += [
            Route("/node", node.endpoint, methods=["GET", "POST"]),
            Mount("/api/v1", build_api(*search, nodes=nodes, records=records, terms=Terms.of(entries))),
        ]
    pages = Pages(searchable=search is not None, outage=Outage() if search is None else search[0].outage)
    return Starlette(routes=routes, exception_handlers={StoreError: pages.unreadable, HTTPException: pages.refused})


def make() -> Starlette:
    """The application by the settings.

    For ``uvicorn --factory --no-proxy-headers portal.app:make``: without that option uvicorn believes every client of
    the loopback what it says its address is, and with it whose budget it uses.
    """
    settings = Settings()
    return visitors_of(settings, open_stores(settings), load_registry(settings.registry).sources)


def visitors_of(settings: Settings, stores: Stores, entries: tuple[SourceEntry, ...]) -> Starlette:
    """The application over stores that are open already."""
    search = _search(settings, stores, entries)
    return build_app(
        stores,
        entries,
        search=search,
        nodes=node_addresses(settings),
        records=record_access(settings, stores.research),
        provider=settings.node_provider,
        failed=FailedRuns.at(settings.dagster_url),
        other=other_releases(settings, stores, entries, turns=search[0].turns),
        address=settings.portal_url,
        console_files=settings.data_dir / FOLDER,
    )


def search_only(folder: Path) -> Starlette:
    """The search over one index, without a store, without a budget: for a big catalogue on one's own machine."""
    index = open_index(folder)
    secret = secrets.token_bytes(32)
    service = SearchService(lambda: index.release, lambda version: index, secret=secret)
    limits = Limits(secret=secret, now=lambda: dt.datetime.now(dt.UTC), rate=1e6, burst=1_000_000, budget=1_000_000)
    records = open_records(index)
    visitors = visitor_routes(
        stores=None,
        entries=(),
        search=(service, limits),
        place=Place(index.release),
        console_files=Settings().data_dir / FOLDER,
        open_records=records is not None,
    )
    routes = [*visitors, Mount("/api/v1", build_api(service, limits, records=records))]
    return Starlette(routes=routes, exception_handlers={HTTPException: Pages(stored=False).refused})


def _search(settings: Settings, stores: Stores, entries: tuple[SourceEntry, ...]) -> tuple[SearchService, Limits]:
    secret = counts_secret(settings)
    service = service_of(settings, stores, entries, secret=secret)
    return service, portal_limits(settings, secret=secret)


def moved(request: Request) -> Response:
    """A page for operators, asked for on the visitors' address."""
    raise HTTPException(
        404,
        "this page is for operators and is not served here: it has the same path on the operators' address, which "
        "`cie status` shows",
    )
