"""The verdict: what blocks and what doesn't, empty and unbalanced sources, determinism, and no import at load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quality_checks.catalogue_of_checks import all_rules, crossing_rules, imaging_rules, rules_by_id
from quality_checks.docs import TARGET, render
from quality_checks.judge import judge
from quality_checks.model import MAX_EXAMPLES, Dimension, QualityVerdict, Rule, RuleResult, Severity
from quality_checks.results import results_frame
from quality_checks.suites import series_details
from quality_checks.withheld import WITHHELD
from quality_checks.wording import message, percent

ROOT = Path(__file__).resolve().parents[2]


def by_id(verdict: QualityVerdict) -> dict[str, RuleResult]:
    return {result.rule_id: result for result in verdict.results}


def spoil(series: pd.DataFrame, share: float, values: dict[str, Any]) -> pd.DataFrame:
    """Change the first ``share`` of the rows."""
    copy = series.astype("object")
    for column, value in values.items():
        copy.loc[: int(len(copy) * share) - 1, column] = value
    return copy


def judged(sound: Any, series: pd.DataFrame, **extra: Any) -> QualityVerdict:
    tables = sound.bundle(sound.patient_table(series), sound.study_table(series), series)
    return judge(tables, sound.state(tables, **extra), entry=sound.entry())


ATTRIBUTES: dict[str, dict[str, Any]] = {
    "series_manufacturer_present": {"Manufacturer": None, "ManufacturerName": None},
    "series_body_part_present": {"BodyPartExamined": None, "BodyPart": None, "BodyPartCode": None},
    "series_age_plausible": {"PatientAge": "965Y", "AgeAtStudy": None},
    "series_sex_present": {"PatientSex": None},
}


def test_a_sound_source_passes_every_rule(sound: Any) -> None:
    tables = sound.tables()
    verdict = judge(tables, sound.state(tables, extra=(sound.companions(3),)), entry=sound.entry())
    assert [result.rule_id for result in verdict.results] == [rule.id for rule in all_rules()]
    assert not verdict.blocks
    assert verdict.of(Severity.WARNING) == ()
    # what looks at objects, at raw headers or at details beside the tables has nothing to judge here
    beside = {rule.id for rule in (*imaging_rules(), *crossing_rules())}
    beside |= {check.rule.id for check in series_details.CHECKS} | {WITHHELD.id}
    assert all(result.applies for result in verdict.results if result.rule_id not in beside)
    assert verdict.scores == dict.fromkeys(Dimension, 1.0)


def test_a_dirty_source_is_warned_of_and_not_blocked(sound: Any) -> None:
    series = sound.tables(40).series
    for values in ATTRIBUTES.values():
        series = spoil(series, 0.15, values)
    verdict = judged(sound, series)
    assert not verdict.blocks
    for rule_id in ATTRIBUTES:
        assert by_id(verdict)[rule_id].severity is Severity.WARNING
        assert by_id(verdict)[rule_id].failing == 6


def test_a_broken_source_is_blocked_with_examples_and_words(sound: Any) -> None:
    series = sound.tables(40).series
    for values in ATTRIBUTES.values():
        series = spoil(series, 0.8, values)
    verdict = judged(sound, series)
    assert verdict.blocks
    assert {result.rule_id for result in verdict.of(Severity.ERROR)} == set(ATTRIBUTES)
    result = by_id(verdict)["series_manufacturer_present"]
    assert (result.rows, result.passing, result.share) == (40, 8, 0.2)
    assert len(result.examples) == MAX_EXAMPLES
    assert set(result.examples) <= set(series["SeriesInstanceUID"])
    assert result.message.startswith("32 of 40 series (80 %): no Manufacturer. Ask the data holder")
    assert verdict.scores[Dimension.COMPLETENESS] < 1


def test_one_study_of_two_patients_is_left_out_by_itself(sound: Any) -> None:
    tables = sound.tables()
    study = tables.study.assign(NumberOfPatientIDs=[2, *[1] * (len(tables.study) - 1)])
    verdict = judge(sound.bundle(tables.patient, study, tables.series), sound.state(tables), entry=sound.entry())
    assert not verdict.blocks
    of_study = tables.series.loc[tables.series["StudyInstanceUID"] == study["StudyInstanceUID"].iloc[0]]
    assert verdict.excluded == dict.fromkeys(sorted(of_study["SeriesInstanceUID"]), ("study_one_patient",))
    assert by_id(verdict)["study_one_patient"].examples == (tables.study["StudyInstanceUID"].iloc[0],)


def test_a_study_of_two_patients_is_one_finding_and_no_fault_of_the_tables(sound: Any) -> None:
    """As the tables have it: one row for each patient of the study."""
    tables = sound.tables()
    mixed, other = tables.study["StudyInstanceUID"].iloc[0], tables.patient["PatientID"].iloc[-1]
    row = tables.study.iloc[[0]].assign(PatientID=other)
    study = pd.concat([tables.study, row], ignore_index=True)
    study.loc[study["StudyInstanceUID"] == mixed, "NumberOfPatientIDs"] = 2
    verdict = judge(sound.bundle(tables.patient, study, tables.series), sound.state(tables), entry=sound.entry())
    assert by_id(verdict)["study_uid_unique"].severity is None
    assert not verdict.blocks
    result = by_id(verdict)["study_one_patient"]
    assert (result.rows, result.failing) == (len(tables.study), 1)
    twice = pd.concat([tables.study, tables.study.iloc[[0]]], ignore_index=True)
    verdict = judge(sound.bundle(tables.patient, twice, tables.series), sound.state(tables), entry=sound.entry())
    assert by_id(verdict)["study_uid_unique"].severity is Severity.ERROR


def test_an_empty_source_is_an_error_and_passes_nothing_else(sound: Any) -> None:
    empty = sound.bundle(pd.DataFrame(), pd.DataFrame(), pd.DataFrame())
    verdict = judge(empty, sound.state(sound.bundle(empty.patient, empty.study, pd.DataFrame(columns=["State"]))),
                    entry=sound.entry())  # fmt: skip
    assert verdict.blocks
    assert [result.rule_id for result in verdict.of(Severity.ERROR)] == ["source_not_empty"]
    assert [result.rule_id for result in verdict.of(None)] == ["source_accounted_for"]
    assert Dimension.ACCURACY not in verdict.scores


@pytest.mark.parametrize(
    ("count", "reason", "severity"),
    [
        (1000, "not_dicom", None),
        (5, "truncated", Severity.WARNING),
        (5, "burned_in_annotation", Severity.WARNING),
        (1000, "truncated", Severity.ERROR),
    ],
)
def test_quarantine_counts_unless_it_is_companions(
    sound: Any, count: int, reason: str, severity: Severity | None
) -> None:
    tables = sound.tables()
    verdict = judge(tables, sound.state(tables, extra=(sound.companions(count, reason),)), entry=sound.entry())
    assert by_id(verdict)["instance_accepted"].severity is severity
    assert verdict.blocks is (severity is Severity.ERROR)


def test_a_series_that_the_tables_lack_is_an_error(sound: Any) -> None:
    tables = sound.tables()
    short = sound.bundle(tables.patient, tables.study, tables.series.iloc[1:].reset_index(drop=True))
    result = by_id(judge(short, sound.state(tables), entry=sound.entry()))["source_tables_match_store"]
    assert (result.severity, result.rows, result.passing) == (Severity.ERROR, 20, 19)


def test_the_order_of_rows_changes_nothing(sound: Any) -> None:
    tables = sound.tables()
    series = spoil(tables.series, 0.5, ATTRIBUTES["series_sex_present"])
    shuffled = sound.bundle(
        tables.patient.iloc[::-1], tables.study.sample(frac=1, random_state=4), series.sample(frac=1, random_state=5)
    )
    first = judge(sound.bundle(tables.patient, tables.study, series), sound.state(tables), entry=sound.entry())
    second = judge(shuffled, sound.state(tables), entry=sound.entry())
    assert first == second
    assert first.digest == second.digest
    assert first.digest != judge(tables, sound.state(tables), entry=sound.entry()).digest


def test_the_state_must_be_of_the_source(sound: Any) -> None:
    tables = sound.tables()
    with pytest.raises(ValueError, match="OTHER-01"):
        judge(tables, sound.state(tables), entry=sound.entry(id="OTHER-01"))


def test_judging_says_nothing_on_the_terminal(sound: Any, capfd: pytest.CaptureFixture[str]) -> None:
    tables = sound.tables()
    judge(tables, sound.state(tables), entry=sound.entry())
    captured = capfd.readouterr()
    assert captured.out == ""
    assert captured.err == ""


def test_results_frame_has_one_row_per_rule(sound: Any) -> None:
    verdict = judged(sound, spoil(sound.tables().series, 0.5, ATTRIBUTES["series_sex_present"]))
    frame = results_frame(verdict)
    assert list(frame["rule_id"]) == [rule.id for rule in all_rules()]
    assert frame.set_index("rule_id").loc["series_sex_present", "severity"] == "error"
    assert set(frame["severity"]) <= {"passed", "not_applicable", "info", "warning", "error"}


def test_great_expectations_is_not_imported_at_load() -> None:
    code = (
        "import sys, quality_checks.catalogue_of_checks, quality_checks.judge, quality_checks.report, "
        "quality_checks.results, quality_checks.docs; quality_checks.catalogue_of_checks.all_rules(); "
        "sys.exit('great_expectations' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_the_list_of_checks_is_current() -> None:
    assert TARGET.read_text(encoding="utf-8") == render(), "run `python -m quality_checks.docs`"


values = st.sampled_from(
    [None, "", "F", "M", "X", "965Y", "020Y", "20190101", "00000000", "CT", "SEG", 0, -1, 3.5, 1e9]
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_shares_are_shares_whatever_the_table_holds(sound: Any, data: st.DataObject) -> None:
    tables = sound.tables(8)
    columns = [column for column in tables.series.columns if column not in ("source_id", "StudyInstanceUID")]
    series = tables.series.astype("object")
    for at in range(len(series)):
        for column in data.draw(st.lists(st.sampled_from(columns), max_size=6)):
            series.at[at, column] = data.draw(values)
    verdict = judge(sound.bundle(tables.patient, tables.study, series), sound.state(tables), entry=sound.entry())
    for result in verdict.results:
        assert 0 <= result.passing <= result.rows
        assert 0 <= result.share <= 1
        assert (result.severity is None) == (result.passing == result.rows)
        assert result.message
    assert all(0 <= score <= 1 for score in verdict.scores.values())
    assert verdict.blocks == bool(verdict.of(Severity.ERROR))


@given(rows=st.integers(1, 10**6), missing=st.integers(0, 10**6))
def test_severity_grows_with_the_failing_share(rows: int, missing: int) -> None:
    rule = rules_by_id()["series_manufacturer_present"]
    passing = max(0, rows - missing)
    severity = rule.severity(rows=rows, passing=passing)
    expected = None if passing == rows else (Severity.ERROR if passing / rows < 0.7 else Severity.WARNING)
    assert severity is expected
    assert (percent(passing / rows) == "100 %") == (passing == rows)
    assert message(rule, severity, rows=rows, passing=passing)


def test_a_threshold_is_a_share() -> None:
    rule = all_rules()[0]
    arguments = {name: getattr(rule, name) for name in Rule.__slots__} | {"error_below": 70.0}
    with pytest.raises(ValueError, match="share"):
        Rule(**arguments)
