"""People may be shown without studies and series: "not shown" is said then, and nowhere is it nought."""

from __future__ import annotations

import csv
import datetime as dt
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from typing import Any

import pytest
from pyarrow import parquet
from rdflib import Graph, URIRef
from starlette.testclient import TestClient

from ingestion.catalogue.exports.names import HEALTHDCATAP
from ingestion.catalogue.federation.fan_out import NodeReply, NodeTotal, SiteAnswer, SiteState, merge
from ingestion.catalogue.federation.merged import merge_facets
from ingestion.catalogue.release_manifest import read_release
from ingestion.catalogue.search.protection import PublicCounts
from ingestion.catalogue.search.public import PublicAnswer, PublicSearch
from ingestion.catalogue.search.query import EVERYTHING
from ingestion.catalogue.search.release_index import open_release
from ingestion.commands.search import _print_counts, _print_sites
from portal.app import build_app
from portal.search.federated_api import federated_out
from portal.search.limits import Limits
from portal.search.service import SearchService
from tests.portal.made_portal import OPEN, SECRET, Platform

ALONE = PublicCounts(people=60, studies=None, series=None)
EMPTY = ("", "")


@pytest.fixture(scope="module")
def client(platform: Platform, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A portal of which every count has people alone."""
    asked = PublicSearch.answer

    def alone(self: PublicSearch, *arguments: Any, **more: Any) -> PublicAnswer:
        answer = asked(self, *arguments, **more)
        facets = tuple(
            replace(facet, values=tuple(replace(one, counts=ALONE) for one in facet.values)) for facet in answer.facets
        )
        return replace(answer, total=ALONE, facets=facets)

    folder = tmp_path_factory.mktemp("alone")
    research = platform.stores.research

    def service(version: str) -> SearchService:
        index = open_release(research, read_release(research, version), folder)
        return SearchService(lambda: version, lambda _: index, secret=SECRET)

    limits = Limits(secret=SECRET, now=lambda: dt.datetime(2026, 11, 25, tzinfo=dt.UTC), rate=1e6, burst=10_000,
                    budget=100_000)  # fmt: skip
    app = build_app(platform.stores, platform.entries, search=(service(platform.versions[-1]), limits), other=service,
                    address="https://portal.example.org")  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(PublicSearch, "answer", alone)
        yield TestClient(app, headers={"accept-language": "en"})


@pytest.mark.parametrize(
    "address",
    ["/", "/collections", f"/collections/{OPEN}", "/explore", "/cohort", "/cohort?Modality=CT&with=2026.10.1"],
)
@pytest.mark.parametrize(("language", "said"), [("en", "not shown"), ("fr", "non montré")])
def test_pages_say_that_it_is_not_shown(client: TestClient, address: str, language: str, said: str) -> None:
    response = client.get(address, headers={"accept-language": language})
    assert response.status_code == 200
    cells = re.findall(r'<(?:td class="n"|dd)[^>]*>(.*?)</(?:td|dd)>', response.text, re.DOTALL)
    told = [re.sub(r"<[^>]+>", "", unescape(cell)).strip() for cell in cells]
    assert told.count(said) >= 2 and "60" in told
    # of the comparison it is the change of the people, from 60 to 60
    assert {"None", ""} & set(told) == set() and ("0" in told) == ("with=" in address)


def test_exports_have_empty_cells(client: TestClient) -> None:
    lines = list(csv.DictReader(io.StringIO(client.get("/cohort/export?format=counts.csv").text)))
    assert lines and {(one["people"], one["studies"], one["series"]) for one in lines} == {("60", *EMPTY)}
    for address in ("/cohort/export?format=counts.parquet", "/public/counts.parquet", "/public/collection.parquet"):
        rows = parquet.read_table(io.BytesIO(client.get(address).content)).to_pylist()
        seen = {(one["people"], one["studies"], one["series"]) for one in rows}
        assert seen - {(None, None, None)} == {(60, None, None)}, address


def test_the_api_and_its_description_have_null(client: TestClient) -> None:
    answer = client.get("/api/v1/search?facets=Modality").json()
    assert answer["total"] == {"people": 60, "studies": None, "series": None, "below": None}
    assert all(one["counts"]["series"] is None for one in answer["facets"][0]["values"])
    [release] = client.get("/api/v1/releases").json()
    assert (release["people"], release["studies"], release["series"]) == (60, None, None)
    schemas = client.get("/api/v1/openapi.json").json()["components"]["schemas"]
    for name in ("CountsOut", "ReleaseOut", "MergedValueOut"):
        for member in ("studies", "series"):
            assert {"type": "null"} in schemas[name]["properties"][member]["anyOf"], name
    assert {"type": "null"} in schemas["FederatedOut"]["properties"]["studies"]["anyOf"]


def test_documents_for_machines_name_no_studies(client: TestClient) -> None:
    record = Graph().parse(data=client.get(f"/collections/{OPEN}/dcat.ttl").text, format="turtle")
    dataset = URIRef(f"urn:cie:collection:{OPEN}")
    # the profile demands a number of records: as many as people is the least that is true
    assert [int(str(one)) for one in record.objects(dataset, HEALTHDCATAP.numberOfRecords)] == [60]
    [covered] = record.objects(dataset, HEALTHDCATAP.populationCoverage)
    assert "the number of studies is not shown" in str(covered)
    assert client.get(f"/collections/{OPEN}/datacite.json").json()["sizes"] == ["about 60 individuals"]
    page = client.get(f"/collections/{OPEN}").text
    described = json.loads(re.search(r'ld\+json">(.*?)</script>', page, re.DOTALL)[1])  # type: ignore[index]
    assert [(one["name"], one["value"]) for one in described["variableMeasured"]] == [("people", 60)]


def test_a_node_and_those_who_add_it_up_know_no_studies(client: TestClient) -> None:
    answer = client.post("/node", content=json.dumps(
        {"ast": {"operand": "OR", "children": []}, "id": "x", "facets": ["Modality"]})).json()  # fmt: skip
    assert answer["total"] == {"studies_count": None, "subjects_count": 60}
    assert {one["studies_count"] for one in answer["collections"]} == {None}
    here = NodeReply.model_validate(answer)
    there = here.model_copy(update={"total": NodeTotal(studies_count=80, subjects_count=70), "facets": [
        facet.model_copy(update={"values": [one.model_copy(update={"studies": 70, "series": 90})
                                            for one in facet.values]}) for facet in here.facets]})  # fmt: skip
    nobody = here.model_copy(update={"total": NodeTotal(), "facets": []})
    sites = [SiteAnswer(name, SiteState.ANSWERED, reply=reply) for name, reply in
             (("here", here), ("there", there), ("nobody", nobody))]  # fmt: skip
    whole = merge(sites)
    assert (whole.people, whole.studies, whole.hidden_sites) == (130, None, 1), "a part is not known"
    assert merge(sites[1:]).studies == 80, "a site that shows nothing is in neither sum"
    [facet] = merge_facets(sites, ["Modality"])
    assert {(one.people, one.studies, one.series) for one in facet.values} == {(120, None, None)}
    [facet] = merge_facets(sites[1:], ["Modality"])
    assert {(one.people, one.studies, one.series) for one in facet.values} == {(60, 70, 90)}


def test_the_shell_says_that_it_is_not_shown(
    client: TestClient, capsys: pytest.CaptureFixture[str], platform: Platform
) -> None:
    _print_counts(client.get("/api/v1/search?facets=Modality").json())
    said = " ".join(capsys.readouterr().out.split())
    assert "about 60 people, not shown studies" not in said
    assert "about 60 people; studies and series are not shown" in said
    here = NodeReply.model_validate(client.get("/node").json())
    answer = merge([SiteAnswer("here", SiteState.ANSWERED, reply=here), SiteAnswer("there", SiteState.LATE, "late")])
    _print_sites(federated_out(EVERYTHING, answer, ()).model_dump(mode="json"))
    said = capsys.readouterr().out
    assert re.search(r"here\s+│ answered │\s+60 │ not shown", said), said


def test_a_site_that_answers_without_a_number_has_a_reason(capsys: pytest.CaptureFixture[str]) -> None:
    empty = NodeReply(provider="x", collections=[], total=NodeTotal())
    answer = merge([SiteAnswer("here", SiteState.ANSWERED, reply=empty)])
    out = federated_out(EVERYTHING, answer, ()).model_dump(mode="json")
    assert "too close to one about few" in out["sites"][0]["reason"]
    _print_sites(out)
    assert "shows no number" in capsys.readouterr().out
