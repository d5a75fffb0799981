"""The public quality report: what every rule checked and how it ended, and nothing that one person decides."""

from __future__ import annotations

import re
from html import unescape
from typing import Any

import pytest
from starlette.testclient import TestClient

from ingestion.catalogue.search.index import SearchIndex
from portal.app import build_app
from portal.search.service import SearchService, share_step
from portal.site.quality_report import Outcome, outcomes_of
from quality_checks.catalogue_of_checks import all_rules
from tests.portal.made_index import make_index, make_rows
from tests.portal.made_portal import CLOSED, FEW, OPEN, Platform

RULE, OTHER = "series_modality_registered", "image_opens"
PEOPLE = 60


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> SearchIndex:
    return make_index(tmp_path_factory.mktemp("report"), make_rows({"LUNG-01": PEOPLE}))


def row(rule: str, rows: int, passing: int, level: str = "series") -> dict[str, Any]:
    return {"Rule": rule, "Level": level, "Dimension": "validity", "Rows": rows, "Passing": passing}


def outcome(index: SearchIndex, secret: int, *rows: dict[str, Any], of: str = RULE) -> Outcome | None:
    """Of one rule by one secret, for a source of sixty people."""
    service = SearchService(lambda: index.release, lambda _: index, secret=secret.to_bytes(32, "big"))
    policy = service.current().search.policies["LUNG-01"]
    found = outcomes_of(rows, lambda what, share: service.share("LUNG-01", what, share,
                                                               step=share_step(policy, PEOPLE)))  # fmt: skip
    return next((one for ones in found.values() for one in ones if one.rule == of), None)


def test_one_persons_series_neither_fails_nor_applies_a_rule(index: SearchIndex) -> None:
    everything = row(OTHER, 600, 600)
    without = outcome(index, 0, everything, row(RULE, 0, 0))
    assert without is not None and (without.judged, without.failed) == (0, 0)
    assert without == outcome(index, 0, everything), "as a rule that was not run"
    shown = {"applies": 0, "fails": 0, "unknown": 0}
    for secret in range(200):
        one = outcome(index, secret, everything, row(RULE, 1, 0))
        shown["applies"] += one != without
        failing = outcome(index, secret, everything, row(RULE, 600, 599))
        assert failing is not None and failing.judged == 100
        shown["fails"] += failing.failed != 0
        shown["unknown"] += outcome(index, secret, everything, row("own_rule", 1, 0), of="own_rule") is not None
    # one series of six hundred is a hundredth of a step
    assert all(times <= 6 for times in shown.values()), shown


def test_what_many_fail_is_shown_by_steps(index: SearchIndex) -> None:
    seen = set()
    for secret in range(60):
        one = outcome(index, secret, row(OTHER, 600, 600), row(RULE, 600, 330))
        assert one is not None and one.judged == 100
        seen.add(one.failed)
    assert seen == {33, 50}  # 45 of a hundred, in sixths


def test_rules_that_judge_the_same_rows_do_not_average_out(index: SearchIndex) -> None:
    """Of some hundred rules many judge the same series: draws of their own would have the share as their mean."""
    alike = [f"own_rule_{number}" for number in range(100)]
    rows = [row(OTHER, 600, 600), *(row(name, 430, 200) for name in alike)]
    for secret in range(5):
        told = [outcome(index, secret, *rows, of=name) for name in alike]
        assert len({(one.judged, one.failed) for one in told if one is not None}) == 1 and None not in told


def test_what_is_judged_of_the_whole_source_is_not_shown(index: SearchIndex) -> None:
    for passing in (0, 1):
        told = outcome(index, 0, row("source_studies_figure", 1, passing, "source"), of="source_studies_figure")
        assert told is not None and (told.judged, told.failed) == (None, None)


def test_the_page_has_every_rule_and_nothing_exact(platform: Platform) -> None:
    client = TestClient(platform.app, headers={"accept-language": "en"})
    response = client.get(f"/collections/{OPEN}/report")
    page = unescape(response.text)
    assert response.status_code == 200
    assert f'href="/collections/{OPEN}/report"' in client.get(f"/collections/{OPEN}").text
    for rule in all_rules():
        assert f">{rule.id}<" in page and rule.title in page
    assert "modality_present" in page and "image_opens" in page
    cells = re.findall(r'<td role="cell"[^>]*>(.*?)</td>', page, re.DOTALL)
    told = {re.sub(r"<[^>]+>", "", cell).strip() for cell in cells}
    words = {"none or few", "not shown", "–", "series", "studies", "people", "delivered objects", "the source"}
    assert {one for one in told - words if not re.fullmatch(r"about \d+ %", one)} == set()
    assert not re.search(r"\d+\.\d+\.\d+\.\d+", page[page.index("<main") : page.index("</main>")])
    french = client.get(f"/collections/{CLOSED}/report", headers={"accept-language": "fr"}).text
    assert "Rapport de qualité de COLON-01" in french and "aucun ou peu" in french and '<span lang="en">' in french


def test_nothing_is_told_of_a_collection_whose_people_are_hidden(platform: Platform) -> None:
    page = TestClient(platform.app, headers={"accept-language": "en"}).get(f"/collections/{FEW}/report")
    assert page.status_code == 200 and "<table" not in page.text and "no outcomes are shown" in page.text
    unsearched = TestClient(build_app(platform.stores, platform.entries)).get(f"/collections/{OPEN}/report")
    assert unsearched.status_code == 200 and "<table" not in unsearched.text
    assert TestClient(platform.app).get("/collections/NOPE-01/report").status_code == 404


def test_the_certificate_says_of_no_rule_how_it_ended(platform: Platform) -> None:
    """A rule that one series fails ends in a warning: that would be one person's doing, in clear."""
    page = TestClient(platform.app, headers={"accept-language": "en"}).get(f"/collections/{OPEN}/certificate").text
    assert "age_plausible" in page and "warning" not in page
    for document in ("dcat.ttl", "dcat.jsonld"):
        assert "ending in" not in TestClient(platform.app).get(f"/collections/{OPEN}/{document}").text
