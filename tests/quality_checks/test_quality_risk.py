"""The risk of being picked out, in the report of a source."""

from __future__ import annotations

from typing import Any

from ingestion.catalogue.risk.assess import assess
from ingestion.catalogue.risk.gather import people_of_frames
from quality_checks.judge import judge
from quality_checks.report import render_report


def test_the_report_tells_the_figures_and_no_value_of_a_patient(sound: Any) -> None:
    tables = sound.tables(24)
    entry = sound.entry()
    state = sound.state(tables)
    html = render_report(judge(tables, state, entry=entry), tables, state, entry=entry, generated_from="state 1")
    report = assess(
        people_of_frames(patient=tables.patient, study=tables.study, series=tables.series, cancers={entry.id: "breast"})
    )
    assert report.measured.patients == len(tables.patient)
    assert f"k = {report.measured.k}" in html
    assert "How easily could a patient be picked out?" in html
    shown = html[html.index("How easily") :]
    assert not any(model in shown for model in tables.series["ManufacturerModelName"].dropna().unique())
