"""The API's part for records: a page by keyset, one series, all as a file of any size. For granted users."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Body, Path, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from ingestion.catalogue.search.query import EVERYTHING, AllOf, QueryError, digest, parse_query
from ingestion.catalogue.search.records import Objects, RecordFormat
from portal.search.access import Access, Grant, Terms
from portal.search.bodies import StrictRoute
from portal.search.limits import Limits
from portal.search.service import Current, SearchService
from portal.search.state import query_of

MAX_PAGE = 1_000
"""Rows of one page: a megabyte or so. There is no bound on pages, nor on an export."""
MEDIA = {
    RecordFormat.CSV: "text/csv; charset=utf-8",
    RecordFormat.PARQUET: "application/vnd.apache.parquet",
    RecordFormat.NDJSON: "application/x-ndjson",
    RecordFormat.MANIFEST: "text/plain; charset=utf-8",
}
PRIVATE = {"Cache-Control": "private, no-store"}
Limit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="rows of this page")]
After = Annotated[str | None, Query(max_length=64, description="`next` of the page before")]
Release = Annotated[
    str | None, Query(max_length=40, description="which is meant: another one than the newest is refused")
]


class SeriesPage(BaseModel):
    release: str
    series: list[dict[str, Any]]
    next: str | None = Field(description="SeriesInstanceUID to go on after; null: this was the last page")


class RecordsAsk(BaseModel):
    query: Any = None


class ReleaseChangedError(RuntimeError):
    """A page was asked for of a release that is no longer the one searched."""


class UnknownSeriesError(LookupError):
    """The release has no such series, or the grant does not reach it."""


def records_router(
    service: SearchService, limits: Limits, access: Access, *, client_of: Callable[[Request], str],
    address: str | Objects | None, terms: Terms | None = None,
) -> APIRouter:  # fmt: skip
    """The routes of the records.

    Args:
        address: what names the objects of a series, or where they are, with {columns} to fill in; None: not known.
        terms: what the registry says of agreements and downloads; None: the release alone says.
    """
    router = APIRouter(tags=["records"], route_class=StrictRoute)

    def granted(request: Request) -> Grant:
        return access.grant_of(request.headers.get("authorization"))

    def may_see(grant: Grant, source_id: str) -> bool:
        return grant.may_see(source_id) and (terms is None or terms.holds(source_id, dt.datetime.now(dt.UTC).date()))

    def chosen(
        request: Request, grant: Grant, query: AllOf, current: Current, *, listed: bool = False
    ) -> np.ndarray[Any, np.dtype[np.intp]]:
        question = f"records {digest(query)}"
        limits.allow(client_of(request), question)
        # a list of downloads names the sources whose agreement is over; nothing else has them
        may = grant.may_see if listed else partial(may_see, grant)
        found = reached(may, query, current)
        release = current.index.release
        limits.accessed(client_of(request), question, grant=grant.name, release=release, rows=len(found))
        return found

    def reached(may: Callable[[str], bool], query: AllOf, current: Current) -> np.ndarray[Any, np.dtype[np.intp]]:
        rows = current.search.engine.rows(query)
        source = current.index.fields[current.index.schema.source]
        if all(may(term) for term in source.terms):
            return rows
        seen = np.zeros(current.index.series, dtype=bool)
        for code, term in enumerate(source.terms):
            if term and may(term):
                seen[source.rows_of(code)] = True
        return rows[seen[rows]]

    def by_address(request: Request, current: Current, *own: str) -> AllOf:
        """``own``: the parameters of the route; all others are of the query, or refused."""
        pairs = [pair for pair in request.query_params.multi_items() if pair[0] not in own]
        return query_of(pairs, current.index.schema)

    def pinned(release: str | None) -> Current:
        current = service.current()
        if release is not None and release != current.index.release:
            raise ReleaseChangedError(
                f"the release is {current.index.release} now, and the API answers of no other: begin again without "
                "'after' and 'release'; `cie release resolve` finds a series in each release"
            )
        return current

    @router.get("/series")
    def series(request: Request, after: After = None, limit: Limit = 100, release: Release = None) -> SeriesPage:
        """Series rows of a query in the address, as ``/search`` takes it, a page at a time in the release's order."""
        grant = granted(request)
        current = pinned(release)
        rows = current.records.given(
            chosen(request, grant, by_address(request, current, "after", "limit", "release"), current)
        )
        if after is not None:
            row = current.index.row(after)
            if row is None:
                raise QueryError(["after: no series of this release"])
            rows = current.records.after(rows, row)
        page = current.records.page(rows[:limit])
        more = limit < len(rows)
        name = current.index.schema.series
        return SeriesPage(release=current.index.release, series=page, next=str(page[-1][name]) if more else None)

    @router.get("/series/{uid}")
    def one_series(
        request: Request, uid: Annotated[str, Path(max_length=64)], release: Release = None
    ) -> dict[str, Any]:
        """One series by its SeriesInstanceUID."""
        grant = granted(request)
        current = pinned(release)
        if by_address(request, current, "release") != EVERYTHING:
            raise QueryError(["one series is asked for by its UID alone: criteria go with /series"])
        limits.allow(client_of(request), "records one")
        row = current.index.row(uid)
        found = None if row is None else current.records.one(row)
        if found is None or not may_see(grant, str(found[current.index.schema.source])):
            raise UnknownSeriesError("the release has no such series, or your grant does not reach it")
        release = current.index.release
        limits.accessed(client_of(request), "records one", grant=grant.name, release=release, series=uid)
        return found

    def closed_now(terms: Terms, current: Current) -> frozenset[str]:
        sources = (term for term in current.index.fields[current.index.schema.source].terms if term)
        return terms.closed(sources, dt.datetime.now(dt.UTC).date())

    def exported(request: Request, query: AllOf, kind: RecordFormat, grant: Grant, current: Current) -> Any:
        rows = chosen(request, grant, query, current, listed=kind is RecordFormat.MANIFEST)
        try:
            asking, closed = ({}, frozenset[str]()) if terms is None else (terms.asking, closed_now(terms, current))
            pieces = current.records.written(rows, kind, address=address, asking=asking, closed=closed)
        except ValueError as error:
            raise QueryError([f"format: {error}"]) from None
        name = f"series-{current.index.release}.{'txt' if kind is RecordFormat.MANIFEST else kind.value}"
        headers = {**PRIVATE, "Content-Disposition": f'attachment; filename="{name}"'}
        return StreamingResponse(pieces, media_type=MEDIA[kind], headers=headers)

    content: dict[int | str, dict[str, Any]] = {200: {"content": {media.split(";")[0]: {} for media in MEDIA.values()}}}

    @router.get("/export", response_class=StreamingResponse, responses=content)
    def export(request: Request, format: RecordFormat = RecordFormat.CSV, release: Release = None) -> Any:
        """All series rows of a query in the address, as a file of any size."""
        grant = granted(request)
        current = pinned(release)
        return exported(request, by_address(request, current, "format", "release"), format, grant, current)

    @router.post("/export", response_class=StreamingResponse, responses=content)
    def export_by_body(
        request: Request, ask: Annotated[RecordsAsk, Body()], format: RecordFormat = RecordFormat.CSV
    ) -> Any:
        """All series rows of a query in JSON."""
        grant = granted(request)
        current = service.current()
        return exported(request, parse_query(ask.query, current.index.schema), format, grant, current)

    return router
