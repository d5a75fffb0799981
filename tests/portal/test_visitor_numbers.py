"""The numbers that visitors get: of each one draw, in pages and documents alike, and nothing of few people."""

from __future__ import annotations

import datetime as dt
import hashlib
import io
import json
import re
from pathlib import Path

import pytest
from pyarrow import parquet
from rdflib import Graph, Literal, URIRef
from rdflib.namespace import DCAT, RDF
from starlette.testclient import TestClient

from ingestion.catalogue.exports.names import EUCAIM, HEALTHDCATAP
from ingestion.catalogue.exports.validation import validate_record, violations
from ingestion.catalogue.release_manifest import read_release
from ingestion.catalogue.search.protection import CountPolicy
from ingestion.catalogue.search.release_index import open_release
from portal.app import build_app
from portal.search.limits import Limits
from portal.search.service import SearchService
from tests.portal.made_portal import CLOSED, FEW, OPEN, Platform
from tests.portal.page_parser import Page

BOUND = 10


@pytest.fixture(scope="module")
def client(platform: Platform) -> TestClient:
    return TestClient(platform.app, raise_server_exceptions=False, headers={"accept-language": "en"})


def is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def test_a_collection_of_few_people_shows_no_number_of_them(client: TestClient) -> None:
    page = client.get(f"/collections/{FEW}").text
    assert page.count(">not shown<") == 3 and "of images" not in page and "<img" not in page
    record = Graph().parse(data=client.get(f"/collections/{FEW}/dcat.ttl").text, format="turtle")
    dataset = URIRef(f"urn:cie:collection:{FEW}")
    assert (dataset, RDF.type, DCAT.Dataset) in record
    numbers = {one.toPython() for one in record.objects() if isinstance(one, Literal) and is_number(one.toPython())}
    assert numbers == {1, 10}  # its tier, and the bound under which counts are hidden, which the profile demands
    assert record.value(dataset, EUCAIM.hasBirthSex) == EUCAIM["COM1002760"]  # unknown
    # The registry made for these tests names no publisher of the catalogue; all else conforms.
    assert {one.node for one in violations(validate_record(record))} == {"urn:cie:catalogue"}


def test_numbers_of_a_collection_are_the_same_everywhere(client: TestClient) -> None:
    facet = client.get("/api/v1/search?facets=source_id").json()["facets"][0]["values"]
    people = {one["value"]: one["counts"]["people"] for one in facet}
    assert set(people) == {OPEN, CLOSED}
    asked = client.get(f"/api/v1/search?source_id={OPEN}&facets=none").json()["total"]["people"]
    assert f"<dd>{asked}</dd>" in client.get(f"/collections/{OPEN}").text
    record = Graph().parse(data=client.get(f"/collections/{OPEN}/dcat.jsonld").text, format="json-ld")
    dataset = URIRef(f"urn:cie:collection:{OPEN}")
    assert [int(one) for one in record.objects(dataset, HEALTHDCATAP.numberOfUniqueIndividuals)] == [asked]
    table = parquet.read_table(io.BytesIO(client.get("/public/collection.parquet").content)).to_pylist()
    assert {row["source_id"]: row["people"] for row in table} == {**people, FEW: None}


def test_one_draw_of_each_count_is_public(client: TestClient) -> None:
    """All documents say the number of the search: a release's own table is rounded otherwise, and both tell more."""
    rows = parquet.read_table(io.BytesIO(client.get("/public/collection.parquet").content)).to_pylist()
    table = {row["source_id"]: row for row in rows}
    names = (("individuals", "people"), ("studies", "studies"), ("series", "series"))
    for source_id in (OPEN, CLOSED, FEW):
        row, address = table[source_id], f"/collections/{source_id}"
        cited = client.get(f"{address}/datacite.json").json()
        assert cited["sizes"] == [f"about {row[to]} {name}" for name, to in names if row["people"] is not None]
        record = Graph().parse(data=client.get(f"{address}/dcat.ttl").text, format="turtle")
        dataset = URIRef(f"urn:cie:collection:{source_id}")
        shown = [int(one) for one in record.objects(dataset, HEALTHDCATAP.numberOfRecords)]
        # The profile demands a number: of a hidden count it is the bound under which counts are hidden.
        assert shown == [BOUND if row["studies"] is None else row["studies"]]
        described = json.loads(Page(client.get(address).text).data[0]).get("variableMeasured", [])
        assert {one["name"]: one["value"] for one in described} == (
            {} if row["people"] is None else {to: row[to] for _, to in names}
        )
        policy = Graph().parse(data=client.get(f"{address}/policy.jsonld").text, format="json-ld")
        assert URIRef(f"{dataset}#policy") in set(policy.subjects())
        assert [one for one in policy.objects() if isinstance(one, Literal) and isinstance(one.toPython(), int)] == []
    assert table[FEW]["people"] is None and "dates" in cited
    assert not any(one["dateType"] == "Collected" for one in cited["dates"])


def test_what_describes_the_release_describes_the_table_that_is_served(client: TestClient) -> None:
    body = client.get("/public/collection.parquet").content
    said = client.get("/public/croissant.jsonld").json()
    [file] = said["distribution"]
    assert file["sha256"] == hashlib.sha256(body).hexdigest() and file["contentSize"] == f"{len(body)} B"
    assert file["contentUrl"] == "collection.parquet" and said["license"] == "policies.jsonld"
    columns = [one["source"]["extract"]["column"] for one in said["recordSet"][0]["field"]]
    assert columns == parquet.read_schema(io.BytesIO(body)).names
    kinds = {one["name"]: one["dataType"] for one in said["recordSet"][0]["field"]}
    assert [name for name, kind in kinds.items() if kind == "sc:Integer"] == ["people", "studies", "series"]
    release = client.get("/public/datacite.json").json()
    assert release["version"] == said["version"] and "sizes" not in release
    policies = Graph().parse(data=client.get("/public/policies.jsonld").text, format="json-ld")
    assert {URIRef(f"urn:cie:collection:{one}#policy") for one in (OPEN, CLOSED, FEW)} <= set(policies.subjects())


def test_what_a_release_tells_of_a_hidden_collection_is_no_number(platform: Platform) -> None:
    """Its public files: shares of seven people are as good as their number."""
    research, version = platform.stores.research, platform.versions[-1]

    def read(name: str) -> bytes:
        return research.read(f"releases/{version}/{name}")

    few, shown = URIRef(f"urn:cie:collection:{FEW}"), URIRef(f"urn:cie:collection:{OPEN}")
    for name, form in (("dcat.ttl", "turtle"), ("dcat.jsonld", "json-ld"), ("quality.ttl", "turtle")):
        values: dict[URIRef, dict[str, str]] = {few: {}, shown: {}}
        graph = Graph().parse(data=read(name), format=form)
        for measured, value in graph.subject_objects(URIRef("http://www.w3.org/ns/dqv#value")):
            dataset, _, what = str(measured).partition("#quality-")
            values.setdefault(URIRef(dataset), {})[what] = str(value)
        assert values[few] == {"tier": "1"}, name
        # of the others in hundredths: 0.9123 is 52 of 57 and nothing else
        assert values[shown] == {"tier": "1", "completeness": "0.91", "validity": "1.00"}, name
    row = next(row for row in parquet.read_table(io.BytesIO(read("collection.parquet"))).to_pylist()
               if row["source_id"] == FEW)  # fmt: skip
    policy = {"CountsHiddenBelow", "CountsRoundedTo", "IndividualsDeclared", "StudiesDeclared", "SeriesDeclared"}
    told = {name: value for name, value in row.items() if isinstance(value, (int, float)) and name not in policy}
    assert told == {}
    assert json.loads(read(f"datacite/{FEW}.json"))["sizes"] == []
    [described] = [one for one in json.loads(read("schema-org.jsonld"))["dataset"] if one["@id"] == str(few)]
    assert {type(one["value"]) for one in described["variableMeasured"]} <= {list} and "size" not in described


def test_the_status_gives_no_share_of_a_hidden_collection(client: TestClient) -> None:
    rows = re.findall(r'<th scope="row" role="rowheader">([^<]+)</th>(.*?)</tr>', client.get("/status").text, re.DOTALL)
    told = {source_id: cells for source_id, cells in rows}
    assert "objects quarantined" in told[OPEN]
    assert "objects quarantined" not in told[FEW] and "%" not in told[FEW] and "not shown" in told[FEW]


def test_the_status_gives_a_share_only_where_the_search_shows_people(platform: Platform, tmp_path: Path) -> None:
    """Twelve people are counted by a release, and at times not by the search: that rule is kept everywhere."""
    secret = bytes(32)
    limits = Limits(secret=secret, now=lambda: dt.datetime(2026, 11, 25, tzinfo=dt.UTC), rate=1e6, burst=10_000)
    research = platform.stores.research
    index = open_release(research, read_release(research, platform.versions[-1]), tmp_path)
    hidden = dict.fromkeys((OPEN, CLOSED, FEW), CountPolicy(hidden_below=1_000))
    service = SearchService(lambda: index.release, lambda _: index, secret=secret, policies=lambda _: hidden)
    app = build_app(platform.stores, platform.entries, search=(service, limits))
    page = TestClient(app, headers={"accept-language": "en"}).get("/status").text
    told = dict(re.findall(r'<th scope="row" role="rowheader">([^<]+)</th>(.*?)</tr>', page, re.DOTALL))
    for source_id in (OPEN, CLOSED, FEW):
        assert "objects quarantined" not in told[source_id] and "%" not in told[source_id]
