"""A collection that releases held and the newest does not has a tombstone: 410, and nothing of its data."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from html import unescape

import pytest
from starlette.testclient import TestClient

from ingestion.catalogue.release_manifest import Erasure, ReleaseManifest
from ingestion.sources.registry import SourceEntry
from ingestion.storage import ObjectStore
from portal.app import build_app
from portal.site import shelf as shelves
from tests.portal.made_portal import CLOSED, OPEN, Platform
from tests.portal.test_status_is_true import changed, left_out

DOCUMENTS = ("", "/certificate", "/report", "/dcat.ttl", "/dcat.jsonld", "/datacite.json", "/policy.jsonld",
             "/citation.txt",             "/citation.bib", "/citation.json")  # fmt: skip


def gone(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, reason: str, entries: tuple[SourceEntry, ...]
) -> TestClient:
    """The portal when the newest release does not hold the source."""
    listed = shelves.list_releases

    def without(store: ObjectStore) -> tuple[ReleaseManifest, ...]:
        *earlier, newest = listed(store)
        return (*earlier, left_out(newest, OPEN, reason))

    monkeypatch.setattr(shelves, "list_releases", without)
    return TestClient(build_app(platform.stores, entries, provider="Made platform"), headers={"accept-language": "en"})


def test_a_withdrawn_collection_has_a_tombstone(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = tuple(changed(one, withdrawn_on=dt.date(2026, 3, 1)) if one.id == OPEN else one
                    for one in platform.entries)  # fmt: skip
    client = gone(platform, monkeypatch, "withdrawn on 2026-03-01", entries)
    for document in DOCUMENTS:
        response = client.get(f"/collections/{OPEN}{document}")
        assert response.status_code == 410 and "html" in response.headers["content-type"], document
        said = unescape(response.text)
        assert "was in release 2026.10.1 of 2026-10-01" in said and "withdrawn on 2026-03-01" in said
        assert "deletes it (rule U7)" in said and 'href="/rules/data-users"' in said
    assert "Made for a test: malignant neoplasm of lung (LUNG-01) (Version 2026.10.1)" in said
    main = re.sub(r"<[^>]+>", " ", said[said.index("<main") : said.index("</main>")])
    assert not re.search(r"people|studies|series\b|Siemens|CT\b|download", main), main
    french = unescape(client.get(f"/collections/{OPEN}", headers={"accept-language": "fr"}).text)
    assert "Elle a été retirée le 2026-03-01." in french and "(règle U7)" in french
    assert f'<a href="/collections/{OPEN}"><code>{OPEN}</code></a>' in client.get("/collections").text


@pytest.mark.parametrize(
    ("reason", "says"),
    [("agreement ended on 2026-10-31", "Its agreement ended on 2026-10-31."), ("agreement not signed", "is not signed"),
     ("nothing published yet", "Nothing of it is published now."), ("something new", "left out by a rule")],
)  # fmt: skip
def test_other_reasons_are_those_of_the_release(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, reason: str, says: str
) -> None:
    response = gone(platform, monkeypatch, reason, platform.entries).get(f"/collections/{OPEN}")
    assert response.status_code == 410 and says in response.text
    assert "a source that is withdrawn deletes it (rule U7)" in response.text


def test_an_erased_collection_has_one_though_no_release_names_it_any_more(
    platform: Platform, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = shelves.list_releases

    def erased(store: ObjectStore) -> tuple[ReleaseManifest, ...]:
        *earlier, newest = listed(store)
        before = []
        for one in earlier:
            files = tuple(file for file in one.files if file.source_id == OPEN)
            gone_since = Erasure(OPEN, "2026-11-20", "withdrawn on 2026-11-01", files)
            kept = tuple(file for file in one.files if file.source_id != OPEN)
            sources = tuple(source for source in one.sources if source != OPEN)
            before.append(replace(one, sources=sources, files=kept, erased=(gone_since,)))
        return (*before, left_out(newest, OPEN, "withdrawn on 2026-11-01"))

    monkeypatch.setattr(shelves, "list_releases", erased)
    client = TestClient(build_app(platform.stores, platform.entries), headers={"accept-language": "en"})
    response = client.get(f"/collections/{OPEN}")
    assert response.status_code == 410 and "was in release 2026.10.1" in unescape(response.text)
    assert client.get("/collections/NOPE-01").status_code == 404


def test_a_collection_that_the_registry_forgot_has_one_too(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    entries = tuple(one for one in platform.entries if one.id != OPEN)
    response = gone(platform, monkeypatch, "not in the registry", entries).get(f"/collections/{OPEN}/dcat.ttl")
    assert response.status_code == 410 and "not in the registry of sources any more" in response.text


def test_what_was_never_released_is_not_found(platform: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    client = gone(platform, monkeypatch, "agreement not signed", platform.entries)
    for source_id in ("BREAST-01", "NOPE-01", "..%2fx"):
        for document in DOCUMENTS:
            assert client.get(f"/collections/{source_id}{document}").status_code == 404
    assert client.get(f"/collections/{CLOSED}").status_code == 200
