"""The pages for visitors in a real browser, with scripts and without: accessible, self-contained, by keyboard."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.portal.made_portal import CLOSED, OPEN, Platform

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSER = next(filter(None, (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
PAGES = (
    "/", "/collections", f"/collections/{OPEN}", f"/collections/{CLOSED}?lang=fr",
    f"/collections/{OPEN}/certificate", f"/collections/{OPEN}/report",
    f"/collections/{CLOSED}/report?lang=fr", "/explore", "/explore?Modality=CT&AgeAtStudy.from=40&lang=fr",
    '/explore?q={"any":[{"field":"Modality","in":["CT"]},{"text":"t2"}]}', "/cohort?Modality=CT&with=2026.10.1",
    "/cohort/export?format=csv", "/console", "/status", "/rules/data-users",
    "/collections/NOPE-01",
)  # fmt: skip
NARROW = (f"/collections/{OPEN}", "/explore")
"""Seen on a narrow screen in the fast suite; the others by `make test-all`."""


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


class Visit:
    """One page in a context of its own; what it asked for from elsewhere and what the browser complained of."""

    def __init__(self, browser: Any, served: str, *, scripts: bool = True, **options: Any) -> None:
        self.context = browser.new_context(
            java_script_enabled=scripts, base_url=served, locale="en-GB", **{"viewport": {"width": 1280, "height": 900},
                                                                              **options}
        )  # fmt: skip
        self.page = self.context.new_page()
        self.outside: list[str] = []
        self.complaints: list[str] = []
        self.page.on("request", lambda request: self._asked(request.url, served))
        self.page.on("console", self._said)
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))

    def _asked(self, url: str, served: str) -> None:
        if not url.startswith(("data:", "blob:", f"{served}/")):
            self.outside.append(url)

    def _said(self, message: Any) -> None:
        # a page that says 403 or 404 is reported by the browser as such
        if message.type == "error" and "the server responded with a status of 40" not in message.text:
            self.complaints.append(message.text)

    def __enter__(self) -> Visit:
        return self

    def __exit__(self, *_: object) -> None:
        self.context.close()


@pytest.mark.parametrize(
    ("address", "width"),
    [
        *((address, 1280) for address in PAGES),
        *(pytest.param(address, 400, marks=() if address in NARROW else pytest.mark.slow) for address in PAGES),
    ],
)
def test_a_page_is_accessible_and_self_contained(browser: Any, served: str, address: str, width: int) -> None:
    from axe_playwright_python.sync_playwright import Axe

    # both schemes are seen: wide pages by day, narrow ones by night
    scheme = "light" if width > 1000 else "dark"
    with Visit(browser, served, viewport={"width": width, "height": 900}, color_scheme=scheme) as visit:
        visit.page.goto(address)
        for details in visit.page.locator("details > summary").all():
            details.click()
        found = Axe().run(visit.page).response["violations"]
        assert [(one["id"], [node["html"][:160] for node in one["nodes"]]) for one in found] == []
        assert visit.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth + 1")
        assert visit.page.locator("h1").count() == 1
        assert visit.outside == [] and visit.complaints == []


@pytest.mark.parametrize("address", ["/collections", "/status"])
def test_a_table_of_many_columns_is_whole_on_a_narrow_screen(browser: Any, served: str, address: str) -> None:
    with Visit(browser, served, viewport={"width": 400, "height": 900}) as visit:
        visit.page.goto(address)
        box = visit.page.locator(".wide").first
        assert box.evaluate("one => one.scrollWidth <= one.clientWidth")  # nothing to be scrolled to at the side
        for cell in visit.page.locator(".stacks tbody tr:first-child td").all():
            name = cell.evaluate("one => getComputedStyle(one, '::before').content")
            assert (cell.get_attribute("data-label") or "no name") in name
        # it is still a table to who hears it
        assert visit.page.get_by_role("table").count() == 1
        assert visit.page.get_by_role("columnheader").count() >= 7 and visit.page.get_by_role("rowheader").count() >= 3


@pytest.mark.parametrize("width", [400, 1280])
def test_the_number_of_a_term_of_use_is_not_broken(browser: Any, served: str, width: int) -> None:
    with Visit(browser, served, viewport={"width": width, "height": 900}) as visit:
        visit.page.goto("/explore")
        lines = visit.page.locator("#b-DataUse .name").evaluate_all(
            """names => names.map(name => {
                 const number = name.lastChild, range = document.createRange();
                 range.selectNodeContents(number);
                 return [number.textContent, range.getClientRects().length];
               })"""
        )
        numbers = [(text, count) for text, count in lines if text.startswith("00000")]
        assert numbers and all(count == 1 for _, count in numbers), lines


def test_a_slider_says_what_it_moves_and_where_it_stands(browser: Any, served: str) -> None:
    with Visit(browser, served) as visit:
        visit.page.goto("/explore?AgeAtStudy.from=40")
        low, high = visit.page.locator("#b-AgeAtStudy input[type=range]").all()
        assert low.get_attribute("aria-label") == "Age at study, from (slider)"
        assert (low.get_attribute("aria-valuetext"), high.get_attribute("aria-valuetext")) == ("40 years", "no limit")
        seen = visit.page.locator("#b-AgeAtStudy label.slider")
        assert [text.strip() for text in seen.all_inner_texts()] == ["from (slider)", "to (slider)"]
        assert seen.first.is_visible()
        high.focus()
        visit.page.keyboard.press("ArrowLeft")
        moved = visit.page.locator("#b-AgeAtStudy input[name='AgeAtStudy.to']").input_value()
        assert high.get_attribute("aria-valuetext") == f"{moved} years"
        # a form keeps the ends of other fields in hidden inputs: its sliders move its own
        year = visit.page.locator("#b-StudyYear input[type=range]").first
        year.focus()
        visit.page.keyboard.press("ArrowRight")
        assert visit.page.locator("#b-StudyYear input[type=number]").first.input_value() != ""
        assert visit.page.locator("#b-StudyYear input[name='AgeAtStudy.from']").input_value() == "40"
        assert visit.complaints == []


def test_reading_and_searching_need_no_script(browser: Any, served: str) -> None:
    with Visit(browser, served, scripts=False) as visit:
        page = visit.page
        page.goto("/")
        page.fill("input[name=text]", "t2")
        page.click("form[role=search] button")
        assert parse_qs(urlsplit(page.url).query) == {"text": ["t2"]}
        page.click("#b-Modality a:has-text('CT')")
        assert parse_qs(urlsplit(page.url).query) == {"text": ["t2"], "Modality": ["CT"]}
        page.fill("#b-AgeAtStudy input[name='AgeAtStudy.from']", "50")
        page.click("#b-AgeAtStudy button")
        assert parse_qs(urlsplit(page.url).query)["AgeAtStudy.from"] == ["50"]
        # a bar of a chart is a link that filters
        page.goto("/explore?Modality=CT")
        page.locator("#b-StudyYear svg.columns a").first.click()
        assert "StudyYear.from" in page.url
        page.click("a[aria-label='Take out: Modality: CT']")
        assert "Modality" not in page.url
        page.click("details.builder > summary")
        page.select_option("select[name='add.mode']", "none")
        page.select_option("select[name='add.field']", "Modality")
        page.fill("input[name='add.value']", "MR")
        page.click("details.builder button")
        assert page.locator("fieldset.group legend").inner_text() == "Group 1: none of"
        page.click("text=This selection")
        assert page.locator("h1").inner_text() == "Selection"
        page.click("text=Français")
        assert page.locator("h1").inner_text() == "Sélection"
        page.goto("/console?lang=en")
        assert "needs JavaScript" in page.inner_text("main") or "make console" in page.inner_text("main")
        assert visit.outside == []


def test_the_keyboard_alone_filters(browser: Any, served: str) -> None:
    with Visit(browser, served) as visit:
        page = visit.page
        page.goto("/explore")
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        page.keyboard.press("Enter")
        reached = []
        for _ in range(80):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.closest('section.box')?.id ?? ''"))
            if reached[-1] == "b-Modality":
                break
        assert "b-CancerType" in reached
        page.keyboard.press("Enter")
        page.wait_for_url("**/explore?Modality=*")


def test_sliders_and_live_filters_where_scripts_run(browser: Any, served: str) -> None:
    with Visit(browser, served) as visit:
        page = visit.page
        page.goto("/explore?find.BodyPart=e")
        sliders = page.locator("#b-AgeAtStudy input[type=range]")
        assert sliders.count() == 2
        page.fill("#b-BodyPart input[name='find.BodyPart']", "abdo")
        shown = page.locator("#b-BodyPart tbody tr:visible")
        assert [text.split()[0] for text in shown.all_inner_texts()] == ["Abdomen"]
        sliders.first.focus()
        page.keyboard.press("ArrowRight")
        assert float(page.input_value("#b-AgeAtStudy input[name='AgeAtStudy.from']")) > 0
        page.click("#b-AgeAtStudy button")
        assert "AgeAtStudy.from=" in page.url
        assert visit.complaints == [] and visit.outside == []


def test_a_printed_page_has_its_text_and_no_forms(browser: Any, served: str) -> None:
    with Visit(browser, served) as visit:
        visit.page.goto(f"/collections/{OPEN}")
        visit.page.emulate_media(media="print")
        assert not visit.page.locator("header").is_visible()
        assert visit.page.locator("text=How to cite").is_visible()
        assert len(visit.page.pdf()) > 10_000


def test_the_console_answers_in_the_browser(browser: Any, served: str, platform: Platform) -> None:
    with Visit(browser, served) as visit:
        page = visit.page
        page.goto("/console")
        if not page.locator("#run").count():
            pytest.skip("the files of the SQL console are not here: make console")
        page.click("#run")
        page.wait_for_selector("#sql-result table, #sql-status.bad", timeout=120_000)
        rows = [text.split("\t") for text in page.locator("#sql-result tbody tr").all_inner_texts()]
        assert [row[0] for row in rows][:2] == ["colon", "lung"] and all(int(row[2]) % 10 == 0 for row in rows[:2])
        page.fill("#sql", "SELECT source_id, people FROM collection ORDER BY ALL")
        page.press("#sql", "Control+Enter")
        page.wait_for_selector("#sql-result th:has-text('source_id')", timeout=120_000)
        assert page.locator("#sql-result tbody tr").count() == 3
        asked = (
            "DATE '2026-11-25' AS d, 9007199254740993::BIGINT AS b, 9007199254740993::HUGEINT AS h, "
            "TIMESTAMP '2026-11-25 18:00:01' AS t, 12.30::DECIMAL(9, 2) AS m, TIME '07:05:00' AS c, -5::HUGEINT AS n, "
            "DATE '1969-12-31' AS before, [1::BIGINT] AS list, 0.5 AS x, true AS y"
        )
        page.fill("#sql", f"SELECT {asked}")
        page.press("#sql", "Control+Enter")
        page.wait_for_selector("#sql-result th:has-text('before')", timeout=120_000)
        assert page.locator("#sql-result tbody td").all_inner_texts() == [
            "2026-11-25", "9007199254740993", "9007199254740993", "2026-11-25 18:00:01", "12.30", "07:05:00", "-5",
            "1969-12-31", "[1]", "0.5", "true",
        ]  # fmt: skip
        numbers = page.locator("#sql-result td.n").all_inner_texts()
        assert numbers == ["9007199254740993", "9007199254740993", "12.30", "-5", "0.5"]
        # no extension, and nothing from elsewhere
        page.fill("#sql", "INSTALL parquet; LOAD parquet")
        page.click("#run")
        page.wait_for_selector("#sql-status.bad", timeout=120_000)
        page.fill("#sql", "SELECT <b>")
        page.click("#run")
        page.wait_for_selector("#sql-status.bad", timeout=120_000)
        assert page.locator("#sql-status b").count() == 0
