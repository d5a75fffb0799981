"""The pages for visitors over HTTP: what they show, what they refuse, and that no exact number is among it."""

from __future__ import annotations

import datetime as dt
import io
import json
import re
from html import unescape
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from pyarrow import parquet
from starlette.testclient import TestClient
from typer.testing import CliRunner

from ingestion.catalogue.exports.record_level import RecordTables
from ingestion.catalogue.release_manifest import UnknownReleaseError, read_release
from ingestion.catalogue.search.release_index import ReleaseDamagedError, open_release
from ingestion.commands import release as release_command
from ingestion.storage.folder import FolderStore
from ingestion.storage.open import Stores
from portal.app import build_app
from portal.operators import build_operators
from portal.search.access import Access, add_grant
from portal.search.api import build_api
from portal.search.limits import Limits
from portal.search.outage import NOT_READ
from portal.search.service import SearchService
from portal.search.setup import released_objects
from portal.site.rules import as_html
from portal.site.thumbnails import MOST
from tests.portal.made_portal import CLOSED, FEW, HOSTILE, OPEN, Platform
from tests.portal.page_parser import Page

PAGES = (
    "/", "/collections", f"/collections/{OPEN}", f"/collections/{CLOSED}", f"/collections/{FEW}",
    f"/collections/{OPEN}/certificate", "/explore", "/explore?Modality=CT&AgeAtStudy.from=40", "/cohort",
    "/cohort?Modality=CT&with=2026.10.1", "/cohort/export?format=csv", "/console", "/status", "/rules",
    "/rules/data-users", "/nowhere",
)  # fmt: skip


@pytest.fixture(scope="module")
def client(platform: Platform) -> TestClient:
    return TestClient(platform.app, raise_server_exceptions=False, headers={"accept-language": "en"})


@pytest.mark.parametrize("address", PAGES)
def test_a_page_is_whole_and_says_nothing_exact(client: TestClient, address: str) -> None:
    response = client.get(address)
    assert response.status_code == {"/nowhere": 404, "/cohort/export?format=csv": 403}.get(address, 200)
    if address == "/nowhere":
        return
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe-inline" not in policy and "http" not in policy
    page = Page(response.text)
    scripts = [given for tag, given in page.elements if tag == "script"]
    assert all(str(one.get("src", "")).startswith(("/static/", "/console/files/")) for one in scripts
               if one.get("type") != "application/ld+json")  # fmt: skip
    assert not any(name.startswith("on") or name == "style" for _, given in page.elements for name in given)
    for text in page.numbers:
        found = text.strip().replace(",", "")
        if found.lstrip("+−").isdecimal():
            assert int(found.lstrip("+−")) % 10 == 0, (address, text)
    [json.loads(block) for block in page.data]


def test_every_link_leads_somewhere(client: TestClient) -> None:
    seen, waiting = set(), ["/", "/collections", "/cohort?Modality=CT"]
    while waiting:
        address = waiting.pop()
        seen.add(address)
        response = client.get(address)
        refusal = address.startswith("/cohort/export") and "counts" not in address
        assert response.status_code == (403 if refusal else 200), address
        if address.startswith(("/explore", "/cohort")) and address != "/explore":
            continue  # their links are those of the pages before, with one criterion more
        if "text/html" in response.headers["content-type"]:
            links = {link for link in Page(response.text).links() if link.startswith("/") and "lang=" not in link}
            waiting += sorted(links - seen - set(waiting))
    assert {f"/collections/{OPEN}", "/status", "/console", "/explore"} <= seen
    assert f"/collections/{OPEN}/certificate" in seen and "/public/collection.parquet" in seen


def test_hostile_text_of_headers_and_registry_is_shown_and_not_run(client: TestClient) -> None:
    for address in ("/explore", f"/collections/{CLOSED}", "/cohort", "/status", f"/explore?text={HOSTILE}"):
        text = client.get(address).text
        assert "alert(1)" in text and "<script>" not in text, address
    structured = Page(client.get(f"/collections/{CLOSED}").text).data
    assert json.loads(structured[0])["creator"]["name"] == f"Project {HOSTILE}"
    assert "</script>" not in structured[0]


@pytest.mark.parametrize(
    "address",
    [
        "/static/..%2fapp.py", "/static/%2e%2e/app.py", "/static/portal.css%00", "/console/files/..%2f..%2fkeys%2fx",
        "/console/files/duckdb-mvp.wasm", "/public/..%2fseries.parquet", "/public/patient.parquet",
        "/collections/..%2f..%2fetc", "/collections/NOPE-01", "/collections/BREAST-01", f"/collections/{OPEN}/x.ttl",
        f"/collections/{OPEN}/citation.exe", "/cohort/citation.exe", "/cohort/export?format=..%2fx",
        "/rules/..%2fcatalogue", "/cohort?with=..%2f..%2fx", "/reports/..%2f..%2fx",
    ],
)  # fmt: skip
def test_what_is_not_there_is_refused(client: TestClient, address: str) -> None:
    response = client.get(address)
    assert response.status_code == 404 and "root:" not in response.text and "Traceback" not in response.text


def test_a_selection_that_is_not_understood_is_refused(client: TestClient) -> None:
    response = client.get("/cohort?Stage=IV")
    assert response.status_code == 400 and "no such field" in response.text
    assert client.get("/cohort/export?format=counts.csv&q=" + "[" * 3000).status_code == 400


def test_an_unknown_address_is_a_page_in_the_readers_language(client: TestClient) -> None:
    answer = client.get("/nowhere/at/all", headers={"Accept-Language": "fr"})
    assert answer.status_code == 404 and 'lang="fr"' in answer.text and "<h1>" in answer.text
    assert client.post("/").status_code == 405 and client.post("/").headers["allow"]
    told = client.get("/reports/x")
    assert told.status_code == 404 and "for operators" in told.text


@pytest.mark.parametrize("path", ["/cohort", "/cohort/export", "/cohort/citation.txt"])
def test_a_selection_of_too_long_an_address_is_refused(client: TestClient, path: str) -> None:
    answer = client.get(f"{path}?format=counts.csv&" + "&".join(f"Modality=m{number}" for number in range(900)))
    assert answer.status_code == 414 and len(answer.content) < 100_000


def test_a_number_that_is_none_is_not_added_to_a_group(client: TestClient) -> None:
    form = {"add.mode": "any", "add.field": "AgeAtStudy", "add.value": "nan"}
    answer = client.get("/explore", params=form, follow_redirects=False)
    assert answer.status_code == 400 and "Write a number" in answer.text


def test_thumbnails_only_where_images_may_leave_the_holder(client: TestClient) -> None:
    shown = client.get(f"/collections/{OPEN}").text
    # there are twelve: the number of pictures does not follow that of series
    assert shown.count("data:image/png;base64,") == MOST == 10
    assert "with warnings" in shown and "checks passed" in shown
    assert "data:image" not in client.get(f"/collections/{CLOSED}").text


def test_exports_of_records_are_refused_by_a_named_rule(client: TestClient) -> None:
    for name in ("csv", "parquet", "manifest"):
        response = client.get(f"/cohort/export?Modality=CT&format={name}")
        assert response.status_code == 403 and "record-level data and go to approved users only" in response.text
        assert f"{CLOSED}</a>: never leaves its holder" in response.text
    few = client.get(f"/cohort/export?source_id={FEW}&format=counts.csv")
    assert few.status_code == 403 and "of this selection no numbers are given" in few.text


def test_exported_counts_are_those_of_the_selection(client: TestClient) -> None:
    answer = client.get("/api/v1/search?PatientSex=F").json()
    expected = {("", "", answer["total"]["people"]), ("PatientSex", "F", answer["total"]["people"])}
    expected |= {(facet["field"], one["value"], one["counts"]["people"])
                 for facet in answer["facets"] for one in facet["values"]
                 if facet["field"] != "PatientSex"}  # fmt: skip
    response = client.get("/cohort/export?PatientSex=F&format=counts.parquet")
    assert "attachment" in response.headers["content-disposition"]
    table = parquet.read_table(io.BytesIO(response.content)).to_pylist()
    assert {(row["field"], row["value"], row["people"]) for row in table} == expected
    lines = client.get("/cohort/export?PatientSex=F&format=counts.csv").text.splitlines()
    assert len(lines) == len(table) + 1


def test_a_selection_without_terms_to_show_says_so(client: TestClient) -> None:
    for address in (f"/cohort?source_id={FEW}", "/cohort?BodyPart=Nowhere"):
        page = client.get(address).text
        assert page.count('id="terms"') == 1 and "No collection can be named here" in page
        assert f"/collections/{FEW}" not in page
    assert "No collection can be named" not in client.get("/cohort").text


def test_terms_are_those_of_the_collections_asked_for(client: TestClient) -> None:
    page = client.get(f"/cohort?source_id={OPEN}").text
    terms = page[page.index('id="terms"') : page.index("BibTeX")]
    assert f"/collections/{OPEN}" in terms and f"/collections/{CLOSED}" not in terms


def test_the_number_of_a_term_of_use_is_in_one_piece(client: TestClient) -> None:
    page = client.get("/explore").text
    assert "(DUO:<wbr>0000006)" in page and "<wbr>" not in unescape(page).replace("DUO:<wbr>", "")


def test_citations_name_release_and_identifier(client: TestClient) -> None:
    plain = client.get(f"/collections/{OPEN}/citation.txt").text
    assert plain == (
        "Made for a test. (2026). Made for a test: malignant neoplasm of lung (LUNG-01) (Version 2026.11.1) "
        "[Data set]. Made platform. https://portal.example.org/collections/LUNG-01\n"
    )
    [item] = client.get(f"/collections/{OPEN}/citation.json").json()
    assert item["type"] == "dataset" and item["issued"] == {"date-parts": [[2026, 11, 1]]}
    entry = client.get(f"/collections/{CLOSED}/citation.bib").text
    assert entry.startswith("@misc{COLON-01-2026-11-1,") and entry.count("{") == entry.count("}")
    both = client.get("/cohort/citation.txt?Modality=CT").text
    assert "Selection" in both
    assert "urn:cie:selection:" in client.get("/cohort/citation.bib?Modality=CT").text
    assert both != client.get("/cohort/citation.txt?Modality=MR").text


def test_the_citation_of_a_selection_leads_back_to_it(client: TestClient) -> None:
    """Its digest tells nobody what was asked: the address holds the criteria."""
    cited = client.get("/cohort/citation.txt?Modality=CT&AgeAtStudy.from=40").text
    address = cited.split()[-1]
    assert address.startswith("https://portal.example.org/cohort?q=")
    again = client.get(address.removeprefix("https://portal.example.org"))
    assert again.status_code == 200 and unescape(again.text).count(address) > 0
    named = re.search(r"Selection ([0-9a-f]{24}) of", cited)
    assert named and f"Selection {named[1]} of" in again.text


def test_two_releases_are_compared_by_public_numbers(client: TestClient) -> None:
    page = client.get("/cohort?Modality=CT&with=2026.10.1").text
    assert "In total" in page and "2026.10.1" in page and "not shown" in page
    compared = page[page.index("In total") :]
    assert ">CT<" in compared and ">MR<" not in compared  # nobody who is not in the selection
    assert client.get("/cohort?with=1999.01.1").status_code == 404


def test_groups_are_made_without_scripts(client: TestClient) -> None:
    form = {"add.to": "new", "add.mode": "none", "add.field": "Modality", "add.value": "CT", "PatientSex": "F"}
    made = client.get("/explore?" + urlencode(form), follow_redirects=False)
    assert made.status_code == 303
    more = {"add.to": "1", "add.mode": "any", "add.field": "AgeAtStudy", "add.value": "70 to 90"}
    grown = client.get(made.headers["location"] + "&" + urlencode(more))
    assert grown.status_code == 200 and "Group 1: none of" in grown.text
    query = {"all": [{"field": "PatientSex", "in": ["F"]}, {"not": {"any": [
        {"field": "Modality", "in": ["CT"]}, {"field": "AgeAtStudy", "from": 70, "to": 90}]}}]}  # fmt: skip
    total = client.post("/api/v1/search", json={"query": query, "facets": []}).json()["total"]
    shown = [text.strip() for text in Page(grown.text).numbers[:3]]
    assert shown == [str(total[name]) for name in ("people", "studies", "series")] or total["people"] is None
    [out] = [unescape(href) for href, label in re.findall(r'href="(/explore[^"]*)" aria-label="Take out: ([^"]*)"',
             grown.text) if label == "Modality: CT"]  # fmt: skip
    assert "Modality: CT" not in client.get(out).text


@pytest.mark.parametrize(
    ("form", "says"),
    [
        ({"add.mode": "xor", "add.field": "Modality", "add.value": "CT"}, "asks for any, all or none"),
        ({"add.mode": "any", "add.field": "Stage", "add.value": "IV"}, "no such field"),
        ({"add.mode": "any", "add.field": "AgeAtStudy", "add.value": "old"}, "a range such as"),
        ({"add.mode": "any", "add.field": "Modality", "add.to": "9", "add.value": "CT"}, "no such group"),
        ({"add.mode": "any", "add.field": "Modality"}, "Give a value"),
    ],
)
def test_a_criterion_that_cannot_be_added_is_refused(client: TestClient, form: dict[str, str], says: str) -> None:
    response = client.get("/explore?" + urlencode(form))
    assert response.status_code == 400 and says in unescape(response.text)


def test_the_explorer_has_all_facets_with_values(client: TestClient) -> None:
    page = client.get("/explore").text
    names = ("CancerType", "BodyPart", "Modality", "ManufacturerName", "ManufacturerModelName", "PatientSex",
             "AgeAtStudy", "StudyYear", "HolderCountries", "source_id", "SliceThickness", "MagneticFieldStrength",
             "Contrast", "Segmented", "QualityStatus", "Tier", "AccessMode", "DataUse", "Licence")  # fmt: skip
    for name in names:
        box = page[page.index(f'id="b-{name}"') :].partition("</section>")[0]
        assert "/explore?" in box, name
    assert "CC-BY-4.0" in page and "1, catalogued" in page and "not used" in page and "checks passed" in page


def test_text_of_the_rules_is_no_html() -> None:
    made = as_html(f"# {HOSTILE}\n\n[x](javascript:alert(1)) [y](data-users.md#u1) <img src=x onerror=alert(1)>")
    page = Page(made)
    assert {tag for tag, _ in page.elements} == {"h1", "p", "a"} and page.links() == ["/rules/data-users#u1"]


def test_a_value_is_found_within_a_facet(client: TestClient) -> None:
    page = client.get("/explore?find.BodyPart=abd").text
    box = page[page.index('id="b-BodyPart"') : page.index('id="b-Modality"')]
    assert "Abdomen" in box and "Chest" not in box
    assert 'value="abd"' in box


def test_the_status_names_what_is_blocked_first(client: TestClient) -> None:
    page = client.get("/status").text
    assert "1 source blocked by quality" in page and "1 never synced" in page
    assert page.index(f'"rowheader">{FEW}<') < page.index(f'"rowheader">{OPEN}<')
    assert "no objects quarantined, or few" in page or re.search(r"about \d+ % of objects quarantined", page)


def test_why_a_source_is_not_released(client: TestClient) -> None:
    assert "<code>BREAST-01</code>: its agreement is not signed" in client.get("/collections").text


def test_the_console_says_how_to_get_its_files(platform: Platform) -> None:
    from starlette.applications import Starlette
    from starlette.routing import Route

    from portal.site.asking import Asker, page
    from portal.site.console import Console
    from portal.site.rendering import Pages

    class Nothing:
        def __getattr__(self, name: str) -> object:
            raise AssertionError("the page asks nothing")

    pages = Pages()
    console = Console(Asker(Nothing(), Nothing()), pages, None, None)  # type: ignore[arg-type]
    shown = TestClient(Starlette(routes=[Route("/console", page(pages)(console.page))])).get("/console").text
    assert "make console" in shown and "<script" not in shown


def test_without_a_release_pages_say_so_and_commands_how_to_make_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores = Stores(research=FolderStore(tmp_path / "r"), internal=FolderStore(tmp_path / "i"))
    service = SearchService(lambda: None, lambda version: 1 / 0, secret=bytes(32))  # type: ignore[arg-type, return-value]
    limits = Limits(secret=bytes(32), now=lambda: dt.datetime(2026, 11, 25, tzinfo=dt.UTC))
    client = TestClient(build_app(stores, (), search=(service, limits)), raise_server_exceptions=False)
    for address in (
        "/",
        "/collections",
        "/status",
        "/explore",
        "/cohort",
        "/api/v1/search",
        "/api/v1/releases",
        "/node",
    ):
        for language in ("en", "fr"):
            said = unescape(client.get(address, headers={"accept-language": language}).text)
            assert "no release" in said or "pas encore de version" in said, (address, language)
            assert "cie " not in said, "how to make one is for operators"
    assert "cie release build" in TestClient(build_operators(stores, ())).get("/releases").text
    monkeypatch.setattr(release_command, "open_stores", lambda settings: stores)
    for arguments in (("list",), ("diff", "2026.11.1", "2026.11.2"), ("resolve", "2.25.1")):
        result = CliRunner().invoke(release_command.app, arguments)
        assert "cie release build" in " ".join(result.output.split()), arguments
    with pytest.raises(UnknownReleaseError, match="cie release build"):
        read_release(stores.research, "2026.11.1")


def test_the_icon_is_there_and_is_linked(platform: Platform, client: TestClient) -> None:
    assert 'rel="icon" href="/static/favicon.svg"' in client.get("/").text
    for app, address in (
        (platform.app, "/favicon.ico"), (platform.app, "/static/favicon.svg"), (platform.operators, "/favicon.ico"),
    ):  # fmt: skip
        response = TestClient(app).get(address)
        assert (response.status_code, response.headers["content-type"]) == (200, "image/svg+xml")
        assert ElementTree.fromstring(response.text).tag == "{http://www.w3.org/2000/svg}svg"


def test_a_manifest_names_the_objects_of_the_release_and_no_folder(
    platform: Platform, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is deleted: a folder holds a series as it was in each release, and what was held back since."""
    research, version = platform.stores.research, platform.versions[-1]
    made = open_release(research, read_release(research, version), tmp_path / "search")
    today = dt.date(2026, 11, 25)
    limits = Limits(secret=bytes(32), now=lambda: dt.datetime(2026, 11, 25, tzinfo=dt.UTC))
    records = (Access(tmp_path / "access.json", today=lambda: today), released_objects(research, bucket="held"))
    token = add_grant(tmp_path / "access.json", name="all", sources=("*",), until=today)
    service = SearchService(lambda: version, lambda _: made, secret=bytes(32))
    api = build_api(service, limits, records=records)
    client = TestClient(api, headers={"Authorization": f"Bearer {token}"}, raise_server_exceptions=False)
    lines = client.get("/export?format=manifest").text.splitlines()
    held = RecordTables.of(research, version).read("instance_manifest", OPEN, ("SeriesInstanceUID", "Key"))
    wanted = {f"cp s3://held/{key} {OPEN}/{uid}/" for uid, key in held.itertuples(index=False)}
    assert {line for line in lines if not line.startswith("#")} == wanted and len(wanted) == 2 * 57
    assert [line.split(":")[0] for line in lines if line.startswith("#")] == [f"# {CLOSED}", f"# {FEW}"]
    assert len(client.get(f"/export?format=manifest&source_id={CLOSED}").text.splitlines()) == 1

    def gone(version: str, source_id: str) -> dict[str, list[str]]:
        raise ReleaseDamagedError("its table of instances was changed by hand")

    api = build_api(service, limits, records=(records[0], gone))
    client = TestClient(api, headers={"Authorization": f"Bearer {token}"}, raise_server_exceptions=False)
    refused = client.get("/export?format=manifest")
    assert refused.status_code == 503 and refused.json() == {"problems": [NOT_READ]}
    assert "changed by hand" in caplog.text, "for operators"
