"""The status says of a source what is so: whether the release holds it, and nothing of one person's object."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from ingestion.accounting.source_state import Counts
from ingestion.catalogue.release_manifest import ReleaseManifest
from ingestion.catalogue.search.index import SearchIndex
from ingestion.sources.registry import SourceEntry
from portal.app import build_app
from portal.operators import build_operators
from portal.search.service import SHARE_STEP, SearchService
from portal.site import shelf as shelves
from portal.site.status import drawn_quarantine
from tests.portal.made_index import make_index, make_rows
from tests.portal.made_portal import CLOSED, FEW, OPEN, Platform

PAST = dt.date(2026, 3, 1)


def rows_of(page: str) -> dict[str, list[str]]:
    """The cells of each source as text."""
    found = re.findall(r'<th scope="row" role="rowheader">([^<]+)</th>(.*?)</tr>', page, re.DOTALL)
    return {
        source_id: [re.sub(r"<[^>]+>", "", unescape(cell)).strip() for cell in re.findall(r"<td.*?</td>", cells)]
        for source_id, cells in found
    }


def changed(entry: SourceEntry, **agreement: dt.date | None) -> SourceEntry:
    return entry.model_copy(update={"agreement": entry.agreement.model_copy(update=agreement)})


def left_out(release: ReleaseManifest, source_id: str, reason: str) -> ReleaseManifest:
    """The release as it would be without the source."""
    one = replace(release.excluded[0], source_id=source_id, reason=reason)
    return replace(release, sources=tuple(name for name in release.sources if name != source_id),
                   excluded=(*release.excluded, one))  # fmt: skip


@pytest.mark.parametrize(
    ("agreement", "reason", "says", "dit"),
    [
        ({"withdrawn_on": PAST}, "withdrawn on 2026-03-01", "withdrawn on 2026-03-01", "retirée le 2026-03-01"),
        ({"signed_on": None}, "agreement not signed", "its agreement is not signed", "son accord n’est pas signé"),
    ],
)
def test_a_source_that_is_left_out_is_not_called_up_to_date(
    platform: Platform, monkeypatch: pytest.MonkeyPatch, agreement: dict[str, dt.date | None], reason: str, says: str,
    dit: str,
) -> None:  # fmt: skip
    entries = tuple(changed(one, **agreement) if one.id == OPEN else one for one in platform.entries)

    def pages() -> tuple[list[str], list[str], str]:
        client = TestClient(build_app(platform.stores, entries))
        found = [rows_of(client.get("/status", headers={"accept-language": one}).text)[OPEN] for one in ("en", "fr")]
        return found[0], found[1], TestClient(build_operators(platform.stores, entries)).get("/status").text

    english, french, exact = pages()
    assert english[3].startswith("still in this release and in no later one:") and says in english[3]
    assert dit in french[3]
    listed = shelves.list_releases
    monkeypatch.setattr(shelves, "list_releases", lambda store: tuple(left_out(one, OPEN, reason)
                                                                      for one in listed(store)))  # fmt: skip
    english, french, exact = pages()
    assert english[3].startswith(f"not in the release: {says}")
    assert "yes" not in english and "published" not in english and "oui" not in french and "publiée" not in french
    assert f"left out: {reason}" in exact and "published" not in exact


def test_a_source_that_is_released_is_up_to_date(platform: Platform) -> None:
    page = TestClient(platform.app, headers={"accept-language": "en"}).get("/status").text
    assert rows_of(page)[OPEN][3:5] == ["yes", "not blocked"] and "1 left out of the release" in page
    assert rows_of(page)["BREAST-01"][2] == "not in the release: its agreement is not signed"


def test_nothing_is_told_of_objects_where_people_are_not_shown(platform: Platform) -> None:
    rows = rows_of(TestClient(platform.app, headers={"accept-language": "en"}).get("/status").text)
    assert rows[FEW][-2] == "not shown"
    for source_id in (OPEN, CLOSED):
        assert re.fullmatch(r"no objects quarantined, or few|about \d+ % of objects quarantined.*", rows[source_id][-2])


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> SearchIndex:
    return make_index(tmp_path_factory.mktemp("status"), make_rows({"LUNG-01": 60}))


def test_one_quarantined_object_does_not_show(index: SearchIndex) -> None:
    """Ten people are a sixth of sixty: one object of a thousand shows in few draws, and most are as without it."""
    seen = []
    for number in range(200):
        service = SearchService(lambda: index.release, lambda _: index, secret=number.to_bytes(32, "big"))

        def drawn(quarantined: int, service: SearchService = service) -> tuple[int, tuple[str, ...]]:
            counts = Counts(delivered=1_000, accepted=1_000 - quarantined, duplicate=0, quarantined=quarantined)
            reasons = {"truncated": quarantined} if quarantined else {}
            told = drawn_quarantine(service, "LUNG-01", counts, reasons, people=60)
            return told.percent, told.reasons

        assert drawn(0) == (0, ())
        seen.append(drawn(1))
        assert drawn(500)[0] in (50, 33, 67) and drawn(500)[1] == ("truncated",)
    assert seen.count((0, ())) >= 195, "a draw in 170 shows it"
    assert {percent for percent, _ in seen} <= {0, 17}
    assert SHARE_STEP < 10 / 60


def test_reasons_of_little_are_not_named(index: SearchIndex, tmp_path: Path) -> None:
    named = []
    for number in range(50):
        service = SearchService(lambda: index.release, lambda _: index, secret=number.to_bytes(32, "big"))
        counts = Counts(delivered=1_000, accepted=699, duplicate=0, quarantined=301)
        told = drawn_quarantine(service, "LUNG-01", counts, {"truncated": 300, "malformed": 1}, people=60)
        assert told.percent in (17, 33) and "truncated" in told.reasons
        named.append("malformed" in told.reasons)
    assert sum(named) <= 3
