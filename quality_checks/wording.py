"""What a result says in words: what is wrong, how often, what to do."""

from __future__ import annotations

from quality_checks.model import Level, Rule, Severity

_PLURALS = {
    Level.INSTANCE: "objects",
    Level.SERIES: "series",
    Level.STUDY: "studies",
    Level.PATIENT: "patients",
    Level.SOURCE: "sources",
}


def unit(rule: Rule) -> str:
    """What the rule counts, in the plural."""
    return rule.unit or _PLURALS[rule.level]


def percent(share: float) -> str:
    """A share as a percentage that never rounds a failure away: only 1.0 is "100 %", only 0.0 is "0 %"."""
    value = share * 100
    if 0 < share < 0.01 or 0.99 < share < 1:
        value = min(max(round(value, 1), 0.1), 99.9)
        return f"{value:.1f} %"
    return f"{value:.0f} %"


def message(rule: Rule, severity: Severity | None, *, rows: int, passing: int) -> str:
    """One or two sentences for the result of ``rule``."""
    if rows == 0:
        return f"Not judged: no {unit(rule)} that the rule applies to."
    if severity is None:
        return f"{rule.title}: {rows:,} of {rows:,} {unit(rule)}." if _counts(rule, rows) else f"{rule.title}."
    failing = rows - passing
    if not _counts(rule, rows):
        return f"{_sentence(rule.fault)}. {rule.remedy}"
    return f"{failing:,} of {rows:,} {unit(rule)} ({percent(failing / rows)}): {rule.fault}. {rule.remedy}"


def _counts(rule: Rule, rows: int) -> bool:
    """Whether a count says more than yes or no: a rule on the one source doesn't count."""
    return rule.level is not Level.SOURCE or rule.unit is not None or rows > 1


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]
