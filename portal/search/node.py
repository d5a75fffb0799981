"""The endpoint that a federation site (samply/focus) calls: its query in, this node's collections with counts out."""

from __future__ import annotations

from collections.abc import Callable

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from ingestion.catalogue.federation.ast import MAX_BYTES, UnsupportedError, decode, facets_of, from_parameters
from ingestion.catalogue.federation.node import CollectionText, node_answer
from ingestion.catalogue.search.index import IndexUnusableError
from ingestion.catalogue.search.query import AllOf, QueryError, digest
from ingestion.catalogue.search.release_index import ReleaseDamagedError
from ingestion.storage import StoreError
from portal.search.clients import client_of
from portal.search.journal import NotRecordedError
from portal.search.limits import Limits, TooManyError
from portal.search.outage import said_to_visitors
from portal.search.service import NothingReleasedError, SearchService
from portal.search.turns import BusyError


class NodeEndpoint:
    """``POST`` takes the abstract syntax tree, as JSON or in base64; ``GET`` the parameters of Focus's EUCAIM mode.

    A query that this node can't answer is status 422 with the criteria it is about: a site that gets numbers gets
    them for the whole of its question.
    """

    def __init__(
        self, service: SearchService, limits: Limits, *, provider: str, icon: str = "",
        collections: Callable[[], tuple[CollectionText, ...]],
    ) -> None:  # fmt: skip
        self._service, self._limits = service, limits
        self._provider, self._icon, self._collections = provider, icon, collections

    async def endpoint(self, request: Request) -> Response:
        body = b""
        async for chunk in request.stream():
            body += chunk
            if len(body) > MAX_BYTES:
                return JSONResponse({"problems": [f"a query has at most {MAX_BYTES:,} bytes"]}, 413)
        return await run_in_threadpool(self._respond, request, body)

    def _respond(self, request: Request, body: bytes) -> Response:
        try:
            asked = request.query_params.multi_items()
            query = from_parameters(asked) if request.method == "GET" else decode(body)
            facets = () if request.method == "GET" else facets_of(body)
            return JSONResponse(self._answer(request, query, facets))
        except UnsupportedError as error:
            return JSONResponse({"problems": list(error.problems)}, 422)
        except QueryError as error:
            return JSONResponse({"problems": list(error.problems)}, 400)
        except TooManyError as error:
            return JSONResponse({"problems": [str(error)]}, 429, headers={"Retry-After": str(error.retry_after)})
        except BusyError as error:
            return JSONResponse({"problems": [str(error)]}, 503, headers={"Retry-After": str(error.retry_after)})
        except (NotRecordedError, NothingReleasedError, StoreError, IndexUnusableError, ReleaseDamagedError) as error:
            self._service.outage.unanswered(error)
            return JSONResponse({"problems": [said_to_visitors(error)]}, 503)

    def _answer(self, request: Request, query: AllOf, facets: tuple[str, ...]) -> object:
        self._limits.allow(client_of(request), digest(query))
        search, collections = self._service.current().search, self._collections()
        with self._service.turns.turn():
            return node_answer(
                search, query, provider=self._provider, icon=self._icon, collections=collections, facets=facets
            )
