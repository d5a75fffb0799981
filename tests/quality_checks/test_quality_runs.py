"""Judgements in a row: what changed is told, the overview and the portal show them, programs can read them."""

from __future__ import annotations

import dataclasses
import datetime as dt
import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from ingestion.accounting.source_state import write_state
from ingestion.storage.folder import FolderStore
from ingestion.storage.open import Stores
from portal.operators import build_operators
from portal.quality import SERVED, overview
from quality_checks import documents as d
from quality_checks.catalogue_of_checks import imaging_rules
from quality_checks.changes import Changes, changes_between
from quality_checks.examination import CheckOutcome, Examination, Fault
from quality_checks.judge import judge
from quality_checks.model import QualityVerdict, Severity
from quality_checks.overview import shade, trend_of
from quality_checks.report_folder import ReportInput, report_documents, series_keys
from quality_checks.results import FINDINGS_SCHEMA, RESULTS_SCHEMA, SERIES_SCHEMA
from quality_checks.store import Judgement, past_judgements, read_judgement, read_verdict, run_of, save_judgement

NOW = dt.datetime(2100, 1, 1, tzinfo=dt.UTC)
EXCLUDING = next(rule for rule in imaging_rules() if rule.excludes)


def examined(sound: Any, tables: Any, bad: str | None) -> list[Examination]:
    """Every series looked at by one rule that leaves out; ``bad`` fails it."""
    made = []
    for uid in tables.series["SeriesInstanceUID"]:
        faults = (Fault("frame 3 has other bytes"),) if uid == bad else ()
        outcome = CheckOutcome(EXCLUDING.id, judged=1, faults=faults, failing=len(faults))
        made.append(Examination(sound.entry().id, uid, "0" * 24, "1" * 16, (outcome,)))
    return made


def save(sound: Any, internal: FolderStore, tables: Any, *, bad: str | None = None) -> tuple[QualityVerdict, Changes]:
    """Judge and store as the pipeline does."""
    entry, state = sound.entry(), sound.state(tables)
    examinations = examined(sound, tables, bad)
    verdict = judge(tables, state, entry=entry, examinations=examinations)
    known = read_judgement(internal, entry.id)
    last = read_verdict(internal, known) if known else None
    changes = changes_between(
        last, verdict, series_before=known.series if known else 0, series_after=len(tables.series)
    )
    given = ReportInput(verdict, tables, state, entry, f"state {state.digest}", examinations, changes)
    basis = state.digest + verdict.digest
    save_judgement(
        internal, verdict, documents=report_documents(given), run=run_of(basis, known), basis=basis,
        state_digest=state.digest, series=series_keys(tables), tier=1,
    )  # fmt: skip
    return verdict, changes


def without_maker(sound: Any, tables: Any, count: int) -> Any:
    series = tables.series.astype("object")
    series.loc[: count - 1, ["Manufacturer", "ManufacturerName"]] = None
    return sound.bundle(tables.patient, tables.study, series)


@pytest.fixture(scope="module")
def history(sound: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[FolderStore, Mapping[str, Any]]:
    """Three runs: sound; five without a maker and one series with an error; three and none."""
    internal = FolderStore(tmp_path_factory.mktemp("internal"))
    tables = sound.tables()
    bad = str(tables.series["SeriesInstanceUID"].iloc[0])
    write_state(internal, sound.state(tables))
    runs = [
        save(sound, internal, tables),
        save(sound, internal, without_maker(sound, tables, 5), bad=bad),
        save(sound, internal, without_maker(sound, tables, 3)),
    ]
    return internal, {"runs": runs, "bad": bad}


def test_changes_are_told_in_both_directions(history: Any) -> None:
    _, said = history
    (first, first_changes), (second, worse), (_, better) = said["runs"]
    assert first_changes.first and first.excluded == {}
    assert not worse.first and not worse.nothing
    assert worse.left_out == (said["bad"],) and worse.let_in == ()
    assert {one.rule_id for one in worse.rules if one.worse} >= {EXCLUDING.id, "series_manufacturer_present"}
    assert second.excluded == {said["bad"]: (EXCLUDING.id,)}
    assert better.let_in == (said["bad"],) and better.left_out == ()
    assert better.new_findings == 0 and better.gone_findings >= 3
    assert not any(one.worse for one in better.rules)
    maker = next(one for one in better.rules if one.rule_id == "series_manufacturer_present")
    assert (maker.before, maker.failing_before, maker.after, maker.failing_after) == (
        Severity.WARNING, 5, Severity.WARNING, 3,
    )  # fmt: skip


def test_the_same_again_is_no_change(sound: Any) -> None:
    tables = sound.tables()
    verdict = judge(tables, sound.state(tables), entry=sound.entry())
    changes = changes_between(verdict, verdict, series_before=20, series_after=20)
    assert changes.nothing and not changes.first


def test_the_report_tells_what_changed_and_who_is_left_out(history: Any) -> None:
    internal, said = history
    past = past_judgements(internal, "TEST-BREAST-01", count=10)
    pages = [internal.read(one.judgement.report_key).decode() for one in past]
    assert "the first judgement of this source" in pages[0]
    assert "1 more series left out of releases" in pages[1]
    assert f'id="s-{said["bad"]}"' in pages[1] and "frame 3 has other bytes" in pages[1]
    assert "1 let in again" in pages[2] and "frame 3 has other bytes" not in pages[2]


def test_the_log_of_judgements_keeps_each_run(history: Any) -> None:
    internal, _ = history
    past = past_judgements(internal, "TEST-BREAST-01", count=10)
    assert [one.number for one in past] == [1, 2, 3]
    assert [one.judgement.left_out for one in past] == [0, 1, 0]
    assert len({one.judgement.run for one in past}) == 3
    assert all(one.written is not None for one in past)
    assert [one.number for one in past_judgements(internal, "TEST-BREAST-01", count=2)] == [2, 3]


def test_json_has_the_form_of_its_schema(history: Any) -> None:
    internal, said = history
    for past in past_judgements(internal, "TEST-BREAST-01", count=10):
        schema = json.loads(internal.read(past.judgement.beside(d.SUMMARY_SCHEMA)))
        jsonschema.Draft202012Validator.check_schema(schema)
        summary = json.loads(internal.read(past.judgement.beside(d.SUMMARY)))
        jsonschema.Draft202012Validator(schema).validate(summary)
    del summary["scores"]
    with pytest.raises(jsonschema.ValidationError, match="scores"):
        jsonschema.Draft202012Validator(schema).validate(summary)
    assert said["bad"] in json.loads(
        internal.read(past_judgements(internal, "TEST-BREAST-01", count=2)[0].judgement.beside(d.SUMMARY))
    )["series"]["left_out"]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "columns"),
    [(d.RESULTS_TABLE, RESULTS_SCHEMA), (d.FINDINGS_TABLE, FINDINGS_SCHEMA), (d.SERIES_TABLE, SERIES_SCHEMA)],
)
def test_every_column_of_a_table_says_what_it_holds(history: Any, name: str, columns: Mapping[str, Any]) -> None:
    internal, _ = history
    for past in past_judgements(internal, "TEST-BREAST-01", count=10):
        table = pq.read_table(io.BytesIO(internal.read(past.judgement.beside(name))))
        assert table.column_names == list(columns)
        for field in table.schema:
            assert field.type == columns[field.name][0]
            assert field.metadata[b"description"].decode() == columns[field.name][1]


def test_the_overview_shows_runs_scores_and_who_was_never_judged(history: Any, sound: Any) -> None:
    internal, _ = history
    entries = (sound.entry(), sound.entry(id="TEST-NEVER-02"))
    html = overview(internal, entries, now=NOW, dagster_url="http://127.0.0.1:1")
    assert "0 of 2 sources blocked" in html
    assert "mean score over 3 runs" in html
    assert "never judged" in html and "TEST-NEVER-02" in html
    assert 'class="heat-4"' in html and 'class="heat-2"' in html  # 17 of 20 makers are stated, in a mean of several
    assert "http://127.0.0.1:1/assets/quality_report" in html


def test_a_state_after_the_last_judgement_is_named(sound: Any, tmp_path: Path) -> None:
    internal, tables = FolderStore(tmp_path), sound.tables()
    save(sound, internal, tables)
    write_state(internal, sound.state(tables, extra=(sound.companions(1),)))
    assert "not judged since" in overview(internal, (sound.entry(),), now=NOW)


def test_shades_and_trends() -> None:
    assert [shade(score) for score in (0.0, 0.5, 0.8, 0.95, 0.99, 1.0)] == [0, 1, 2, 3, 4, 4]
    assert trend_of(()) is None


def test_the_portal_serves_each_run_and_nothing_else(history: Any, sound: Any, tmp_path: Path) -> None:
    internal, _ = history
    client = TestClient(build_operators(Stores(FolderStore(tmp_path), internal), (sound.entry(),)))
    assert client.get("/reports").status_code == 200
    shown = client.get("/reports/TEST-BREAST-01")  # goes on to the current run
    current = past_judgements(internal, "TEST-BREAST-01", count=1)[0].judgement
    assert str(shown.url).endswith(f"/reports/TEST-BREAST-01/{current.run}/")
    assert shown.content == internal.read(current.report_key)
    for past in past_judgements(internal, "TEST-BREAST-01", count=10):
        for name in SERVED - {d.CERTIFICATE, d.CERTIFICATE_TURTLE}:
            answer = client.get(f"/reports/TEST-BREAST-01/{past.judgement.run}/{name}")
            assert answer.status_code == 200 and answer.content == internal.read(past.judgement.beside(name))
            assert "default-src 'none'" in answer.headers["content-security-policy"]
    for wrong in ("verdict.json", "..%2fverdict.json", "sheet.jpg", "../../../judgements/TEST-BREAST-01/00000001.json"):
        assert client.get(f"/reports/TEST-BREAST-01/{current.run}/{wrong}").status_code == 404
    assert client.get("/reports/NO-SUCH-01").status_code == 404


def test_links_of_a_report_lead_to_files_that_are_served(history: Any) -> None:
    internal, _ = history
    judgement = past_judgements(internal, "TEST-BREAST-01", count=1)[0].judgement
    pages = {name: internal.read(judgement.beside(name)).decode() for name in (d.REPORT, d.FINDINGS, d.EXPECTATIONS)}
    followed = 0
    for name, html in pages.items():
        for target in re.findall(r'href="([^"]+)"', html):
            file, _, fragment = target.partition("#")
            assert not file or file in SERVED, target
            assert not fragment or f'id="{fragment}"' in pages[file or name], target
            followed += 1
    assert followed > len(pages)


def test_a_judgement_of_an_older_version_can_still_be_read() -> None:
    fields = {
        field.name: None for field in dataclasses.fields(Judgement) if field.default is dataclasses.MISSING
        and field.default_factory is dataclasses.MISSING
    } | {"report_key": "quality/A/abc/report.html"}  # fmt: skip
    old = Judgement(**fields)
    assert (old.run, old.series_key, old.left_out, dict(old.scores)) == ("abc", None, 0, {})
