"""A verdict as tables: results by rule, findings by row, the status of each series. Every column says what it holds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

import pandas as pd
import pyarrow as pa

from quality_checks.catalogue_of_checks import rules_by_id
from quality_checks.model import Finding, Level, QualityVerdict, RuleResult, Severity

RESULTS_SCHEMA: Mapping[str, tuple[pa.DataType, str]] = {
    "source_id": (pa.string(), "the source"),
    "rule_id": (pa.string(), "the rule; docs/checks.md says what each asks"),
    "rule_version": (pa.string(), "raised when the rule judges otherwise"),
    "level": (pa.string(), "what is judged: instance, series, study, patient or source"),
    "dimension": (pa.string(), "dimension of quality"),
    "severity": (pa.string(), "passed, not_applicable, info, warning or error"),
    "rows": (pa.int64(), "how many were judged"),
    "passing": (pa.int64(), "how many of them passed"),
    "share": (pa.float64(), "passing of rows; 1 where none was judged"),
}
FINDINGS_SCHEMA: Mapping[str, tuple[pa.DataType, str]] = {
    "source_id": (pa.string(), "the source"),
    "rule_id": (pa.string(), "the rule that failed"),
    "rule_version": (pa.string(), "raised when the rule judges otherwise"),
    "dimension": (pa.string(), "dimension of quality"),
    "level": (pa.string(), "what failed: series, study or patient"),
    "key": (pa.string(), "its SeriesInstanceUID, StudyInstanceUID or PatientID: pseudonyms"),
    "severity": (pa.string(), "of this row: info, warning or error"),
    "detail": (pa.string(), "what was found, in numbers and our own words"),
}
SERIES_SCHEMA: Mapping[str, tuple[pa.DataType, str]] = {
    "SeriesInstanceUID": (pa.string(), "pseudonym of the series"),
    "QualityStatus": (pa.string(), "passed, warning, or error: left out of the release"),
    "QualityFlags": (pa.string(), "rules that the series, its study or its patient fails, comma-joined"),
    "LeftOutBecause": (pa.string(), "rules that leave it out of the release, comma-joined"),
}
COLUMNS = tuple(RESULTS_SCHEMA)


class SeriesStatus(StrEnum):
    """How a series stands. An error leaves it out of the release; the rest of its source goes on."""

    PASSED = "passed"
    WARNING = "warning"
    ERROR = "error"


def arrow_schema(columns: Mapping[str, tuple[pa.DataType, str]]) -> pa.Schema:
    """The columns as an Arrow schema, each with its description as field metadata."""
    return pa.schema([pa.field(name, kind, metadata={"description": said}) for name, (kind, said) in columns.items()])


def results_frame(verdict: QualityVerdict) -> pd.DataFrame:
    """One row per rule (``RESULTS_SCHEMA``)."""
    rows = [
        {
            "source_id": verdict.source_id,
            "rule_id": result.rule_id,
            "rule_version": rules_by_id()[result.rule_id].version,
            "level": result.level.value,
            "dimension": result.dimension.value,
            "severity": outcome(result),
            "rows": result.rows,
            "passing": result.passing,
            "share": result.share,
        }
        for result in verdict.results
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype({"rows": "int64", "passing": "int64", "share": "float64"})


def outcome(result: RuleResult) -> str:
    """``passed``, ``not_applicable``, ``info``, ``warning`` or ``error``."""
    return result.severity.value if result.severity else ("passed" if result.applies else "not_applicable")


def findings_frame(verdict: QualityVerdict) -> pd.DataFrame:
    """One row per failing row of a rule (``FINDINGS_SCHEMA``), in the verdict's order."""
    rows = [
        {
            "source_id": verdict.source_id,
            "rule_id": finding.rule_id,
            "rule_version": rules_by_id()[finding.rule_id].version,
            "dimension": rules_by_id()[finding.rule_id].dimension.value,
            "level": finding.level.value,
            "key": finding.key,
            "severity": finding.severity.value,
            "detail": finding.detail,
        }
        for finding in verdict.findings
    ]
    return pd.DataFrame(rows, columns=list(FINDINGS_SCHEMA), dtype="object")


def series_quality_frame(verdict: QualityVerdict, series: Iterable[tuple[str, str, str]]) -> pd.DataFrame:
    """One row per series (``SERIES_SCHEMA``), by SeriesInstanceUID.

    Args:
        series: SeriesInstanceUID, StudyInstanceUID and PatientID of each.
    """
    flagged: dict[tuple[Level, str], list[Finding]] = {}
    for finding in verdict.findings:
        if finding.severity is not Severity.INFO:
            flagged.setdefault((finding.level, finding.key), []).append(finding)
    rows = []
    for uid, study, patient in series:
        found = [
            finding
            for key in ((Level.SERIES, uid), (Level.STUDY, study), (Level.PATIENT, patient))
            for finding in flagged.get(key, ())
        ]
        left_out = verdict.excluded.get(uid, ())
        status = SeriesStatus.ERROR if left_out else SeriesStatus.WARNING if found else SeriesStatus.PASSED
        rows.append({
            "SeriesInstanceUID": uid,
            "QualityStatus": status.value,
            "QualityFlags": ",".join(sorted({finding.rule_id for finding in found})) or None,
            "LeftOutBecause": ",".join(left_out) or None,
        })  # fmt: skip
    frame = pd.DataFrame(rows, columns=list(SERIES_SCHEMA), dtype="object")
    return frame.sort_values("SeriesInstanceUID", kind="stable", ignore_index=True)
