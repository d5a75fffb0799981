"""Counting what one rule judged and found while a series passes by."""

from __future__ import annotations

from quality_checks.examination import MAX_FAULTS, CheckOutcome, Fault
from quality_checks.model import Rule


class Tally:
    """The growing outcome of one rule on one series: bounded, whatever the number of instances."""

    def __init__(self, rule: Rule) -> None:
        self.rule_id = rule.id
        self.judged = 0
        self.failing = 0
        self._faults: list[Fault] = []

    def judge(self, number: int = 1) -> None:
        """``number`` instances or frames were looked at."""
        self.judged += number

    def fault(self, detail: str, where: str | None = None) -> None:
        """One of those judged fails. ``detail``: numbers and our own words only."""
        self.failing += 1
        if len(self._faults) < MAX_FAULTS:
            self._faults.append(Fault(detail, where))

    def check(self, sound: bool, detail: str, where: str | None = None) -> None:
        """Judge one."""
        self.judge()
        if not sound:
            self.fault(detail, where)

    def outcome(self) -> CheckOutcome:
        return CheckOutcome(self.rule_id, judged=self.judged, faults=tuple(self._faults), failing=self.failing)
