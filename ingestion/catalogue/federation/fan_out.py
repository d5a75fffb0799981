"""One question to many nodes at once: each has its time, and what does not answer is named, never counted as nothing.

A node's answer is somebody else's data: bounded in size, checked field by field, and used as numbers and text only.
"""

from __future__ import annotations

import ipaddress
import json
import queue
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

import requests
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from urllib3.exceptions import HTTPError, ReadTimeoutError

from ingestion.catalogue.federation.ast import MAX_FACETS, UnsupportedError
from ingestion.catalogue.federation.write import NodeKind, to_tree
from ingestion.catalogue.search.query import AllOf, digest

LIMIT_SECONDS = 10.0
"""A person waits no longer for a page; a node that needs more is named as late."""
MAX_ANSWER_BYTES = 2_000_000
"""36 collections take some 20 kB."""
_CHUNK = 65_536

Text = Annotated[str, Field(max_length=2_000)]
Count = Annotated[int, Field(ge=0, le=10**12)]


class NodeCollection(BaseModel):
    """One collection of a node's answer; a count is None where it may not be shown."""

    model_config = ConfigDict(frozen=True)

    id: Text
    name: Text
    description: Text = ""
    studies_count: Count | None = None
    subjects_count: Count | None = None
    age_range: dict[str, float] | None = None
    gender: list[Text] = Field(default_factory=list, max_length=200)
    modalities: list[Text] = Field(default_factory=list, max_length=200)
    body_parts: list[Text] = Field(default_factory=list, max_length=1_000)


class RefusedCollection(BaseModel):
    """A collection that can't answer the question, and why."""

    model_config = ConfigDict(frozen=True)

    id: Text
    reason: Text


class NodeTotal(BaseModel):
    model_config = ConfigDict(frozen=True)

    studies_count: Count | None = None
    subjects_count: Count | None = None


class NodeValue(BaseModel):
    """One value of a field, with counts that may be shown."""

    model_config = ConfigDict(frozen=True)

    value: Text
    people: Count
    studies: Count | None = None
    series: Count | None = None


class NodeFacet(BaseModel):
    """The values of one field; ``hidden``: whether there are others that are not shown."""

    model_config = ConfigDict(frozen=True)

    field: Text
    values: list[NodeValue] = Field(max_length=20_000)
    hidden: bool

    @field_validator("hidden", mode="before")
    @classmethod
    def _any(cls, said: object) -> object:
        """Nodes of before say how many."""
        return said > 0 if isinstance(said, int) else said


class NodeReply(BaseModel):
    """What a node answers; ``release``, ``refused`` and ``facets`` are of this platform's nodes only."""

    model_config = ConfigDict(frozen=True)

    provider: Text
    collections: list[NodeCollection] = Field(max_length=5_000)
    total: NodeTotal
    release: Text | None = None
    refused: list[RefusedCollection] = Field(default_factory=list, max_length=5_000)
    facets: list[NodeFacet] = Field(default_factory=list, max_length=MAX_FACETS)


class SiteState(StrEnum):
    """``REFUSED``: it can't answer this question; ``LATE``: no answer within its time; ``FAILED``: anything else."""

    ANSWERED = "answered"
    REFUSED = "refused"
    LATE = "late"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class NodeAddress:
    """A node to ask. ``limit``: seconds that it has."""

    name: str
    url: str
    kind: NodeKind = NodeKind.CIE
    limit: float = LIMIT_SECONDS

    @staticmethod
    def parse(said: str) -> NodeAddress:
        """From ``name=url`` or ``name=eucaim+url``.

        Raises:
            ValueError: it is neither; the message says what is expected.
        """
        name, _, url = said.partition("=")
        kind = NodeKind.EUCAIM if url.startswith("eucaim+") else NodeKind.CIE
        url = url.removeprefix("eucaim+")
        parts = urlsplit(url)
        if not name.strip() or parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
            raise ValueError(f"a node is name=http://host:port/node, or name=eucaim+http://…, not {said[:80]!r}")
        return NodeAddress(name.strip(), url, kind)


@dataclass(frozen=True, slots=True)
class SiteAnswer:
    """What came of asking one node."""

    name: str
    state: SiteState
    reason: str = ""
    reply: NodeReply | None = None


@dataclass(frozen=True, slots=True)
class FederatedAnswer:
    """All nodes' answers, merged.

    ``people`` and ``studies``: the sum over the nodes that show people; None where none does, ``studies`` also where
    one of them does not show these. ``complete``: every
    node answered for all its collections. ``distinct``: no person is counted twice as far as pseudonyms tell: all nodes
    are of this platform, and no collection came from two of them (those in ``repeated``).
    """

    sites: tuple[SiteAnswer, ...]
    people: int | None
    studies: int | None
    hidden_sites: int
    complete: bool
    distinct: bool
    repeated: tuple[str, ...]


def ask_nodes(nodes: Sequence[NodeAddress], query: AllOf, *, facets: Sequence[str] = ()) -> FederatedAnswer:
    """Ask all nodes at once and wait for each no longer than its limit.

    ``facets``: fields whose values are counted too; only nodes of this platform are asked for them.
    """
    answers: queue.Queue[tuple[int, SiteAnswer]] = queue.Queue()
    begun = time.monotonic()
    for at, node in enumerate(nodes):
        # a thread that hangs ends with its socket; nobody waits for it

        def ask(at: int = at, node: NodeAddress = node) -> None:
            answers.put((at, _ask(node, query, facets)))

        threading.Thread(target=ask, name="federated-ask", daemon=True).start()
    found: dict[int, SiteAnswer] = {}
    while len(found) < len(nodes):
        left = max(node.limit for at, node in enumerate(nodes) if at not in found) - (time.monotonic() - begun)
        try:
            at, answer = answers.get(timeout=max(left, 0.001))
        except queue.Empty:
            break
        found[at] = answer
    sites = tuple(found.get(at) or _late(node) for at, node in enumerate(nodes))
    return merge(sites, foreign=frozenset(node.name for node in nodes if node.kind is not NodeKind.CIE))


def merge(sites: Sequence[SiteAnswer], *, foreign: frozenset[str] = frozenset()) -> FederatedAnswer:
    """The sum of the answers. ``foreign``: names of nodes whose people may be those of other nodes too."""
    replies = {site.name: site.reply for site in sites if site.reply is not None}
    seen: dict[str, int] = {}
    for reply in replies.values():
        for one in {collection.id for collection in reply.collections}:
            seen[one] = seen.get(one, 0) + 1
    repeated = tuple(sorted(name for name, times in seen.items() if times > 1))
    people = [reply.total.subjects_count for reply in replies.values()]
    shown = [reply.total for reply in replies.values() if reply.total.subjects_count is not None]
    return FederatedAnswer(
        sites=tuple(sites),
        people=whole_sum(one.subjects_count for one in shown),
        studies=whole_sum(one.studies_count for one in shown),
        hidden_sites=sum(count is None for count in people),
        complete=all(site.reply is not None and not site.reply.refused for site in sites),
        distinct=not repeated and not foreign & set(replies),
        repeated=repeated,
    )


def whole_sum(counts: Iterable[int | None]) -> int | None:
    """The sum; None where a part of it is not known, or there is none: what is not shown is not nought."""
    known = list(counts)
    return None if not known or None in known else sum(count or 0 for count in known)


def _ask(node: NodeAddress, query: AllOf, facets: Sequence[str]) -> SiteAnswer:
    try:
        tree = to_tree(query, node.kind)
    except UnsupportedError as error:
        return SiteAnswer(node.name, SiteState.REFUSED, "not asked: " + "; ".join(error.problems))
    try:
        more = {"facets": list(facets)} if facets and node.kind is NodeKind.CIE else {}
        status, body = _exchange(node, json.dumps({"ast": tree, "id": digest(query), **more}).encode())
    except (requests.Timeout, ReadTimeoutError):
        return _late(node)
    except (requests.RequestException, HTTPError, ValueError, OSError) as error:
        return SiteAnswer(node.name, SiteState.FAILED, f"does not answer ({type(error).__name__})")
    if body is None:
        return SiteAnswer(node.name, SiteState.FAILED, f"its answer has more than {MAX_ANSWER_BYTES:,} bytes")
    if status in (400, 422):
        return SiteAnswer(node.name, SiteState.REFUSED, _problems(body))
    if status != requests.codes.ok:
        return SiteAnswer(node.name, SiteState.FAILED, f"answers with status {status}: {_problems(body)}")
    try:
        return SiteAnswer(node.name, SiteState.ANSWERED, reply=NodeReply.model_validate_json(body))
    except ValidationError as error:
        places = sorted({".".join(map(str, one["loc"][:3])) or "the whole" for one in error.errors()})[:3]
        return SiteAnswer(node.name, SiteState.FAILED, f"its answer has another shape: {', '.join(places)}")


def _exchange(node: NodeAddress, body: bytes) -> tuple[int, bytes | None]:
    """Status and body; None where it is too large."""
    ends = time.monotonic() + node.limit
    with requests.Session() as session:
        session.trust_env = not _is_loopback(node.url)  # a proxy of the environment does not reach this machine
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        # redirects are not followed: a node answers where it is registered, and nowhere else
        with session.post(
            node.url, data=body, headers=headers, timeout=node.limit, stream=True, allow_redirects=False
        ) as response:
            received = bytearray()
            # what has come so far each time: a node that sends byte by byte must not hold the thread
            while chunk := response.raw.read1(_CHUNK, decode_content=True):
                received += chunk
                if len(received) > MAX_ANSWER_BYTES:
                    return response.status_code, None
                if time.monotonic() > ends:
                    raise requests.Timeout
            return response.status_code, bytes(received)


def _problems(body: bytes) -> str:
    """Why a node refused, in its own words, short."""
    try:
        said = json.loads(body)["problems"]
        return "; ".join(str(one)[:300] for one in said[:5])
    except (ValueError, KeyError, TypeError, RecursionError):
        return "no reason given"


def _late(node: NodeAddress) -> SiteAnswer:
    return SiteAnswer(node.name, SiteState.LATE, f"no answer within {node.limit:g} s")


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
