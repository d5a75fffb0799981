"""The report pages: one per source, read from the internal bucket. Read-only, no login: keep it on the loopback."""

from __future__ import annotations

from html import escape
from importlib.resources import files

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import Route

from ingestion.settings import Settings
from ingestion.sources.registry import SourceEntry, load_registry
from ingestion.storage import ObjectMissingError, ObjectStore, StoreError
from ingestion.storage.open import open_stores
from portal.reports import ReportFacts, latest_report

_HEADERS = {
    # The reports are self-contained: nothing may be fetched or run from anywhere.
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def build_app(internal: ObjectStore, entries: tuple[SourceEntry, ...]) -> Starlette:
    """The web application over one internal bucket."""
    known = {entry.id: entry for entry in entries}

    def index(request: Request) -> Response:
        return HTMLResponse(_index([(entry, latest_report(internal, entry.id)) for entry in entries]), headers=_HEADERS)

    def report(request: Request) -> Response:
        source_id, digest = request.path_params["source_id"], request.path_params.get("digest")
        if source_id not in known:
            return PlainTextResponse(f"no source {source_id[:40]!r} in the registry", status_code=404)
        facts = latest_report(internal, source_id)
        key = f"quality/{source_id}/{digest}/report.html" if digest else (facts.report_key if facts else None)
        if key is None:
            return PlainTextResponse(f"{source_id} has no quality report yet: sync it first", status_code=404)
        try:
            return HTMLResponse(internal.read(key), headers=_HEADERS)
        except ObjectMissingError:
            return PlainTextResponse("no such report", status_code=404)

    def health(request: Request) -> Response:
        return PlainTextResponse("ok")

    def store_down(request: Request, error: Exception) -> Response:
        return PlainTextResponse(f"the store does not answer: {error}", status_code=503)

    routes = [
        Route("/", index),
        Route("/health", health),
        Route("/reports/{source_id}", report),
        Route("/reports/{source_id}/{digest:str}", report),
    ]
    return Starlette(routes=routes, exception_handlers={StoreError: store_down})


def make() -> Starlette:
    """The application by the settings; for ``uvicorn --factory portal.app:make``."""
    settings = Settings()
    return build_app(open_stores(settings).internal, load_registry(settings.registry).sources)


def _index(rows: list[tuple[SourceEntry, ReportFacts | None]]) -> str:
    # Broken sources first: a wall of green must not hide one.
    order = {True: 0, None: 1, False: 2}
    rows = sorted(rows, key=lambda row: (order[row[1].blocks if row[1] else None], row[0].id))
    blocked = sum(1 for _, facts in rows if facts and facts.blocks)
    missing = sum(1 for _, facts in rows if facts is None)
    lines = "".join(_line(entry, facts) for entry, facts in rows)
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Quality reports</title>'
        f"<style>{_style()}</style><h1>Quality reports</h1>"
        f'<p><span class="bad">{blocked} blocked</span> · {len(rows) - blocked - missing} published · '
        f'<span class="dim">{missing} without a report yet</span></p>'
        "<table><tr><th>source<th>project<th>cancer<th>verdict"
        "<th class=n>series<th class=n>errors<th class=n>warnings</tr>"
        f"{lines}</table></html>"
    )


def _style() -> str:
    return files("portal").joinpath("style.css").read_text(encoding="utf-8")


def _line(entry: SourceEntry, facts: ReportFacts | None) -> str:
    head = f"<td>{escape(entry.project)}<td>{escape(entry.cancer_type.value)}"
    if facts is None:
        empty = "<td class=n>–" * 3
        return f'<tr class="dim"><td>{escape(entry.id)}{head}<td>not synced yet{empty}</tr>'
    verdict = '<span class="bad">blocked</span>' if facts.blocks else '<span class="good">published</span>'
    return (
        f'<tr><td><a href="/reports/{escape(entry.id)}">{escape(entry.id)}</a>{head}<td>{verdict}'
        f"<td class=n>{facts.series}<td class=n>{facts.errors}<td class=n>{facts.warnings}</tr>"
    )
