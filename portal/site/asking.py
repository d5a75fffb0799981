"""Asking for public counts on behalf of a page: budget, search, and what can go wrong, in one place."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ingestion.catalogue.search.index import IndexUnusableError
from ingestion.catalogue.search.public import PublicAnswer
from ingestion.catalogue.search.query import AllOf, digest
from ingestion.catalogue.search.release_index import ReleaseDamagedError
from ingestion.storage import StoreError
from portal.search.clients import client_of
from portal.search.journal import NotRecordedError
from portal.search.limits import Limits, TooManyError
from portal.search.service import NothingReleasedError, SearchService
from portal.search.turns import BusyError
from portal.site.rendering import Pages
from portal.site.tombstone import GoneError

NOTHING_TO_SEARCH = (NotRecordedError, NothingReleasedError, StoreError, IndexUnusableError, ReleaseDamagedError)


class Asker:
    """Answers of one search service within the budget of each client. No number comes to a page by another way."""

    def __init__(self, service: SearchService, limits: Limits, *, release: str = "") -> None:
        """``release``: of an older one, since the same question about another release is another question."""
        self.service, self._limits, self._release = service, limits, release

    def ask(
        self, request: Request, query: AllOf, *, facets: tuple[str, ...] | None = None, cross_filtered: bool = True
    ) -> PublicAnswer:
        """Raises ``TooManyError``, ``BusyError``, ``NothingReleasedError`` and what opening the release raises."""
        client = client_of(request)
        self._limits.allow(client, f"{self._release} {digest(query)}".strip())
        return self.service.answer(query, facets=facets, cross_filtered=cross_filtered)


def page(pages: Pages) -> Callable[[Callable[[Request], Response]], Callable[[Request], Any]]:
    """Turns what can go wrong into pages that say so; the work is done in a thread."""

    def wrapped(make: Callable[[Request], Response]) -> Callable[[Request], Any]:
        def guarded(request: Request) -> Response:
            try:
                return make(request)
            except TooManyError as error:
                again = {"Retry-After": str(error.retry_after)}
                return pages.problem(request, "problem.too_many", status=429, detail=str(error), headers=again)
            except BusyError as error:
                return pages.busy(request, error)
            except NOTHING_TO_SEARCH as error:
                return pages.unreadable(request, error)
            except GoneError as error:
                return pages.respond(request, "tombstone.html.j2", status=410, gone=error.tombstone)
            except HTTPException as error:
                key = "problem.missing" if error.status_code == 404 else "problem.request"
                return pages.problem(request, key, status=error.status_code, detail=error.detail)

        @wraps(make)
        async def endpoint(request: Request) -> Response:
            return await run_in_threadpool(guarded, request)

        return endpoint

    return wrapped
