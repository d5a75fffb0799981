"""The explorer: every facet with its counts, as one page that works without scripts; its address is its state."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files

import jinja2
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from ingestion.catalogue.search.engine import facet_value
from ingestion.catalogue.search.fields import FieldKind, SearchField
from ingestion.catalogue.search.index import IndexUnusableError
from ingestion.catalogue.search.protection import PublicCounts
from ingestion.catalogue.search.public import PublicAnswer, PublicFacet
from ingestion.catalogue.search.query import EVERYTHING, QueryError, digest
from ingestion.catalogue.search.release_index import ReleaseDamagedError
from ingestion.storage import StoreError
from portal.search.api import RULE, client_of
from portal.search.limits import Limits, TooManyError
from portal.search.service import NothingReleasedError, SearchService
from portal.search.state import NOT_STATED_WORD, Pairs, address, query_of, toggled

SHOWN_VALUES = 12
"""Values of a facet that are seen at once; the others stand under "more"."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class ValueLine:
    """One value of a facet: how it is called, where a click leads, how long its bar is (of 100)."""

    label: str
    href: str
    chosen: bool
    people: int
    studies: int
    series: int
    length: int


@dataclass(frozen=True, slots=True)
class FacetBox:
    field: SearchField
    first: tuple[ValueLine, ...]
    more: tuple[ValueLine, ...]
    hidden: int
    low: str
    high: str


@dataclass(frozen=True, slots=True)
class Chip:
    """One criterion of the query, and the address without it."""

    label: str
    href: str


class Explorer:
    """The page at ``/explore``."""

    def __init__(self, service: SearchService, limits: Limits) -> None:
        self._service, self._limits = service, limits
        self._template = jinja2.Environment(
            loader=jinja2.PackageLoader("portal.search", "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        ).get_template("explorer.html.j2")

    async def page(self, request: Request) -> Response:
        return await run_in_threadpool(self._respond, request)

    def _respond(self, request: Request) -> Response:
        pairs = [(name, value) for name, value in request.query_params.multi_items() if value.strip()]
        problems: tuple[str, ...] = ()
        status = 200
        try:
            schema = self._service.current().index.schema
            try:
                query = query_of(pairs, schema)
            except QueryError as error:
                query, problems, status = EVERYTHING, error.problems, 400
            self._limits.allow(client_of(request), digest(query))
            answer = self._service.answer(query)
        except TooManyError as error:
            return HTMLResponse(self._page(str(error)), 429, headers={**HEADERS, "Retry-After": str(error.retry_after)})
        except (NothingReleasedError, StoreError, IndexUnusableError, ReleaseDamagedError) as error:
            return HTMLResponse(self._page(f"Nothing can be searched now: {error}"), 503, headers=HEADERS)
        body = self._template.render(
            style=_style(),
            release=answer.release,
            total=answer.total,
            rule=RULE,
            problems=problems,
            refused=answer.refused,
            chips=_chips([] if problems else pairs, answer, schema.fields),
            boxes=[_box(facet, pairs, schema.get(facet.name)) for facet in answer.facets],
            text=next((value for name, value in pairs if name == "text"), ""),
            json_query=next((value for name, value in pairs if name == "q"), ""),
            kept=[(name, value) for name, value in pairs if name not in ("text", "q") and "." not in name],
            message=None,
        )
        return HTMLResponse(body, status, headers=HEADERS)

    def _page(self, message: str) -> str:
        return self._template.render(
            style=_style(), release=None, total=None, rule=RULE, problems=(), refused=(), chips=(), boxes=(), text="",
            json_query="", kept=(), message=message,
        )  # fmt: skip


def _style() -> str:
    folder = files("portal")
    return folder.joinpath("style.css").read_text("utf-8") + folder.joinpath("search/explorer.css").read_text("utf-8")


def _box(facet: PublicFacet, pairs: Pairs, field: SearchField | None) -> FacetBox:
    assert field is not None
    longest = max((one.counts.people or 0 for one in facet.values), default=1)
    values = list(facet.values)
    if field.kind is FieldKind.NUMBER:
        order = {name: at for at, name in enumerate(("", *field.bins()))}
        values.sort(key=lambda one: order[one.value])
    lines = tuple(
        ValueLine(
            label=facet_value(one.value),
            href=_href(field, pairs, one.value),
            chosen=(field.name, one.value or NOT_STATED_WORD) in pairs,
            people=_shown(one.counts, "people"),
            studies=_shown(one.counts, "studies"),
            series=_shown(one.counts, "series"),
            length=round(100 * (one.counts.people or 0) / longest),
        )
        for one in values
    )
    many = field.kind is not FieldKind.NUMBER and len(lines) > SHOWN_VALUES
    first = tuple(line for at, line in enumerate(lines) if not many or at < SHOWN_VALUES or line.chosen)
    given = dict(pairs)
    return FacetBox(
        field=field,
        first=first,
        more=tuple(line for line in lines if line not in first),
        hidden=facet.hidden,
        low=given.get(f"{field.name}.from", ""),
        high=given.get(f"{field.name}.to", ""),
    )


def _href(field: SearchField, pairs: Pairs, value: str) -> str:
    if field.kind is not FieldKind.NUMBER:
        return toggled(pairs, field.name, value)
    others = [pair for pair in pairs if pair[0].split(".")[0] != field.name]
    if not value:
        return address(others)
    low = field.edges[field.bins().index(value)]
    higher = [edge for edge in field.edges if edge > low]
    # ranges are widened to whole bins, so any number within the bin names it
    ends = [(f"{field.name}.from", f"{low:g}")]
    if higher:
        ends.append((f"{field.name}.to", f"{(low + higher[0]) / 2:g}"))
    return address([*others, *ends])


def _chips(pairs: Pairs, answer: PublicAnswer, fields: tuple[SearchField, ...]) -> list[Chip]:
    labels = {field.name: field.label for field in fields} | {"text": "Text", "q": "Query"}
    chips = []
    for name, value in pairs:
        base, _, end = name.partition(".")
        said = f"{end} {value}" if end else facet_value("" if value == NOT_STATED_WORD else value)
        rest = [pair for pair in pairs if pair != (name, value)]
        chips.append(Chip(f"{labels.get(base, base)}: {said}", address(rest)))
    return chips


def _shown(counts: PublicCounts, name: str) -> int:
    return int(getattr(counts, name) or 0)
