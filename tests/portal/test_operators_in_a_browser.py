"""The operators' pages in a real browser: nothing beside the screen, nothing in columns of a word's width."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from tests.portal.made_portal import OPEN, Platform

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSER = next(filter(None, (shutil.which(name) for name in ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=BROWSER, args=["--no-sandbox", "--disable-gpu"])
        yield opened.new_page()
        opened.close()


@pytest.mark.parametrize("width", [320, 400, 1400])
@pytest.mark.parametrize("address", ["/status", f"/measures/{OPEN}", f"/accounting/{OPEN}", "/releases/2026.11.1"])
def test_a_page_is_as_wide_as_the_screen(page: Any, platform: Platform, address: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.set_content(TestClient(platform.operators).get(address).text)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_reasons_have_the_width_of_the_table(page: Any, platform: Platform) -> None:
    page.set_viewport_size({"width": 1400, "height": 900})
    page.set_content(TestClient(platform.operators).get("/status").text)
    cells = page.locator("td.why").all()
    assert cells
    table = page.locator("table").bounding_box()["width"]
    for cell in cells:
        assert cell.bounding_box()["width"] > 0.7 * table
        assert cell.inner_text().startswith("Quarantined: ")
