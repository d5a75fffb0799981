"""One cause is told once: rules of one family that fail on the same rows stand together."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from ingestion.cli import build_app
from quality_checks import documents as d
from quality_checks.catalogue_of_checks import all_rules, rules_by_id
from quality_checks.causes import FAMILIES, one_per_cause
from quality_checks.model import Finding, Level, RuleResult, Severity
from quality_checks.report_findings import WorstRule
from tests.quality_checks.defects.series import ct_series
from tests.quality_checks.test_withheld import put


def failed(rule_id: str, *keys: str, rows: int = 10, level: Level | None = None) -> WorstRule:
    rule = rules_by_id()[rule_id]
    level = level or rule.level
    failing = len(keys) or 3
    result = RuleResult(
        rule_id,
        rule.level,
        rule.dimension,
        Severity.WARNING,
        rows,
        rows - failing,
        (rows - failing) / rows,
        keys,
        "said",
    )
    findings = tuple(Finding(rule_id, level, key, Severity.WARNING) for key in keys)
    return WorstRule(rule, result, findings, leaves_out=0)


def told(*worst: WorstRule, places: dict[tuple[Level, str], frozenset[str]] | None = None) -> list[list[str]]:
    return [
        [one.rule.id, *(other.rule.id for other in one.same_cause)] for one in one_per_cause(list(worst), places or {})
    ]


def test_families_name_rules_that_there_are() -> None:
    known = {rule.id for rule in all_rules()}
    assert not frozenset().union(*FAMILIES) - known


def test_a_wrong_study_date_is_one_cause() -> None:
    assert told(
        failed("series_acquired_after_study_began", "s1", "s2"),
        failed("series_acquired_with_study", "s1", "s2"),
        failed("series_after_study_began", "s2"),
    ) == [["series_acquired_after_study_began", "series_acquired_with_study", "series_after_study_began"]]


def test_faults_of_other_series_stay_causes_of_their_own() -> None:
    assert len(told(failed("series_acquired_with_study", "s1"), failed("series_after_study_began", "s2"))) == 2


def test_other_families_on_the_same_series_stay_causes_of_their_own() -> None:
    assert len(told(failed("mr_has_signal", "s1"), failed("series_acquired_with_study", "s1"))) == 2


def test_attributes_that_the_same_series_lack_are_one_cause() -> None:
    lacks = [failed(rule_id, "s1", "s2") for rule_id in ("series_body_part_present", "series_ct_kvp_present")]
    assert len(told(*lacks)) == 1
    assert len(told(lacks[0], failed("series_ct_kvp_present", "s1"))) == 2


def test_levels_are_compared_by_their_series() -> None:
    worst = [failed("study_has_images", "t1"), failed("annotation_images_there", "s1", "s2")]
    places = {(Level.STUDY, "t1"): frozenset({"s1", "s2", "s3"})}
    assert len(told(*worst, places=places)) == 1
    assert len(told(*worst, places={(Level.STUDY, "t1"): frozenset({"s1"})})) == 2


def test_what_is_held_back_is_one_cause_with_its_parts() -> None:
    assert told(failed("instance_accepted"), failed("instance_readable"), failed("series_complete", "s1")) == [
        ["instance_accepted", "instance_readable", "series_complete"]
    ]


@given(
    st.lists(
        st.tuples(st.sampled_from(sorted(rules_by_id())), st.sets(st.sampled_from("abc"))), unique_by=lambda x: x[0]
    )
)
def test_no_rule_is_lost_or_told_twice(drawn: list[tuple[str, set[str]]]) -> None:
    worst = [failed(rule_id, *sorted(keys)) for rule_id, keys in drawn]
    flat = [rule_id for group in told(*worst) for rule_id in group]
    assert sorted(flat) == sorted(one.rule.id for one in worst)
    heads = [group[0] for group in told(*worst)]
    assert heads == [one.rule.id for one in worst if one.rule.id in heads]


def test_the_report_names_causes(tmp_path: Path) -> None:
    put(tmp_path / "in", ct_series(), KVP=None, ConvolutionKernel=None, BodyPartExamined=None, StudyDate="20100101")
    CliRunner().invoke(
        build_app("check"), ["check", str(tmp_path / "in"), "--report", str(tmp_path / "out"), "--workers", "1"]
    )
    worst = json.loads((tmp_path / "out" / d.SUMMARY).read_bytes())["worst"]
    grave = [one for one in worst if one["severity"] != "info"]
    assert [one["rule_id"] for one in grave if "series_ct_kvp_present" in one["same_cause"]] == [
        "series_body_part_present"
    ]
    assert sum("study" in one["rule_id"] or "acquired" in one["rule_id"] for one in grave) <= 1
    assert "The same cause" in (tmp_path / "out" / d.REPORT).read_text()
