"""What Great Expectations validated, as a page and as suites that it can read: counts and pseudonyms, never values.

Great Expectations' own Data Docs load styles, scripts and pictures from eleven hosts (its templates of release 1.24),
so they can be neither read without a network nor served under a policy that forbids outside requests.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from ingestion.sources.registry import SourceEntry
from quality_checks.catalogue_of_checks import TABLES, table_checks
from quality_checks.documents import EXPECTATIONS_JSON, REPORT
from quality_checks.model import QualityVerdict, RuleResult
from quality_checks.rendering import render
from quality_checks.suites.declare import Expectation, TableCheck, Where


@dataclass(frozen=True, slots=True)
class ExpectationRow:
    """One expectation and how it ended. ``keys``: pseudonyms of some unexpected rows."""

    rule_id: str
    version: str
    expectation: str
    sentence: str
    status: str
    rows: int
    unexpected: int
    keys: tuple[str, ...]

    @property
    def unexpected_share(self) -> float:
        return self.unexpected / self.rows if self.rows else 0.0


@dataclass(frozen=True, slots=True)
class SuiteDocs:
    """The expectations of one table."""

    name: str
    rows: tuple[ExpectationRow, ...]

    @property
    def passed(self) -> int:
        return sum(row.status != "not met" for row in self.rows)

    @property
    def share(self) -> float:
        return self.passed / len(self.rows) if self.rows else 1.0


def suite_docs(verdict: QualityVerdict, entry: SourceEntry) -> tuple[SuiteDocs, ...]:
    """All suites in the order of the tables."""
    results = {result.rule_id: result for result in verdict.results}
    return tuple(
        SuiteDocs(level.value, tuple(_row(check, results[check.rule.id], entry) for check in table_checks(level)))
        for level in TABLES
    )


def render_expectations(verdict: QualityVerdict, entry: SourceEntry) -> str:
    """The page ``expectations.html``."""
    return render(
        "expectations.html.j2",
        source_id=verdict.source_id,
        report=REPORT,
        json_name=EXPECTATIONS_JSON,
        suites=suite_docs(verdict, entry),
    )


def suites_json(verdict: QualityVerdict, entry: SourceEntry) -> bytes:
    """The suites as Great Expectations takes them (``ExpectationSuite(**suite)``), each with its counts beside it."""
    results = {result.rule_id: result for result in verdict.results}
    suites = [
        {
            "name": level.value,
            "expectations": [
                {
                    "type": check.expectation.value,
                    "kwargs": {"column": check.column, **check.arguments_for(entry)},
                    "meta": {
                        "rule": check.rule.id,
                        "version": check.rule.version,
                        "where": _where(check.where) or None,
                        "element_count": results[check.rule.id].rows,
                        "unexpected_count": results[check.rule.id].failing,
                    },
                }
                for check in table_checks(level)
            ],
        }
        for level in TABLES
    ]
    return json.dumps(suites, sort_keys=True, indent=1, ensure_ascii=False).encode()


def _row(check: TableCheck, result: RuleResult, entry: SourceEntry) -> ExpectationRow:
    return ExpectationRow(
        rule_id=check.rule.id,
        version=check.rule.version,
        expectation=check.expectation.value,
        sentence=_sentence(check, entry),
        status="no rows" if not result.applies else "not met" if result.failing else "met",
        rows=result.rows,
        unexpected=result.failing,
        keys=result.examples,
    )


def _sentence(check: TableCheck, entry: SourceEntry) -> str:
    arguments = check.arguments_for(entry)
    said = {
        Expectation.PRESENT: "must not be null",
        Expectation.UNIQUE: "must be unique",
        Expectation.IN_SET: f"must be one of {_listed(arguments.get('value_set', ()))}",
        Expectation.BETWEEN: f"must be {_range(arguments.get('min_value'), arguments.get('max_value'))}",
    }[check.expectation]
    where = _where(check.where)
    return f"{check.column} {said}{f', {where}' if where else ''}"


def _listed(values: object, most: int = 12) -> str:
    listed = [str(value) for value in values] if isinstance(values, (list, tuple, set, frozenset)) else []
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")


def _range(lowest: float | None, highest: float | None) -> str:
    if lowest is None:
        return f"at most {highest:g}" if highest is not None else "anything"
    return f"at least {lowest:g}" if highest is None else f"between {lowest:g} and {highest:g}"


def _where(where: Where) -> str:
    parts = []
    if where.images_only:
        parts.append("of images")
    if where.modalities is not None:
        parts.append(f"of {', '.join(sorted(where.modalities))}")
    if where.present is not None:
        parts.append(f"where {where.present} is stated")
    return ", ".join(parts)
