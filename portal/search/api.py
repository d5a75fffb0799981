"""The public API: fields, releases, counts. Every number is public by the sources' count policies."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field

from ingestion.catalogue.search.fields import SearchSchema
from ingestion.catalogue.search.index import IndexUnusableError
from ingestion.catalogue.search.protection import PublicCounts
from ingestion.catalogue.search.public import PublicAnswer
from ingestion.catalogue.search.query import AllOf, QueryError, digest, parse_query, to_json
from ingestion.catalogue.search.release_index import ReleaseDamagedError
from ingestion.storage import StoreError
from portal.search.limits import Limits, TooManyError
from portal.search.service import NothingReleasedError, SearchService
from portal.search.state import query_of

MAX_BODY = 256_000
"""Bytes of a posted query: 200 criteria of 1,000 values would be more, and no one means them."""


class CountsOut(BaseModel):
    """Counts of one set of people, studies and series; null and ``below`` where fewer than that, perhaps nobody."""

    people: int | None
    studies: int | None
    series: int | None
    below: int | None = None


class ValueOut(BaseModel):
    value: str = Field(description="empty: not stated")
    counts: CountsOut


class FacetOut(BaseModel):
    field: str
    values: list[ValueOut]
    hidden: int = Field(description="further values of which no count may be shown")


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


class FieldOut(BaseModel):
    name: str
    kind: str
    label: str
    unit: str | None
    values: list[str] = Field(description="of a number: its bins; of terms: those of which a count may be shown")


class Ask(BaseModel):
    """A query in JSON; ``facets`` names the fields whose values are counted, null: all."""

    model_config = ConfigDict(extra="forbid")

    query: Any = None
    facets: list[str] | None = Field(None, max_length=50)


class Problem(BaseModel):
    problems: list[str]


RULE = (
    "Counts of fewer than 10 people, and some of up to 15, are not shown; others are rounded to 10. Criteria that move "
    "fewer than 10 people are not applied. Numbers belong to the release and never change for it."
)


def build_api(service: SearchService, limits: Limits) -> FastAPI:
    """The API as an application of its own, with its description at ``/openapi.json``."""
    api = FastAPI(
        title="Cancer image catalogue",
        version="1",
        description="What a release of the platform holds: counts of people, studies and series. " + RULE,
        docs_url=None,
        redoc_url=None,
        responses={400: {"model": Problem}, 429: {"model": Problem}, 503: {"model": Problem}},
    )
    for kind, status in ((QueryError, 400), (TooManyError, 429), (NothingReleasedError, 503), (StoreError, 503),
                         (IndexUnusableError, 503), (ReleaseDamagedError, 503)):  # fmt: skip
        api.add_exception_handler(kind, _problem(status))

    def answered(request: Request, query: AllOf, facets: list[str] | None) -> AnswerOut:
        schema = service.current().index.schema
        unknown = sorted(set(facets or ()) - {field.name for field in schema.fields if field.counted})
        if unknown:
            raise QueryError([f"facets: no such counted field: {', '.join(name[:40] for name in unknown)}"])
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

    @api.post("/search")
    def search_by_body(request: Request, ask: Ask) -> AnswerOut:
        """Counts by a query in JSON, with groups of all, any and not."""
        return answered(request, parse_query(ask.query, service.current().index.schema), ask.facets)

    @api.middleware("http")
    async def bounded(request: Request, call: Callable[[Request], Any]) -> Any:
        length = request.headers.get("content-length", "0")
        if not length.isdigit() or int(length) > MAX_BODY or "chunked" in request.headers.get("transfer-encoding", ""):
            return JSONResponse({"problems": [f"a query has at most {MAX_BODY} bytes, and says how many"]}, 413)
        response = await call(request)
        response.headers["Cache-Control"] = "no-cache"
        return response

    return api


def client_of(request: Request) -> str:
    """The address that budgets are kept by."""
    return request.client.host if request.client else "unknown"


def answer_out(query: AllOf, answer: PublicAnswer) -> AnswerOut:
    return AnswerOut(
        release=answer.release,
        query=to_json(query),
        total=_counts(answer.total),
        facets=[
            FacetOut(
                field=facet.name,
                values=[ValueOut(value=one.value, counts=_counts(one.counts)) for one in facet.values],
                hidden=facet.hidden,
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
        rule=RULE,
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


def _problem(status: int) -> Callable[[Request, Exception], JSONResponse]:
    def handle(request: Request, error: Exception) -> JSONResponse:
        problems = list(error.problems) if isinstance(error, QueryError) else [str(error)]
        headers = {"Retry-After": str(error.retry_after)} if isinstance(error, TooManyError) else None
        return JSONResponse({"problems": problems}, status, headers=headers)

    return handle
