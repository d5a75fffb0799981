"""How the API takes requests: JSON read as strictly as a query in an address, and HEAD as GET.

A member that is there twice is refused, not chosen from.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
            if self.body_field is not None:
                _is_json(request)
            return await handler(StrictRequest(request.scope, request.receive))

        return strict


def _is_json(request: Request) -> None:
    """Refuses a body that says it is something else; one that does not say is read as JSON."""
    said = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if said and said != "application/json" and not (said.startswith("application/") and said.endswith("+json")):
        raise HTTPException(415, "the body of a question is JSON: send it as application/json")


class HeadAsGet:
    """Answers HEAD as GET, without the body (RFC 9110, section 9.3.2)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        ended = False

        async def without_body(message: Message) -> None:
            nonlocal ended
            if message["type"] == "http.response.start":
                await send(message)
            elif not ended:
                ended = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        async def until_ended() -> Message:
            # a file that is streamed is not made to its end for nobody
            return {"type": "http.disconnect"} if ended else await receive()

        await self._app({**scope, "method": "GET"}, until_ended, without_body)
