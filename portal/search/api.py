"""The public API: fields, releases, counts. Every number is public by the sources' count policies."""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import re
from collections.abc import Callable
from typing import Annotated, Any

from fastapi import FastAPI, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from ingestion.catalogue.federation.fan_out import NodeAddress
from ingestion.catalogue.search.fields import SearchSchema
from ingestion.catalogue.search.index import IndexUnusableError
from ingestion.catalogue.search.protection import BLUR, CountPolicy, PublicCounts
from ingestion.catalogue.search.public import PublicAnswer
from ingestion.catalogue.search.query import MAX_TEXT, AllOf, QueryError, digest, parse_query, to_json
from ingestion.catalogue.search.records import Objects
from ingestion.catalogue.search.release_index import ReleaseDamagedError
from ingestion.storage import StoreError
from portal.search.access import Access, AccessFileError, NotGrantedError, Terms
from portal.search.bodies import HeadAsGet, StrictRoute
from portal.search.clients import client_of
from portal.search.federated_api import NoNodesError, federated_router
from portal.search.journal import NotRecordedError
from portal.search.limits import Limits, TooManyError
from portal.search.outage import NOT_RENEWED, Outage, said_to_visitors
from portal.search.records_api import ReleaseChangedError, UnknownSeriesError, records_router
from portal.search.service import NothingReleasedError, SearchService
from portal.search.state import query_of
from portal.search.turns import BusyError

API_VERSION = "1"
MAX_BODY = 256_000
"""Bytes of a posted query: 200 criteria of 1,000 values would be more, and no one means them."""


QUERY = (
    'null asks for everything; {"all": [...]}, {"any": [...]}, {"not": {...}} are groups; criteria are '
    '{"field": "Modality", "in": ["CT", ""]} ("" is: not stated), {"field": "AgeAtStudy", "from": 40, "to": 69} and '
    '{"text": "words of the series description"}. What is not understood is refused with its place.'
)


NOT_SHOWN = "null: not shown, since there are too few people, or nobody, or the question is too close to one about few"


class CountsOut(BaseModel):
    """Counts of one set of people, studies and series; null is: not shown, and never nought.

    Studies and series may be null beside people: where what was left out of the question moves few people, they would
    be those of another question.
    """

    people: int | None = Field(description=NOT_SHOWN)
    studies: int | None = Field(description="null: not shown")
    series: int | None = Field(description="null: not shown")
    below: int | None = Field(
        None, description="groups of fewer people than this may be hidden; a count that is null need not be one"
    )


class ValueOut(BaseModel):
    value: str = Field(description="empty: not stated")
    counts: CountsOut


class FacetOut(BaseModel):
    field: str
    values: list[ValueOut]
    hidden: bool = Field(description="whether there are further values, of which no count may be shown")


class RefusedOut(BaseModel):
    source_id: str
    fields: list[str]
    reason: str


class AnswerOut(BaseModel):
    release: str
    query: dict[str, Any] = Field(description="the query as it was understood")
    total: CountsOut
    facets: list[FacetOut]
    refused: list[RefusedOut] = Field(description="sources that are in no count, since they can't answer")
    rule: str


class ValuesPage(BaseModel):
    """Values of one field in the order of their names, a page at a time."""

    release: str
    field: str
    values: list[ValueOut]
    next: str | None = Field(description="value to go on after; null: this was the last page")


class ReleaseOut(BaseModel):
    release: str
    people: int | None = Field(description=NOT_SHOWN)
    studies: int | None = Field(description="null: not shown")
    series: int | None = Field(description="null: not shown")


class FieldOut(BaseModel):
    name: str
    kind: str
    label: str
    unit: str | None
    values: list[str] = Field(description="of a number: its bins; of terms: those of which a count may be shown")


class Ask(BaseModel):
    """A query in JSON; ``facets`` names the fields whose values are counted, null: all."""

    model_config = ConfigDict(extra="forbid")

    query: Any = Field(None, description=QUERY, examples=[{"all": [{"field": "Modality", "in": ["CT"]}]}])
    facets: list[str] | None = Field(None, max_length=50)


class Problem(BaseModel):
    problems: list[str]


def rule_of(policy: CountPolicy) -> str:
    """The rule of a policy in words, as it stands beside every answer."""
    most, moved = math.ceil(policy.hidden_below * (1 + BLUR)), math.ceil(policy.fewest_moved * (1 + BLUR))
    noise = f", after noise of scale {policy.noise:g}" if policy.noise else ""
    return (
        f"Counts of fewer than {policy.hidden_below} people, and some of up to {most}, are not shown; others are "
        f"rounded to {policy.step}{noise}, studies and series more coarsely. Criteria and values that move fewer "
        f"than {policy.fewest_moved} people, and some that move up to {moved}, are not applied; "
        "where that changes too much, no number is shown, or people alone. A question too close to one about few "
        "people is not answered either. Each number is rounded by a draw of its own: parts need not add up to the "
        "whole, and a part may exceed it by the rounding. Numbers belong to the release and never change for it."
    )


RULE = rule_of(CountPolicy())


def build_api(
    service: SearchService, limits: Limits, *, nodes: tuple[NodeAddress, ...] = (),
    records: tuple[Access, str | Objects] | None = None, terms: Terms | None = None,
) -> FastAPI:  # fmt: skip
    """The API as an application of its own, with its description at ``/openapi.json``.

    Args:
        nodes: what a federated question is put to.
        records: who may see records, and what names the objects of a series, or where they are, with {columns} to fill
            in; None: nobody.
        terms: what the registry says of downloads; None: it does not know these sources, the release alone says.
    """
    api = FastAPI(
        title="Cancer image catalogue",
        version=API_VERSION,
        description="What a release of the platform holds: counts of people, studies and series. " + RULE,
        docs_url=None,
        redoc_url=None,
        responses={status: {"model": Problem} for status in (400, 401, 404, 405, 409, 413, 415, 422, 429, 503)},
    )
    api.router.route_class = StrictRoute
    for kind, status in _STATUS.items():
        api.add_exception_handler(kind, _problem(status, service.outage))
    api.add_exception_handler(RequestValidationError, _invalid)
    api.add_exception_handler(HTTPException, _refused)

    def answered(request: Request, query: AllOf, facets: list[str] | None) -> AnswerOut:
        schema = service.current().index.schema
        unknown = sorted(set(facets or ()) - {field.name for field in schema.fields if field.counted})
        if unknown:
            raise QueryError(
                [f"facets: no such counted field: {_ascii(', '.join(name[:40] for name in unknown[:10]))}"]
            )
        limits.allow(client_of(request), digest(query))
        return answer_out(query, service.answer(query, facets=None if facets is None else tuple(facets)))

    @api.get("/fields")
    def fields() -> list[FieldOut]:
        """What can be searched."""
        return fields_out(service)

    @api.get("/search")
    def search(request: Request) -> AnswerOut:
        """Counts by the parameters of the address: ``?Modality=CT&AgeAtStudy.from=40``; ``facets=none`` for totals."""
        pairs = [(name, value) for name, value in request.query_params.multi_items() if name != "facets"]
        facets = request.query_params.getlist("facets")
        query = query_of(pairs, service.current().index.schema)
        return answered(request, query, None if not facets else [name for name in facets if name != "none"])

    @api.get("/releases")
    def releases() -> list[ReleaseOut]:
        """The release that is searched, with what may be shown of its size."""
        answer = service.answer(AllOf(()), facets=())
        total = answer.total
        return [ReleaseOut(release=answer.release, people=total.people, studies=total.studies, series=total.series)]

    @api.get("/fields/{name}/values")
    def values(
        request: Request, name: Annotated[str, Path(max_length=100)],
        after: Annotated[str | None, Query(max_length=MAX_TEXT)] = None,
        limit: Annotated[int, Query(ge=1, le=1_000)] = 100,
    ) -> ValuesPage:  # fmt: skip
        """Values of a field with their counts under the query in the address, in the order of their names."""
        schema = service.current().index.schema
        pairs = [pair for pair in request.query_params.multi_items() if pair[0] not in ("after", "limit")]
        query = query_of(pairs, schema)
        field = schema.get(name)
        if field is None or not field.counted:
            raise QueryError(["no such counted field; see the list of fields"])
        limits.allow(client_of(request), digest(query))
        answer = service.answer(query, facets=(name,))
        found = sorted(answer.facets[0].values, key=lambda one: one.value)
        rest = [one for one in found if after is None or one.value > after]
        page = [ValueOut(value=one.value, counts=_counts(one.counts)) for one in rest[:limit]]
        more = len(rest) > limit
        return ValuesPage(release=answer.release, field=name, values=page, next=page[-1].value if more else None)

    @api.post("/search")
    def search_by_body(request: Request, ask: Ask) -> AnswerOut:
        """Counts by a query in JSON, with groups of all, any and not."""
        return answered(request, parse_query(ask.query, service.current().index.schema), ask.facets)

    access, address = records or (Access(None, today=dt.date.today), None)
    api.include_router(records_router(service, limits, access, client_of=client_of, address=address, terms=terms))
    api.include_router(federated_router(nodes, limits, client_of=client_of))

    @api.middleware("http")
    async def bounded(request: Request, call: Callable[[Request], Any]) -> Any:
        length = request.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_BODY or "chunked" in request.headers.get("transfer-encoding", ""):
            return JSONResponse({"problems": [f"a query has at most {MAX_BODY} bytes, and says how many"]}, 413)
        tag = await run_in_threadpool(_tag, service, request) if request.method == "GET" else None
        headers = {"Cache-Control": "public, no-cache", "ETag": tag} if tag else {"Cache-Control": "no-store"}
        if tag and tag in [one.strip() for one in request.headers.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers=headers)
        response = await call(request)
        if response.status_code != 200:
            headers = {"Cache-Control": "no-store"}
        if service.outage.since is not None:
            response.headers[NOT_RENEWED] = service.outage.since.isoformat(timespec="seconds")
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        return response

    api.add_middleware(HeadAsGet)
    return api


_CACHED = re.compile(r"/(fields|search|releases|fields/[^/]+/values)$")
"""What depends on the release and the address alone: answers of nodes and records do not."""


def _tag(service: SearchService, request: Request) -> str | None:
    """The answer's tag: nothing is counted for a question whose answer the client has."""
    if not _CACHED.search(request.url.path):
        return None
    try:
        release = service.current().tag
    except tuple(_STATUS):
        return None  # the answer itself says what is wrong
    said = f"{API_VERSION}|{release}|{request.url.path}?{request.url.query}"
    return f'"{hashlib.sha256(said.encode()).hexdigest()[:32]}"'


def answer_out(query: AllOf, answer: PublicAnswer) -> AnswerOut:
    return AnswerOut(
        release=answer.release,
        query=to_json(query),
        total=_counts(answer.total),
        facets=[
            FacetOut(
                field=facet.name,
                values=[ValueOut(value=one.value, counts=_counts(one.counts)) for one in facet.values],
                hidden=bool(facet.hidden),
            )
            for facet in answer.facets
        ],
        refused=[
            RefusedOut(
                source_id=one.source_id,
                fields=list(one.fields),
                reason=f"states {', '.join(one.fields)} for none of its series",
            )
            for one in answer.refused
        ],
        rule=rule_of(answer.policy),
    )


def fields_out(service: SearchService) -> list[FieldOut]:
    schema: SearchSchema = service.current().index.schema
    everything = {facet.name: facet for facet in service.answer(AllOf(())).facets}
    return [
        FieldOut(
            name=field.name,
            kind=field.kind.value,
            label=field.label,
            unit=field.unit,
            values=[one.value for one in everything[field.name].values if one.value] if field.counted else [],
        )
        for field in schema.fields
    ]


def _counts(counts: PublicCounts) -> CountsOut:
    return CountsOut(people=counts.people, studies=counts.studies, series=counts.series, below=counts.below)


_STATUS: dict[type[Exception], int] = {
    QueryError: 400, NotGrantedError: 401, UnknownSeriesError: 404, ReleaseChangedError: 409, TooManyError: 429,
    NothingReleasedError: 503, StoreError: 503, IndexUnusableError: 503, ReleaseDamagedError: 503, NoNodesError: 404,
    AccessFileError: 503, NotRecordedError: 503, BusyError: 503,
}  # fmt: skip


def _invalid(request: Request, error: Exception) -> JSONResponse:
    """What the description of the API already forbids, in the shape of all other problems."""
    assert isinstance(error, RequestValidationError)
    problems = [f"{'.'.join(map(str, one['loc']))[:100]}: {one['msg'][:200]}" for one in error.errors()[:20]]
    return JSONResponse({"problems": [_ascii(problem) for problem in problems]}, 422)


def _refused(request: Request, error: Exception) -> JSONResponse:
    """An unknown path or method."""
    assert isinstance(error, HTTPException)
    return JSONResponse({"problems": [str(error.detail)]}, error.status_code, headers=error.headers)


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode()


def _problem(status: int, outage: Outage) -> Callable[[Request, Exception], JSONResponse]:
    def handle(request: Request, error: Exception) -> JSONResponse:
        problems = list(error.problems) if isinstance(error, QueryError) else [said_to_visitors(error)]
        if problems != [str(error)] and not isinstance(error, QueryError):
            outage.unanswered(error)
        headers = {"Retry-After": str(error.retry_after)} if isinstance(error, (TooManyError, BusyError)) else {}
        if status == 401:
            headers = {"WWW-Authenticate": "Bearer"}
        return JSONResponse({"problems": problems}, status, headers=headers)

    return handle
