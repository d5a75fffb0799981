"""From the tables and the state of a source to the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from ingestion.accounting.source_state import SourceState
from ingestion.sources.registry import SourceEntry
from quality_checks.catalogue_of_checks import (
    TABLES,
    crossing_rules,
    imaging_rules,
    rules_by_id,
    source_checks,
    table_checks,
)
from quality_checks.crossing.cross import Crossed
from quality_checks.crossing.rules import LinkOutcome
from quality_checks.engine import Outcome, evaluate
from quality_checks.examination import CheckOutcome, Examination
from quality_checks.folder_words import rules_told
from quality_checks.frames import patient_frame, series_frame, study_frame
from quality_checks.model import MAX_EXAMPLES, Dimension, Finding, Level, QualityVerdict, Rule, RuleResult, Severity
from quality_checks.suites.declare import TableCheck, rows_of
from quality_checks.suites.source import Tables, Tally
from quality_checks.withheld import COLUMN, WITHHELD, exempt, of_studies, told
from quality_checks.wording import message

_KEYS = {Level.SERIES: "SeriesInstanceUID", Level.STUDY: "StudyInstanceUID", Level.PATIENT: "PatientID"}


def judge(
    tables: Tables,
    state: SourceState,
    *,
    entry: SourceEntry,
    examinations: Iterable[Examination] = (),
    crossed: Crossed | None = None,
    unjudged: frozenset[str] = frozenset(),
    folder: bool = False,
) -> QualityVerdict:
    """Judge one source by all rules. Equal inputs give equal verdicts, in any order of rows.

    Args:
        tables: patient, study and series of the source; empty tables are fine.
        state: what the tables were built from.
        entry: what the registry says of the source.
        examinations: of its series (``quality_checks.examination``); a series without one is not judged by pixels.
        unjudged: ids of rules that have nothing to go by here; they judge no row.
        folder: told to who checks a folder of their own.
        crossed: what comparing people, studies and images found; without it those rules judge nothing.

    Raises:
        ValueError: ``state`` and ``entry`` are of two sources, or a table lacks columns (``MissingColumnsError``).
        CheckFailedError: a check could not be carried out.
    """
    if state.source_id != entry.id:
        raise ValueError(f"the state is of {state.source_id}, the registry entry of {entry.id}")
    examined = sorted(examinations, key=lambda one: one.SeriesInstanceUID)
    judged = [
        _of_source(check.rule, _NOTHING if check.rule.id in unjudged else check.count(tables, state, entry))
        for check in source_checks()
    ]
    judged += [_of_examinations(rule, examined) for rule in imaging_rules()]
    linked = {one.rule_id: one for one in crossed.outcomes} if crossed else {}
    judged += [_of_links(rule, linked.get(rule.id, LinkOutcome(rule.id, rows=0))) for rule in crossing_rules()]
    for level, frame in _frames(tables):
        checks = [check for check in table_checks(level) if check.rule.id not in unjudged]
        outcomes = evaluate(frame, checks, name=level.value, entry=entry)
        judged += [
            _of_table(check, frame, outcomes.get(check.rule.id, Outcome(rows=0, failing=())))
            for check in table_checks(level)
        ]
        if level is Level.SERIES:
            taken_out = _of_withheld(frame)
    judged.append(taken_out)
    results = [_in_house(one.result) if folder else one.result for one in judged]
    findings = tuple(finding for one in judged for finding in one.findings)
    return QualityVerdict(
        source_id=entry.id,
        results=tuple(results),
        scores=_scores(results),
        blocks=any(result.severity is Severity.ERROR for result in results),
        findings=findings,
        excluded=_excluded(findings, tables),
        folder=folder,
    )


_NOTHING = Tally(rows=0, passing=0)


@dataclass(frozen=True, slots=True)
class _Judged:
    """A rule's result with its failing rows."""

    result: RuleResult
    findings: tuple[Finding, ...] = ()


def _frames(tables: Tables) -> Iterable[tuple[Level, pd.DataFrame]]:
    nothing = pd.DataFrame()
    series = nothing if tables.series.empty else series_frame(tables.series, getattr(tables, "details", None))
    study = nothing if tables.study.empty else study_frame(tables.study)
    held = nothing if tables.study.empty else study_frame(tables.study, by_patient=True)
    patient = nothing if tables.patient.empty else patient_frame(tables.patient, held)
    study = study if study.empty else of_studies(study, series)
    return zip(TABLES, (series, study, patient), strict=True)


def _in_house(result: RuleResult) -> RuleResult:
    """The result in the words for who checks a folder of their own."""
    rule = rules_told(folder=True)[result.rule_id]
    return replace(result, message=message(rule, result.severity, rows=result.rows, passing=result.passing))


def _of_source(rule: Rule, tally: Tally) -> _Judged:
    # accounts that do not add up can count more passing objects than delivered ones: a share is never above 1
    return _judged(rule, rows=tally.rows, passing=max(0, min(tally.passing, tally.rows)), failing=())


def _of_table(check: TableCheck, frame: pd.DataFrame, outcome: Outcome) -> _Judged:
    """Rows whose value the policy took out are not judged."""
    at = sorted(set(outcome.failing) - exempt(check, frame)) if outcome.failing else []
    rows = outcome.rows - len(outcome.failing) + len(at)
    keys = frame[_KEYS[check.rule.level]].iloc[at].dropna() if at else ()
    failing = [(key, None) for key in sorted({str(key) for key in keys})]
    return _judged(check.rule, rows=rows, passing=rows - len(at), failing=failing)


def _of_withheld(frame: pd.DataFrame) -> _Judged:
    """How many series lack a value that a rule asks of them because the policy took it out."""
    if COLUMN not in frame.columns:
        return _judged(WITHHELD, rows=0, passing=0, failing=())
    asked = [(check, rows_of(check.where, frame)) for check in table_checks(Level.SERIES)]
    taken = told(frame, asked)
    return _judged(WITHHELD, rows=len(frame), passing=len(frame) - len(taken), failing=list(taken.items()))


def _of_links(rule: Rule, outcome: LinkOutcome) -> _Judged:
    passing = outcome.rows - len(outcome.failing)
    return _judged(rule, rows=outcome.rows, passing=passing, failing=outcome.failing)


def _of_examinations(rule: Rule, examined: Sequence[Examination]) -> _Judged:
    """Of the series that the rule applies to, those without a fault pass."""
    failing: list[tuple[str, str | None]] = []
    rows = 0
    for examination in examined:
        outcome = next((one for one in examination.outcomes if one.rule_id == rule.id), None)
        if outcome is None or not outcome.applies:
            continue
        rows += 1
        if not outcome.passed:
            failing.append((examination.SeriesInstanceUID, _in_words(outcome)))
    return _judged(rule, rows=rows, passing=rows - len(failing), failing=failing)


def _in_words(outcome: CheckOutcome) -> str:
    first = outcome.faults[0].detail if outcome.faults else "found faulty"
    return first if outcome.failing <= 1 else f"{first} (and {outcome.failing - 1} more of {outcome.judged})"


def _judged(rule: Rule, *, rows: int, passing: int, failing: Sequence[tuple[str, str | None]]) -> _Judged:
    severity = rule.severity(rows=rows, passing=passing)
    result = RuleResult(
        rule_id=rule.id,
        level=rule.level,
        dimension=rule.dimension,
        severity=severity,
        rows=rows,
        passing=passing,
        share=passing / rows if rows else 1.0,
        examples=tuple(key for key, _ in failing[:MAX_EXAMPLES]),
        message=message(rule, severity, rows=rows, passing=passing),
    )
    of_row = Severity.ERROR if rule.excludes else severity or Severity.INFO
    # rules on instances are counted, and acted on, by series
    level = Level.SERIES if rule.level is Level.INSTANCE else rule.level
    findings = tuple(Finding(rule.id, level, key, of_row, detail) for key, detail in failing)
    return _Judged(result, findings)


def _excluded(findings: Iterable[Finding], tables: Tables) -> dict[str, tuple[str, ...]]:
    """The series that rules leave out of the release, with the ids of those rules."""
    reasons: dict[tuple[Level, str], set[str]] = {}
    for finding in findings:
        if rules_by_id()[finding.rule_id].excludes:
            reasons.setdefault((finding.level, finding.key), set()).add(finding.rule_id)
    if not reasons:
        return {}
    excluded = {}
    columns = [_KEYS[level] for level in (Level.SERIES, Level.STUDY, Level.PATIENT)]
    for series, study, patient in tables.series[columns].itertuples(index=False):
        rules = (
            reasons.get((Level.SERIES, series), set())
            | reasons.get((Level.STUDY, study), set())
            | reasons.get((Level.PATIENT, patient), set())
        )
        if rules:
            excluded[str(series)] = tuple(sorted(rules))
    return dict(sorted(excluded.items()))


def _scores(results: Sequence[RuleResult]) -> dict[Dimension, float]:
    scores = {}
    for dimension in Dimension:
        shares = [
            result.share
            for result in results
            if result.dimension is dimension and result.applies and not rules_by_id()[result.rule_id].informative
        ]
        if shares:
            scores[dimension] = sum(shares) / len(shares)
    return scores
