"""Asset ``catalogue_tables``: the catalogue's rows of a source, replaced in one transaction."""

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    DataVersion,
    MaterializeResult,
    MetadataValue,
    TableColumn,
    TableSchema,
    asset,
)

from assets.boundary import identity_safe
from assets.metadata import bar_summary, counts_table, frame_preview, portal_link, source_partition
from assets.naming import OWNERS, PUBLISH
from assets.partitions import SOURCES
from assets.series_features import series_features
from ingestion.accounting.source_state import SourceState
from ingestion.catalogue import tables
from ingestion.catalogue.counting import row_counts
from ingestion.catalogue.measurements import read_measurements
from ingestion.catalogue.rebuild import publish_source
from ingestion.catalogue.rows import TABLES_VERSION
from ingestion.catalogue.writer import read
from quality_checks.source import QualityGateError, current_state, passed_judgement
from resources.database import DatabaseResource
from resources.object_store import ObjectStoreResource
from resources.registry import RegistryResource

COUNTS_AGREE = "catalogue_matches_store"
_PREVIEW = ("SeriesInstanceUID", "Modality", "BodyPart", "ManufacturerName", "AgeAtStudy", "NumberOfInstances", "State")


def _schema() -> TableSchema:
    return TableSchema(
        columns=[
            TableColumn(column.name, str(column.type), description=column.comment) for column in tables.series.columns
        ]
    )


@asset(
    partitions_def=SOURCES,
    group_name=PUBLISH,
    kinds={"postgres"},
    owners=OWNERS,
    code_version=str(TABLES_VERSION),
    deps=[series_features],
    metadata={"dagster/column_schema": _schema(), "dagster/table_name": "cie.series"},
    check_specs=[
        AssetCheckSpec(
            COUNTS_AGREE,
            asset="catalogue_tables",
            partitions_def=SOURCES,
            blocking=True,
            description="The catalogue's rows of the source count as many series and instances as the store's state.",
        )
    ],
)
def catalogue_tables(
    context: AssetExecutionContext,
    registry: RegistryResource,
    database: DatabaseResource,
    object_store: ObjectStoreResource,
) -> MaterializeResult:
    """Rows of collection, patient, study, series, quality, feature and segmentation, as one publication."""
    source_id = source_partition(context)
    with identity_safe("catalogue_tables"), database.engine() as engine:
        stores = object_store.open()
        judgement = passed_judgement(stores.internal, source_id)
        state = current_state(stores.internal, source_id)
        measured = read_measurements(stores.internal, source_id)
        if measured is None or measured.state_digest != state.digest:
            raise QualityGateError(f"{source_id} was not measured as it is now: materialize series_features first")
        result = publish_source(
            engine,
            stores.research,
            stores.internal,
            registry.entry(source_id),
            quality_key=judgement.results_key,
            series_quality_key=judgement.series_key,
            features_series_key=measured.series_key,
            features_regions_key=measured.regions_key,
        )
        rows = row_counts(engine, source_id)
        series = read(engine, tables.series, source_id=source_id)
    context.log.info(f"{source_id}: publication {result.published.number}, {result.rows.total} rows written")
    return MaterializeResult(
        data_version=DataVersion(result.published.publication.digest),
        metadata={
            "dagster/row_count": rows["series"],
            "rows_written": result.rows.total,
            "publication": result.published.number,
            **{f"rows_{name}": number for name, number in rows.items()},
            "instances": int(series["NumberOfInstances"].sum()),
            "preview": frame_preview(series, _PREVIEW),
            "rows": counts_table(rows, name="table"),
            "report": portal_link(f"/accounting/{source_id}", otherwise=f"publication {result.published.number}"),
            "summary": bar_summary(f"{source_id}, rows in the catalogue", rows),
            "look": MetadataValue.md(
                f"`cie catalogue sql \"SELECT * FROM series WHERE source_id = '{source_id}'\"` shows them all"
            ),
        },
        check_results=[_counts_agree(state, series=rows["series"], instances=int(series["NumberOfInstances"].sum()))],
    )


def _counts_agree(state: SourceState, *, series: int, instances: int) -> AssetCheckResult:
    stored = sum(1 for entry in state.series if entry.manifest_version is not None)
    accepted = state.counts.accepted
    return AssetCheckResult(
        check_name=COUNTS_AGREE,
        passed=(series, instances) == (stored, accepted),
        severity=AssetCheckSeverity.ERROR,
        description=f"{series} series of {stored}, {instances} instances of {accepted}",
        metadata={"series": series, "series_stored": stored, "instances": instances, "instances_accepted": accepted},
    )
