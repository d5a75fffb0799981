"""Failed runs as Dagster's webserver tells them; where it does not answer, both pages say so."""

from __future__ import annotations

import datetime as dt
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from starlette.testclient import TestClient

from portal.app import build_app
from portal.failed_runs import LOOKED_BACK_DAYS, MOST_RUNS, FailedRuns
from portal.operators import build_operators
from tests.portal.made_portal import CLOSED, OPEN, Platform

NOW = dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)


def run(source_id: str | None, *, ended: float | None, again: bool = False) -> dict[str, Any]:
    tags = [("dagster/partition", source_id)] if source_id else []
    tags += [("dagster/will_retry", "true")] if again else []
    return {"creationTime": 50.0, "endTime": ended, "tags": [{"key": key, "value": value} for key, value in tags]}


RUNS = [
    run(OPEN, ended=100.0), run(OPEN, ended=86_400.0), run(OPEN, ended=9e5, again=True), run(CLOSED, ended=None),
    run(None, ended=7.0),
]  # fmt: skip


@contextmanager
def webserver(status: int, said: Any) -> Iterator[tuple[str, list[Any]]]:
    """Its address, and what it was asked."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            body = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing is logged."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def listed(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {"data": {"runsOrError": {"__typename": "Runs", "results": runs}}}


def test_runs_are_counted_by_source_and_asked_for_once_in_a_while() -> None:
    time = [0.0]
    with webserver(200, listed(RUNS)) as (url, asked):
        failed = FailedRuns(url, clock=lambda: time[0], now=lambda: NOW)
        found = failed.by_source()
        assert found is not None and set(found) == {OPEN, CLOSED}
        assert found[OPEN].count == 2 and found[OPEN].last == dt.datetime(1970, 1, 2, tzinfo=dt.UTC)
        assert found[CLOSED].count == 1 and found[CLOSED].last.timestamp() == 50
        assert not found[OPEN].more
        assert failed.by_source() == found and len(asked) == 1
        time[0] = 31.0
        failed.by_source()
    assert len(asked) == 2
    wanted = asked[0]["variables"]["filter"]
    assert wanted["statuses"] == ["FAILURE"]
    assert dt.datetime.fromtimestamp(wanted["createdAfter"], dt.UTC) == NOW - dt.timedelta(days=LOOKED_BACK_DAYS)


def test_a_list_that_is_full_may_lack_some() -> None:
    with webserver(200, listed([run(OPEN, ended=1.0)] * MOST_RUNS)) as (url, _):
        found = FailedRuns(url).by_source()
    assert found is not None and found[OPEN].more


@pytest.mark.parametrize(
    ("status", "said"),
    [(500, {}), (200, []), (200, {"errors": [1]}), (200, {"data": None}), (200, {"data": {"runsOrError": {}}}),
     (200, {"data": {"runsOrError": {"__typename": "PythonError"}}}), (200, listed([{}]))],
)  # fmt: skip
def test_what_is_no_answer_is_not_none_at_all(status: int, said: Any) -> None:
    with webserver(status, said) as (url, _):
        assert FailedRuns(url).by_source() is None
    assert FailedRuns(url).by_source() is None  # nobody there
    assert FailedRuns.at(None) is None


def pages(platform: Platform, failed: FailedRuns | None) -> tuple[str, str]:
    """The visitors' and the operators' status."""
    visitors = build_app(platform.stores, platform.entries, failed=failed)
    operators = build_operators(platform.stores, platform.entries, failed=failed)
    headers = {"accept-language": "en"}
    return TestClient(visitors).get("/status", headers=headers).text, TestClient(operators).get("/status").text


def test_both_pages_tell_them_or_say_that_they_cannot(platform: Platform) -> None:
    with webserver(200, listed(RUNS)) as (url, _):
        public, exact = pages(platform, FailedRuns(url))
    assert "2, the last at 1970-01-02 00:00" in public and "1, at 1970-01-01 00:00" in public
    assert "2, last 1970-01-02 00:00" in exact and "does not answer" not in public + exact
    for failed in (None, FailedRuns(url)):
        public, exact = pages(platform, failed)
        assert "Dagster does not answer" in public and "Dagster does not answer" in exact
        assert "1970" not in public + exact
