"""The operators' application: reports, accounting, measures, releases and status with exact numbers and UIDs.

Read-only, no login, and never served on the visitors' address: keep it on the loopback.
"""

from __future__ import annotations

import datetime as dt

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from ingestion.accounting.source_state import read_latest_state
from ingestion.catalogue.measurements import read_measurements
from ingestion.catalogue.release_manifest import UnknownReleaseError, list_releases, read_release
from ingestion.settings import Settings
from ingestion.sources.registry import SourceEntry, load_registry
from ingestion.storage import ObjectMissingError, StoreError
from ingestion.storage.open import Stores, open_stores
from portal.answers import HEADERS, html, refused, store_down
from portal.failed_runs import FailedRuns
from portal.pages import accounting_page, measures_page, release_page, releases_page, status_page
from portal.quality import SERVED, Remembering, overview
from portal.reports import latest_report
from portal.site.rendering import favicon
from portal.site.shelf import Shelf
from portal.site.status import statuses
from quality_checks.documents import REPORT, content_type


def build_operators(
    stores: Stores,
    entries: tuple[SourceEntry, ...],
    *,
    dagster_url: str | None = None,
    portal_url: str | None = None,
    failed: FailedRuns | None = None,
) -> Starlette:
    """The application.

    Args:
        dagster_url: linked to, where it is known.
        portal_url: the visitors' address, linked to where it is known.
        failed: tells the failed runs of sources; None: there is no Dagster to ask.
    """
    known = {entry.id: entry for entry in entries}
    internal, research = stores.internal, stores.research
    judgements, shelf = Remembering(internal), Shelf(stores, entries)

    def source_of(request: Request) -> str:
        source_id: str = request.path_params["source_id"]
        if source_id not in known:
            raise HTTPException(404, f"no source {source_id[:40]!r} in the registry")
        return source_id

    def status(request: Request) -> Response:
        now = dt.datetime.now(dt.UTC)
        runs = None if failed is None else failed.by_source()
        found = statuses(shelf, now=now)
        return html(status_page(found, runs, now=now, dagster_url=dagster_url, portal_url=portal_url))

    def quality(request: Request) -> Response:
        return html(overview(judgements, entries, now=dt.datetime.now(dt.UTC), dagster_url=dagster_url))

    def report(request: Request) -> Response:
        source_id, run = source_of(request), request.path_params.get("run")
        if run is None:
            facts = latest_report(internal, source_id)
            if facts is None:
                raise HTTPException(404, f"{source_id} has no quality report yet: sync it first")
            run = facts.run
        # With its slash: the files of a report link to each other by their names.
        return RedirectResponse(f"/reports/{source_id}/{run}/", headers=HEADERS)

    def document(request: Request) -> Response:
        source_id, run = source_of(request), request.path_params["run"]
        name = request.path_params.get("name") or REPORT
        if name not in SERVED:
            raise HTTPException(404, "no such file")
        try:
            body = internal.read(f"quality/{source_id}/{run}/{name}")
        except ObjectMissingError:
            raise HTTPException(404, "no such report") from None
        return Response(body, media_type=content_type(name), headers=HEADERS)

    def accounting(request: Request) -> Response:
        latest = read_latest_state(internal, source_of(request))
        if latest is None:
            raise HTTPException(404, "this source was never synced")
        return html(accounting_page(latest[1], latest[0]))

    def measures(request: Request) -> Response:
        measured = read_measurements(internal, source_of(request))
        if measured is None:
            raise HTTPException(404, "this source was never measured")
        return html(measures_page(measured, research))

    def releases(request: Request) -> Response:
        return html(releases_page(list_releases(research)))

    def release(request: Request) -> Response:
        try:
            return html(release_page(read_release(research, request.path_params["version"])))
        except UnknownReleaseError:
            raise HTTPException(404, "no such release") from None

    return Starlette(
        routes=[
            Route("/", lambda request: RedirectResponse("/status", headers=HEADERS)),
            Route("/favicon.ico", favicon),
            Route("/health", lambda request: PlainTextResponse("ok")),
            Route("/status", status),
            Route("/reports", quality),
            Route("/reports/{source_id}", report),
            Route("/reports/{source_id}/{run}", report),
            Route("/reports/{source_id}/{run}/", document),
            Route("/reports/{source_id}/{run}/{name}", document),
            Route("/accounting/{source_id}", accounting),
            Route("/measures/{source_id}", measures),
            Route("/releases", releases),
            Route("/releases/{version}", release),
        ],
        exception_handlers={StoreError: store_down, HTTPException: refused},
    )


def make() -> Starlette:
    """The application by the settings; for ``uvicorn --factory portal.operators:make``."""
    settings = Settings()
    return operators_of(settings, open_stores(settings), load_registry(settings.registry).sources)


def operators_of(settings: Settings, stores: Stores, entries: tuple[SourceEntry, ...]) -> Starlette:
    """The application over stores that are open already."""
    return build_operators(
        stores,
        entries,
        dagster_url=settings.dagster_url,
        portal_url=settings.portal_url,
        failed=FailedRuns.at(settings.dagster_url),
    )
