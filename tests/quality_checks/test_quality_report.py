"""The HTML page: complete, self-contained, deterministic, and without delivered free text."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest

from quality_checks.catalogue_of_checks import all_rules
from quality_checks.frames import series_frame
from quality_checks.judge import judge
from quality_checks.model import Severity
from quality_checks.report import render_report
from quality_checks.report_figures import bars, failing, matrix

VOID = {"meta", "br", "rect", "line", "link", "img", "hr"}
NAME = "Marianne^Musterfrau"


class Balance(HTMLParser):
    """Finds tags that are not closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Closed in itself."""

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text.append(data)


@pytest.fixture(scope="module")
def spoilt(sound: Any) -> Any:
    """Tables of a source with errors, warnings and text where it should not be."""
    series = sound.tables(24).series.astype("object")
    series.loc[:19, ["Manufacturer", "ManufacturerName"]] = None
    series.loc[20, ["Manufacturer", "ManufacturerName"]] = [NAME, None]
    series.loc[21, ["BodyPartExamined", "BodyPart", "BodyPartCode"]] = [NAME, None, None]
    series.loc[22, ["Modality"]] = NAME
    series.loc[:2, ["SeriesDescription", "PatientSex"]] = NAME
    series.loc[3, ["Quarantined", "Delivered", "State"]] = [2, 13, "partial"]
    return sound.bundle(sound.patient_table(series), sound.study_table(series), series)


def page(sound: Any, tables: Any, generated_from: str = "state 3") -> str:
    state = sound.state(tables, extra=(sound.companions(4), sound.companions(2, "malformed")))
    verdict = judge(tables, state, entry=sound.entry())
    return render_report(verdict, tables, state, entry=sound.entry(), generated_from=generated_from)


def test_the_page_needs_nothing_from_outside(sound: Any, spoilt: Any) -> None:
    html = page(sound, spoilt)
    assert not re.search(r"https?:|//[a-z]|@import|url\(|<script|<link|src=", html)
    checker = Balance()
    checker.feed(html)
    assert checker.open == []


def test_no_delivered_text_and_nothing_unescaped(sound: Any, spoilt: Any) -> None:
    html = page(sound, spoilt, generated_from="<b>state</b>")
    assert "Musterfrau" not in html
    assert "&lt;b&gt;state" in html
    assert "<b>state" not in html


def test_every_rule_is_on_the_page_and_failures_come_first(sound: Any, spoilt: Any) -> None:
    checker = Balance()
    checker.feed(page(sound, spoilt))
    text = " ".join(" ".join(checker.text).split())
    assert all(rule.title in text for rule in all_rules())
    assert text.index("Blocked: 1 error") < text.index("No Manufacturer") < text.index("What passes")
    assert "not a DICOM file" in text
    assert "the file is not well-formed DICOM" in text


def test_same_input_same_bytes(sound: Any, spoilt: Any) -> None:
    reordered = sound.bundle(spoilt.patient, spoilt.study.iloc[::-1], spoilt.series.sample(frac=1, random_state=1))
    state = sound.state(spoilt)
    pages = {
        render_report(
            judge(tables, state, entry=sound.entry()), tables, state, entry=sound.entry(), generated_from="state 3"
        )
        for tables in (spoilt, reordered)
    }
    assert len(pages) == 1


def test_the_worst_comes_first(sound: Any, spoilt: Any) -> None:
    found = failing(judge(spoilt, sound.state(spoilt), entry=sound.entry()))
    ranks = [[Severity.ERROR, Severity.WARNING, Severity.INFO].index(one.result.severity) for one in found]
    assert ranks == sorted(ranks)
    assert found[0].rule.id == "series_manufacturer_present"


def test_an_empty_source_has_a_page(sound: Any) -> None:
    empty = sound.bundle(pd.DataFrame(), pd.DataFrame(), pd.DataFrame())
    state = sound.state(sound.bundle(None, None, pd.DataFrame(columns=["State"])), extra=(sound.companions(4),))
    verdict = judge(empty, state, entry=sound.entry())
    html = render_report(verdict, empty, state, entry=sound.entry(), generated_from="state 1")
    assert "Nothing accepted" in html
    assert "What was not judged" in html


def test_a_sound_source_may_enter(sound: Any) -> None:
    tables = sound.tables()
    state = sound.state(tables)
    verdict = judge(tables, state, entry=sound.entry())
    html = render_report(verdict, tables, state, entry=sound.entry(), generated_from="state 1")
    assert "<strong>May enter the catalogue</strong>" in html


def test_bars_put_what_is_unknown_first_and_sum_up_the_rest() -> None:
    labels = [f"maker {number:02d}" for number in range(13) for _ in range(number + 1)] + ["not stated"]
    made = bars(labels)
    assert made[0].label == "not stated"
    assert made[0].doubtful
    assert sum(bar.count for bar in made) == len(labels)
    assert (made[-1].label, made[-1].count) == ("other", 1 + 2 + 3)
    assert all(0 < bar.length <= 1 for bar in made)


def test_the_matrix_counts_by_modality(sound: Any, spoilt: Any) -> None:
    made = matrix(series_frame(spoilt.series))
    rows = {row.rule.id: dict(zip(made.modalities, row.cells, strict=True)) for row in made.rows}
    assert made.rows[0].rule.id == "series_manufacturer_present"
    assert rows["series_manufacturer_present"]["CT"] == pytest.approx(1 / 6)
    assert rows["series_ct_kvp_present"]["CT"] == 1
    assert rows["series_ct_kvp_present"]["MR"] is None


def test_the_page_must_be_of_one_source(sound: Any) -> None:
    tables = sound.tables()
    state = sound.state(tables)
    verdict = judge(tables, state, entry=sound.entry())
    with pytest.raises(ValueError, match="OTHER-01"):
        render_report(verdict, tables, state, entry=sound.entry(id="OTHER-01"), generated_from="state 1")
