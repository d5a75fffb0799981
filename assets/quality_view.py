"""How a verdict is shown in the Dagster UI: one check per dimension, numbers that it plots, the ten worst findings."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    MetadataValue,
    TableColumn,
    TableRecord,
    TableSchema,
)

from assets.metadata import bar_summary, portal_link
from assets.partitions import SOURCES
from ingestion.settings import Settings
from quality_checks.catalogue_of_checks import all_rules
from quality_checks.causes import one_per_cause
from quality_checks.model import Dimension, QualityVerdict, Severity
from quality_checks.report_findings import WORST, WorstRule, worst_rules
from quality_checks.source import Judged

ASSET = "quality_report"
VERDICT = "may_be_published"
EXAMPLES = 3
"""Failing rows named in the UI; the report names more."""


def check_specs() -> list[AssetCheckSpec]:
    """One blocking check for the verdict, and one for each dimension.

    A check per rule would be over a hundred rows in the UI, and as many events for each of 36 partitions: they cost a
    run more time than judging. The report has every rule by itself.
    """
    verdict = AssetCheckSpec(
        VERDICT,
        asset=ASSET,
        partitions_def=SOURCES,
        blocking=True,
        description="No rule ends in error. Otherwise the catalogue keeps the source's last good state.",
    )
    dimensions = []
    for dimension in Dimension:
        rules = [rule for rule in all_rules() if rule.dimension is dimension]
        dimensions.append(
            AssetCheckSpec(
                dimension.value,
                asset=ASSET,
                partitions_def=SOURCES,
                description="\n".join(f"- **{rule.title}** ({rule.level.value}; {rule.id})" for rule in rules),
                metadata={"rules": len(rules), "versions": {rule.id: rule.version for rule in rules}},
            )
        )
    return [verdict, *dimensions]


def check_results(judged: Judged) -> Iterator[AssetCheckResult]:
    """The results of ``check_specs``."""
    verdict = judged.verdict
    errors = [result.rule_id for result in verdict.of(Severity.ERROR)]
    left_out = f"; {len(verdict.excluded)} series are left out of releases" if verdict.excluded else ""
    yield AssetCheckResult(
        check_name=VERDICT,
        passed=not verdict.blocks,
        severity=AssetCheckSeverity.ERROR,
        description=(f"{len(errors)} rules end in error: {', '.join(errors)}" if errors else "no rule ends in error")
        + left_out,
        metadata={"report": report_link(judged), "errors": len(errors), "series_left_out": len(verdict.excluded)},
    )
    failing = worst_rules(verdict)
    for dimension in Dimension:
        yield _of_dimension(judged, dimension, [one for one in failing if one.rule.dimension is dimension])


def _of_dimension(judged: Judged, dimension: Dimension, failing: Sequence[WorstRule]) -> AssetCheckResult:
    verdict = judged.verdict
    results = [result for result in verdict.results if result.dimension is dimension]
    # What is only worth knowing doesn't fail a check: yellow everywhere would hide the yellow that matters.
    grave = [one for one in failing if one.severity is not Severity.INFO]
    errors = sum(one.severity is Severity.ERROR for one in grave)
    counts = {
        "passed": sum(1 for result in results if result.applies and result.severity in (None, Severity.INFO)),
        "warnings": sum(result.severity is Severity.WARNING for result in results),
        "errors": sum(result.severity is Severity.ERROR for result in results),
        "not judged": sum(not result.applies for result in results),
    }
    score = verdict.scores.get(dimension)
    return AssetCheckResult(
        check_name=dimension.value,
        passed=not grave,
        severity=AssetCheckSeverity.ERROR if errors else AssetCheckSeverity.WARN,
        description="; ".join(_in_short(one) for one in grave) or f"{counts['passed']} rules pass",
        metadata={
            **({"score": round(score, 4)} if score is not None else {}),
            "rules_judged": len(results) - counts["not judged"],
            "failing_rules": len(grave),
            "failing_rows": sum(one.result.failing for one in grave),
            "series_left_out": sum(
                any(_dimension_of(rule_id) is dimension for rule_id in rules) for rules in verdict.excluded.values()
            ),
            "findings": findings_table(one_per_cause(failing)),
            "rules": bar_summary(f"{verdict.source_id}, rules on {dimension.value}", counts),
            "report": report_link(judged),
        },
    )


def _dimension_of(rule_id: str) -> Dimension:
    return next(rule.dimension for rule in all_rules() if rule.id == rule_id)


def _in_short(one: WorstRule) -> str:
    out = f" {one.leaves_out} series are left out of releases." if one.leaves_out else ""
    return f"{one.rule.title}: {one.result.message}{out}"


def findings_table(failing: Sequence[WorstRule]) -> MetadataValue:
    """The ten worst, as a table."""
    columns = [
        TableColumn("rule", "string"), TableColumn("severity", "string"), TableColumn("failing", "int"),
        TableColumn("rows", "int"), TableColumn("examples", "string"), TableColumn("remedy", "string"),
        TableColumn("same_cause", "string"),
    ]  # fmt: skip
    records = [
        TableRecord(
            {
                "rule": one.rule.id,
                "severity": one.severity.value,
                "failing": one.result.failing,
                "rows": one.result.rows,
                "examples": ", ".join(one.result.examples[:EXAMPLES]),
                "remedy": one.rule.remedy,
                "same_cause": ", ".join(other.rule.id for other in one.same_cause),
            }
        )
        for one in failing[:WORST]
    ]
    return MetadataValue.table(records, schema=TableSchema(columns=columns))


def summary(verdict: QualityVerdict) -> MetadataValue:
    """The verdict in a line, what stands in the way, the scores."""
    head = "**blocked**: the catalogue keeps its last good state" if verdict.blocks else "**may be published**"
    if verdict.excluded:
        head += f"; {len(verdict.excluded)} series with an error are left out of releases"
    worst = [_in_short(one) for one in worst_rules(verdict) if one.severity is Severity.ERROR]
    counts = {
        "passed": sum(1 for result in verdict.results if result.applies and result.severity in (None, Severity.INFO)),
        "warnings": len(verdict.of(Severity.WARNING)),
        "errors": len(verdict.of(Severity.ERROR)),
        "not judged": sum(1 for result in verdict.results if not result.applies),
    }
    shares = [f"{dimension.value}: {share:.1%}" for dimension, share in verdict.scores.items()]
    return bar_summary(f"{verdict.source_id}, rules", counts, [head, *worst, *shares])


def picture(sheet: bytes | None) -> dict[str, MetadataValue]:
    """A few thumbnails inline; nothing for a source without pictures."""
    if sheet is None:
        return {}
    data = base64.b64encode(sheet).decode()
    text = "Middle frames; red: left out of releases, amber: with findings."
    return {"pictures": MetadataValue.md(f"{text}\n\n![pictures](data:image/jpeg;base64,{data})")}


def changes(judged: Judged) -> str:
    """Against the judgement before, in a line."""
    found = judged.changes
    if judged.reused or found is None:
        return "judged before; nothing it depends on has changed"
    if found.first:
        return "the first judgement of this source"
    return f"{found.new_findings} new findings, {found.gone_findings} gone; {len(found.left_out)} more series left out"


def why_blocked(verdict: QualityVerdict) -> Iterator[str]:
    """For the run page, whose own error names the check and nothing more."""
    source_id = verdict.source_id
    titles = {rule.id: rule.title for rule in all_rules()}
    for result in verdict.of(Severity.ERROR):
        yield f"quality blocks {source_id}: {titles[result.rule_id]}: {result.message}"
    operators = Settings().operator_url
    where = f"{operators}/reports/{source_id}" if operators else f"the quality reports of {source_id} in the store"
    yield f"{source_id}: the catalogue goes on showing its last good state. The report: {where}"


def report_link(judged: Judged) -> MetadataValue:
    """The page of this very judgement."""
    judgement = judged.judgement
    return portal_link(f"/reports/{judgement.source_id}/{judgement.run}/", otherwise=judgement.report_key)
