"""Asset ``series_features``: measures of every image series, and of every region that a SEG or RTSTRUCT brings."""

from collections import Counter
from dataclasses import asdict

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    MaterializeResult,
    TableMetadataValue,
    asset,
)

from assets.boundary import identity_safe
from assets.distribution_plot import distribution_plots
from assets.metadata import (
    bar_summary,
    column_schema,
    counts_table,
    frame_preview,
    portal_link,
    source_partition,
    whole_table,
)
from assets.naming import INGEST, OWNERS
from assets.partitions import SOURCES
from assets.quality_report import quality_report
from ingestion.accounting.source_state import read_manifests
from ingestion.catalogue.measurements import save_measurements
from ingestion.features import TOOL_VERSION
from ingestion.features.distributions import distributions
from ingestion.features.run import SourceFeatures, compute_source_features
from ingestion.features.settings import FeatureSettings
from ingestion.features.tables import COUNTS, NUMBERS, series_columns
from quality_checks.source import current_state, passed_judgement
from resources.compute import ComputeResource
from resources.object_store import ObjectStoreResource

ALL_MEASURED = "every_image_series_measured"
SERIES_SCHEMA = column_schema({
    **dict.fromkeys(series_columns(FeatureSettings()), "string: see docs/features.md"),
    **dict.fromkeys(NUMBERS, "float: see docs/features.md for definition and unit"),
    **dict.fromkeys(COUNTS, "int: a count"),
})  # fmt: skip
_PREVIEW = (
    "SeriesInstanceUID",
    "Modality",
    "Status",
    "GeometryKind",
    "SliceSpacing",
    "MissingSlices",
    "Unit",
    "Pixels",
)


@asset(
    partitions_def=SOURCES,
    group_name=INGEST,
    kinds={"numpy", "s3"},
    owners=OWNERS,
    code_version=TOOL_VERSION,
    deps=[quality_report],
    metadata={"dagster/column_schema": SERIES_SCHEMA},
    check_specs=[
        AssetCheckSpec(
            ALL_MEASURED,
            asset="series_features",
            partitions_def=SOURCES,
            description="Every image series and region was measured; what was refused has a named reason in its row.",
        )
    ],
)
def series_features(
    context: AssetExecutionContext, object_store: ObjectStoreResource, compute: ComputeResource
) -> MaterializeResult:
    """Geometry, intensities, quality and dose per series, IBSI features per region of interest."""
    source_id = source_partition(context)
    with identity_safe("series_features"):
        stores = object_store.open()
        passed_judgement(stores.internal, source_id)
        state = current_state(stores.internal, source_id)
        with compute.fanout() as fanout:
            found = compute_source_features(
                state, read_manifests(stores.research, state), research=stores.research, run=fanout.run
            )
        measured, _ = save_measurements(
            stores.research,
            stores.internal,
            source_id=source_id,
            state_digest=state.digest,
            series=found.series,
            regions=found.regions,
            long=found.long,
        )
    context.log.info(
        f"{source_id}: {found.computed} measured now, {found.reused} before, {len(found.refused)} refused, "
        f"{found.not_applicable} not applicable"
    )
    return MaterializeResult(
        metadata={
            "series": len(found.series),
            "regions": len(found.regions),
            "computed": found.computed,
            "reused": found.reused,
            "refused": len(found.refused),
            "not_applicable": found.not_applicable,
            "objects_written": found.objects_written,
            "series_table": measured.series_key,
            "regions_table": measured.regions_key,
            "long_table": measured.long_key or "",
            "values": len(found.long),
            "outliers": _outliers(found),
            "distributions": frame_preview(distributions(found.long)),
            "plots": distribution_plots(found.long),
            "preview": frame_preview(found.series, _PREVIEW),
            "report": portal_link(f"/measures/{source_id}", otherwise=measured.series_key),
            "summary": bar_summary(
                f"{source_id}, series",
                {
                    "measured": int((found.series["Status"] == "measured").sum()),
                    "refused": int((found.series["Status"] == "refused").sum()),
                    "not applicable": found.not_applicable,
                },
                [f"{len(found.regions)} regions of interest", f"{found.computed} computed now, {found.reused} before"],
            ),
            "failures": _failures(found),
            "refusals": counts_table(Counter(item.reason for item in found.refused), name="reason"),
        },
        check_results=[_all_measured(found)],
    )


def _outliers(found: SourceFeatures) -> TableMetadataValue:
    """Values far outside those of their kind, most deviant series first by name."""
    far = found.long[found.long["Outlier"].fillna(False)]
    return frame_preview(far, ("SeriesInstanceUID", "SegmentNumber", "Modality", "Feature", "Value", "Unit"))


def _failures(found: SourceFeatures) -> TableMetadataValue:
    """Every series or region that was refused, with its reason."""
    return whole_table([asdict(item) for item in found.refused], ("SeriesInstanceUID", "kind", "reason", "detail"))


def _all_measured(found: SourceFeatures) -> AssetCheckResult:
    reasons = Counter(item.reason for item in found.refused)
    listed = ", ".join(f"{number} {reason}" for reason, number in reasons.most_common())
    return AssetCheckResult(
        check_name=ALL_MEASURED,
        passed=not found.refused,
        severity=AssetCheckSeverity.WARN,
        description=f"{len(found.refused)} were refused: {listed}" if found.refused else "all were measured",
        metadata={"refused": len(found.refused)},
    )
