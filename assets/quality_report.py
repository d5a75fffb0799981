"""Asset ``quality_report``: the verdict on what a source has in the store."""

from collections.abc import Iterator, Sequence

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    DataVersion,
    MaterializeResult,
    MetadataValue,
    TableColumn,
    TableRecord,
    TableSchema,
    asset,
)

from assets.boundary import identity_safe
from assets.deidentified_dicom import deidentified_dicom
from assets.metadata import PREVIEW_ROWS, bar_summary, column_schema, portal_link, source_partition
from assets.naming import INGEST, OWNERS
from assets.partitions import SOURCES
from ingestion.settings import Settings
from quality_checks.catalogue_of_checks import all_rules
from quality_checks.model import Level, QualityVerdict, Rule, RuleResult, Severity
from quality_checks.source import Judged, judge_source
from resources.object_store import ObjectStoreResource
from resources.registry import RegistryResource

VERDICT = "may_be_published"
RESULTS_SCHEMA = column_schema({
    "source_id": "string: the source",
    "rule_id": "string: the rule; docs/checks.md says what each asks",
    "rule_version": "int: raised when the rule judges otherwise",
    "level": "string: instance, series, study, patient or source",
    "dimension": "string: completeness, uniqueness, consistency, accuracy, validity or integrity",
    "severity": "string: passed, not_applicable, info, warning or error",
    "rows": "int: what was judged",
    "passing": "int: what passed",
    "share": "float: passing of rows",
})  # fmt: skip
EXAMPLES = 3
"""Failing rows named in the UI; the report names more."""
_ORDER = [Severity.ERROR, Severity.WARNING, Severity.INFO, None]


def group_of(rule: Rule) -> str:
    """The asset check that a rule is shown in: of series one per dimension, of the other levels one each.

    A check per rule would be over 70 rows in the UI, and as many events for each of 36 partitions: they cost a run
    more time than judging. The report has every rule by itself.
    """
    return f"series_{rule.dimension.value}" if rule.level is Level.SERIES else f"{rule.level.value}_rules"


def _specs() -> list[AssetCheckSpec]:
    groups: dict[str, list[Rule]] = {}
    for rule in all_rules():
        groups.setdefault(group_of(rule), []).append(rule)
    checks = [
        AssetCheckSpec(
            name,
            asset="quality_report",
            partitions_def=SOURCES,
            description="\n".join(f"- **{rule.title}** ({rule.id})" for rule in rules),
            metadata={"rules": len(rules), "versions": {rule.id: rule.version for rule in rules}},
        )
        for name, rules in sorted(groups.items())
    ]
    verdict = AssetCheckSpec(
        VERDICT,
        asset="quality_report",
        partitions_def=SOURCES,
        blocking=True,
        description="No rule ends in error. Otherwise the catalogue keeps the source's last good state.",
    )
    return [verdict, *checks]


@asset(
    partitions_def=SOURCES,
    group_name=INGEST,
    kinds={"greatexpectations", "s3"},
    owners=OWNERS,
    code_version="1",
    deps=[deidentified_dicom],
    metadata={"dagster/column_schema": RESULTS_SCHEMA},
    check_specs=_specs(),
)
def quality_report(
    context: AssetExecutionContext, registry: RegistryResource, object_store: ObjectStoreResource
) -> MaterializeResult:
    """Judges series, studies, patients and the source as a whole by rules; an error blocks what follows."""
    source_id = source_partition(context)
    with identity_safe("quality_report"):
        stores = object_store.open()
        judged = judge_source(registry.entry(source_id), research=stores.research, internal=stores.internal)
    rules = {rule.id: rule for rule in all_rules()}
    verdict, judgement = judged.verdict, judged.judgement
    context.log.info(
        f"{source_id}: {judgement.errors} errors, {judgement.warnings} warnings in {len(verdict.results)} rules"
        + (" (judged before; nothing it depends on has changed)" if judged.reused else "")
    )
    if verdict.blocks:
        for line in _why_blocked(verdict, rules):
            context.log.error(line)
    return MaterializeResult(
        data_version=DataVersion(verdict.digest),
        metadata={
            "series": judgement.series,
            "errors": judgement.errors,
            "warnings": judgement.warnings,
            "rules": len(verdict.results),
            **{f"score_{dimension.value}": round(share, 4) for dimension, share in verdict.scores.items()},
            "report": _link(source_id, judged),
            "findings": _findings(verdict.results, rules),
            "summary": _summary(verdict, rules),
        },
        check_results=[_verdict_result(verdict, judged), *_group_results(verdict, rules)],
    )


def _verdict_result(verdict: QualityVerdict, judged: Judged) -> AssetCheckResult:
    errors = [result.rule_id for result in verdict.of(Severity.ERROR)]
    return AssetCheckResult(
        check_name=VERDICT,
        passed=not verdict.blocks,
        severity=AssetCheckSeverity.ERROR,
        description=f"{len(errors)} rules end in error: {', '.join(errors)}" if errors else "no rule ends in error",
        metadata={"report": _link(verdict.source_id, judged), "errors": len(errors)},
    )


def _group_results(verdict: QualityVerdict, rules: dict[str, Rule]) -> Iterator[AssetCheckResult]:
    groups: dict[str, list[RuleResult]] = {}
    for result in verdict.results:
        groups.setdefault(group_of(rules[result.rule_id]), []).append(result)
    for name, results in sorted(groups.items()):
        worst = min((result.severity for result in results), key=_ORDER.index)
        failing = [result for result in results if result.severity in (Severity.ERROR, Severity.WARNING)]
        yield AssetCheckResult(
            check_name=name,
            # What is only worth knowing doesn't fail a check: yellow everywhere would hide the yellow that matters.
            passed=not failing,
            severity=AssetCheckSeverity.ERROR if worst is Severity.ERROR else AssetCheckSeverity.WARN,
            description="; ".join(f"{rules[result.rule_id].title}: {result.message}" for result in failing)
            or f"{len(results)} rules pass",
            metadata={
                "rules": len(results),
                "failing_rules": len(failing),
                "findings": _findings(results, rules),
            },
        )


def _findings(results: Sequence[RuleResult], rules: dict[str, Rule]) -> MetadataValue:
    failing = sorted(
        (result for result in results if result.failing), key=lambda r: (_ORDER.index(r.severity), -r.failing)
    )
    columns = [
        TableColumn("rule", "string"), TableColumn("severity", "string"), TableColumn("failing", "int"),
        TableColumn("rows", "int"), TableColumn("examples", "string"), TableColumn("remedy", "string"),
    ]  # fmt: skip
    records = [
        TableRecord(
            {
                "rule": result.rule_id,
                "severity": str(result.severity or "passed"),
                "failing": result.failing,
                "rows": result.rows,
                "examples": ", ".join(result.examples[:EXAMPLES]),
                "remedy": rules[result.rule_id].remedy,
            }
        )
        for result in failing[:PREVIEW_ROWS]
    ]
    return MetadataValue.table(records, schema=TableSchema(columns=columns))


def _summary(verdict: QualityVerdict, rules: dict[str, Rule]) -> MetadataValue:
    head = "**blocked**: the catalogue keeps its last good state" if verdict.blocks else "**may be published**"
    worst = [f"**{rules[result.rule_id].title}**: {result.message}" for result in verdict.of(Severity.ERROR)]
    counts = {
        "passed": sum(1 for result in verdict.results if result.applies and result.severity in (None, Severity.INFO)),
        "warnings": len(verdict.of(Severity.WARNING)),
        "errors": len(verdict.of(Severity.ERROR)),
        "not judged": sum(1 for result in verdict.results if not result.applies),
    }
    shares = [f"{dimension.value}: {share:.1%}" for dimension, share in verdict.scores.items()]
    return bar_summary(f"{verdict.source_id}, rules", counts, [head, *worst, *shares])


def _why_blocked(verdict: QualityVerdict, rules: dict[str, Rule]) -> Iterator[str]:
    """For the run page, whose own error names the check and nothing more."""
    source_id = verdict.source_id
    for result in verdict.of(Severity.ERROR):
        yield f"quality blocks {source_id}: {rules[result.rule_id].title}: {result.message}"
    portal = Settings().portal_url
    where = f"{portal}/reports/{source_id}" if portal else f"the quality reports of {source_id} in the store"
    yield f"{source_id}: the catalogue goes on showing its last good state. The report: {where}"


def _link(source_id: str, judged: Judged) -> MetadataValue:
    return portal_link(f"/reports/{source_id}/{judged.judgement.basis}", otherwise=judged.judgement.report_key)
