"""Asset ``quality_report``: the verdict on what a source has in the store."""

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
from assets.metadata import PREVIEW_ROWS, source_partition
from assets.naming import INGEST, OWNERS
from assets.partitions import SOURCES
from ingestion.settings import Settings
from quality_checks.catalogue_of_checks import all_rules
from quality_checks.model import QualityVerdict, Rule, RuleResult, Severity
from quality_checks.source import Judged, judge_source
from resources.object_store import ObjectStoreResource
from resources.registry import RegistryResource

VERDICT = "may_be_published"
_SEVERITY = {Severity.ERROR: AssetCheckSeverity.ERROR}
_ORDER = [Severity.ERROR, Severity.WARNING, Severity.INFO, None]


def _specs() -> list[AssetCheckSpec]:
    rules = [
        AssetCheckSpec(
            rule.id,
            asset="quality_report",
            partitions_def=SOURCES,
            description=f"{rule.title} ({rule.level}, {rule.dimension}). {rule.meaning}",
            metadata={"remedy": rule.remedy, "version": rule.version, "threshold": rule.threshold_reason},
        )
        for rule in all_rules()
    ]
    verdict = AssetCheckSpec(
        VERDICT,
        asset="quality_report",
        partitions_def=SOURCES,
        blocking=True,
        description="No rule ends in error. Otherwise the catalogue keeps the source's last good state.",
    )
    return [verdict, *rules]


@asset(
    partitions_def=SOURCES,
    group_name=INGEST,
    kinds={"greatexpectations", "s3"},
    owners=OWNERS,
    code_version="1",
    deps=[deidentified_dicom],
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
    return MaterializeResult(
        data_version=DataVersion(verdict.digest),
        metadata={
            "series": judgement.series,
            "errors": judgement.errors,
            "warnings": judgement.warnings,
            "rules": len(verdict.results),
            **{f"score_{dimension.value}": round(share, 4) for dimension, share in verdict.scores.items()},
            "report": _link(source_id, judged),
            "findings": _findings(verdict, rules),
            "summary": MetadataValue.md(_summary(verdict, rules)),
        },
        check_results=[_verdict_result(verdict, judged), *(_rule_result(result, rules) for result in verdict.results)],
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


def _rule_result(result: RuleResult, rules: dict[str, Rule]) -> AssetCheckResult:
    # What is only worth knowing doesn't fail a check: yellow everywhere would hide the yellow that matters.
    passed = result.severity in (None, Severity.INFO)
    return AssetCheckResult(
        check_name=result.rule_id,
        passed=passed,
        severity=_SEVERITY.get(result.severity, AssetCheckSeverity.WARN)
        if result.severity
        else AssetCheckSeverity.WARN,
        description=result.message,
        metadata={
            "rows": result.rows,
            "passing": result.passing,
            "failing": result.failing,
            "share": round(result.share, 4),
            "examples": list(result.examples),
            "remedy": rules[result.rule_id].remedy,
        },
    )


def _findings(verdict: QualityVerdict, rules: dict[str, Rule]) -> MetadataValue:
    failing = sorted(
        (result for result in verdict.results if result.failing), key=lambda r: (_ORDER.index(r.severity), -r.failing)
    )
    columns = [
        TableColumn("rule", "string"), TableColumn("severity", "string"), TableColumn("failing", "int"),
        TableColumn("rows", "int"), TableColumn("remedy", "string"),
    ]  # fmt: skip
    records = [
        TableRecord(
            {
                "rule": result.rule_id,
                "severity": str(result.severity or "passed"),
                "failing": result.failing,
                "rows": result.rows,
                "remedy": rules[result.rule_id].remedy,
            }
        )
        for result in failing[:PREVIEW_ROWS]
    ]
    return MetadataValue.table(records, schema=TableSchema(columns=columns))


def _summary(verdict: QualityVerdict, rules: dict[str, Rule]) -> str:
    head = "**blocked**: the catalogue keeps its last good state" if verdict.blocks else "**may be published**"
    lines = [f"- {dimension.value}: {share:.1%}" for dimension, share in verdict.scores.items()]
    worst = [f"- **{rules[result.rule_id].title}**: {result.message}" for result in verdict.of(Severity.ERROR)]
    return "\n".join([head, "", *worst, *(["", *lines] if worst else lines)])


def _link(source_id: str, judged: Judged) -> MetadataValue:
    portal = Settings().portal_url
    if portal is None:
        return MetadataValue.text(judged.judgement.report_key)
    return MetadataValue.url(f"{portal}/reports/{source_id}/{judged.judgement.basis}")
