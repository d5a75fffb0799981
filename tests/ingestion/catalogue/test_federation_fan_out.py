"""Questions to other nodes: nothing is lost on the way, and a node that answers nonsense is named, not believed."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ingestion.catalogue.federation.ast import UnsupportedError, decode, facets_of
from ingestion.catalogue.federation.fan_out import (
    MAX_ANSWER_BYTES,
    NodeAddress,
    NodeReply,
    SiteAnswer,
    SiteState,
    ask_nodes,
)
from ingestion.catalogue.federation.merged import merge_facets
from ingestion.catalogue.federation.terms import FIELDS, values_of
from ingestion.catalogue.federation.write import NodeKind, code_of, to_tree
from ingestion.catalogue.search.query import EVERYTHING, QueryError, parse_query
from ingestion.catalogue.search.release_index import RELEASE_SCHEMA
from ingestion.vocabulary.body_part import body_parts
from ingestion.vocabulary.cancer import CancerType
from ingestion.vocabulary.modality import modalities

leaves = st.one_of(
    st.builds(
        lambda field, values: {"field": field, "in": values},
        st.sampled_from(["Modality", "source_id", "ManufacturerModelName", "DataUse"]),
        st.lists(st.text(st.characters(codec="utf-8"), max_size=5), min_size=1, max_size=3),
    ),
    st.builds(lambda low: {"field": "AgeAtStudy", "from": low}, st.integers(-5, 99)),
    st.builds(lambda high: {"field": "SliceThickness", "to": high}, st.floats(-5, 99)),
    st.builds(lambda word: {"text": f"x{word}"}, st.text(st.characters(codec="utf-8"), max_size=5)),
)
queries = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda kind, c: {kind: c}, st.sampled_from(["all", "any"]), st.lists(inner, max_size=3)),
        st.builds(lambda c: {"not": c}, inner),
    ),
    max_leaves=6,
)


def nested(levels: int) -> dict[str, Any]:
    """As deep as a query may be."""
    said: dict[str, Any] = {"text": "x0"}
    for level in range(1, levels):
        said = {("all", "any")[level % 2]: [said, {"text": f"x{level}"}]}
    return {"all": [said, {"text": "y"}]}


@settings(max_examples=200, deadline=None)
@given(said=queries)
@example(said={"any": []})
@example(said={"not": {"all": [{"any": []}, {"text": "x"}]}})
@example(said={"any": [{"text": f"x{number}"} for number in range(43)]})
@example(said=nested(8))
def test_a_question_reaches_a_node_of_the_platform_unchanged(said: dict[str, Any]) -> None:
    try:
        query = parse_query(said, RELEASE_SCHEMA)
    except QueryError as error:
        assert "nested deeper" in str(error)
        return
    tree = to_tree(query, NodeKind.CIE)
    assert decode(json.dumps({"ast": tree, "id": "x"}).encode()) == query


@pytest.mark.parametrize(
    ("category", "value"),
    [*(("sex", sex) for sex in ("M", "F", "")), *(("diagnosis", cancer.value) for cancer in CancerType),
     *(("modality", one) for one in ("CT", "MR", "PT", "MG")),
     *(("bodyPart", one) for one in ("Breast", "Colon", "Lung", "Pelvis", "Prostate")),
     *(("manufacturer", one) for one in ("Siemens", "Philips", "General Electric"))],
)  # fmt: skip
def test_what_the_federation_has_a_code_for_is_asked_by_it_and_means_the_value(category: str, value: str) -> None:
    code = code_of(category, value)
    assert code is not None and value in (values_of(category, code) or ())
    query = parse_query({"field": FIELDS[category], "in": [value]}, RELEASE_SCHEMA)
    read = decode(json.dumps({"ast": to_tree(query, NodeKind.EUCAIM)}).encode())
    assert value in str(read)


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ({"field": "AgeAtStudy", "from": 40}, "AgeAtStudy"),
        ({"text": "t2"}, "words"),
        ({"field": "ManufacturerModelName", "in": ["x"]}, "no such criterion"),
        ({"field": "Modality", "in": ["CT", "XA"]}, "'XA'"),
        ({"not": {"any": [{"field": "Modality", "in": ["CT"]}, {"field": "PatientSex", "in": ["M"]}]}}, "negate"),
        ({"any": []}, "empty group"),
    ],
)
def test_what_the_federation_cannot_be_asked_is_refused_with_the_reason(said: Any, reason: str) -> None:
    with pytest.raises(UnsupportedError, match=reason):
        to_tree(parse_query(said, RELEASE_SCHEMA), NodeKind.EUCAIM)


def test_every_value_the_federation_cannot_be_asked_for_is_known_here() -> None:
    """Exactly these have no code of their own there: of the nine cancers all do."""
    assert all(code_of("diagnosis", cancer.value) for cancer in CancerType)
    assert sum(code_of("modality", one) is not None for one in modalities()) == 4
    assert {one for one in body_parts() if code_of("bodyPart", one)} == {
        "Breast",
        "Colon",
        "Lung",
        "Pelvis",
        "Prostate",
    }


@contextmanager
def node_that_says(
    status: int, body: bytes, headers: dict[str, str] | None = None, *, asked: list[dict[str, Any]] | None = None
) -> Iterator[NodeAddress]:
    """``asked``: what it was asked is put there."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = self.rfile.read(int(self.headers["Content-Length"]))
            if asked is not None:
                asked.append(json.loads(question))
            self.send_response(status)
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield NodeAddress("odd", f"http://127.0.0.1:{server.server_port}/node", limit=60)
    finally:
        server.shutdown()
        server.server_close()


GOOD = {"provider": "x", "provider_icon": "", "collections": [], "total": {"studies_count": 20, "subjects_count": 10}}


@pytest.mark.parametrize(
    ("status", "body", "state", "reason"),
    [
        (200, json.dumps(GOOD).encode(), SiteState.ANSWERED, ""),
        (200, b"<html>", SiteState.FAILED, "another shape"),
        (200, json.dumps({**GOOD, "total": {"subjects_count": -5}}).encode(), SiteState.FAILED, "total.subjects_count"),
        (200, json.dumps({**GOOD, "total": {"subjects_count": "9" * 400}}).encode(), SiteState.FAILED, "another shape"),
        (200, b"[" * 5000, SiteState.FAILED, "another shape"),
        (200, b" " * (MAX_ANSWER_BYTES + 1), SiteState.FAILED, "more than"),
        (422, b'{"problems": ["nothing is held here about it"]}', SiteState.REFUSED, "nothing is held here about it"),
        (400, b"no", SiteState.REFUSED, "no reason given"),
        (500, b"no", SiteState.FAILED, "status 500"),
        (302, b"", SiteState.FAILED, "status 302"),
    ],
)
def test_what_a_node_says_is_checked(status: int, body: bytes, state: SiteState, reason: str) -> None:
    with node_that_says(status, body, {"Location": "http://192.0.2.1/"} if status == 302 else None) as node:
        answer = ask_nodes([node], EVERYTHING)
    (site,) = answer.sites
    assert site.state is state and reason in site.reason
    assert answer.complete is (state is SiteState.ANSWERED)
    assert answer.people == (10 if state is SiteState.ANSWERED else None)


def test_a_node_that_sends_byte_by_byte_holds_nobody() -> None:
    """Neither the answer nor, once its time is over, the thread that reads."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def drip() -> None:
            connection, _ = listening.accept()
            with connection, suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                while not stop.wait(0.02):
                    connection.sendall(b" ")

        thread = threading.Thread(target=drip, daemon=True)
        thread.start()
        try:
            port = listening.getsockname()[1]
            answer = ask_nodes([NodeAddress("drips", f"http://127.0.0.1:{port}/", limit=0.5)], EVERYTHING)
            assert answer.sites[0].state is SiteState.LATE
            # the reader closes the connection, which ends the sender too, without being told to stop
            thread.join(timeout=120)
            assert not thread.is_alive()
        finally:
            stop.set()


def test_a_node_that_dies_within_its_answer_has_failed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def die() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"provider": "x", ')

        threading.Thread(target=die, daemon=True).start()
        port = listening.getsockname()[1]
        answer = ask_nodes([NodeAddress("dies", f"http://127.0.0.1:{port}/", limit=120)], EVERYTHING)
    assert answer.sites[0].state is SiteState.FAILED and answer.people is None and not answer.complete


@pytest.mark.parametrize("said", ["x", "x=ftp://a/", "=http://a/", "x=http://user:secret@a/", "x=http://"])
def test_a_node_written_wrongly_is_refused(said: str) -> None:
    with pytest.raises(ValueError, match="a node is name="):
        NodeAddress.parse(said)
    assert NodeAddress.parse("a=eucaim+https://b/c") == NodeAddress("a", "https://b/c", NodeKind.EUCAIM)


def answered(name: str, values: dict[str, int], *, hidden: int = 0, refused: tuple[str, ...] = ()) -> SiteAnswer:
    shown = [{"value": value, "people": many, "studies": many, "series": many} for value, many in values.items()]
    said = {
        "provider": name, "collections": [], "total": {}, "refused": [{"id": one, "reason": "r"} for one in refused],
        "facets": [{"field": "Modality", "values": shown, "hidden": hidden}],
    }  # fmt: skip
    return SiteAnswer(name, SiteState.ANSWERED, reply=NodeReply.model_validate(said))


def merged(*sites: SiteAnswer) -> dict[str, tuple[int, int, bool]]:
    [facet] = merge_facets(sites, ["Modality"])
    return {one.value: (one.people, one.sites, one.partial) for one in facet.values}


def test_values_of_all_nodes_add_up_and_what_may_be_missing_is_marked() -> None:
    one, two = answered("one", {"CT": 30, "MR": 20}), answered("two", {"CT": 50, "PT": 10}, hidden=1)
    assert merged(one, two) == {"CT": (80, 2, False), "MR": (20, 1, True), "PT": (10, 1, False)}
    late = SiteAnswer("late", SiteState.LATE)
    assert merged(one, late) == {"CT": (30, 1, True), "MR": (20, 1, True)}
    assert merge_facets([one, late], ["Modality"])[0].without == ("late",)
    assert merged(answered("cut", {"CT": 30}, refused=("COLON-01",))) == {"CT": (30, 1, True)}
    assert merge_facets([one], ["PatientSex"])[0].without == ("one",)


@pytest.mark.parametrize("facets", ["Modality", [1], ["Stage"], ["SeriesInstanceUID"], ["Modality"] * 51])
def test_facets_that_a_node_does_not_know_are_refused(facets: Any) -> None:
    with pytest.raises(QueryError, match="facets"):
        facets_of(json.dumps({"ast": {}, "facets": facets}).encode())


def test_only_nodes_of_the_platform_are_asked_for_facets() -> None:
    assert facets_of(json.dumps({"ast": {}, "facets": ["Modality", "Modality"]}).encode()) == ("Modality",)
    assert facets_of(b'{"ast": {}}') == ()
    query = parse_query({"field": "PatientSex", "in": ["F"]}, RELEASE_SCHEMA)
    asked: list[dict[str, Any]] = []
    with node_that_says(200, b'{"provider": "x", "collections": [], "total": {}}', asked=asked) as node:
        for kind in (NodeKind.CIE, NodeKind.EUCAIM):
            ask_nodes([NodeAddress(kind.value, node.url, kind, limit=120)], query, facets=["Modality"])
    assert [one.get("facets") for one in asked] == [["Modality"], None]
