"""So many questions are counted at once and no more; what needs no counting is not held up by them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from ingestion.catalogue.search.index import SearchIndex
from ingestion.catalogue.search.public import PublicAnswer, PublicSearch
from ingestion.catalogue.search.query import AllOf, AnyOfValues
from portal.search.api import build_api
from portal.search.node import NodeEndpoint
from portal.search.service import SearchService
from portal.search.turns import AT_ONCE, COME_AGAIN_SECONDS, BusyError, Turns
from portal.site.collections import Place
from portal.site.pages import visitor_routes
from tests.portal.made_index import SECRET, make_index, make_limits, make_rows

LONG = 120.0
"""Seconds that nothing here takes: a test that fails ends by it."""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> SearchIndex:
    return make_index(tmp_path_factory.mktemp("turns"), make_rows({"LUNG-01": 60, "COLON-01": 60}))


def service_of(index: SearchIndex, turns: Turns) -> SearchService:
    return SearchService(lambda: index.release, lambda version: index, secret=SECRET, turns=turns)


def test_twelve_clients_are_counted_four_at_a_time(index: SearchIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    counted, lock, running, most = PublicSearch.answer, threading.Lock(), [0], [0]
    together = threading.Barrier(AT_ONCE)
    first = threading.Semaphore(AT_ONCE)

    def slow(self: PublicSearch, *arguments: Any, **more: Any) -> PublicAnswer:
        with lock:
            running[0] += 1
            most[0] = max(most)
            most.append(running[0])
        if first.acquire(blocking=False):
            together.wait(LONG)  # as many as may are in here at once
        answer = counted(self, *arguments, **more)
        with lock:
            running[0] -= 1
        return answer

    monkeypatch.setattr(PublicSearch, "answer", slow)
    service, answers = service_of(index, Turns(waiting=12, seconds=LONG)), []

    def ask(number: int) -> None:
        query = AllOf((AnyOfValues("Modality", (f"M{number}",)),))
        answers.append(service.answer(query, facets=()))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(12)]
    [thread.start() for thread in threads]
    [thread.join(LONG) for thread in threads]
    assert len(answers) == 12 and max(most) == AT_ONCE


def test_who_waits_too_long_or_behind_too_many_is_told_to_come_again() -> None:
    turns, begun, ended, told = Turns(at_once=1, waiting=1, seconds=LONG), threading.Event(), threading.Event(), []

    def hold() -> None:
        with turns.turn():
            begun.set()
            ended.wait(LONG)

    def wait() -> None:
        with turns.turn():
            told.append("came")

    threads = [threading.Thread(target=hold), threading.Thread(target=wait)]
    threads[0].start()
    begun.wait(LONG)
    threads[1].start()
    while not turns.waiting:
        assert threads[1].is_alive()
    with pytest.raises(BusyError), turns.turn():
        pass
    assert told == []
    ended.set()
    [thread.join(LONG) for thread in threads]
    assert told == ["came"] and turns.waiting == 0
    impatient = Turns(at_once=1, waiting=5, seconds=0)
    with impatient.turn(), pytest.raises(BusyError), impatient.turn():
        pass
    with pytest.raises(ZeroDivisionError), impatient.turn():
        _ = 1 // 0
    with impatient.turn():  # what fails gives its turn back
        pass


@pytest.fixture
def busy(index: SearchIndex, tmp_path: Path) -> Iterator[tuple[TestClient, ExitStack]]:
    """A portal of which all turns are taken, until the stack is closed; one question was asked before."""
    service = service_of(index, Turns(waiting=0, seconds=0))
    limits = make_limits()
    node = NodeEndpoint(service, limits, provider="Test", collections=tuple)
    routes = visitor_routes(stores=None, entries=(), search=(service, limits), place=Place("Test"))
    api = Mount("/api/v1", build_api(service, limits))
    app = Starlette(routes=[*routes, Route("/node", node.endpoint, methods=["GET", "POST"]), api])
    client = TestClient(app, headers={"accept-language": "en"}, raise_server_exceptions=False)
    assert client.get("/explore?Modality=CT").status_code == 200
    with ExitStack() as taken:
        for _ in range(AT_ONCE):
            taken.enter_context(service.turns.turn())
        yield client, taken


def test_the_first_page_and_kept_answers_are_not_held_up(busy: tuple[TestClient, ExitStack]) -> None:
    client, taken = busy
    for address in ("/", "/explore", "/explore?Modality=CT", "/api/v1/search?Modality=CT"):
        assert client.get(address).status_code == 200, address
    for address in ("/explore?Modality=MR", "/cohort?Modality=MR", "/api/v1/search?Modality=MR", "/node?modality=MR",
                    "/api/v1/search?facets=Modality"):  # fmt: skip
        refused = client.get(address)
        assert refused.status_code == 503 and refused.headers["retry-after"] == str(COME_AGAIN_SECONDS), address
        assert "again in a" in refused.text, address
    french = client.get("/explore?Modality=MR", headers={"accept-language": "fr"})
    assert "posez-la de nouveau" in french.text
    taken.close()
    assert client.get("/explore?Modality=MR").status_code == 200
