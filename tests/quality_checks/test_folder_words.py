"""A hospital that checks a folder is told what it can do there; progress is told without a terminal too."""

from __future__ import annotations

import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from ingestion.accounting.states import Reason, ReasonGroup
from quality_checks.catalogue_of_checks import OF_THE_REGISTRY, all_rules
from quality_checks.folder_words import meaning_of, remedy_of, rules_told, who_acts
from quality_checks.model import Rule
from quality_checks.progress import SECONDS_BETWEEN, Lines, shown

PLATFORM = re.compile(
    r"connector|\bsync|registry|data holder|reconcile|quarantin|replica|curator|vocabulary|the tables were built"
    r"|the source\b|\bdeliver(?:ed)? again|extend the policy",
    re.IGNORECASE,
)
RULES = [rule for rule in all_rules() if rule.id not in OF_THE_REGISTRY]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_no_rule_speaks_of_the_platform_to_who_checks_a_folder(rule: Rule) -> None:
    said = rules_told(folder=True)[rule.id]
    for text in (said.title, said.meaning, said.fault, said.remedy):
        assert not PLATFORM.search(text), text
        assert "leave out it" not in text and "Leave out it" not in text
    assert (said.id, said.version, said.warning_below) == (rule.id, rule.version, rule.warning_below)


@pytest.mark.parametrize("reason", list(Reason))
def test_no_reason_speaks_of_the_platform_to_who_checks_a_folder(reason: Reason) -> None:
    for text in (remedy_of(reason, folder=True), meaning_of(reason, folder=True), who_acts(reason.group, folder=True)):
        assert not PLATFORM.search(text), text


def test_the_platform_keeps_its_words() -> None:
    assert "connector" in rules_told(folder=False)["source_not_empty"].remedy
    assert "next sync" in remedy_of(Reason.UNREADABLE_OBJECT, folder=False)
    assert who_acts(ReasonGroup.TRANSIENT, folder=False) == "the next sync"


@given(total=st.integers(1, 5000))
def test_each_tenth_is_told_once_where_nothing_takes_long(total: int) -> None:
    lines: list[str] = []
    tell = Lines(lines.append, "series", clock=lambda: 0.0)
    for done in range(total + 1):
        tell(done, total)
    assert len(lines) == min(total, 10) + 1
    assert lines[-1].endswith(f"{total:,} of {total:,} (100 %)")


def test_a_slow_run_is_heard_of_between_the_tenths() -> None:
    lines: list[str] = []
    now = iter(range(0, 10_000, int(SECONDS_BETWEEN)))
    tell = Lines(lines.append, "series", clock=lambda: float(next(now)))
    for done in range(5):
        tell(done, 1000)
    assert len(lines) == 5


def test_a_folder_without_series_is_no_error() -> None:
    lines: list[str] = []
    Lines(lines.append, "series")(0, 0)
    assert lines == ["series: 0 of 0"]


def test_without_a_terminal_plain_lines_are_written() -> None:
    out = io.StringIO()
    with shown(Console(file=out, force_terminal=False), "series checked", first="listing the folder") as tell:
        tell(1, 2)
        tell(2, 2)
    assert out.getvalue().splitlines() == [
        "listing the folder", "series checked: 1 of 2 (50 %)", "series checked: 2 of 2 (100 %)",
    ]  # fmt: skip
