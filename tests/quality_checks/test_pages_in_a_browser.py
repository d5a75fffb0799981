"""The report and the overview in a real browser: nothing from outside, no violation that axe can find, no script."""

from __future__ import annotations

import datetime as dt
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ingestion.cli import build_app
from quality_checks import documents as d
from quality_checks.model import Dimension
from quality_checks.overview import SourceLine, render_overview
from quality_checks.store import Judgement, PastJudgement
from tests.quality_checks.conftest import make_entry
from tests.quality_checks.defects.series import ct_series, mr_series
from tests.quality_checks.test_check_command import put

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSER = next(filter(None, (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
WIDTHS = (1280, 400)


def judged(source_id: str, score: float, *, blocks: bool) -> PastJudgement:
    scores = {dimension.value: score for dimension in Dimension}
    judgement = Judgement(
        source_id, "basis", "state", blocks=blocks, series=1200, errors=int(blocks), warnings=2, verdict_key="v",
        results_key="r", report_key=f"quality/{source_id}/run/report.html", left_out=3, tier=1, scores=scores,
    )  # fmt: skip
    return PastJudgement(1, judgement, None)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with findings and pictures, and an overview."""
    folder = tmp_path_factory.mktemp("pages")
    put(folder / "in", ct_series())
    put(folder / "in", mr_series())
    broken = ct_series(series=9)
    for dataset in broken:
        dataset.PixelData = bytes(len(dataset.PixelData))
    put(folder / "in", broken)
    copied = ct_series(series=8)  # its finding names another series
    for dataset, first in zip(copied, ct_series(), strict=True):
        dataset.PixelData = first.PixelData
    put(folder / "in", copied)
    CliRunner().invoke(
        build_app("check"), ["check", str(folder / "in"), "--report", str(folder / "out"), "--workers", "1"]
    )
    now = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
    lines = [SourceLine(make_entry(id="TEST-NEVER-09"), (), None)]
    for number, score in enumerate((0.2, 0.6, 0.9, 0.97, 1.0)):  # every shade of the heat map
        past = tuple(judged(f"TEST-MADE-{number:02d}", score * run / 3, blocks=number == 0) for run in (2, 3))
        changed = now - dt.timedelta(days=40 * number)
        lines.append(SourceLine(make_entry(id=f"TEST-MADE-{number:02d}"), past, changed))
    overview = render_overview(lines, now=now, dagster_url="http://127.0.0.1:3000")
    (folder / "out" / "overview.html").write_text(overview)
    return folder / "out"


@pytest.fixture(scope="module")
def browser() -> Iterator[object]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        yield opened
        opened.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", [d.REPORT, d.FINDINGS, d.EXPECTATIONS, "overview.html"])
def test_a_page_stands_alone_and_is_accessible(
    browser: object, pages: Path, name: str, width: int, scheme: str
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    asked: list[str] = []
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[attr-defined]
    page.on("request", lambda request: asked.append(request.url))
    page.goto((pages / name).as_uri())
    outside = [url for url in asked if not url.startswith(("data:", pages.as_uri()))]
    assert outside == []
    assert page.title() and page.locator("h1").count() == 1
    found = Axe().run(page).response["violations"]
    assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found] == []
    # the page itself does not scroll sideways; wide tables do within their own box
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.close()


@pytest.mark.parametrize("name", [d.REPORT, d.FINDINGS, d.EXPECTATIONS])
def test_no_page_scrolls_sideways_at_the_width_of_a_small_phone(browser: object, pages: Path, name: str) -> None:
    """320 pixels, as WCAG 2.2 asks for (1.4.10): pseudonyms in the details of findings break there."""
    page = browser.new_page(viewport={"width": 320, "height": 900})  # type: ignore[attr-defined]
    page.goto((pages / name).as_uri())
    wide = page.evaluate("document.documentElement.scrollWidth")
    told = page.content()
    page.close()
    assert name != d.REPORT or "the same as series" in told  # the longest word of a finding
    assert wide <= 320


def test_a_report_can_be_read_with_the_keyboard_alone(browser: object, pages: Path) -> None:
    page = browser.new_page()  # type: ignore[attr-defined]
    page.goto((pages / d.REPORT).as_uri())
    reached = set()
    for _ in range(80):
        page.keyboard.press("Tab")
        reached.add(page.evaluate("document.activeElement ? document.activeElement.tagName : ''"))
    assert {"A", "SUMMARY"} <= reached
    page.close()
