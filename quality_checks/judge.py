"""From the tables and the state of a source to the verdict."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from ingestion.accounting.source_state import SourceState
from ingestion.sources.registry import SourceEntry
from quality_checks.catalogue_of_checks import TABLES, rules_by_id, source_checks, table_checks
from quality_checks.engine import Outcome, evaluate
from quality_checks.frames import patient_frame, series_frame, study_frame
from quality_checks.model import MAX_EXAMPLES, Dimension, Level, QualityVerdict, Rule, RuleResult, Severity
from quality_checks.suites.source import Tables, Tally
from quality_checks.wording import message

_KEYS = {Level.SERIES: "SeriesInstanceUID", Level.STUDY: "StudyInstanceUID", Level.PATIENT: "PatientID"}


def judge(tables: Tables, state: SourceState, *, entry: SourceEntry) -> QualityVerdict:
    """Judge one source by all rules. Equal inputs give equal verdicts, in any order of rows.

    Args:
        tables: patient, study and series of the source; empty tables are fine.
        state: what the tables were built from.
        entry: what the registry says of the source.

    Raises:
        ValueError: ``state`` and ``entry`` are of two sources, or a table lacks columns (``MissingColumnsError``).
        CheckFailedError: a check could not be carried out.
    """
    if state.source_id != entry.id:
        raise ValueError(f"the state is of {state.source_id}, the registry entry of {entry.id}")
    results = [_of_source(check.rule, check.count(tables, state, entry)) for check in source_checks()]
    for level, frame in _frames(tables):
        outcomes = evaluate(frame, table_checks(level), name=level.value, entry=entry)
        results += [_of_table(check.rule, frame, outcomes[check.rule.id]) for check in table_checks(level)]
    return QualityVerdict(
        source_id=entry.id,
        results=tuple(results),
        scores=_scores(results),
        blocks=any(result.severity is Severity.ERROR for result in results),
    )


def _frames(tables: Tables) -> Iterable[tuple[Level, pd.DataFrame]]:
    nothing = pd.DataFrame()
    series = nothing if tables.series.empty else series_frame(tables.series)
    study = nothing if tables.study.empty else study_frame(tables.study)
    patient = nothing if tables.patient.empty else patient_frame(tables.patient, study)
    return zip(TABLES, (series, study, patient), strict=True)


def _of_source(rule: Rule, tally: Tally) -> RuleResult:
    # accounts that do not add up can count more passing objects than delivered ones: a share is never above 1
    return _result(rule, rows=tally.rows, passing=max(0, min(tally.passing, tally.rows)), examples=())


def _of_table(rule: Rule, frame: pd.DataFrame, outcome: Outcome) -> RuleResult:
    failing = outcome.failing
    keys = frame[_KEYS[rule.level]].iloc[list(failing)].dropna() if failing else ()
    return _result(
        rule,
        rows=outcome.rows,
        passing=outcome.rows - len(failing),
        examples=tuple(sorted({str(key) for key in keys})[:MAX_EXAMPLES]),
    )


def _result(rule: Rule, *, rows: int, passing: int, examples: tuple[str, ...]) -> RuleResult:
    severity = rule.severity(rows=rows, passing=passing)
    return RuleResult(
        rule_id=rule.id,
        level=rule.level,
        dimension=rule.dimension,
        severity=severity,
        rows=rows,
        passing=passing,
        share=passing / rows if rows else 1.0,
        examples=examples,
        message=message(rule, severity, rows=rows, passing=passing),
    )


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
