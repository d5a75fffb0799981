"""All files of one judgement: pages for people; JSON and Parquet with a schema for programs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

import pandas as pd

from ingestion.accounting.source_state import SourceState
from ingestion.catalogue.exports.dcat import to_turtle
from ingestion.catalogue.frames import parquet_bytes
from ingestion.sources.registry import SourceEntry
from quality_checks import documents as d
from quality_checks.catalogue_of_checks import rules_by_id
from quality_checks.causes import one_per_cause, places_of
from quality_checks.certificate import Certificate
from quality_checks.changes import Changes
from quality_checks.documents import Document
from quality_checks.examination import Examination
from quality_checks.expectation_docs import render_expectations, suites_json
from quality_checks.model import QualityVerdict, Severity
from quality_checks.rendering import render
from quality_checks.report import render_report
from quality_checks.report_findings import LISTED, WORST, worst_rules
from quality_checks.results import (
    FINDINGS_SCHEMA,
    RESULTS_SCHEMA,
    SERIES_SCHEMA,
    arrow_schema,
    findings_frame,
    outcome,
    results_frame,
    series_quality_frame,
)
from quality_checks.suites.source import Tables
from quality_checks.tier import TierResult

SUMMARY_VERSION = "1"
"""Of the form of ``report.json``; its schema names it."""
_BESIDE = (
    (d.FINDINGS, "All findings"),
    (d.EXPECTATIONS, "Expectations (Great Expectations)"),
    (d.SUMMARY, "This report as JSON"),
    (d.RESULTS_TABLE, "Results (Parquet)"),
    (d.FINDINGS_TABLE, "Findings (Parquet)"),
    (d.SERIES_TABLE, "Status of each series (Parquet)"),
)


@dataclass(frozen=True, slots=True)
class Conformance:
    """Of a folder: what its de-identification says of dciodvfy and of dcentvfy, and whether they judged everything."""

    iod_check: str
    study_check: str
    complete: bool


@dataclass(frozen=True, slots=True)
class ReportInput:
    """All that the files are made of."""

    verdict: QualityVerdict
    tables: Tables
    state: SourceState
    entry: SourceEntry
    generated_from: str
    examinations: Sequence[Examination] = ()
    changes: Changes = Changes(first=True)  # noqa: RUF009 - frozen
    tier: TierResult | None = None
    certificate: Certificate | None = None
    registered: bool = True
    conformance: Conformance | None = None


def report_documents(given: ReportInput) -> tuple[Document, ...]:
    """The files. Same input, same bytes."""
    verdict, entry = given.verdict, given.entry
    beside = _BESIDE if given.certificate is None else (*_BESIDE, (d.CERTIFICATE, "Certificate"))
    page = render_report(
        verdict,
        given.tables,
        given.state,
        entry=entry,
        generated_from=given.generated_from,
        examinations=given.examinations,
        changes=given.changes,
        tier=given.tier,
        registered=given.registered,
        beside=beside,
        unchecked=_unchecked(given.conformance),
    )
    made = [
        Document(d.REPORT, page.encode()),
        Document(d.FINDINGS, render_findings(verdict).encode()),
        Document(d.EXPECTATIONS, render_expectations(verdict, entry).encode()),
        Document(d.EXPECTATIONS_JSON, suites_json(verdict, entry)),
        Document(d.SUMMARY, summary_json(given)),
        Document(d.SUMMARY_SCHEMA, summary_schema()),
        Document(d.RESULTS_TABLE, _parquet(results_frame(verdict), RESULTS_SCHEMA)),
        Document(d.FINDINGS_TABLE, _parquet(findings_frame(verdict), FINDINGS_SCHEMA)),
        Document(d.SERIES_TABLE, _parquet(series_quality_frame(verdict, series_keys(given.tables)), SERIES_SCHEMA)),
    ]
    if given.certificate is not None:
        made.append(Document(d.CERTIFICATE, given.certificate.to_json()))
        made.append(Document(d.CERTIFICATE_TURTLE, to_turtle(given.certificate.to_dqv())))
    return tuple(made)


def _unchecked(conformance: Conformance | None) -> tuple[tuple[str, str], ...]:
    """What was not held against the standard, with the reason: the page must not look as if it had been."""
    if conformance is None or conformance.complete:
        return ()
    return (
        ("Objects held against their definition (IOD)", conformance.iod_check),
        ("Files of a study held against each other", conformance.study_check),
    )


def series_keys(tables: Tables) -> list[tuple[str, str, str]]:
    """SeriesInstanceUID, StudyInstanceUID and PatientID of each series."""
    if tables.series.empty:
        return []
    columns = ["SeriesInstanceUID", "StudyInstanceUID", "PatientID"]
    return [(str(uid), str(study), str(who)) for uid, study, who in tables.series[columns].itertuples(index=False)]


def render_findings(verdict: QualityVerdict) -> str:
    """The page ``findings.html``: every failing row of every rule, by pseudonym."""
    return render(
        "findings.html.j2",
        source_id=verdict.source_id,
        report=d.REPORT,
        table=d.FINDINGS_TABLE,
        rules=[one for one in worst_rules(verdict) if one.findings],
        total=len(verdict.findings),
        listed=LISTED,
    )


def summary_json(given: ReportInput) -> bytes:
    """``report.json``, in the form that ``report.schema.json`` describes."""
    verdict, counts = given.verdict, given.state.counts
    rules = rules_by_id()
    said: dict[str, Any] = {
        "version": SUMMARY_VERSION,
        "source_id": verdict.source_id,
        "made_from": given.generated_from,
        "conformance": None if given.conformance is None else asdict(given.conformance),
        "results_digest": verdict.digest,
        "blocks": verdict.blocks,
        "rules": {
            "errors": len(verdict.of(Severity.ERROR)),
            "warnings": len(verdict.of(Severity.WARNING)),
            "notes": len(verdict.of(Severity.INFO)),
            "passed": len(verdict.of(None)),
            "not_judged": sum(not result.applies for result in verdict.results),
        },
        "scores": {dimension.value: share for dimension, share in sorted(verdict.scores.items())},
        "tier": None if given.tier is None else int(given.tier.tier),
        "objects": asdict(counts) | {"reasons": given.state.reasons},
        "series": {
            "judged": len(given.tables.series),
            "examined": len(given.examinations),
            "left_out": {uid: list(because) for uid, because in verdict.excluded.items()},
        },
        "worst": [
            {
                "rule_id": one.rule.id,
                "severity": one.severity.value,
                "failing": one.result.failing,
                "rows": one.result.rows,
                "leaves_out": one.leaves_out,
                "fault": one.rule.fault,
                "remedy": one.rule.remedy,
                "same_cause": [other.rule.id for other in one.same_cause],
            }
            for one in one_per_cause(worst_rules(verdict), places_of(given.tables.series))[:WORST]
        ],
        "results": [
            {
                "rule_id": result.rule_id,
                "rule_version": rules[result.rule_id].version,
                "level": result.level.value,
                "dimension": result.dimension.value,
                "outcome": outcome(result),
                "rows": result.rows,
                "passing": result.passing,
                "share": result.share,
            }
            for result in verdict.results
        ],
        "changes": _changes(given.changes),
        "findings": {"count": len(verdict.findings), "table": d.FINDINGS_TABLE},
    }
    return (json.dumps(said, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode()


def summary_schema() -> bytes:
    """The JSON schema of ``report.json``."""
    return files("quality_checks").joinpath("schemas", d.SUMMARY_SCHEMA).read_bytes()


def _changes(changes: Changes) -> dict[str, Any] | None:
    if changes.first:
        return None
    return {
        "compared_by": "rule" if changes.by_rule else "finding",
        "new_findings": changes.new_findings,
        "gone_findings": changes.gone_findings,
        "series_before": changes.series[0],
        "left_out": list(changes.left_out),
        "let_in": list(changes.let_in),
        "rules": [
            {
                "rule_id": one.rule_id,
                "before": one.before.value if one.before else None,
                "after": one.after.value if one.after else None,
                "failing_before": one.failing_before,
                "failing_after": one.failing_after,
            }
            for one in changes.rules
        ],
    }


def _parquet(frame: pd.DataFrame, columns: Any) -> bytes:
    return parquet_bytes(frame, schema=arrow_schema(columns))
