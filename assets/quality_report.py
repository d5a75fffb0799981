"""Asset ``quality_report``: the verdict on what a source has in the store."""

from dagster import AssetExecutionContext, DataVersion, MaterializeResult, asset

from assets import quality_view as view
from assets.boundary import identity_safe
from assets.deidentified_dicom import deidentified_dicom
from assets.metadata import column_schema, portal_link, source_partition
from assets.naming import INGEST, OWNERS
from assets.partitions import SOURCES
from quality_checks.causes import one_per_cause
from quality_checks.report_findings import worst_rules
from quality_checks.results import RESULTS_SCHEMA
from quality_checks.source import judge_source
from resources.compute import ComputeResource
from resources.object_store import ObjectStoreResource
from resources.registry import RegistryResource


@asset(
    partitions_def=SOURCES,
    group_name=INGEST,
    kinds={"greatexpectations", "s3"},
    owners=OWNERS,
    code_version="2",
    deps=[deidentified_dicom],
    metadata={
        "dagster/column_schema": column_schema(
            {name: f"{kind}: {said}" for name, (kind, said) in RESULTS_SCHEMA.items()}
        )
    },
    check_specs=view.check_specs(),
)
def quality_report(
    context: AssetExecutionContext,
    registry: RegistryResource,
    object_store: ObjectStoreResource,
    compute: ComputeResource,
) -> MaterializeResult:
    """Looks at each series' objects once, judges series, studies, patients and the source; an error blocks the way."""
    source_id = source_partition(context)
    with identity_safe("quality_report"):
        stores = object_store.open()
        with compute.fanout() as fanout:
            judged = judge_source(
                registry.entry(source_id), research=stores.research, internal=stores.internal, run=fanout.run
            )
    verdict, judgement = judged.verdict, judged.judgement
    context.log.info(
        f"{source_id}: {judgement.errors} errors, {judgement.warnings} warnings in {len(verdict.results)} rules, "
        f"{judgement.left_out} series left out of releases ({view.changes(judged)})"
    )
    if verdict.blocks:
        for line in view.why_blocked(verdict):
            context.log.error(line)
    return MaterializeResult(
        data_version=DataVersion(verdict.digest),
        metadata={
            "series": judgement.series,
            "series_left_out": judgement.left_out,
            "errors": judgement.errors,
            "warnings": judgement.warnings,
            "rules": len(verdict.results),
            "findings_count": len(verdict.findings),
            **({} if judgement.tier is None else {"tier": judgement.tier}),
            **{f"score_{dimension.value}": round(share, 4) for dimension, share in verdict.scores.items()},
            "report": view.report_link(judged),
            "all_sources": portal_link("/reports", otherwise="judgements/"),
            "changes": view.changes(judged),
            "findings": view.findings_table(one_per_cause(worst_rules(verdict))),
            "summary": view.summary(verdict),
            **view.picture(judged.sheet),
        },
        check_results=list(view.check_results(judged)),
    )
