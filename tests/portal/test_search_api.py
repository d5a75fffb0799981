"""The API: pages by keyset, files of any size, tags, grants, limits; and that it keeps to its own description."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import json
import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
import typer
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st
from made_index import HOSTILE, NOON, SECRET, make_index, make_limits, make_rows, make_service
from pyarrow import parquet
from schemathesis.specs.openapi import checks
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from cie.client import criteria
from ingestion.catalogue.search.index import SearchIndex
from ingestion.catalogue.search.protection import CountPolicy
from ingestion.commands.search import _fields
from ingestion.sources.registry import CountRule, SourceEntry
from portal.search.access import Access, AccessFileError, Terms, add_grant, read_grants
from portal.search.api import build_api
from portal.search.journal import Journal
from portal.search.node_app import build_node
from portal.search.outage import NOT_READ
from portal.search.policies import PolicyFileError, pinned
from portal.search.service import SearchService
from tests.ingestion.catalogue.made_sources import make_entry

TODAY = dt.date(2026, 11, 25)
HELD = {"LUNG-01": 900, "COLON-01": 700, "LUNG-02": 12}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> SearchIndex:
    return make_index(tmp_path_factory.mktemp("api"), make_rows(HELD))


def client_of(
    index: SearchIndex, *, grants: Path | None = None, policies: dict[str, CountPolicy] | None = None, **limits: Any
) -> TestClient:
    access = Access(grants, today=lambda: TODAY)
    address = "s3://research/dicom/{source_id}/{SeriesInstanceUID}/*"
    api = build_api(make_service(index, policies), make_limits(**limits), records=(access, address))
    return TestClient(Starlette(routes=[Mount("/api/v1", api)]), raise_server_exceptions=False)


@pytest.fixture(scope="module")
def client(index: SearchIndex) -> TestClient:
    return client_of(index)


@pytest.fixture
def granted(index: SearchIndex, tmp_path: Path) -> TestClient:
    client = client_of(index, grants=tmp_path / "access.json")
    token = add_grant(tmp_path / "access.json", name="study 12", sources=("LUNG-01", "LUNG-02"), until=TODAY)
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def test_pages_of_records_are_all_of_them_once(granted: TestClient) -> None:
    seen: list[str] = []
    after: dict[str, str] = {}
    while True:
        body = granted.get("/api/v1/series", params={"Modality": "CT", "limit": "97", **after}).json()
        seen += [row["SeriesInstanceUID"] for row in body["series"]]
        assert {row["Modality"] for row in body["series"]} == {"CT"}
        if body["next"] is None:
            break
        after = {"after": body["next"], "release": body["release"]}
    frame = make_rows(HELD)
    wanted = frame[(frame["Modality"] == "CT") & frame["source_id"].str.startswith("LUNG")]
    assert sorted(seen) == sorted(wanted["SeriesInstanceUID"]) and len(seen) > 400


@pytest.mark.parametrize("kind", ["csv", "parquet", "ndjson"])
def test_an_export_has_every_row_of_the_grant(granted: TestClient, kind: str) -> None:
    query = {"not": {"field": "Modality", "in": ["MR"]}}
    response = granted.post(f"/api/v1/export?format={kind}", json={"query": query})
    assert response.status_code == 200 and response.headers["cache-control"] == "private, no-store"
    assert granted.get(f"/api/v1/export?format={kind}&Modality=CT").content == response.content
    frame = make_rows(HELD)
    wanted = set(frame[(frame["Modality"] == "CT") & frame["source_id"].str.startswith("LUNG")]["SeriesInstanceUID"])
    if kind == "csv":
        rows = list(csv.DictReader(io.StringIO(response.text)))
        assert {row["ManufacturerModelName"] for row in rows} == {HOSTILE, "Plain"}
        found = [row["SeriesInstanceUID"] for row in rows]
    elif kind == "parquet":
        found = parquet.read_table(io.BytesIO(response.content))["SeriesInstanceUID"].to_pylist()
    else:
        found = [json.loads(line)["SeriesInstanceUID"] for line in response.text.splitlines()]
    assert len(found) == len(wanted) and set(found) == wanted


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        ("export?release=2020.01.1", 409),
        ("export?limit=5", 400),
        ("export?after=1.2.3", 400),
        ("series?format=csv", 400),
        ("series/1.2.0.1?release=2020.01.1", 409),
        ("series/1.2.0.1?Modality=CT", 400),
    ],
)
def test_no_parameter_of_records_is_left_out_without_a_word(granted: TestClient, asked: str, status: int) -> None:
    """A file of the newest release is no answer to who asks for an older one."""
    assert granted.get(f"/api/v1/{asked}").status_code == status


HELD_MODES = {"LUNG-01": "download", "LUNG-02": "remote_processing", "COLON-01": "in_situ_processing"}


def entry_of(source_id: str, mode: str, **more: Any) -> SourceEntry:
    """As the registry has it; its agreement has no end unless ``more`` says so."""
    agreement = {"kind": "data_sharing_agreement", "signed_on": "2000-01-01", "valid_until": None}
    given = {"data_use": ["DUO:0000042"], "access_mode": mode, **more.pop("agreement", {})}
    return make_entry(source_id, agreement={**agreement, **given}, **more)


@pytest.fixture
def by_mode(tmp_path: Path) -> TestClient:
    """Records of sources of each access mode, with places of objects and texts that a spreadsheet would run."""
    frame = make_rows({"LUNG-01": 40, "LUNG-02": 30, "COLON-01": 20})
    frame["AccessMode"] = frame["source_id"].map(HELD_MODES)
    frame["bucket"] = "research"
    frame["series_prefix"] = [f"dicom/{one}/" for one in frame["SeriesInstanceUID"]]
    frame["ManufacturerModelName"] = "=1+1"
    frame["ProtocolName"] = ["\t=2", "-x", "@y", "+z", "plain"] * (len(frame) // 5)
    frame["SliceThickness"] = -1.5
    index = make_index(tmp_path / "modes", frame)
    access = Access(tmp_path / "access.json", today=lambda: TODAY)
    address = "s3://research/dicom/{source_id}/{SeriesInstanceUID}/*"
    contact = {"name": "A\ncp 's3://research/*' .", "email": "a@example.org"}
    terms = Terms.of(entry_of(name, HELD_MODES[name], contact=contact) for name in HELD_MODES)
    api = build_api(make_service(index), make_limits(), records=(access, address), terms=terms)
    client = TestClient(Starlette(routes=[Mount("/api/v1", api)]))
    token = add_grant(tmp_path / "access.json", name="all", sources=("*",), until=TODAY)
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def test_a_manifest_lists_nothing_whose_mode_is_not_stated(granted: TestClient) -> None:
    lines = granted.get("/api/v1/export?format=manifest").text.splitlines()
    assert len(lines) == 2 and all(line.startswith("# LUNG-0") and "not stated" in line for line in lines)


def test_a_manifest_lists_only_what_may_be_downloaded(by_mode: TestClient) -> None:
    lines = by_mode.get("/api/v1/export?format=manifest").text.splitlines()
    frame = make_rows({"LUNG-01": 40, "LUNG-02": 30, "COLON-01": 20})
    counts = frame["source_id"].value_counts()
    copies = [line for line in lines if not line.startswith("#")]
    assert len(copies) == counts["LUNG-01"]
    assert all(line.startswith("cp 's3://research/dicom/LUNG-01/") for line in copies)
    told = [line for line in lines if line.startswith("#")]
    assert told == lines[:2]  # what is missing is said first
    assert told[0].startswith(f"# COLON-01: {counts['COLON-01']} series not listed") and "in_situ" in told[0]
    assert told[1].startswith(f"# LUNG-02: {counts['LUNG-02']} series not listed") and "a@example.org" in told[1]
    none = by_mode.get("/api/v1/export?format=manifest&source_id=LUNG-02").text
    assert none == told[1] + "\n"


def test_terms_narrowed_since_the_release_hold_at_once_for_downloads(tmp_path: Path) -> None:
    """The mode in the registry, an agreement that ended or was withdrawn, a source that is gone from it."""
    now = {
        "LUNG-01": entry_of("LUNG-01", "download"),
        "LUNG-02": entry_of("LUNG-02", "in_situ_processing"),
        "LUNG-03": entry_of("LUNG-03", "download", agreement={"valid_until": "2001-01-01"}),
        "LUNG-04": entry_of("LUNG-04", "download", agreement={"withdrawn_on": "2001-01-01"}),
    }
    frame = make_rows(dict.fromkeys([*now, "LUNG-05"], 10))
    frame["AccessMode"] = "download"
    index = make_index(tmp_path / "narrowed", frame)
    records = (Access(tmp_path / "access.json", today=lambda: TODAY), "s3://x/{source_id}/{SeriesInstanceUID}/*")
    token = add_grant(tmp_path / "access.json", name="all", sources=("*",), until=TODAY)
    api = build_api(make_service(index), make_limits(), records=records, terms=Terms.of(now.values()))
    client = TestClient(Starlette(routes=[Mount("/api/v1", api)]), headers={"Authorization": f"Bearer {token}"})
    lines = client.get("/api/v1/export?format=manifest").text.splitlines()
    assert {line.split("/")[3] for line in lines if line.startswith("cp ")} == {"LUNG-01"}
    told = [line for line in lines if line.startswith("#")]
    assert [line.split(":")[0] for line in told] == [f"# LUNG-0{number}" for number in range(2, 6)]
    assert all("narrowed since the release" in line for line in told)
    # no rows either of those whose agreement is over; a mode that was narrowed leaves the rows
    rows = client.get("/api/v1/export?format=csv").text
    assert {one["source_id"] for one in csv.DictReader(io.StringIO(rows))} == {"LUNG-01", "LUNG-02"}
    page = client.get("/api/v1/series?limit=1000").json()["series"]
    assert {one["source_id"] for one in page} == {"LUNG-01", "LUNG-02"}
    withdrawn = frame[frame["source_id"] == "LUNG-04"]["SeriesInstanceUID"].iloc[0]
    assert client.get(f"/api/v1/series/{withdrawn}").status_code == 404


def test_places_of_objects_are_told_only_of_what_may_be_downloaded(by_mode: TestClient) -> None:
    files = {kind: by_mode.get(f"/api/v1/export?format={kind}").content for kind in ("csv", "parquet", "ndjson")}
    found = {
        "csv": list(csv.DictReader(io.StringIO(files["csv"].decode()))),
        "parquet": parquet.read_table(io.BytesIO(files["parquet"])).to_pylist(),
        "ndjson": [json.loads(line) for line in files["ndjson"].splitlines()],
        "page": by_mode.get("/api/v1/series?limit=1000").json()["series"],
    }
    found["one"] = [by_mode.get(f"/api/v1/series/{row['SeriesInstanceUID']}").json() for row in found["page"][::7]]
    for kind, rows in found.items():
        assert {row["source_id"] for row in rows} == set(HELD_MODES), kind
        for row in rows:
            told = [bool(row["bucket"]), bool(row["series_prefix"])]
            assert told == [HELD_MODES[row["source_id"]] == "download"] * 2, kind


def test_records_in_csv_hold_no_formulas_and_their_numbers_stay_numbers(by_mode: TestClient) -> None:
    rows = list(csv.DictReader(io.StringIO(by_mode.get("/api/v1/export?format=csv").text, newline="")))
    assert {row["ManufacturerModelName"] for row in rows} == {"'=1+1"}
    assert {row["ProtocolName"] for row in rows} == {"'\t=2", "'-x", "'@y", "'+z", "plain"}
    assert {row["SliceThickness"] for row in rows} == {"-1.5"}
    table = parquet.read_table(io.BytesIO(by_mode.get("/api/v1/export?format=parquet").content))
    assert set(table["ProtocolName"].to_pylist()) == {"\t=2", "-x", "@y", "+z", "plain"}  # as they are


def test_an_empty_export_is_a_whole_file(granted: TestClient) -> None:
    assert granted.get("/api/v1/export?source_id=NONE").text.startswith('"')
    empty = granted.get("/api/v1/export?source_id=NONE&format=parquet")
    assert parquet.read_table(io.BytesIO(empty.content)).num_rows == 0


def test_records_are_for_grants_of_today(index: SearchIndex, tmp_path: Path) -> None:
    file = tmp_path / "access.json"
    client = client_of(index, grants=file)
    ended = add_grant(file, name="old", sources=("*",), until=TODAY - dt.timedelta(days=1))
    good = add_grant(file, name="one source", sources=("LUNG-02",), until=TODAY)
    assert hashlib.sha256(good.encode()).hexdigest() in file.read_text() and good not in file.read_text()
    for path in ("/series", "/series/1.2.0.1", "/export"):
        for token in (None, "Bearer nonsense", f"Bearer {ended}", f"Basic {good}"):
            response = client.get(f"/api/v1{path}", headers={"Authorization": token} if token else {})
            assert response.status_code == 401 and response.headers["www-authenticate"] == "Bearer", (path, token)
    headers = {"Authorization": f"Bearer {good}"}
    assert client.get("/api/v1/series?limit=1000", headers=headers).json()["series"][0]["source_id"] == "LUNG-02"
    # a series of another source looks like none
    other = client.get("/api/v1/series/1.2.0.1", headers=headers)
    missing = client.get("/api/v1/series/9.9.9", headers=headers)
    assert (other.status_code, other.json()) == (missing.status_code, missing.json()) == (404, other.json())
    file.write_text("[{]")
    assert client.get("/api/v1/series", headers=headers).status_code == 503
    with pytest.raises(AccessFileError, match=r"access\.json"):
        read_grants(file)


def test_a_page_of_another_release_is_refused(granted: TestClient) -> None:
    response = granted.get("/api/v1/series?release=2020.1.1&after=1.2.0.1")
    assert response.status_code == 409 and "begin again" in response.text
    assert granted.get("/api/v1/series?after=9.9").status_code == 400


def test_values_of_a_field_come_by_pages(client: TestClient) -> None:
    whole = client.get("/api/v1/fields/AgeAtStudy/values").json()
    assert whole["next"] is None and len(whole["values"]) >= 10
    paged, after = [], {}
    while True:
        body = client.get("/api/v1/fields/AgeAtStudy/values", params={"limit": "3", **after}).json()
        paged += body["values"]
        if body["next"] is None:
            break
        after = {"after": body["next"]}
    assert paged == whole["values"]
    assert all(one["counts"]["people"] % 10 == 0 for one in paged)
    assert client.get("/api/v1/fields/Nothing/values").status_code == 400


def test_an_answer_that_the_client_has_is_not_sent_again(index: SearchIndex) -> None:
    client = client_of(index)
    for path in ("/fields", "/releases", "/search?Modality=CT", "/fields/Modality/values"):
        first = client.get(f"/api/v1{path}")
        tag = first.headers["etag"]
        assert first.headers["cache-control"] == "public, no-cache"
        again = client.get(f"/api/v1{path}", headers={"If-None-Match": f'"other", {tag}'})
        assert again.status_code == 304 and not again.content and again.headers["etag"] == tag
        assert client.get(f"/api/v1{path}", headers={"If-None-Match": '"other"'}).status_code == 200
    # stricter rules are another answer; so is another question
    stricter = client_of(index, policies={"LUNG-01": CountPolicy(hidden_below=50)})
    tags = {
        client.get("/api/v1/search?Modality=CT").headers["etag"],
        client.get("/api/v1/search?Modality=MR").headers["etag"],
        stricter.get("/api/v1/search?Modality=CT").headers["etag"],
    }
    assert len(tags) == 3
    assert "etag" not in client.get("/api/v1/search?Nope=1").headers


def test_too_many_requests_at_once_wait_and_the_budget_is_written_down(
    index: SearchIndex, caplog: pytest.LogCaptureFixture
) -> None:
    client = client_of(index, burst=3, rate=0.0001, budget=2)
    with caplog.at_level(logging.INFO, logger="cie.portal.audit"):
        codes = [client.get("/api/v1/search?Modality=CT").status_code for _ in range(4)]
    assert codes == [200, 200, 200, 429]
    (line,) = [json.loads(record.message) for record in caplog.records]
    assert line["asked"] == 1 and "testclient" not in str(line)


def test_the_budget_outlives_a_restart_and_ends_with_the_day(index: SearchIndex, tmp_path: Path) -> None:
    def restarted(now: dt.datetime) -> TestClient:
        return client_of(index, budget=2, journal=Journal(tmp_path, "portal"), now=lambda: now)

    assert [restarted(NOON).get(f"/api/v1/search?Modality={one}").status_code for one in ("CT", "MR", "PT")] == [
        200, 200, 429,
    ]  # fmt: skip
    assert restarted(NOON).get("/api/v1/search?Modality=CT").status_code == 200  # asked before
    (file,) = tmp_path.glob("portal-*.jsonl")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [line["asked"] for line in lines] == [1, 2] and len({line["client"] for line in lines}) == 1
    assert "testclient" not in file.read_text() and "CT" not in file.read_text()
    with file.open("a") as open_file:
        open_file.write('{"client": "cut sho')
    assert restarted(NOON).get("/api/v1/search?Modality=PT").status_code == 429
    assert restarted(NOON + dt.timedelta(days=1)).get("/api/v1/search?Modality=PT").status_code == 200


def test_each_access_to_records_is_recorded_with_the_grant(index: SearchIndex, tmp_path: Path) -> None:
    """By the name of the grant; in the journal that the budget is read from, which stays what it was."""

    def restarted() -> TestClient:
        return client_of(index, grants=tmp_path / "access.json", budget=2, journal=Journal(tmp_path, "portal"))

    token = add_grant(tmp_path / "access.json", name="study 12", sources=("LUNG-01",), until=TODAY)
    client = restarted()
    client.headers["Authorization"] = f"Bearer {token}"
    page = client.get("/api/v1/series?Modality=CT&limit=5").json()["series"]
    assert client.get("/api/v1/export?Modality=CT").status_code == 200
    uid = page[0]["SeriesInstanceUID"]
    assert client.get(f"/api/v1/series/{uid}").status_code == 200
    assert client.get("/api/v1/series/1.2.no-such").status_code == 404
    assert restarted().get("/api/v1/series?Modality=CT").status_code == 401

    (file,) = tmp_path.glob("portal-*.jsonl")
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    given = [line for line in lines if "grant" in line]
    assert [line["grant"] for line in given] == ["study 12"] * 3
    assert given[0]["rows"] == given[1]["rows"] > 5 and given[2]["series"] == uid
    assert {line["release"] for line in given} == {index.release}
    assert len({line["client"] for line in lines}) == 1 and token not in file.read_text()
    # two questions were asked, three times: so much is used up after a restart too
    assert restarted().get("/api/v1/search?Modality=MR").status_code == 429


def test_what_cannot_be_recorded_is_not_given_out(index: SearchIndex, tmp_path: Path) -> None:
    token = add_grant(tmp_path / "access.json", name="study 12", sources=("LUNG-01",), until=TODAY)
    (tmp_path / "file").write_text("no folder")
    client = client_of(index, grants=tmp_path / "access.json", journal=Journal(tmp_path / "file", "portal"))
    client.headers["Authorization"] = f"Bearer {token}"
    for address in ("/api/v1/series", "/api/v1/export", "/api/v1/series/1.2.0.1", "/api/v1/search"):
        response = client.get(address)
        assert response.status_code == 503 and "1.2." not in response.text, address


def test_each_source_has_its_own_rule(index: SearchIndex) -> None:
    """A source that asks for more has more hidden, alone and in every number that it is part of; others do not."""
    strict = {"LUNG-01": CountPolicy(hidden_below=500, rounded_to=50, noise=5.0)}
    plain, ruled = client_of(index), client_of(index, policies=strict)

    def people(client: TestClient, address: str) -> Any:
        return client.get(f"/api/v1/search?{address}&facets=source_id").json()

    assert people(ruled, "source_id=COLON-01")["total"] == people(plain, "source_id=COLON-01")["total"]
    assert people(ruled, "Modality=CT&source_id=LUNG-01")["total"]["people"] is None  # some 450 people
    mixed = people(ruled, "")
    assert mixed["total"]["people"] % 50 == 0
    by_source = {one["value"]: one["counts"]["people"] for one in mixed["facets"][0]["values"]}
    assert by_source["LUNG-01"] % 50 == 0
    colon = {one["value"]: one["counts"]["people"] for one in people(plain, "")["facets"][0]["values"]}["COLON-01"]
    assert by_source["COLON-01"] == colon


def test_a_rule_is_pinned_to_its_release_and_only_becomes_stricter(index: SearchIndex, tmp_path: Path) -> None:
    class Entry:
        def __init__(self, rule: CountRule) -> None:
            self.id, self.counts = "LUNG-01", rule

    def of(rule: CountRule) -> CountPolicy:
        return dict(pinned(tmp_path, [Entry(rule)])(index))["LUNG-01"]  # type: ignore[list-item]

    assert of(CountRule(hidden_below=20)) == CountPolicy(hidden_below=20, rounded_to=20)
    assert of(CountRule(hidden_below=5, rounded_to=5)) == CountPolicy(hidden_below=20, rounded_to=20)
    assert of(CountRule(hidden_below=30, noise=2)) == CountPolicy(hidden_below=30, rounded_to=30, noise=2)
    (tmp_path / f"{index.release}.counts.json").write_text("{]")
    with pytest.raises(PolicyFileError, match="restore it"):
        of(CountRule())


NASTY = [
    "../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%00", "1.2.0.1%00.json", "' or 1=1 --", "\ud7ff", "💥" * 30,
    "{{7*7}}", "<svg onload=alert(1)>", "\r\nSet-Cookie: a=b", "A" * 5000,
]  # fmt: skip


@pytest.mark.parametrize("said", NASTY)
def test_hostile_words_anywhere_are_refused_or_only_words(client: TestClient, granted: TestClient, said: str) -> None:
    word = quote(said, safe="")
    for address in (
        f"search?source_id={word}&facets=none", f"search?{word}=1", f"search?text={word}&facets=none",
        f"search?q={word}", f"fields/{word}/values", f"fields/Modality/values?after={word}", f"series/{word}",
        f"series?after={word}",
        f"series?release={word}", f"export?format={word}", f"search?facets={word}", f"federated?{word}=1",
    ):  # fmt: skip
        response = granted.get(f"/api/v1/{address}")
        assert response.status_code in (200, 400, 404, 409, 422, 503), (address, response.status_code)
        assert "set-cookie" not in response.headers
        if response.status_code != 200 and "\n" not in said:  # a line's end is in no path of ours
            assert response.headers["content-type"] == "application/json" and response.json()["problems"], address
            assert len(response.content) < 2_000
        assert "root:" not in response.text


def test_half_a_letter_in_json_is_refused(client: TestClient) -> None:
    half = "\\ud800"
    for body in (
        f'{{"query": {{"text": "{half}"}}}}', f'{{"query": {{"{half}": 1}}}}',
        f'{{"query": null, "facets": ["{half}"]}}',
        f'{{"{half}": 1}}', f'{{"query": {{"field": "{half}", "in": ["x"]}}}}', f'{{"query": {{"not": "{half}"}}}}',
    ):  # fmt: skip
        response = client.post("/api/v1/search", content=body, headers={"content-type": "application/json"})
        assert response.status_code in (400, 422) and response.json()["problems"], body


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["all", "any", "not", "text", "field", "in", "from", "to", "x"]),
            inner | st.sampled_from(["Modality", "AgeAtStudy", "source_id"]),
            max_size=4,
        )
    ),
    max_leaves=15,
)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=json_values)
@example(said={"field": "AgeAtStudy", "from": float("nan")})
@example(said={"field": "AgeAtStudy", "from": 10**400})
@example(said={"field": {"field": {}}, "in": []})
def test_any_json_is_answered_or_refused(client: TestClient, said: Any) -> None:
    response = client.post(
        "/api/v1/search",
        content=json.dumps({"query": said, "facets": []}),
        headers={"content-type": "application/json"},
    )
    assert response.status_code in (200, 400, 422)
    if response.status_code != 200:
        assert response.json()["problems"]


def test_the_api_keeps_to_its_description(index: SearchIndex, tmp_path: Path) -> None:
    """Schemathesis: requests by the description and against it; no server error, no undescribed status or shape."""
    token = add_grant(tmp_path / "access.json", name="test", sources=("*",), until=TODAY)
    access = Access(tmp_path / "access.json", today=lambda: TODAY)
    api = build_api(make_service(index), make_limits(), records=(access, "s3://x/{SeriesInstanceUID}/*"))
    tried = []
    for found in schemathesis.openapi.from_asgi("/openapi.json", api).get_all_operations():
        operation = found.ok()

        @settings(
            max_examples=15, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def keeps(case: Any) -> None:
            # which fields and values there are is of the release: a well-formed query can still be refused
            case.call_and_validate(
                headers={"Authorization": f"Bearer {token}"}, excluded_checks=[checks.positive_data_acceptance]
            )

        keeps()
        tried.append(operation.label)
    assert len(tried) == 11, tried


def test_the_secret_is_not_in_an_answer(client: TestClient) -> None:
    body = client.get("/api/v1/search").text + client.get("/api/v1/openapi.json").text
    assert SECRET.hex() not in body


def test_a_service_with_a_damaged_rule_says_so(index: SearchIndex, caplog: pytest.LogCaptureFixture) -> None:
    def damaged(index: SearchIndex) -> dict[str, CountPolicy]:
        raise PolicyFileError("x.counts.json is damaged: restore it")

    service = SearchService(lambda: index.release, lambda version: index, secret=SECRET, policies=damaged)
    client = TestClient(Starlette(routes=[Mount("/api/v1", build_api(service, make_limits()))]))
    response = client.get("/api/v1/search")
    assert response.status_code == 503 and response.json() == {"problems": [NOT_READ]}
    assert "restore it" in caplog.text, "for operators"


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000, b'{"query":' + b"[" * 100_000, b'{"query":' * 20_000, b"\xff\xfe{}", b"{}{}", b"7", b"null",
        b'{"query":' + b'{"not":' * 400 + b"null" + b"}" * 401,
        json.dumps({"query": {"field": "Modality", "in": ["x" * 150] * 1_001}}).encode(),
        json.dumps({"query": {"any": [{"text": "x"}] * 8_000}}).encode(),
        json.dumps({"query": {"all": [{"field": "Modality", "in": [f"{a}{b}" for b in range(30)]} for a in range(9)]
                                     + [{"text": f"y{a}"} for a in range(60)]}}).encode(),
    ],
)  # fmt: skip
def test_huge_deep_and_broken_bodies_are_refused(client: TestClient, body: bytes) -> None:
    for path in ("/api/v1/search", "/api/v1/export", "/api/v1/federated"):
        response = client.post(path, content=body, headers={"content-type": "application/json"})
        # an export is refused for want of a grant before its body is looked at, or after
        assert response.status_code in (400, 401, 404, 422), (path, response.status_code)
        assert response.json()["problems"] and len(response.content) < 5_000


def test_values_of_one_field_are_alternatives_however_they_are_asked(client: TestClient, index: SearchIndex) -> None:
    """In the address, in JSON, at a node, by the client and by the command."""
    sexes = {"field": "PatientSex", "in": ["F", "M"]}
    by_json = client.post("/api/v1/search", json={"query": sexes, "facets": []}).json()
    by_address = client.get("/api/v1/search?PatientSex=M&PatientSex=F&facets=none").json()
    assert by_address["total"] == by_json["total"] and by_json["total"]["people"] > 1_000
    assert criteria(PatientSex=["F", "M"]) == {"all": [sexes]}
    assert criteria(**_fields(["PatientSex=F", "PatientSex=M"])) == {"all": [sexes]}
    node = TestClient(build_node(make_service(index), secret=SECRET, provider="x"))
    two = node.get("/node?gender=male&gender=female").json()["total"]["subjects_count"]
    one = node.get("/node?gender=male").json()["total"]["subjects_count"]
    assert two == by_json["total"]["people"] > one > 0


def test_one_end_of_a_range_has_one_value(client: TestClient) -> None:
    said = client.get("/api/v1/search?AgeAtStudy.from=40&AgeAtStudy.from=60").json()["problems"]
    assert said == ["AgeAtStudy.from: has two values, 40 and 60; a range has one of each end"]
    with pytest.raises(typer.BadParameter, match="given twice"):
        _fields(["AgeAtStudy.from=40", "AgeAtStudy.from=60"])
    deep = quote('{"not":' * 1_500 + '{"text":"x"}' + "}" * 1_500)
    assert "nested deeper" in client.get(f"/api/v1/search?q={deep}").text


@pytest.mark.parametrize("path", ["search", "federated", "export"])
def test_a_body_that_is_not_json_by_its_own_word_is_refused_as_such(client: TestClient, path: str) -> None:
    body = b'{"query": null}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"):
        refused = client.post(f"/api/v1/{path}", content=body, headers={"content-type": kind})
        assert refused.status_code == 415 and "application/json" in refused.json()["problems"][0], kind
    for kind in ("application/json; charset=utf-8", "application/ld+json"):
        assert client.post(f"/api/v1/{path}", content=body, headers={"content-type": kind}).status_code != 415


def test_head_is_answered_as_get_without_a_body(client: TestClient, granted: TestClient) -> None:
    for address in (
        "search?Modality=CT",
        "fields",
        "fields/Modality/values",
        "releases",
        "openapi.json",
        "search?Stage=4",
    ):
        asked, head = client.get(f"/api/v1/{address}"), client.head(f"/api/v1/{address}")
        assert (head.status_code, head.content) == (asked.status_code, b""), address
        assert head.headers.get("etag") == asked.headers.get("etag")
        assert head.headers["content-length"] == asked.headers["content-length"]
    tag = client.get("/api/v1/releases").headers["etag"]
    assert client.head("/api/v1/releases", headers={"if-none-match": tag}).status_code == 304
    streamed = granted.head("/api/v1/export?format=csv")
    assert (streamed.status_code, streamed.content) == (200, b"")
    assert client.head("/api/v1/series").status_code == 401 and client.head("/api/v1/nowhere").status_code == 404


def test_the_questions_of_a_node_are_recorded(index: SearchIndex, tmp_path: Path) -> None:
    """Its budget outlives a restart by them."""
    journal = Journal(tmp_path, "node")
    for _ in range(2):
        node = TestClient(build_node(make_service(index), secret=SECRET, provider="made", budget=1, journal=journal))
        assert node.get("/node?modality=CT").status_code == 200
        assert node.get("/node?modality=MR").status_code == 429
    assert sum(len(file.read_text().splitlines()) for file in tmp_path.iterdir()) == 1
