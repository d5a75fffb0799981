"""The pages of the portal, read from the two buckets. Read-only, no login: keep them on the loopback."""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Mount, Route

from ingestion.accounting.source_state import read_latest_state
from ingestion.catalogue.federation.fan_out import NodeAddress
from ingestion.catalogue.measurements import read_measurements
from ingestion.catalogue.release_manifest import UnknownReleaseError, list_releases, read_release
from ingestion.catalogue.search.index import open_index
from ingestion.settings import Settings
from ingestion.sources.registry import SourceEntry, load_registry
from ingestion.storage import ObjectMissingError, StoreError
from ingestion.storage.open import Stores, open_stores
from portal.pages import accounting_page, measures_page, release_page, releases_page
from portal.quality import SERVED, Remembering, overview
from portal.reports import latest_report
from portal.search.access import Access
from portal.search.api import build_api
from portal.search.limits import Limits
from portal.search.node import NodeEndpoint
from portal.search.node_app import collection_text
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
from quality_checks.documents import REPORT, content_type

_HEADERS = {
    # The pages are self-contained: nothing may be fetched or run from anywhere.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def build_app(
    stores: Stores,
    entries: tuple[SourceEntry, ...],
    *,
    search: tuple[SearchService, Limits] | None = None,
    nodes: tuple[NodeAddress, ...] = (),
    records: tuple[Access, str] | None = None,
    provider: str = "",
    dagster_url: str | None = None,
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
        dagster_url: linked to, where it is known.
        other: the search of an older release, to compare selections with.
        address: where the portal is reached, for citations.
        console_files: the folder of the SQL console's files.
    """
    known = {entry.id: entry for entry in entries}
    internal, research = stores.internal, stores.research
    judgements = Remembering(internal)

    def source_of(request: Request) -> str:
        source_id: str = request.path_params["source_id"]
        if source_id not in known:
            raise HTTPException(404, f"no source {source_id[:40]!r} in the registry")
        return source_id

    def quality(request: Request) -> Response:
        now = dt.datetime.now(dt.UTC)
        return _html(overview(judgements, entries, now=now, dagster_url=dagster_url))

    def report(request: Request) -> Response:
        source_id, run = source_of(request), request.path_params.get("run")
        if run is None:
            facts = latest_report(internal, source_id)
            if facts is None:
                raise HTTPException(404, f"{source_id} has no quality report yet: sync it first")
            run = facts.run
        # With its slash: the files of a report link to each other by their names.
        return RedirectResponse(f"/reports/{source_id}/{run}/", headers=_HEADERS)

    def document(request: Request) -> Response:
        source_id, run = source_of(request), request.path_params["run"]
        name = request.path_params.get("name") or REPORT
        if name not in SERVED:
            raise HTTPException(404, "no such file")
        try:
            body = internal.read(f"quality/{source_id}/{run}/{name}")
        except ObjectMissingError:
            raise HTTPException(404, "no such report") from None
        return Response(body, media_type=content_type(name), headers=_HEADERS)

    def accounting(request: Request) -> Response:
        latest = read_latest_state(internal, source_of(request))
        if latest is None:
            raise HTTPException(404, "this source was never synced")
        return _html(accounting_page(latest[1], latest[0]))

    def measures(request: Request) -> Response:
        measured = read_measurements(internal, source_of(request))
        if measured is None:
            raise HTTPException(404, "this source was never measured")
        return _html(measures_page(measured, research))

    def releases(request: Request) -> Response:
        return _html(releases_page(list_releases(research)))

    def release(request: Request) -> Response:
        try:
            return _html(release_page(read_release(research, request.path_params["version"])))
        except UnknownReleaseError:
            raise HTTPException(404, "no such release") from None

    place = Place(provider or "Cancer image platform", address)
    routes: list[BaseRoute] = [
        *visitor_routes(
            stores=stores,
            entries=entries,
            search=search,
            place=place,
            other=other,
            console_files=console_files,
            dagster_url=dagster_url,
        ),
        Route("/health", lambda request: PlainTextResponse("ok")),
        Route("/reports", quality),
        Route("/reports/{source_id}", report),
        Route("/reports/{source_id}/{run}", report),
        Route("/reports/{source_id}/{run}/", document),
        Route("/reports/{source_id}/{run}/{name}", document),
        Route("/accounting/{source_id}", accounting),
        Route("/measures/{source_id}", measures),
        Route("/releases", releases),
        Route("/releases/{version}", release),
    ]
    if search is not None:
        texts = tuple(map(collection_text, entries))
        node = NodeEndpoint(*search, provider=provider, collections=lambda: texts)
        routes += [
            Route("/node", node.endpoint, methods=["GET", "POST"]),
            Mount("/api/v1", build_api(*search, nodes=nodes, records=records)),
        ]
    return Starlette(routes=routes, exception_handlers={StoreError: _store_down, HTTPException: _refused})


def make() -> Starlette:
    """The application by the settings; for ``uvicorn --factory portal.app:make``."""
    settings = Settings()
    stores = open_stores(settings)
    entries = load_registry(settings.registry).sources
    return build_app(
        stores,
        entries,
        search=_search(settings, stores, entries),
        nodes=node_addresses(settings),
        records=record_access(settings),
        provider=settings.node_provider,
        dagster_url=settings.dagster_url,
        other=other_releases(settings, stores, entries),
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
    return Starlette(routes=[*visitors, Mount("/api/v1", build_api(service, limits, records=records))])


def _search(settings: Settings, stores: Stores, entries: tuple[SourceEntry, ...]) -> tuple[SearchService, Limits]:
    secret = counts_secret(settings)
    service = service_of(settings, stores, entries, secret=secret)
    return service, portal_limits(settings, secret=secret)


def _html(body: str | bytes) -> Response:
    return HTMLResponse(body, headers=_HEADERS)


def _refused(request: Request, error: Exception) -> Response:
    status, text = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "refused")
    return PlainTextResponse(text, status_code=status, headers=_HEADERS)


def _store_down(request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"the store does not answer: {error}", status_code=503, headers=_HEADERS)
