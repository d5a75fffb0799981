"""How a page is made: template, language, headers. Everything is escaped, and nothing may come from elsewhere."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

import jinja2
from markupsafe import Markup
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from portal.search.outage import NOT_RENEWED, Outage, said_to_visitors
from portal.search.turns import BusyError
from portal.site.messages import COOKIE, LANGUAGES, NAMES, Wording, wording_of

POLICY = {
    "default-src": "'none'",
    "style-src": "'self'",
    "script-src": "'self'",
    "img-src": "'self' data:",
    "form-action": "'self'",
    "base-uri": "'none'",
    "frame-ancestors": "'none'",
}
"""Content security policy (W3C CSP 3): no inline style or script, nothing from other hosts."""
LOOK_AGAIN_SECONDS = 30
"""After which a page that could not be made is worth another try: as often as the store is looked at."""
STATIC = {
    "favicon.svg": "image/svg+xml",
    "portal.css": "text/css; charset=utf-8",
    "explorer.js": "text/javascript; charset=utf-8",
    "console.js": "text/javascript; charset=utf-8",
    "console-cells.js": "text/javascript; charset=utf-8",
    "console-require.js": "text/javascript; charset=utf-8",
}
"""The files under ``/static``, by name: no other is served, so no path leads out of the folder."""


def security_headers(**more: str) -> dict[str, str]:
    """Headers of every page; ``more``: directives that a page needs, underscores for hyphens."""
    policy = POLICY | {name.replace("_", "-"): value for name, value in more.items()}
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Opener-Policy": "same-origin",
    }


@cache
def environment() -> jinja2.Environment:
    """Everything is escaped, and an unknown name is an error."""
    return jinja2.Environment(
        loader=jinja2.PackageLoader("portal.site", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@dataclass(frozen=True, slots=True)
class Pages:
    """Makes responses of templates. ``searchable``: whether the pages of the search are linked.

    ``whole``: False where the explorer stands alone; ``stored``: whether there are collections and a status.
    """

    searchable: bool = True
    whole: bool = True
    stored: bool = True
    outage: Outage = field(default_factory=Outage)
    """Whether what the pages are made of can be read."""

    def respond(
        self, request: Request, template: str, *, status: int = 200, headers: Mapping[str, str] | None = None,
        security: Mapping[str, str] | None = None, **values: Any,
    ) -> Response:  # fmt: skip
        """A page in the reader's language."""
        words = wording_of(request)
        body = environment().get_template(template).render(
            t=words.say, tn=words.plural, number=words.number, words=words, lang=words.language, here=request.url.path,
            languages=_languages(request, words), site=self, not_renewed=self.outage.since, **values,
        )  # fmt: skip
        made = HTMLResponse(body, status, headers={**security_headers(**(security or {})), **(headers or {})})
        if self.outage.since is not None:
            made.headers[NOT_RENEWED] = self.outage.since.isoformat(timespec="seconds")
        made.headers["Content-Language"] = words.language
        made.headers["Vary"] = "Accept-Language, Cookie"
        if request.query_params.get("lang") in LANGUAGES:
            made.set_cookie(COOKIE, words.language, max_age=365 * 86_400, samesite="lax", httponly=True)
        return made

    def problem(self, request: Request, key: str, *, status: int, detail: str = "", **more: Any) -> Response:
        """A page that says in words what is wrong; ``detail``: in English, as the parts below say it."""
        return self.respond(request, "problem.html.j2", status=status, key=key, detail=detail, values={}, **more)

    def unreadable(self, request: Request, error: Exception) -> Response:
        """A page that says that there is no answer now, and a line in the log that says why."""
        self.outage.unanswered(error)
        again = {"Retry-After": str(LOOK_AGAIN_SECONDS)}
        return self.problem(request, "problem.nothing", status=503, detail=said_to_visitors(error), headers=again)

    def busy(self, request: Request, error: BusyError) -> Response:
        """A page that says to come again: as much is counted as may be at once."""
        again = {"Retry-After": str(error.retry_after)}
        return self.problem(request, "problem.busy", status=503, headers=again)

    def refused(self, request: Request, error: Exception) -> Response:
        """A page for an address or a method that is not there."""
        assert isinstance(error, HTTPException)
        key = "problem.missing" if error.status_code == 404 else "problem.request"
        detail = "" if error.detail == HTTPStatus(error.status_code).phrase else error.detail
        return self.problem(request, key, status=error.status_code, detail=detail, headers=error.headers)


def static(request: Request) -> Response:
    """A file of ``STATIC``."""
    name = request.path_params["name"]
    if name not in STATIC:
        return Response("no such file", 404, media_type="text/plain", headers=security_headers())
    body = files("portal").joinpath("static").joinpath(name).read_bytes()
    headers = {**security_headers(), "Cache-Control": "no-cache"}
    return Response(body, media_type=STATIC[name], headers=headers)


def favicon(request: Request) -> Response:
    """The icon where browsers look for it unasked."""
    body = files("portal").joinpath("static").joinpath("favicon.svg").read_bytes()
    headers = {**security_headers(), "Cache-Control": "public, max-age=86400"}
    return Response(body, media_type=STATIC["favicon.svg"], headers=headers)


def script_json(data: Any) -> Markup:
    """JSON for a ``<script>`` block of data: no text in it can end the block."""
    text = json.dumps(data, ensure_ascii=False, sort_keys=True, indent=1)
    for sign, written in (("<", "\\u003c"), (">", "\\u003e"), ("&", "\\u0026")):
        text = text.replace(sign, written)
    return Markup(text)


def _languages(request: Request, words: Wording) -> list[tuple[str, str, str]]:
    """Code, name and address of the other languages: this very page in each."""
    kept = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
    return [
        (code, NAMES[code], f"{request.url.path}?{urlencode([*kept, ('lang', code)])}")
        for code in LANGUAGES
        if code != words.language
    ]
