"""The public search over HTTP: what it answers, what it refuses, and that nothing exact gets out."""

from __future__ import annotations

import base64
import datetime as dt
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from starlette.applications import Starlette
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from ingestion.catalogue.federation.node import CollectionText
from ingestion.catalogue.search.build import build_index
from ingestion.catalogue.search.engine import SearchEngine
from ingestion.catalogue.search.index import SearchIndex
from ingestion.catalogue.search.query import AllOf
from ingestion.catalogue.search.release_index import RELEASE_SCHEMA
from portal.search.api import MAX_BODY, build_api
from portal.search.explorer import Explorer
from portal.search.limits import Limits
from portal.search.node import NodeEndpoint
from portal.search.outage import NONE_RELEASED
from portal.search.service import LOOK_AGAIN_SECONDS, NothingReleasedError, SearchService


class _Elements(HTMLParser):
    """The elements and attributes that a browser would see."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.scripts: list[str | None] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        if tag == "script":
            self.scripts.append(dict(attrs).get("src"))


SECRET = bytes(range(32))
HOSTILE = "<script>alert(1)</script>' onmouseover='x"


def rows(people: int = 2000) -> pd.DataFrame:
    rng = np.random.default_rng(7)
    frame = pd.DataFrame({field.name: [None] * people for field in RELEASE_SCHEMA.fields})
    frame["source_id"] = rng.choice(["LUNG-01", "COLON-01"], people)
    frame["PatientID"] = [f"p{number}" for number in range(people)]
    frame["StudyInstanceUID"] = [f"1.2.{number}" for number in range(people)]
    frame["SeriesInstanceUID"] = [f"1.2.{number}.1" for number in range(people)]
    frame["Modality"] = rng.choice(["CT", "MR"], people)
    frame["ManufacturerModelName"] = rng.choice([HOSTILE, "Plain"], people)
    frame["AgeAtStudy"] = rng.integers(30, 90, people).astype(float)
    frame["HolderCountries"] = rng.choice(["NL,PT", "FR"], people)
    frame["SeriesDescription"] = rng.choice(["T2 TSE", HOSTILE], people)
    # this source states no field strength
    frame["MagneticFieldStrength"] = np.where(frame["source_id"] == "LUNG-01", 1.5, np.nan)
    return frame


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> SearchIndex:
    folder = tmp_path_factory.mktemp("portal")
    rows().to_parquet(folder / "series.parquet")
    return build_index([folder / "series.parquet"], folder / "index", schema=RELEASE_SCHEMA, release="2026.11.1")


def made_client(index: SearchIndex, *, budget: int = 10_000, rate: float = 1e6) -> TestClient:
    service = SearchService(lambda: index.release, lambda version: index, secret=SECRET)
    limits = Limits(
        secret=SECRET, now=lambda: dt.datetime(2026, 11, 25, 12, tzinfo=dt.UTC), budget=budget, rate=rate, burst=10_000
    )
    explorer = Explorer(service, limits)
    texts = tuple(CollectionText(name, name.title(), "made for a test") for name in ("LUNG-01", "COLON-01", "NONE-01"))
    node = NodeEndpoint(service, limits, provider="Test", collections=lambda: texts)
    app = Starlette(
        routes=[
            Route("/explore", explorer.page),
            Route("/node", node.endpoint, methods=["GET", "POST"]),
            Mount("/api/v1", build_api(service, limits)),
        ]
    )
    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture(scope="module")
def client(index: SearchIndex) -> TestClient:
    return made_client(index)


def numbers(body: Any) -> list[int]:
    """All counts in an answer."""
    if isinstance(body, dict):
        own = [body[name] for name in ("people", "studies", "series") if isinstance(body.get(name), int)]
        return own + [number for value in body.values() for number in numbers(value)]
    return [number for value in body for number in numbers(value)] if isinstance(body, list) else []


def test_every_number_is_a_public_one(client: TestClient) -> None:
    body = client.get("/api/v1/search", params={"Modality": "CT"}).json()
    found = numbers(body)
    assert len(found) > 30 and all(number >= 10 and number % 10 == 0 for number in found)
    assert body["release"] == "2026.11.1"
    assert body["query"] == {"all": [{"field": "Modality", "in": ["CT"]}]}


def test_address_and_body_ask_the_same(client: TestClient) -> None:
    by_address = client.get(
        "/api/v1/search?Modality=CT&Modality=MR&AgeAtStudy.from=40&AgeAtStudy.to=64&text=t2&facets=Modality"
    ).json()
    query = {
        "all": [
            {"field": "Modality", "in": ["MR", "CT"]}, {"field": "AgeAtStudy", "from": 40, "to": 64}, {"text": "T2"},
        ]
    }  # fmt: skip
    assert client.post("/api/v1/search", json={"query": query, "facets": ["Modality"]}).json() == by_address


def test_a_source_that_cannot_answer_is_named(client: TestClient) -> None:
    body = client.get("/api/v1/search", params={"MagneticFieldStrength.from": "1"}).json()
    assert [(one["source_id"], one["fields"]) for one in body["refused"]] == [("COLON-01", ["MagneticFieldStrength"])]
    page = client.get("/explore", params={"MagneticFieldStrength.from": "1"}).text
    assert "COLON-01 states MagneticFieldStrength for none of its series" in page


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("Stage=IV", "no such field"),
        ("Modality.from=1", "no such field"),
        ("AgeAtStudy=50", "write it with .from or .to"),
        ("AgeAtStudy.from=fifty", "is no number"),
        ("AgeAtStudy.from=60&AgeAtStudy.to=50", "swap the ends"),
        ("q={", "is no JSON"),
        ("q=" + "[" * 3000, "nested deeper"),
        ("q=7", "a criterion is an object"),
        ("Modality=CT&facets=Nothing", "no such counted field"),
        ("source_id=1'%20or%20'1'='1';--&Nope=1", "no such field"),
    ],
)
def test_what_is_not_understood_is_refused(client: TestClient, address: str, problem: str) -> None:
    response = client.get(f"/api/v1/search?{address}")
    assert response.status_code == 400 and problem in " ".join(response.json()["problems"])
    if "facets" not in address:
        page = client.get(f"/explore?{address}")
        assert page.status_code == 400 and "Not understood, so nothing is filtered" in page.text


def test_sql_in_a_value_is_only_a_value(client: TestClient) -> None:
    body = client.get("/api/v1/search", params={"source_id": "x'; drop table series; --"}).json()
    assert body["total"] == {"people": None, "studies": None, "series": None, "below": 15}


def test_hostile_text_of_a_header_is_shown_and_not_run(client: TestClient) -> None:
    page = client.get("/explore", params={"text": HOSTILE})
    assert "<script>" not in page.text and "&lt;script&gt;" in page.text
    reader = _Elements()
    reader.feed(page.text)
    # the page's own script is a file; none is written into the page
    assert reader.scripts == ["/static/explorer.js"] and not any(name.startswith("on") for name in reader.attributes)
    assert "default-src 'none'" in page.headers["content-security-policy"]


def test_a_huge_or_endless_body_is_refused(client: TestClient) -> None:
    assert client.post("/api/v1/search", content=b" " * (MAX_BODY + 1)).status_code == 413
    assert client.post("/api/v1/search", content=(b" " for _ in range(3))).status_code == 413
    deep = json.dumps({"query": None})[:-5] + '{"not":' * 900 + '{"text":"x"}' + "}" * 901
    response = client.post("/api/v1/search", content=deep, headers={"content-type": "application/json"})
    assert response.status_code == 400 and "nested deeper" in response.text


@pytest.mark.parametrize(("values", "status"), [(900, 414), (3000, 400)])
def test_an_address_that_is_too_long_is_refused(client: TestClient, values: int, status: int) -> None:
    """Each link of the page repeats its criteria: 30 kB of them made a page of 39 MB of a large catalogue."""
    answer = client.get("/explore?" + "&".join(f"Modality=m{number}" for number in range(values)))
    assert answer.status_code == status and len(answer.content) < 500_000
    assert status == 400 or "ask through the API" in answer.text


def test_every_link_of_the_page_leads_to_a_page(client: TestClient) -> None:
    page = client.get("/explore?Modality=CT&AgeAtStudy.from=40").text
    links = sorted(set(re.findall(r'href="(/explore[^"]*)"', page)))
    assert len(links) > 20
    for link in links:
        response = client.get(link.replace("&amp;", "&"))
        assert response.status_code == 200 and "Not understood" not in response.text, link


def test_a_click_on_a_value_and_again_gives_the_page_back(client: TestClient) -> None:
    page = client.get("/explore?Modality=CT").text
    (chosen,) = re.findall(r'<a href="(/explore[^"]*)" aria-current="true"', page)
    assert chosen == "/explore?"


def test_the_budget_ends_and_repeats_are_free(index: SearchIndex) -> None:
    client = made_client(index, budget=2)
    assert client.get("/api/v1/search?Modality=CT").status_code == 200
    assert client.get("/api/v1/search?Modality=MR").status_code == 200
    refused = client.get("/api/v1/search?Modality=PT")
    assert refused.status_code == 429 and int(refused.headers["retry-after"]) == 12 * 3600 + 1
    assert client.get("/explore?Modality=PT").status_code == 429
    assert client.get("/api/v1/search?Modality=CT").status_code == 200


def test_without_a_release_the_pages_say_so() -> None:
    def nothing(version: str) -> SearchIndex:
        raise AssertionError("there is no release to open")

    service = SearchService(lambda: None, nothing, secret=SECRET)
    with pytest.raises(NothingReleasedError):
        service.current()
    limits = Limits(secret=SECRET, now=lambda: dt.datetime.now(dt.UTC))
    app = Starlette(
        routes=[Route("/explore", Explorer(service, limits).page), Mount("/api/v1", build_api(service, limits))]
    )
    client = TestClient(app, raise_server_exceptions=False)
    assert client.get("/explore").status_code == 503 and "no release yet" in client.get("/explore").text
    assert client.get("/api/v1/search").json() == {"problems": [NONE_RELEASED]}


def test_a_federation_site_gets_public_counts_by_collection(client: TestClient) -> None:
    body = client.get("/node", params={"modality": "CT"}).json()
    assert body["provider"] == "Test" and [one["id"] for one in body["collections"]] == ["COLON-01", "LUNG-01"]
    for one in (*body["collections"], body["total"]):
        assert one["subjects_count"] >= 10 and one["subjects_count"] % 10 == 0
        assert one["studies_count"] % 10 == 0
    assert body["collections"][0]["modalities"] == ["CT"]
    ages = body["collections"][0]["age_range"]
    assert 0 < ages["min"] < ages["max"] <= 95
    posted = client.post("/node", content=base64.b64encode(b'{"ast":{"children":[],"operand":"OR"},"id":"x"}'))
    assert posted.status_code == 200 and posted.json()["total"]["subjects_count"] >= body["total"]["subjects_count"]


def test_a_federation_site_is_told_what_cannot_be_answered(client: TestClient) -> None:
    refused = client.get("/node", params={"modality": "CT", "receptor": "positive"})
    assert refused.status_code == 422 and "receptor" in refused.json()["problems"][0]
    assert client.post("/node", content=b"nonsense").status_code == 400
    assert client.post("/node", content=b" " * (MAX_BODY + 1)).status_code == 413


def test_a_newer_release_is_taken_up(index: SearchIndex, tmp_path: Path) -> None:
    rows(120).to_parquet(tmp_path / "series.parquet")
    newer = build_index([tmp_path / "series.parquet"], tmp_path / "index", schema=RELEASE_SCHEMA, release="2026.12.1")
    versions, now = ["2026.11.1"], [0.0]
    known = {"2026.11.1": index, "2026.12.1": newer}
    service = SearchService(lambda: versions[-1], lambda version: known[version], secret=SECRET, clock=lambda: now[0])
    assert service.current().index.release == "2026.11.1"
    versions.append("2026.12.1")
    assert service.current().index.release == "2026.11.1"
    now[0] = LOOK_AGAIN_SECONDS + 1
    assert service.current().index.release == "2026.12.1"


def test_completeness_counts_series_and_not_people(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All people have one series without slices; 3 of 4 series state a thickness; by the counts it was 0 %."""
    first = rows(100)
    first["source_id"] = "LUNG-01"
    first["SliceThickness"], first["MagneticFieldStrength"] = 2.5, 1.5
    rest = [first.assign(SeriesInstanceUID=first["SeriesInstanceUID"] + f".{number}") for number in range(3)]
    rest[0]["SliceThickness"] = np.nan
    pd.concat([first, *rest]).to_parquet(tmp_path / "series.parquet")
    made = build_index([tmp_path / "series.parquet"], tmp_path / "index", schema=RELEASE_SCHEMA, release="2026.11.1")
    monkeypatch.setattr(SearchEngine, "compile", lambda engine: None)
    names = ("SliceThickness", "MagneticFieldStrength", "no such field")
    shown = set()
    for number in range(40):
        service = SearchService(lambda: made.release, lambda version: made, secret=bytes([number] * 32))
        policy = service.answer(AllOf(())).policy
        stated = service.stated("LUNG-01", names, people=100, policy=policy)
        assert set(stated) == {"SliceThickness", "MagneticFieldStrength"}
        assert stated["MagneticFieldStrength"] == 1.0
        shown.add(stated["SliceThickness"])
    assert shown == {0.7, 0.8}  # ten of a hundred people are a step
    assert service.stated("LUNG-01", names[:1], people=10, policy=policy)["SliceThickness"] in (0.0, 1.0)


def test_an_empty_value_is_not_stated_on_pages_as_in_the_api(tmp_path: Path) -> None:
    frame = rows()
    frame["BodyPart"] = np.random.default_rng(7).choice(["Lung", "Chest", None], len(frame))
    frame.to_parquet(tmp_path / "series.parquet")
    made = build_index([tmp_path / "series.parquet"], tmp_path / "index", schema=RELEASE_SCHEMA, release="2026.11.1")
    client = made_client(made)
    client.headers["accept-language"] = "en"
    everything = client.get("/api/v1/search?facets=none").json()["total"]["people"]
    for address in ("BodyPart=", "BodyPart=&Modality=CT", "BodyPart=&BodyPart=Lung", "BodyPart=not-stated"):
        total = client.get(f"/api/v1/search?{address}&facets=none").json()["total"]
        page = client.get(f"/explore?{address}")
        shown = re.findall(r"<dd>(?:<span[^>]*>)?([^<]*)", page.text)[:3]
        said = ["not shown" if total[name] is None else f"{total[name]:,}" for name in ("people", "studies", "series")]
        assert page.status_code == 200 and shown == said and total["people"] < everything, address
        assert "Body part: not stated" in page.text, address
    # what a form sends of fields that nobody filled in asks nothing
    blank = client.get("/explore?text=&AgeAtStudy.from=&AgeAtStudy.to=%20&find.BodyPart=&lang=")
    assert blank.status_code == 200 and "Take out:" not in blank.text
    for address in ("Stage=", "q="):
        assert {client.get(f"/{path}?{address}").status_code for path in ("explore", "api/v1/search")} == {400}
