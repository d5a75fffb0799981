"""The API's part for the federation: one question to this platform's nodes, answers merged, gaps named."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from ingestion.catalogue.federation.fan_out import (
    FederatedAnswer,
    NodeAddress,
    NodeCollection,
    RefusedCollection,
    ask_nodes,
)
from ingestion.catalogue.search.query import AllOf, digest, parse_query, to_json
from ingestion.catalogue.search.release_index import RELEASE_SCHEMA
from portal.search.limits import Limits
from portal.search.state import query_of


class FederatedAsk(BaseModel):
    """A query in JSON, as ``/search`` takes it."""

    model_config = ConfigDict(extra="forbid")

    query: Any = None


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
    people: int | None = Field(description="sum over the sites that answered; null where no number may be shown")
    studies: int | None
    complete: bool = Field(description="every site answered for all its collections")
    distinct: bool = Field(description="nobody is counted twice, as far as pseudonyms tell")
    hidden_sites: int = Field(description="sites that answered and whose number may not be shown")
    repeated: list[str] = Field(description="collections that more than one site holds")
    sites: list[SiteOut]


class NoNodesError(LookupError):
    """There is no node to ask."""


def federated_router(
    nodes: tuple[NodeAddress, ...], limits: Limits, *, client_of: Callable[[Request], str]
) -> APIRouter:
    router = APIRouter(tags=["federation"])

    def answered(request: Request, query: AllOf) -> FederatedOut:
        if not nodes:
            raise NoNodesError("this platform asks no nodes: name them in CIE_NODES")
        limits.allow(client_of(request), f"federated {digest(query)}")
        return federated_out(query, ask_nodes(nodes, query))

    @router.get("/federated")
    def federated(request: Request) -> FederatedOut:
        """Counts of all nodes by the parameters of the address."""
        return answered(request, query_of(request.query_params.multi_items(), RELEASE_SCHEMA))

    @router.post("/federated")
    def federated_by_body(request: Request, ask: FederatedAsk) -> FederatedOut:
        """Counts of all nodes by a query in JSON."""
        return answered(request, parse_query(ask.query, RELEASE_SCHEMA))

    return router


def federated_out(query: AllOf, answer: FederatedAnswer) -> FederatedOut:
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
                reason=site.reason,
                people=site.reply.total.subjects_count if site.reply else None,
                studies=site.reply.total.studies_count if site.reply else None,
                release=site.reply.release if site.reply else None,
                collections=site.reply.collections if site.reply else [],
                refused=site.reply.refused if site.reply else [],
            )
            for site in answer.sites
        ],
    )
