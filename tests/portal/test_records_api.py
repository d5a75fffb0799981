"""Records by the API: pages by keyset, files of any size, manifests, grants and what is recorded of them."""

from __future__ import annotations

import csv
import datetime as dt
import hashlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
from made_index import HELD, HOSTILE, TODAY, client_of, make_index, make_limits, make_rows, make_service
from pyarrow import parquet
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from ingestion.catalogue.search.index import SearchIndex
from ingestion.sources.registry import SourceEntry
from portal.search.access import Access, AccessFileError, Terms, add_grant, read_grants
from portal.search.api import build_api
from portal.search.journal import Journal
from tests.ingestion.catalogue.made_sources import make_entry


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
