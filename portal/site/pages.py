"""All pages for visitors as routes, put together from what there is: a store, a search, or both."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from starlette.routing import BaseRoute, Route

from ingestion.sources.registry import SourceEntry
from ingestion.storage.open import Stores
from portal.failed_runs import FailedRuns
from portal.search.explorer import Explorer
from portal.search.limits import Limits
from portal.search.outage import Outage
from portal.search.service import SearchService
from portal.site.asking import Asker, page
from portal.site.cohort import Cohort
from portal.site.collections import Collections, Place
from portal.site.console import Console
from portal.site.landing import Landing
from portal.site.quality_report import QualityReports
from portal.site.rendering import Pages, favicon, static
from portal.site.rules import Rules
from portal.site.shelf import Shelf
from portal.site.status import Status


def visitor_routes(
    *,
    stores: Stores | None,
    entries: tuple[SourceEntry, ...],
    search: tuple[SearchService, Limits] | None,
    place: Place,
    other: Callable[[str], SearchService] | None = None,
    console_files: Path | None = None,
    failed: FailedRuns | None = None,
    open_records: bool = False,
) -> list[BaseRoute]:
    """The routes.

    Args:
        stores: None: the search stands alone, over an index.
        search: None: there is nothing to search, so pages show no numbers.
        other: the search of an older release, to compare with.
        console_files: the folder of the SQL console's files, where there may be some.
        failed: tells the failed runs of sources; None: there is no Dagster to ask.
        open_records: the rows behind a selection are open to everybody.
    """
    outage = Outage() if search is None else search[0].outage
    pages = Pages(searchable=search is not None, stored=stores is not None, outage=outage)
    shelf = None if stores is None else Shelf(stores, entries, outage=outage)
    asker = None if search is None else Asker(*search)
    guarded = page(pages)
    routes: list[BaseRoute] = [
        Route("/static/{name}", static),
        Route("/favicon.ico", favicon),
        Route("/", guarded(Landing(asker, pages, shelf).page)),
    ]
    if shelf is not None:
        collections = Collections(shelf, asker, pages, place)
        reports = QualityReports(collections, shelf, asker, pages)
        rules = Rules(pages)
        routes += [
            Route("/collections", guarded(collections.listing)),
            Route("/collections/{source_id}", guarded(collections.page)),
            Route("/collections/{source_id}/certificate", guarded(collections.certificate)),
            Route("/collections/{source_id}/report", guarded(reports.page)),
            Route("/collections/{source_id}/citation.{ending}", guarded(collections.cited)),
            Route("/collections/{source_id}/{name}", guarded(collections.record)),
            Route("/rules", guarded(rules.listing)),
            Route("/rules/{name}", guarded(rules.page)),
            Route("/status", guarded(Status(shelf, pages, failed=failed, asker=asker).page)),
        ]
    if search is not None and asker is not None:
        cohort = Cohort(*search, pages, place, shelf=shelf, other=other, open_records=open_records)
        console = Console(asker, pages, shelf, console_files)
        routes += [
            Route("/explore", Explorer(*search, pages).page),
            Route("/cohort", guarded(cohort.page)),
            Route("/cohort/export", guarded(cohort.export)),
            Route("/cohort/citation.{ending}", guarded(cohort.cited)),
            Route("/console", guarded(console.page)),
            Route("/console/files/{name}", guarded(console.file)),
            Route("/public/{name}", guarded(console.table)),
        ]
    return routes
