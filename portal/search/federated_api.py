"""The API's part for the federation: one question to this platform's nodes, answers merged, gaps named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from ingestion.catalogue.federation.ast import MAX_FACETS, uncounted
from ingestion.catalogue.federation.fan_out import (
    FederatedAnswer,
    NodeAddress,
    NodeCollection,
    RefusedCollection,
    SiteAnswer,
    ask_nodes,
)
from ingestion.catalogue.federation.merged import MergedFacet, merge_facets
from ingestion.catalogue.search.query import AllOf, QueryError, digest, parse_query, to_json
from ingestion.catalogue.search.release_index import RELEASE_SCHEMA
from portal.search.bodies import StrictRoute
from portal.search.limits import Limits
from portal.search.state import query_of


class FederatedAsk(BaseModel):
    """A query in JSON, as ``/search`` takes it."""

    model_config = ConfigDict(extra="forbid")

    query: Any = None
    facets: list[str] = Field(default_factory=list, max_length=MAX_FACETS, description="fields to count values of")


class MergedValueOut(BaseModel):
    value: str = Field(description="empty: not stated")
    people: int
    studies: int | None = Field(description="null: a site that is in the sum of people does not show it")
    series: int | None = Field(description="null: a site that is in the sum of people does not show it")
    sites: int = Field(description="sites that show a count of it")
    partial: bool = Field(description="a site is missing, left a collection out, or hides what may be this value's")


class MergedFacetOut(BaseModel):
    field: str
    values: list[MergedValueOut]
    without: list[str] = Field(description="sites whose counts are not in it")


class SiteOut(BaseModel):
    name: str
    state: str = Field(description="answered, refused, late or failed")
    reason: str
    people: int | None
    studies: int | None
    release: str | None
    collections: list[NodeCollection]
    refused: list[RefusedCollection]


class FederatedOut(BaseModel):
    query: dict[str, Any]
    people: int | None = Field(description="sum over the sites that show a number; null where none does")
    studies: int | None = Field(description="sum over the same sites; null also where one of them does not show it")
    complete: bool = Field(description="every site answered for all its collections")
    distinct: bool = Field(description="nobody is counted twice, as far as pseudonyms tell")
    hidden_sites: int = Field(description="sites that answered and show no number")
    repeated: list[str] = Field(description="collections that more than one site holds")
    sites: list[SiteOut]
    facets: list[MergedFacetOut]


class NoNodesError(LookupError):
    """There is no node to ask."""


def federated_router(
    nodes: tuple[NodeAddress, ...], limits: Limits, *, client_of: Callable[[Request], str]
) -> APIRouter:
    router = APIRouter(tags=["federation"], route_class=StrictRoute)

    def answered(request: Request, query: AllOf, facets: list[str]) -> FederatedOut:
        unknown = uncounted(facets)
        if unknown:
            said = ", ".join(name[:40] for name in unknown[:10]).encode("ascii", "backslashreplace").decode()
            raise QueryError([f"facets: no such counted field: {said}"])
        if not nodes:
            raise NoNodesError("this platform asks no nodes: name them in CIE_NODES")
        limits.allow(client_of(request), f"federated {digest(query)}")
        names = tuple(dict.fromkeys(facets))
        answer = ask_nodes(nodes, query, facets=names)
        return federated_out(query, answer, merge_facets(answer.sites, names))

    @router.get("/federated")
    def federated(request: Request) -> FederatedOut:
        """Counts of all nodes by the parameters of the address; ``facets=Modality`` counts a field's values too."""
        pairs = [(name, value) for name, value in request.query_params.multi_items() if name != "facets"]
        facets = [name for name in request.query_params.getlist("facets") if name != "none"]
        return answered(request, query_of(pairs, RELEASE_SCHEMA), facets)

    @router.post("/federated")
    def federated_by_body(request: Request, ask: FederatedAsk) -> FederatedOut:
        """Counts of all nodes by a query in JSON."""
        return answered(request, parse_query(ask.query, RELEASE_SCHEMA), ask.facets)

    return router


SHOWS_NONE = "shows no number: too few people, nobody, or a question too close to one about few"


def _reason(site: SiteAnswer) -> str:
    """Why there is no number of a site, also where it answered."""
    shows = site.reply is None or site.reply.total.subjects_count is not None
    return site.reason if shows else SHOWS_NONE


def federated_out(query: AllOf, answer: FederatedAnswer, facets: tuple[MergedFacet, ...]) -> FederatedOut:
    return FederatedOut(
        query=to_json(query),
        people=answer.people,
        studies=answer.studies,
        complete=answer.complete,
        distinct=answer.distinct,
        hidden_sites=answer.hidden_sites,
        repeated=list(answer.repeated),
        sites=[
            SiteOut(
                name=site.name,
                state=site.state.value,
                reason=_reason(site),
                people=site.reply.total.subjects_count if site.reply else None,
                studies=site.reply.total.studies_count if site.reply else None,
                release=site.reply.release if site.reply else None,
                collections=site.reply.collections if site.reply else [],
                refused=site.reply.refused if site.reply else [],
            )
            for site in answer.sites
        ],
        facets=[
            MergedFacetOut(
                field=facet.field,
                values=[MergedValueOut(**asdict(one)) for one in facet.values],
                without=list(facet.without),
            )
            for facet in facets
        ],
    )
