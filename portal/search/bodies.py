"""Posted JSON, read as strictly as a query in an address: a member that is there twice is refused, not chosen from."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from ingestion.catalogue.search.json_text import NoJSONError, read_json
from ingestion.catalogue.search.query import QueryError


class StrictRequest(Request):
    """Its JSON is that of ``read_json``."""

    async def json(self) -> Any:
        body = await self.body()
        try:
            return read_json(body)
        except QueryError as error:
            raise HTTPException(400, "; ".join(error.problems)) from None
        except NoJSONError:
            raise HTTPException(400, "the body is no JSON that can be read") from None


class StrictRoute(APIRoute):
    """A route that reads its body by ``StrictRequest``."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def strict(request: Request) -> Response:
            return await handler(StrictRequest(request.scope, request.receive))

        return strict
