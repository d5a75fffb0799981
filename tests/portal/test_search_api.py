"""The API: answers, tags, limits and budgets, rules, hostile input; and that it keeps to its own description."""

from __future__ import annotations

import datetime as dt
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
from made_index import NOON, SECRET, TODAY, client_of, make_limits, make_service
from schemathesis.specs.openapi import checks
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from cie.client import criteria
from ingestion.catalogue.search.index import SearchIndex
from ingestion.catalogue.search.protection import CountPolicy
from ingestion.commands.search import _fields
from ingestion.sources.registry import CountRule
from portal.search.access import Access, add_grant
from portal.search.api import build_api
from portal.search.journal import Journal
from portal.search.node_app import build_node
from portal.search.outage import NOT_READ
from portal.search.policies import PolicyFileError, pinned
from portal.search.service import SearchService


@pytest.fixture(scope="module")
def client(index: SearchIndex) -> TestClient:
    return client_of(index)


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
