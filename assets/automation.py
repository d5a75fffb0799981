"""Jobs, schedules and the delivery sensor. All automation is off until someone turns it on in the UI."""

import json

from dagster import (
    AssetSelection,
    DefaultScheduleStatus,
    DefaultSensorStatus,
    RunRequest,
    ScheduleEvaluationContext,
    SensorEvaluationContext,
    SensorResult,
    SkipReason,
    define_asset_job,
    in_process_executor,
    schedule,
    sensor,
)

from assets.partitions import SOURCES
from ingestion.settings import Settings
from ingestion.sources.delivery import delivery_markers
from ingestion.sources.registry import load_registry

SLOT_MINUTES = 10
SLOTS = 36
"""The nightly sync runs from 00:00 to 06:00 UTC, one slot every ten minutes, so that no source waits on all others."""

ingest_source = define_asset_job(
    "ingest_source",
    selection=AssetSelection.assets(
        "raw_dicom", "deidentified_dicom", "quality_report", "series_features", "catalogue_tables"
    ),
    partitions_def=SOURCES,
    executor_def=in_process_executor,
    description="One source from its raw DICOM to the catalogue. The partition is the source.",
)

release = define_asset_job(
    "release",
    selection=AssetSelection.assets("public_release"),
    executor_def=in_process_executor,
    description="An immutable snapshot of what the catalogue may show. Equal to the last one: nothing is written.",
)


@schedule(
    job=ingest_source,
    cron_schedule=f"*/{SLOT_MINUTES} 0-5 * * *",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.STOPPED,
    description="Every source once a night, staggered over six hours. Costs what changed, not what is there.",
)
def nightly_sync(context: ScheduleEvaluationContext) -> list[RunRequest]:
    now = context.scheduled_execution_time
    slot = (now.hour * 60 + now.minute) // SLOT_MINUTES
    keys = SOURCES.get_partition_keys()[slot::SLOTS]
    return [RunRequest(run_key=f"{now:%Y-%m-%d}/{key}", partition_key=key) for key in keys]


@schedule(
    job=release,
    cron_schedule="30 6 * * *",
    execution_timezone="UTC",
    default_status=DefaultScheduleStatus.STOPPED,
    description="A release after the nightly sync.",
)
def nightly_release(context: ScheduleEvaluationContext) -> RunRequest:
    return RunRequest(run_key=f"{context.scheduled_execution_time:%Y-%m-%d}")


@sensor(
    job=ingest_source,
    minimum_interval_seconds=30,
    default_status=DefaultSensorStatus.STOPPED,
    description="Starts a source's sync when its delivery marker (a file named _DELIVERED) appears or changes.",
)
def delivery_sensor(context: SensorEvaluationContext) -> SensorResult | SkipReason:
    settings = Settings()
    seen: dict[str, str] = json.loads(context.cursor or "{}")
    markers = delivery_markers(load_registry(settings.registry), sources_root=settings.sources_root)
    partitions = set(SOURCES.get_partition_keys())
    fresh = {key: marker for key, marker in markers.items() if seen.get(key) != marker and key in partitions}
    if not fresh:
        return SkipReason(f"no new delivery marker in {len(partitions)} sources")
    requests = [RunRequest(run_key=f"{key}/{marker}", partition_key=key) for key, marker in sorted(fresh.items())]
    return SensorResult(run_requests=requests, cursor=json.dumps({**seen, **fresh}, sort_keys=True))
