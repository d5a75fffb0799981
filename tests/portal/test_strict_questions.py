"""Questions that say two things, or no number: refused with their place, never answered in part, never an error 500."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from made_index import make_index, make_limits, make_rows, make_service
from pyarrow import csv, parquet
from pyarrow.lib import BufferReader
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient
from typer.testing import CliRunner

import cie
from ingestion.catalogue.federation.fan_out import NodeAddress, NodeFacet
from ingestion.catalogue.search.json_text import NoJSONError, read_json
from ingestion.catalogue.search.query import QueryError
from ingestion.cli import build_app
from portal.search.access import Access, OpenAccess
from portal.search.api import build_api
from portal.site.collections import Place
from portal.site.pages import visitor_routes

TWICE = (
    '{"query": {"field": "Modality", "in": ["CT"]}, "query": null}',
    '{"query": {"field": "Modality", "in": ["CT"], "in": ["MR"]}}',
    '{"query": {"all": [{"not": {"text": "t2", "text": "t1"}}]}}',
)
LONG = "9" * 5_000


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    frame = make_rows({"LUNG-01": 300, "COLON-01": 200})
    # the source of a segmentation is another series of the same study
    more = frame[frame.index % 2 == 0].assign(Modality="SEG")
    more["SeriesInstanceUID"] = [f"{uid}.9" for uid in more["SeriesInstanceUID"]]
    service = make_service(make_index(tmp_path_factory.mktemp("strict"), pd.concat([frame, more], ignore_index=True)))
    limits = make_limits()
    access: tuple[Access, str] = (OpenAccess(), "s3://open/{SeriesInstanceUID}/*")
    api = build_api(service, limits, nodes=(NodeAddress("a", "http://127.0.0.1:1"),), records=access)
    pages = visitor_routes(stores=None, entries=(), search=(service, limits), place=Place("made"))
    return TestClient(Starlette(routes=[Mount("/api/v1", api), *pages]), raise_server_exceptions=False)


@pytest.mark.parametrize("path", ["search", "federated", "export"])
@pytest.mark.parametrize("body", TWICE)
def test_a_member_that_is_there_twice_is_refused(client: TestClient, path: str, body: str) -> None:
    response = client.post(f"/api/v1/{path}", content=body, headers={"content-type": "application/json"})
    assert response.status_code == 400, response.text
    [problem] = response.json()["problems"]
    assert "twice" in problem and ("'query'" in problem or "'in'" in problem or "'text'" in problem)


@pytest.mark.parametrize("path", ["/api/v1/search", "/api/v1/federated", "/api/v1/export", "/explore", "/cohort"])
@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ('{"field": "Modality", "in": ["CT"], "in": ["MR"]}', "twice"),
        (LONG, "is no JSON"),
        ('{"field": "AgeAtStudy", "from": ' + LONG + "}", "is no JSON"),
        ("[" * 5_000, "nested deeper"),
    ],
)
def test_a_query_in_the_address_is_read_as_strictly(client: TestClient, path: str, asked: str, says: str) -> None:
    response = client.get(path, params={"q": asked})
    assert response.status_code == 400 and says in response.text


@pytest.mark.parametrize(
    "path",
    ["/api/v1/search", "/api/v1/fields/Modality/values", "/api/v1/federated", "/api/v1/export", "/api/v1/series",
     "/explore", "/cohort", "/cohort/export", "/cohort/citation.txt"],
)  # fmt: skip
@pytest.mark.parametrize("number", ["nan", "inf", "-Infinity", "1e999"])
def test_what_is_no_finite_number_is_refused(client: TestClient, path: str, number: str) -> None:
    more = {"format": "counts.csv"} if path == "/cohort/export" else {}
    response = client.get(path, params={"AgeAtStudy.from": number, **more})
    assert response.status_code == 400 and "is no finite number" in response.text


@pytest.mark.parametrize("body", [LONG, '{"query": ' + LONG + "}", "[" * 5_000, "{", "\xff", '"\\ud800"'])
def test_a_body_that_cannot_be_read_is_refused(client: TestClient, body: str) -> None:
    response = client.post(
        "/api/v1/search", content=body.encode("latin-1"), headers={"content-type": "application/json"}
    )
    assert response.status_code in (400, 422) and response.json()["problems"]


def test_json_is_read_as_written() -> None:
    said = {"all": [{"in": ["a", ""]}, {"in": [1, 2.5, None, True]}]}
    assert read_json(json.dumps(said)) == said
    with pytest.raises(QueryError, match="'in' twice"):
        read_json('{"in": 1, "field": 2, "in": 1}')
    for text in ("", "{", LONG, b"\xff"):
        with pytest.raises(NoJSONError):
            read_json(text)


@pytest.mark.parametrize(
    ("criterion", "says"),
    [
        ((math.nan, 3), "finite numbers"), ((3, math.inf), "finite numbers"), (50, "a pair of numbers"),
        ((None, None), "one end at least"), ([1, 2], "a pair of numbers"), (None, "a pair of numbers"),
        ((True, 3), "finite numbers"),
    ],
)  # fmt: skip
def test_the_client_names_what_cannot_be_asked(criterion: Any, says: str) -> None:
    with cie.Client("http://127.0.0.1:1") as nobody:
        for ask in (nobody.search, nobody.federated):
            with pytest.raises(cie.QuestionError, match=f"AgeAtStudy: .*{says}"):
                ask(AgeAtStudy=criterion)
        with pytest.raises(cie.QuestionError, match="NaN"):
            nobody.search({"field": "AgeAtStudy", "from": math.nan})


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ("AgeAtStudy.from=nan", "is no finite number"), ("AgeAtStudy.to=inf", "is no finite number"),
        ("text=t2", "--text"), ("text.from=2", "--text"),
    ],
)  # fmt: skip
def test_the_command_names_what_cannot_be_asked(asked: str, says: str) -> None:
    result = CliRunner().invoke(
        build_app("search"), ["search", "--url", "http://127.0.0.1:1", "-w", asked], env={"COLUMNS": "200"}
    )
    assert result.exit_code == 2 and says in " ".join(result.output.split())
    assert result.exception is None or isinstance(result.exception, SystemExit)


def test_an_export_holds_nobody_but_the_selection(client: TestClient) -> None:
    answer = client.get("/api/v1/search?Modality=MR").json()
    [others] = [one for one in answer["facets"] if one["field"] == "Modality"]
    assert {one["value"] for one in others["values"]} == {"CT", "MR", "SEG"}  # the explorer offers the others
    for name in ("counts.csv", "counts.parquet"):
        body = BufferReader(client.get(f"/cohort/export?Modality=MR&format={name}").content)
        table = (csv.read_csv(body) if name.endswith("csv") else parquet.read_table(body)).to_pylist()
        total = next(row["people"] for row in table if not row["field"])
        assert total == answer["total"]["people"]
        modalities = {row["value"]: row["people"] for row in table if row["field"] == "Modality"}
        assert modalities == {"MR": total}


@pytest.mark.parametrize(("said", "hidden"), [(0, False), (7, True), (False, False), (True, True)])
def test_a_node_says_how_many_values_it_hides_or_whether(said: int, hidden: bool) -> None:
    assert NodeFacet.model_validate({"field": "Modality", "values": [], "hidden": said}).hidden is hidden


def test_whether_values_are_hidden_is_told_without_a_number(client: TestClient) -> None:
    facets = client.get("/api/v1/search").json()["facets"]
    assert {type(one["hidden"]) for one in facets} == {bool} and any(one["hidden"] for one in facets)
    page = client.get("/explore", headers={"accept-language": "en"}).text
    assert "Further values are not shown" in page and " further value" not in page


@pytest.mark.parametrize("kind", ["file", "empty", "old"])
def test_what_is_no_index_is_named(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "index"
    if kind == "file":
        place.write_bytes(b"PAR1")
    else:
        place.mkdir()
    if kind == "old":
        (place / "index.json").write_text(json.dumps({"format": 0}))
    run = subprocess.run(
        [sys.executable, "-m", "portal", "--index", str(place)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 2 and "Traceback" not in run.stderr and "build it again" in run.stderr
