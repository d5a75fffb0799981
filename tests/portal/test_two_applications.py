"""Visitors and operators have applications of their own: no route for visitors gives an exact number.

A route that is new fails here until somebody has judged it and written it down with an address to try it by.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from starlette.routing import Mount
from starlette.testclient import TestClient

from ingestion.settings import Settings
from portal.app import MOVED
from resources.embedded import stack
from tests.portal.made_portal import CLOSED, EXACT, FEW, OPEN, Platform
from tests.portal.page_parser import Page

VISITORS = {
    "/": "/",
    "/static/{name}": "/static/portal.css",
    "/favicon.ico": "/favicon.ico",
    "/health": "/health",
    "/collections": "/collections",
    "/collections/{source_id}": f"/collections/{OPEN}",
    "/collections/{source_id}/certificate": f"/collections/{OPEN}/certificate",
    "/collections/{source_id}/report": f"/collections/{OPEN}/report",
    "/collections/{source_id}/citation.{ending}": f"/collections/{OPEN}/citation.json",
    "/collections/{source_id}/{name}": f"/collections/{OPEN}/dcat.jsonld",
    "/rules": "/rules",
    "/rules/{name}": "/rules/data-users",
    "/status": "/status",
    "/explore": "/explore",
    "/cohort": "/cohort?Modality=CT",
    "/cohort/export": "/cohort/export?Modality=CT&format=counts.csv",
    "/cohort/citation.{ending}": "/cohort/citation.json",
    "/console": "/console",
    "/console/files/{name}": "",  # files of packages
    "/public/{name}": "",  # Parquet: test_numbers_of_a_collection_are_the_same_everywhere
    "/node": "/node",
    "/api/v1/openapi.json": "/api/v1/openapi.json",
    "/api/v1/fields": "/api/v1/fields",
    "/api/v1/fields/{name}/values": "/api/v1/fields/source_id/values",
    "/api/v1/search": "/api/v1/search",
    "/api/v1/releases": "/api/v1/releases",
    # rows, for granted users: without a token they are refused
    "/api/v1/series": "/api/v1/series",
    "/api/v1/series/{uid}": "/api/v1/series/1.2",
    "/api/v1/export": "/api/v1/export",
    "/api/v1/federated": "/api/v1/federated",  # no nodes here: test_federated_nodes.py
    # where pages for operators were
    **dict.fromkeys(MOVED, "/reports"),
}
"""Routes of the visitors' application, each with an address to ask; none where another test holds it."""
REFUSED = {"/api/v1/series": 401, "/api/v1/series/{uid}": 401, "/api/v1/export": 401, "/api/v1/federated": 404}
OPERATORS = {
    "/", "/favicon.ico", "/health", "/status", "/reports", "/reports/{source_id}", "/reports/{source_id}/{run}",
    "/reports/{source_id}/{run}/", "/reports/{source_id}/{run}/{name}", "/accounting/{source_id}",
    "/measures/{source_id}", "/releases", "/releases/{version}",
}  # fmt: skip


def routes_of(app: Any, prefix: str = "") -> Iterator[str]:
    for route in app.routes:
        if isinstance(route, Mount):
            yield from routes_of(route.app, prefix + route.path)
        elif hasattr(route, "path"):
            yield prefix + route.path
        else:
            yield from routes_of(route.original_router, prefix)


@pytest.fixture(scope="module")
def visitors(platform: Platform) -> TestClient:
    return TestClient(platform.app, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def operators(platform: Platform) -> TestClient:
    return TestClient(platform.operators, raise_server_exceptions=False)


def test_each_application_has_the_routes_that_were_judged(platform: Platform) -> None:
    assert set(routes_of(platform.app)) == set(VISITORS)
    assert set(routes_of(platform.operators)) == OPERATORS


@pytest.mark.parametrize("route", [route for route, address in VISITORS.items() if address and route not in MOVED])
def test_no_route_for_visitors_gives_an_exact_number(visitors: TestClient, route: str) -> None:
    response = visitors.get(VISITORS[route], headers={"accept-language": "en"})
    assert response.status_code == REFUSED.get(route, 200)
    kind = response.headers["content-type"]
    if "json" in kind:
        counts = list(counts_in(response.json()))
    elif "html" in kind:
        counts = [int(text) for text in map(digits, Page(response.text).numbers) if text.isdecimal()]
    elif "csv" in kind:
        counts = [int(cell) for line in response.text.splitlines()[1:] for cell in line.split(",")[-3:]]
    else:
        counts = []
    assert [count for count in counts if count % 10] == []
    told = re.sub(r"base64,[^\"]+|[0-9a-f]{12,}|[\d.]+%?;", "", response.text) if "css" not in kind else ""
    for people in EXACT.values():
        assert not re.search(rf"\b{people} (people|persons|patients|individuals|studies|series)\b", told)


def counts_in(said: Any) -> Iterator[int]:
    """Numbers of people, studies and series in JSON, by the names that they go by."""
    if isinstance(said, dict):
        for name, value in said.items():
            named = re.search(r"people|studies|series|subjects|individuals|records|patients", name, re.I)
            if isinstance(value, int) and not isinstance(value, bool) and named:
                yield value
            yield from counts_in(value)
    elif isinstance(said, list):
        for one in said:
            yield from counts_in(one)


def digits(text: str) -> str:
    return text.strip().replace(",", "").lstrip("+−")


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("address", ["/reports", f"/reports/{OPEN}/{'r' * 24}/report.html", f"/accounting/{OPEN}",
                                     f"/measures/{OPEN}", "/releases", "/releases/2026.11.1"])  # fmt: skip
def test_old_addresses_say_where_the_page_is_now(visitors: TestClient, method: str, address: str) -> None:
    response = visitors.request(method, address, follow_redirects=False)
    assert response.status_code == (405 if method == "POST" else 404)
    if method == "GET":
        assert "for operators" in response.text and "cie status" in response.text


def test_operators_have_their_pages_with_exact_numbers(operators: TestClient) -> None:
    for address in ("/status", "/reports", f"/accounting/{OPEN}", f"/measures/{CLOSED}", "/releases",
                    "/releases/2026.11.1", "/"):  # fmt: skip
        assert operators.get(address).status_code == 200, address
    report = operators.get(f"/reports/{OPEN}", follow_redirects=False)
    assert report.status_code == 307 and report.headers["location"] == f"/reports/{OPEN}/{'r' * 24}/"
    assert operators.get(f"/reports/{OPEN}").text.endswith("<h1>report</h1>")
    for address in ("/reports/NOPE-01", "/accounting/..%2fx", "/reports/..%2f..%2fx", "/explore", "/api/v1/search"):
        assert operators.get(address).status_code == 404, address


def test_the_exact_status_adds_up_and_names_what_is_blocked_first(operators: TestClient) -> None:
    page = operators.get("/status").text
    assert "1 blocked by quality" in page and "1 never synced" in page
    assert page.index(f"/accounting/{FEW}") < page.index(f"/accounting/{OPEN}")
    for line in re.findall(r"<tr><th.*?(?=<tr>|</table>)", page):
        numbers = [int(cell.replace(",", "")) for cell in re.findall(r"<td class=n>([\d,]+)", line)]
        if numbers:
            delivered, accepted, duplicate, quarantined = numbers
            assert delivered == accepted + duplicate + quarantined
    assert len(re.findall("<td class=n>", page)) == 4 * len(EXACT)


def test_links_of_operators_lead_somewhere(operators: TestClient) -> None:
    seen, waiting = set(), ["/status"]
    while waiting:
        address = waiting.pop()
        seen.add(address)
        response = operators.get(address)
        assert response.status_code == 200, address
        links = {link for link in Page(response.text).links() if link.startswith("/")}
        waiting += sorted(links - seen - set(waiting))
    assert {f"/reports/{OPEN}", f"/accounting/{FEW}", f"/measures/{CLOSED}", "/releases/2026.11.1"} <= seen


SCRIPT = """
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from portal.serving import Served, serve_all

def app(name):
    return Starlette(routes=[Route("/", lambda request: PlainTextResponse(name))])

serve_all([Served(app("one"), "127.0.0.1", 0), Served(app("two"), "127.0.0.1", 0)])
"""


def test_one_process_serves_both_and_ends_when_told() -> None:
    with subprocess.Popen([sys.executable, "-c", SCRIPT], stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            addresses = [process.stdout.readline().strip() for _ in range(2)]
            assert [requests.get(address, timeout=60).text for address in addresses] == ["one", "two"]
            process.terminate()
            process.wait(timeout=60)
        finally:
            process.kill()
    for address in addresses:
        with pytest.raises(requests.ConnectionError):
            requests.get(address, timeout=60)


def test_ports_are_those_that_are_asked_for_or_free_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "run").mkdir()
    for name in [name for name in os.environ if name.upper().startswith("CIE_")]:
        monkeypatch.delenv(name)  # ports that the environment asks for are another test's

    def ports(taken: int = 0, **asked: int) -> dict[str, int]:
        monkeypatch.setattr(stack, "_is_free", lambda port: port != taken)
        return stack.EmbeddedStack(Settings(data_dir=tmp_path, **asked))._ports()

    usual = ports()
    assert (usual["portal"], usual["operators"]) == (8010, 8011)
    asked = ports(portal_port=8110, operator_port=8111)
    assert (asked["portal"], asked["operators"]) == (8110, 8111)
    assert ports() == asked  # those of last time
    one = ports(portal_port=8112, operator_port=8112)
    assert one["portal"] == 8112 and one["operators"] != 8112, "an address for each"
    assert ports(taken=8011, operator_port=8011)["operators"] != 8011
