"""Three nodes as processes of their own; one hangs, one dies: what is left is answered, and what is not is named."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest
from made_index import make_index, make_limits, make_rows, make_service
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from ingestion.catalogue.federation.fan_out import NodeAddress, SiteState, ask_nodes
from ingestion.catalogue.federation.write import NodeKind
from ingestion.catalogue.search.engine import SearchEngine
from ingestion.catalogue.search.index import SearchIndex
from ingestion.catalogue.search.query import EVERYTHING, parse_query
from ingestion.catalogue.search.release_index import RELEASE_SCHEMA
from portal.search.api import build_api

HELD = {"one": {"LUNG-01": 400, "COLON-01": 300}, "two": {"LUNG-02": 500}, "three": {"LUNG-03": 600}}
LONG = 120.0
"""Seconds for nodes that answer: a slow machine must not look like a dead node."""


@pytest.fixture(scope="module")
def indexes(tmp_path_factory: pytest.TempPathFactory) -> dict[str, SearchIndex]:
    return {name: make_index(tmp_path_factory.mktemp(name), make_rows(held)) for name, held in HELD.items()}


@pytest.fixture(scope="module")
def nodes(indexes: dict[str, SearchIndex]) -> Iterator[dict[str, tuple[NodeAddress, subprocess.Popen[str]]]]:
    """Each over its own sources, on a free port of the loopback."""
    started = {}
    try:
        for name, index in indexes.items():
            command = [sys.executable, "-m", "ingestion.cli", "node", "--index", str(index.folder), "--port", "0"]
            process = subprocess.Popen(
                [*command, "--provider", name], stdout=subprocess.PIPE, text=True, start_new_session=True
            )
            started[name] = process
        found = {}
        for name, process in started.items():
            assert process.stdout is not None
            address = process.stdout.readline().strip()
            assert address.startswith("http://127.0.0.1:"), name
            found[name] = NodeAddress(name, f"{address}/node", limit=LONG), process
        yield found
    finally:
        for process in started.values():
            process.kill()
            process.wait()
            if process.stdout is not None:
                process.stdout.close()


Nodes = dict[str, tuple[NodeAddress, "subprocess.Popen[str]"]]


def truth(indexes: dict[str, SearchIndex], names: list[str], said: object) -> int:
    query = parse_query(said, RELEASE_SCHEMA)
    return sum(SearchEngine(indexes[name]).answer(query).total.people for name in names)


def test_all_nodes_answer_then_one_hangs_and_one_dies(nodes: Nodes, indexes: dict[str, SearchIndex]) -> None:
    addresses = [address for address, _ in nodes.values()]
    said = {"all": [{"field": "Modality", "in": ["CT"]}, {"field": "AgeAtStudy", "from": 40, "to": 69}]}
    query = parse_query(said, RELEASE_SCHEMA)

    whole = ask_nodes(addresses, query)
    assert [site.state for site in whole.sites] == [SiteState.ANSWERED] * 3
    assert whole.complete and whole.distinct and whole.hidden_sites == 0
    # each node rounds its own number, and widens 69 to the bin's end
    assert whole.people is not None and abs(whole.people - truth(indexes, list(HELD), said)) <= 10 * 3
    replies = [site.reply for site in whole.sites if site.reply is not None]
    assert whole.people == sum(reply.total.subjects_count or 0 for reply in replies)
    assert {one.id for reply in replies for one in reply.collections} == {
        "LUNG-01", "COLON-01", "LUNG-02", "LUNG-03",
    }  # fmt: skip

    _, hangs = nodes["two"]
    _, dies = nodes["three"]
    os.kill(hangs.pid, signal.SIGSTOP)
    dies.kill()
    dies.wait()
    try:
        limits = {"one": LONG, "two": 1.0, "three": LONG}
        partial = ask_nodes([replace(address, limit=limits[address.name]) for address in addresses], query)
    finally:
        os.kill(hangs.pid, signal.SIGCONT)
    states = {site.name: site.state for site in partial.sites}
    assert states == {"one": SiteState.ANSWERED, "two": SiteState.LATE, "three": SiteState.FAILED}
    assert not partial.complete
    assert partial.people == replies[0].total.subjects_count  # of the node that is left, the same number as before
    reasons = {site.name: site.reason for site in partial.sites}
    assert reasons["two"] == "no answer within 1 s" and "does not answer" in reasons["three"]

    # over the API: the answer says what is missing
    api = build_api(make_service(indexes["one"]), make_limits(), nodes=tuple(addresses[:1]) + tuple(addresses[2:]))
    client = TestClient(Starlette(routes=[Mount("/api/v1", api)]))
    body = client.post("/api/v1/federated", json={"query": said}).json()
    assert body["complete"] is False and body["people"] == partial.people
    assert [site["state"] for site in body["sites"]] == ["answered", "failed"]
    by_address = client.get("/api/v1/federated?Modality=CT&AgeAtStudy.from=40&AgeAtStudy.to=69").json()
    assert by_address["people"] == body["people"]


def test_a_collection_that_cannot_answer_is_named_by_its_node(nodes: Nodes) -> None:
    address, _ = nodes["one"]
    query = parse_query({"field": "MagneticFieldStrength", "from": 1}, RELEASE_SCHEMA)
    answer = ask_nodes([address], query)
    (site,) = answer.sites
    assert site.reply is not None
    assert [(one.id, one.reason) for one in site.reply.refused] == [
        ("COLON-01", "states MagneticFieldStrength for none of its series")
    ]
    assert not answer.complete  # one of its collections is missing
    assert [one.id for one in site.reply.collections] == ["LUNG-01"]


def test_a_foreign_node_is_not_asked_what_it_would_leave_out(nodes: Nodes) -> None:
    address, _ = nodes["one"]
    foreign = replace(address, kind=NodeKind.EUCAIM)
    answer = ask_nodes([foreign], parse_query({"field": "AgeAtStudy", "from": 40}, RELEASE_SCHEMA))
    assert answer.sites[0].state is SiteState.REFUSED and answer.people is None and not answer.complete
    assert "AgeAtStudy" in answer.sites[0].reason and "not asked" in answer.sites[0].reason
    coded = ask_nodes([foreign], parse_query({"field": "PatientSex", "in": ["F"]}, RELEASE_SCHEMA))
    assert coded.sites[0].state is SiteState.ANSWERED and not coded.distinct
    assert (
        coded.people == ask_nodes([address], parse_query({"field": "PatientSex", "in": ["F"]}, RELEASE_SCHEMA)).people
    )


def test_one_collection_at_two_nodes_is_said(nodes: Nodes) -> None:
    address, _ = nodes["one"]
    answer = ask_nodes([address, replace(address, name="again")], EVERYTHING)
    assert answer.repeated == ("COLON-01", "LUNG-01") and not answer.distinct
