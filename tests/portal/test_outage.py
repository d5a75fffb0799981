"""The store goes away: the pages go on with the last release that was opened, and say so without naming internals."""

from __future__ import annotations

import datetime as dt
import logging
import re
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from ingestion.catalogue.release_manifest import list_releases, read_release
from ingestion.catalogue.search.release_index import open_release
from ingestion.storage import ObjectStore, StoreError
from ingestion.storage.open import Stores
from portal.app import build_app
from portal.search import outage as outages
from portal.search import service as services
from portal.search.limits import Limits
from portal.search.outage import NOT_RENEWED, Outage
from portal.search.service import SearchService
from portal.site import shelf as shelves
from portal.site import status
from portal.site.kept import Kept
from tests.portal.made_portal import OPEN, SECRET, Platform

PAGES = ("/", "/collections", f"/collections/{OPEN}", f"/collections/{OPEN}/certificate", f"/collections/{OPEN}/report",
         "/explore",         "/explore?Modality=CT", "/cohort?Modality=CT", "/status", "/public/collection.parquet",
         "/api/v1/search?Modality=CT", "/api/v1/releases", "/node?modality=CT")  # fmt: skip
INTERNALS = re.compile(
    r"research-bucket|releases/20|judgements/|EndpointConnection|Error\b|\bcie (backfill|release|up)"
)


class Flaky:
    """A store that answers as long as it is there."""

    def __init__(self, inner: ObjectStore) -> None:
        self._inner, self.away = inner, False

    def __getattr__(self, name: str) -> Any:
        asked = getattr(self._inner, name)

        def ask(*arguments: Any, **more: Any) -> Any:
            if self.away:
                raise StoreError(f"the store could not {name} research-bucket/{arguments}: EndpointConnectionError")
            return asked(*arguments, **more)

        return ask


@pytest.fixture
def made(
    platform: Platform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[TestClient, list[Flaky], SearchService]:
    """A portal that looks at its stores at each request, and the stores."""
    for module, name in ((services, "LOOK_AGAIN_SECONDS"), (shelves, "KEPT_SECONDS"), (status, "KEPT_SECONDS")):
        monkeypatch.setattr(module, name, 0.0)
    both = [Flaky(platform.stores.research), Flaky(platform.stores.internal)]
    stores = Stores(research=both[0], internal=both[1])  # type: ignore[arg-type]

    def newest() -> str:
        return list_releases(stores.research)[-1].version

    service = SearchService(
        newest, lambda version: open_release(stores.research, read_release(stores.research, version), tmp_path),
        secret=SECRET,
    )  # fmt: skip
    limits = Limits(secret=SECRET, now=lambda: dt.datetime(2026, 11, 25, tzinfo=dt.UTC), rate=1e6, burst=10_000)
    app = build_app(stores, platform.entries, search=(service, limits), provider="Made platform")
    return TestClient(app, headers={"accept-language": "en"}, raise_server_exceptions=False), both, service


def body(client: TestClient, address: str) -> str:
    """Without the note, and the time of the status."""
    text = client.get(address).text
    return re.sub(r'<p class="note" role="status">.*?</p>\s*|Seen at [\d :-]+', "", text)


def test_the_last_release_is_served_while_the_store_is_away(
    made: tuple[TestClient, list[Flaky], SearchService], caplog: pytest.LogCaptureFixture
) -> None:
    client, stores, service = made
    before = {address: body(client, address) for address in PAGES}
    assert NOT_RENEWED not in client.get("/").headers
    with caplog.at_level(logging.WARNING, logger="cie.portal"):
        for store in stores:
            store.away = True
        for _ in range(2):
            assert {address: body(client, address) for address in PAGES} == before
        for address in PAGES:
            response = client.get(address)
            assert response.status_code == 200 and not INTERNALS.search(unescape(response.text)), address
            if not address.startswith(("/public", "/node")):
                assert re.fullmatch(r"20\d\d-\d\d-\d\dT.*\+00:00", response.headers[NOT_RENEWED]), address
        assert re.search(r"Since 20\d\d-.* UTC no newer data can be read", client.get("/").text)
        assert "rien de plus récent ne peut être lu" in client.get("/", headers={"accept-language": "fr"}).text
        # once for each thing that is read, in full
        told = [record.getMessage() for record in caplog.records]
        assert len(told) == len(set(told)) and 2 <= len(told) <= 4, told
        assert all("research-bucket" in one and "StoreError" in one for one in told)
        caplog.clear()
        for store in stores:
            store.away = False
        assert {address: body(client, address) for address in PAGES} == before
        assert service.outage.since is None and NOT_RENEWED not in client.get("/").headers
        again = [record.getMessage() for record in caplog.records]
        assert len(again) == len(told) and all("is read again" in one for one in again)


def test_a_portal_that_starts_without_its_store_names_no_internals(
    made: tuple[TestClient, list[Flaky], SearchService], caplog: pytest.LogCaptureFixture
) -> None:
    client, stores, _ = made
    for store in stores:
        store.away = True
    with caplog.at_level(logging.WARNING, logger="cie.portal"):
        for address in PAGES:
            for language in ("en", "fr"):
                response = client.get(address, headers={"accept-language": language})
                assert response.status_code == 503, address
                assert not INTERNALS.search(unescape(response.text)), (address, response.text[-900:])
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == len(set(told)) and any("research-bucket" in one for one in told)
    stores[0].away = stores[1].away = False
    assert all(client.get(address).status_code == 200 for address in PAGES)


def test_an_empty_list_of_releases_is_not_believed(
    made: tuple[TestClient, list[Flaky], SearchService], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Releases are never taken out: a store without any is another one, or is not mounted."""
    client, _, service = made
    before = client.get("/").text
    service._newest = lambda: None  # type: ignore[method-assign]
    monkeypatch.setattr(shelves, "list_releases", lambda store: ())
    assert client.get("/").status_code == 200 and body(client, "/") == before
    assert client.get("/collections").status_code == 200 and service.outage.since is not None


def test_a_change_of_state_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    now = [dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)]
    outage = Outage(now=lambda: now[0])
    with caplog.at_level(logging.WARNING, logger=outages.log.name):
        outage.read("it")
        outage.failed("it", StoreError("gone"))
        now[0] += dt.timedelta(minutes=5)
        outage.failed("it", StoreError("gone"))
        assert outage.since == dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC)
        outage.unanswered(StoreError("gone"))  # known already
        outage.failed("it", outages.ReleaseDamagedError("other bytes"))
        outage.read("it")
        outage.read("it")
        outage.unanswered(StoreError("of something else"))
    kinds = [record.getMessage().split(": ")[0].split(" since")[0] for record in caplog.records]
    assert kinds == ["it can't be read", "it can't be read", "it is read again; it was not", "not answered"]
    assert outage.since is None


def test_what_was_kept_is_given_on_and_looked_for_again_after_its_time() -> None:
    now, asked = [0.0], []

    def make() -> str:
        asked.append(now[0])
        if len(asked) in (2, 3):
            raise StoreError("gone")
        return f"made at {now[0]:g}"

    kept: Kept[str] = Kept(seconds=30, most=1, clock=lambda: now[0], outage=Outage(), what="it")
    found = []
    for at in (0, 30, 31, 60, 90):
        now[0] = at
        found.append(kept.get("", make))
    assert found == ["made at 0"] * 4 + ["made at 90"] and asked == [0, 30, 60, 90]
