"""The main job through the real stack: what was delivered, where it ended, what a user sees of it."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest
import requests
from sqlalchemy import create_engine, text

from ingestion.demo.verdict import judge_demo
from ingestion.storage.open import open_stores
from tests.stack.conftest import BLOCKED, HEALTHY, SOURCES, DemoStack

pytestmark = pytest.mark.stack
ASSETS = {
    "raw_dicom", "deidentified_dicom", "quality_report", "series_features", "catalogue_tables", "public_release",
}  # fmt: skip


def _graphql(demo: DemoStack, query: str, **variables: Any) -> dict[str, Any]:
    answer = requests.post(
        f"{demo.settings.dagster_url}/graphql", json={"query": query, "variables": variables}, timeout=60
    ).json()
    assert "errors" not in answer, answer
    data: dict[str, Any] = answer["data"]
    return data


def test_every_object_of_every_source_is_accounted_for(demo: DemoStack) -> None:
    rows = {row["source_id"]: row for row in demo.first["sources"]}
    assert set(rows) == set(SOURCES)
    for row in rows.values():
        assert row["delivered"] > 50
        assert row["delivered"] == row["accepted"] + row["duplicate"] + row["quarantined"]
        assert row["adds_up"]
        assert min(row["accepted"], row["duplicate"], row["quarantined"], row["stored_bytes"]) > 0


def test_every_object_ended_as_the_answer_key_says(demo: DemoStack) -> None:
    verdict = demo.first["verdict"]
    assert verdict["objects"] == sum(row["delivered"] for row in demo.first["sources"])
    assert verdict["differences"] == []


def test_no_planted_identity_is_in_any_object_table_report_or_log(demo: DemoStack) -> None:
    verdict = demo.first["verdict"]
    assert verdict["values"] > 200
    assert verdict["places"] > 500
    assert verdict["hits"] == []


def test_the_search_finds_an_identity_that_did_get_out(demo: DemoStack) -> None:
    """The test above can fail: names written on purpose, in three places and encodings, are found."""
    settings = demo.settings
    key = json.loads((settings.sources_root / HEALTHY[1] / "answer_key.json").read_text())
    names = [item["value"] for item in key["planted"] if item["kind"] == "family_name"]
    stray = settings.data_dir / "logs" / "stray.log"
    engine = create_engine(settings.sqlalchemy_url())
    try:
        stray.write_bytes(names[0].encode("utf-16-le"))
        with engine.begin() as connection:
            connection.execute(text("create table cie.stray as select cast(:name as text) as note"), {"name": names[0]})
        verdict = judge_demo(settings, SOURCES)
        assert {hit.place for hit in verdict.hits} == {"logs/stray.log", "table cie.stray"}
    finally:
        stray.unlink(missing_ok=True)
        with engine.begin() as connection:
            connection.execute(text("drop table if exists cie.stray"))
        engine.dispose()


def test_a_broken_source_is_blocked_and_its_neighbours_are_not(demo: DemoStack) -> None:
    ends = {row["source_id"]: (row["run"], row["blocked"]) for row in demo.first["sources"]}
    assert ends == {**dict.fromkeys(HEALTHY, ("success", False)), BLOCKED: ("failure", True)}


def test_released_rows_are_those_of_sources_that_passed(demo: DemoStack) -> None:
    done = demo.cie(
        "catalogue", "sql", "--json",
        'select source_id, count(*) as series, sum("NumberOfInstances") as instances from series group by 1 order by 1',
    )  # fmt: skip
    answer = json.loads(done.stdout)
    rows = answer["rows"] if isinstance(answer, dict) else answer
    found = {str(_first(row)): int(_last(row)) for row in rows}
    accepted = {row["source_id"]: row["accepted"] for row in demo.first["sources"]}
    assert found == {source: accepted[source] for source in HEALTHY}
    releases = json.loads(demo.cie("release", "list", "--json").stdout)
    assert len(releases) == 1


def _first(row: Any) -> Any:
    return next(iter(row.values())) if isinstance(row, dict) else row[0]


def _last(row: Any) -> Any:
    return list(row.values())[-1] if isinstance(row, dict) else row[-1]


def test_all_servers_listen_on_the_loopback_only(demo: DemoStack) -> None:
    status = json.loads(demo.cie("status", "--json").stdout)
    assert all(part["pid"] for part in status["parts"])
    listening = set()
    for part in status["parts"]:
        process = psutil.Process(part["pid"])
        for one in [process, *process.children(recursive=True)]:
            listening |= {
                entry.laddr.ip.removeprefix("::ffff:")
                for entry in one.net_connections("inet")
                if entry.status == "LISTEN"
            }
    assert listening == {"127.0.0.1"}


def test_dagster_shows_six_assets_with_36_partitions_and_their_checks(demo: DemoStack) -> None:
    nodes = _graphql(
        demo,
        """{ assetNodes { assetKey { path } groupName description opVersion owners { __typename } kinds
             partitionKeys hasAssetChecks } }""",
    )["assetNodes"]
    by_name = {node["assetKey"]["path"][0]: node for node in nodes}
    assert set(by_name) == ASSETS
    for name, node in by_name.items():
        assert node["description"] and node["groupName"] and node["opVersion"] and node["owners"] and node["kinds"]
        assert len(node["partitionKeys"]) == (0 if name == "public_release" else 36)
    assert by_name["quality_report"]["hasAssetChecks"]


def test_each_materialization_carries_numbers_a_table_and_a_summary(demo: DemoStack) -> None:
    query = """query Of($key: AssetKeyInput!, $partitions: [String!]) { assetNodeOrError(assetKey: $key) {
      ... on AssetNode { assetMaterializations(partitions: $partitions, limit: 1) {
        metadataEntries { __typename label ... on IntMetadataEntry { intValue } } } } } }"""
    row = next(row for row in demo.first["sources"] if row["source_id"] == HEALTHY[0])
    found = _graphql(demo, query, key={"path": ["deidentified_dicom"]}, partitions=[HEALTHY[0]])
    entries = {
        entry["label"]: entry for entry in found["assetNodeOrError"]["assetMaterializations"][0]["metadataEntries"]
    }
    for name in ("delivered", "accepted", "duplicate", "quarantined"):
        assert entries[name]["intValue"] == row[name]
    kinds = {entry["__typename"] for entry in entries.values()}
    assert {"IntMetadataEntry", "TableMetadataEntry", "MarkdownMetadataEntry"} <= kinds


def test_schedules_and_sensor_are_there_and_off(demo: DemoStack) -> None:
    query = """{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError {
      ... on RepositoryLocation { repositories { schedules { name scheduleState { status } }
        sensors { name sensorState { status } } jobs { name } } } } } } } }"""
    entry = _graphql(demo, query)["workspaceOrError"]["locationEntries"][0]
    repository = entry["locationOrLoadError"]["repositories"][0]
    assert {item["scheduleState"]["status"] for item in repository["schedules"]} == {"STOPPED"}
    assert {item["sensorState"]["status"] for item in repository["sensors"]} == {"STOPPED"}
    assert {"ingest_source", "release"} <= {job["name"] for job in repository["jobs"]}


def test_the_quality_report_of_each_source_is_served(demo: DemoStack) -> None:
    operators = demo.settings.operator_url
    for source in SOURCES:
        page = requests.get(f"{operators}/reports/{source}", timeout=30)
        assert page.status_code == 200
        assert source in page.text
        assert not re.search(r"""(src|href)=["']https?://""", page.text), "a report must fetch nothing"
    assert "blocked" in requests.get(f"{operators}/reports/{BLOCKED}", timeout=30).text.lower()


def test_visitors_and_operators_have_ports_of_their_own(demo: DemoStack) -> None:
    portal, operators = demo.settings.portal_url, demo.settings.operator_url
    assert portal and operators and portal != operators
    for page in (f"/reports/{BLOCKED}", f"/accounting/{BLOCKED}", f"/measures/{HEALTHY[0]}", "/releases"):
        assert requests.get(f"{operators}{page}", timeout=30).status_code == 200, page
        refused = requests.get(f"{portal}{page}", timeout=30)
        assert refused.status_code == 404 and "cie status" in refused.text, page
    assert requests.get(f"{operators}/explore", timeout=30).status_code == 404
    parts = {part["name"]: part for part in json.loads(demo.cie("status", "--json").stdout)["parts"]}
    assert parts["portal"]["pid"] == parts["operators"]["pid"], "two addresses of one process"
    assert {f"http://{parts[name]['address']}" for name in ("portal", "operators")} == {portal, operators}


def test_links_of_the_dagster_ui_lead_to_pages_for_operators(demo: DemoStack) -> None:
    query = """{ assetNodes { assetMaterializations(limit: 5) {
      metadataEntries { label ... on UrlMetadataEntry { url } } } } }"""
    links = {
        entry["url"]
        for node in _graphql(demo, query)["assetNodes"]
        for made in node["assetMaterializations"]
        for entry in made["metadataEntries"]
        if "url" in entry
    }
    assert {urlsplit(link).path.split("/")[1] for link in links} >= {"accounting", "measures", "releases", "reports"}
    for link in links:
        assert link.startswith(f"{demo.settings.operator_url}/"), link
        assert requests.get(link, timeout=30).status_code == 200, link


def test_failed_runs_stand_on_both_status_pages(demo: DemoStack) -> None:
    query = """{ runsOrError(filter: {statuses: [FAILURE]}) { ... on Runs { results { tags { key value } } } } }"""
    failed = [
        tag["value"]
        for run in _graphql(demo, query)["runsOrError"]["results"]
        for tag in run["tags"]
        if tag["key"] == "dagster/partition"
    ]
    assert failed.count(BLOCKED) > 0
    exact = requests.get(f"{demo.settings.operator_url}/status", timeout=30).text
    public = requests.get(f"{demo.settings.portal_url}/status?lang=en", timeout=30).text
    row = public[public.index(f'role="rowheader">{BLOCKED}<') :].partition("</tr>")[0]
    assert re.search(rf">{failed.count(BLOCKED)}, (the last )?at \d{{4}}-", row)
    row = exact[exact.index(f'/reports/{BLOCKED}"') :].partition("<tr>")[0]
    assert f"<td>{failed.count(BLOCKED)}, last 2" in row


def test_catalogue_is_the_same_when_it_is_made_anew_from_the_bucket(demo: DemoStack) -> None:
    def rows() -> str:
        return demo.cie("catalogue", "sql", "--json", "--limit", "1000", "select * from series order by 1, 2, 3").stdout

    before = rows()
    demo.cie("catalogue", "rebuild")
    assert rows() == before


def test_a_second_demo_does_no_work(demo: DemoStack) -> None:
    stores = open_stores(demo.settings)
    before = {item.key for store in (stores.research, stores.internal) for item in store.list()}
    again = json.loads(demo.cie("demo", "--sources", ",".join(SOURCES), "--json").stdout)
    after = {item.key for store in (stores.research, stores.internal) for item in store.list()}
    assert again["objects_written"] == 0
    assert after == before
    assert again["verdict"]["differences"] == [] and again["verdict"]["hits"] == []
    keep = ("delivered", "accepted", "duplicate", "quarantined", "stored_bytes", "blocked", "adds_up")
    assert [{name: row[name] for name in keep} for row in again["sources"]] == [
        {name: row[name] for name in keep} for row in demo.first["sources"]
    ]
