"""Times and acquisition parameters: each defect found by its own rule, harmless ones by none."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingestion.catalogue.details import seconds
from quality_checks.engine import evaluate
from quality_checks.frames import series_frame
from quality_checks.suites.series_details import CHECKS
from tests.quality_checks.defects import tabular_details as t


def fired(sound: Any, at: int | None = None, values: dict[str, Any] | None = None) -> set[str]:
    tables = sound.tables()
    details = t.sound_details(tables.series)
    if at is not None:
        details = t.spoilt(details, at, values or {})
    outcomes = evaluate(series_frame(tables.series, details), CHECKS, name="series", entry=sound.entry())
    return {rule_id for rule_id, outcome in outcomes.items() if outcome.failing}


@pytest.mark.parametrize(("name", "at", "values", "expected"), t.DEFECTS, ids=[row[0] for row in t.DEFECTS])
def test_each_defect_is_found_by_its_own_rule_alone(
    sound: Any, name: str, at: int, values: dict[str, Any], expected: str
) -> None:
    assert fired(sound, at, values) == {expected}


@pytest.mark.parametrize(("name", "at", "values"), t.HARMLESS, ids=[row[0] for row in t.HARMLESS])
def test_harmless_values_are_not_faults(sound: Any, name: str, at: int, values: dict[str, Any]) -> None:
    assert not fired(sound, at, values)


def test_sound_details_are_silent_and_every_rule_has_a_defect(sound: Any) -> None:
    assert not fired(sound)
    own = {check.rule.id for check in CHECKS} - {"series_ct_thickness_present"}  # that column is the catalogue's
    assert own == {expected for *_, expected in t.DEFECTS}


def test_without_details_these_rules_judge_nothing(sound: Any) -> None:
    outcomes = evaluate(series_frame(sound.tables().series), CHECKS, name="series", entry=sound.entry())
    assert {rule_id for rule_id, outcome in outcomes.items() if outcome.rows} == {"series_ct_thickness_present"}


@given(st.text(max_size=16), st.text(max_size=16))
def test_any_text_is_a_moment_or_none(date: str, time: str) -> None:
    found = seconds(date, time)
    assert found is None or math.isfinite(found)


@given(st.datetimes())
def test_moments_keep_their_order(moment: Any) -> None:
    found = seconds(moment.strftime("%Y%m%d").zfill(8), moment.strftime("%H%M%S.%f"))
    assert found is not None
    assert found == (moment.replace(microsecond=0) - type(moment)(1970, 1, 1)).total_seconds()
