"""Who a client is: it can't choose its address, nor get a new budget by another address of its own network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from made_index import make_index, make_limits, make_rows, make_service
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from ingestion.settings import Settings
from portal.search.api import build_api
from portal.search.clients import client_of
from portal.serving import Served, config_of


def served(app: Starlette, *proxies: str) -> Any:
    """The application as uvicorn calls it, with what it puts before it."""
    config = config_of(Served(app, "127.0.0.1", 0, proxies))
    config.load()
    return config.loaded_app


def told(request: Request) -> PlainTextResponse:
    return PlainTextResponse(client_of(request))


@pytest.mark.parametrize("address", ["127.0.0.1", "::1", "10.0.0.2"])
def test_a_client_that_names_another_address_keeps_its_budget(address: str, tmp_path: Path) -> None:
    index = make_index(tmp_path, make_rows({"LUNG-01": 60}))
    api = build_api(make_service(index), make_limits(budget=3))
    client = TestClient(served(Starlette(routes=[Mount("/api/v1", api)])), client=(address, 5000))
    statuses = [
        client.get(
            f"/api/v1/search?AgeAtStudy.from={age}&facets=none", headers={"X-Forwarded-For": f"203.0.113.{age}"}
        ).status_code
        for age in range(40, 46)
    ]
    assert statuses == [200, 200, 200, 429, 429, 429]


def test_a_trusted_proxy_is_believed_and_nobody_else() -> None:
    app = Starlette(routes=[Route("/", told)])
    headers = {"X-Forwarded-For": "198.51.100.7, 203.0.113.9"}

    def asked(address: str, *proxies: str) -> str:
        return TestClient(served(app, *proxies), client=(address, 5000)).get("/", headers=headers).text

    assert asked("10.0.0.2") == "10.0.0.2"
    assert asked("10.0.0.2", "10.0.0.0/24") == "203.0.113.9"  # the one before the proxy, not what the client wrote
    assert asked("10.0.1.2", "10.0.0.0/24") == "10.0.1.2"
    assert asked("127.0.0.1", "10.0.0.0/24") == "127.0.0.1"
    assert asked("fd00::2", "fd00::2") == "203.0.113.9"


def test_a_network_of_ipv6_is_one_client() -> None:
    app = Starlette(routes=[Route("/", told)])

    def name(address: str) -> str:
        return TestClient(app, client=(address, 5000)).get("/").text

    assert name("2001:db8:1:2::1") == name("2001:db8:1:2:ffff:ffff:ffff:fffe") == "2001:db8:1:2::/64"
    assert name("2001:db8:1:3::1") != name("2001:db8:1:2::1")
    assert name("::ffff:192.0.2.7") == name("192.0.2.7") == "192.0.2.7"
    assert name("fe80::1%eth0") == "fe80::/64"
    assert name("testclient") == "testclient"


@pytest.mark.parametrize(
    ("said", "why"),
    [('["*"]', "no address"), ('["proxy.example.org"]', "no address"), ('["10.0.0.1/8"]', "no address"),
     ('["0.0.0.0/0"]', "everybody"), ('["::/0"]', "everybody")],
)  # fmt: skip
def test_trusted_proxies_are_named_by_address(said: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIE_TRUSTED_PROXIES", said)
    with pytest.raises(ValueError, match=why):
        Settings()
    monkeypatch.setenv("CIE_TRUSTED_PROXIES", '["10.0.0.2", "fd00::/8"]')
    assert Settings().trusted_proxies == ("10.0.0.2", "fd00::/8")
