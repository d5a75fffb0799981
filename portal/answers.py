"""Plain answers of the operators' pages and of what both applications refuse."""

from __future__ import annotations

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

HEADERS = {
    # The pages are self-contained: nothing may be fetched or run from anywhere.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def html(body: str | bytes) -> Response:
    return HTMLResponse(body, headers=HEADERS)


def refused(request: Request, error: Exception) -> Response:
    status, text = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "refused")
    return PlainTextResponse(text, status_code=status, headers=HEADERS)


def store_down(request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"the store does not answer: {error}", status_code=503, headers=HEADERS)
