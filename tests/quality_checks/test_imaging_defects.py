"""Every imaging check finds its own defect, stays silent on good series, and the page of it is up to date."""

from __future__ import annotations

import pytest
from defects import imaging
from defects.matrix import TARGET, render, rows

from ingestion.deidentify.conformance_check import judge_is_there
from quality_checks.imaging import RULES
from quality_checks.imaging.conformance import STUDY, STUMBLE

BY_TOOL = {STUMBLE.id, STUDY.id}
TOOLS = judge_is_there("dciodvfy") and judge_is_there("dcentvfy")


@pytest.fixture(scope="module")
def measured() -> list[tuple[str, set[str], set[str]]]:
    return imaging.matrix()


def test_every_check_has_a_defect_of_its_own() -> None:
    assert {defect.rule for defect in imaging.DEFECTS} == {rule.id for rule in RULES}


def test_each_defect_is_found_by_its_checks_and_no_other(measured: list[tuple[str, set[str], set[str]]]) -> None:
    without = set() if TOOLS else BY_TOOL
    wrong = {name: (expected, fired) for name, expected, fired in measured if fired != expected - without}
    assert wrong == {}


@pytest.mark.skipif(not TOOLS, reason="dicom3tools is not installed: two checks are not judged")
def test_the_page_is_what_is_measured() -> None:
    assert TARGET.read_text(encoding="utf-8") == render(rows())
