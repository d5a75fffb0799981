"""Asset ``public_release``: an immutable snapshot of what may be shown."""

import datetime as dt

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
from assets.catalogue_tables import catalogue_tables
from assets.metadata import bar_summary, column_schema, counts_table, portal_link
from assets.naming import OWNERS, PUBLISH
from ingestion.catalogue import tables
from ingestion.catalogue.release import Release, build_release, why_excluded
from ingestion.sources.registry import Registry
from resources.database import DatabaseResource
from resources.object_store import ObjectStoreResource
from resources.registry import RegistryResource

AGREEMENTS = "only_signed_agreements"
SERIES_SCHEMA = column_schema(
    {column.name: f"{column.type}: {column.comment or 'see docs/catalogue.md'}" for column in tables.series.columns}
)


@asset(
    group_name=PUBLISH,
    kinds={"parquet", "s3"},
    owners=OWNERS,
    code_version="1",
    deps=[catalogue_tables],
    metadata={"dagster/column_schema": SERIES_SCHEMA},
    check_specs=[
        AssetCheckSpec(
            AGREEMENTS,
            asset="public_release",
            blocking=True,
            description="Every source in the release has an agreement that is signed and valid on the day.",
        )
    ],
)
def public_release(
    context: AssetExecutionContext,
    registry: RegistryResource,
    database: DatabaseResource,
    object_store: ObjectStoreResource,
) -> MaterializeResult:
    """Parquet, DCAT, manifest and the differences to the last release; small counts suppressed in public figures."""
    today = dt.datetime.now(tz=dt.UTC).date()
    with identity_safe("public_release"), database.engine() as engine:
        stores = object_store.open()
        sources = registry.load()
        release = build_release(engine, stores.research, stores.internal, sources, today=today)
    context.log.info(
        f"release {release.version}: {len(release.sources)} sources, {release.objects_written} objects written"
        + ("" if release.objects_written else " (equal to the last release)")
    )
    left_out = [TableRecord({"source": source, "reason": reason}) for source, reason in release.excluded]
    columns = [TableColumn("source", "string"), TableColumn("reason", "string")]
    return MaterializeResult(
        data_version=DataVersion(release.content_digest),
        metadata={
            "version": release.version,
            "sources": len(release.sources),
            "left_out": len(release.excluded),
            "series_left_out": sum(release.series_left_out.values()),
            "series_left_out_by_source": counts_table(release.series_left_out, name="source"),
            "quality": portal_link("/reports", otherwise="judgements/"),
            "objects_written": release.objects_written,
            "rows": counts_table(release.rows, name="table"),
            "sources_left_out": MetadataValue.table(left_out, schema=TableSchema(columns=columns)),
            "where": f"releases/{release.version}/",
            "report": portal_link(f"/releases/{release.version}", otherwise=f"releases/{release.version}/"),
            "summary": bar_summary(
                f"release {release.version}, sources",
                {"released": len(release.sources), "left out": len(release.excluded)},
                [
                    *(f"**{source}** is left out: {reason}" for source, reason in release.excluded),
                    *(
                        f"**{source}** is released without {number} series that quality leaves out"
                        for source, number in release.series_left_out.items()
                    ),
                ],
            ),
        },
        check_results=[_agreements(release, sources, today)],
    )


def _agreements(release: Release, sources: Registry, today: dt.date) -> AssetCheckResult:
    wrong = [source for source in release.sources if why_excluded(source, sources, today) is not None]
    return AssetCheckResult(
        check_name=AGREEMENTS,
        passed=not wrong,
        severity=AssetCheckSeverity.ERROR,
        description=f"released without a valid agreement: {', '.join(wrong)}" if wrong else "all are signed and valid",
        metadata={"sources": len(release.sources)},
    )
