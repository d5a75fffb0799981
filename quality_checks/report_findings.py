"""Findings in the order in which somebody works through them: the worst rules with their rows, and by series."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from quality_checks.folder_words import rules_told
from quality_checks.model import Finding, Level, QualityVerdict, Rule, RuleResult, Severity
from quality_checks.report_figures import failing

WORST = 10
"""Rules on top of the report: more are not read."""
SHOWN = 20
"""Rows of a rule that the report names; the page of findings names more."""
LISTED = 2000
"""Rows of a rule on the page of findings: a browser stays usable; the table beside it has them all."""
SERIES_SHOWN = 60
"""Series that the report tells one by one."""


@dataclass(frozen=True, slots=True)
class WorstRule:
    """A rule that fails, with rows of it. ``leaves_out``: series that the release is without because of it."""

    rule: Rule
    result: RuleResult
    findings: tuple[Finding, ...]
    leaves_out: int
    same_cause: tuple[WorstRule, ...] = ()
    """Further rules that fail for the same cause (``quality_checks.causes``)."""

    @property
    def severity(self) -> Severity:
        """As it is shown: what leaves series out is an error for them, whatever it is for the source."""
        return Severity.ERROR if self.leaves_out or self.result.severity is None else self.result.severity


@dataclass(frozen=True, slots=True)
class SeriesFindings:
    """All findings of one series, its study and its patient, the gravest first."""

    uid: str
    modality: str
    findings: tuple[tuple[Rule, Finding], ...]
    left_out: bool


def worst_rules(verdict: QualityVerdict) -> tuple[WorstRule, ...]:
    """All failing rules: errors of the source, what leaves series out, warnings, notes; then by how much fails."""
    rows: dict[str, list[Finding]] = {}
    for finding in verdict.findings:
        rows.setdefault(finding.rule_id, []).append(finding)
    leaves: dict[str, int] = {}
    for rules in verdict.excluded.values():
        for rule_id in rules:
            leaves[rule_id] = leaves.get(rule_id, 0) + 1
    made = [
        WorstRule(one.rule, one.result, tuple(rows.get(one.rule.id, ())), leaves.get(one.rule.id, 0))
        for one in failing(verdict)
    ]

    def rank(one: WorstRule) -> int:
        severity = one.result.severity
        return 0 if severity is Severity.ERROR else 1 if one.leaves_out else 2 if severity is Severity.WARNING else 3

    return tuple(sorted(made, key=rank))


def by_series(verdict: QualityVerdict, series: pd.DataFrame) -> tuple[SeriesFindings, ...]:
    """The series that have errors or warnings, those left out first, then those with the most findings."""
    if series.empty:
        return ()
    found: dict[tuple[Level, str], list[tuple[Rule, Finding]]] = {}
    rules = rules_told(folder=verdict.folder)
    for finding in verdict.findings:
        if finding.severity is not Severity.INFO:
            found.setdefault((finding.level, finding.key), []).append((rules[finding.rule_id], finding))
    made = []
    columns = ["SeriesInstanceUID", "StudyInstanceUID", "PatientID", "Modality"]
    for uid, study, patient, modality in series[columns].itertuples(index=False):
        own: list[tuple[Rule, Finding]] = []
        for key in ((Level.SERIES, uid), (Level.STUDY, study), (Level.PATIENT, patient)):
            own += found.get(key, [])
        if own:
            own.sort(key=lambda pair: (pair[1].severity is not Severity.ERROR, pair[0].id))
            made.append(SeriesFindings(str(uid), known_modality(modality), tuple(own), uid in verdict.excluded))
    made.sort(key=lambda one: (not one.left_out, -len(one.findings), one.uid))
    return tuple(made)


def known_modality(value: object) -> str:
    """The modality where it is a defined term: any other delivered text is not shown."""
    from ingestion.vocabulary.modality import modalities

    return str(value) if value in modalities() else "?"


def left_out_rows(verdict: QualityVerdict) -> tuple[tuple[str, Sequence[Rule]], ...]:
    """Each series that the release leaves out with the rules that say so."""
    known: Mapping[str, Rule] = rules_told(folder=verdict.folder)
    return tuple((uid, tuple(known[rule_id] for rule_id in rules)) for uid, rules in verdict.excluded.items())
