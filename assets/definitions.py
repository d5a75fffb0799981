"""All that Dagster loads: the six assets, two jobs, two schedules, one sensor, the resources."""

from __future__ import annotations

from dagster import Definitions, in_process_executor

from assets.automation import delivery_sensor, ingest_source, nightly_release, nightly_sync, release
from assets.catalogue_tables import catalogue_tables
from assets.deidentified_dicom import deidentified_dicom
from assets.public_release import public_release
from assets.quality_report import quality_report
from assets.raw_dicom import raw_dicom
from assets.series_features import series_features
from resources.compute import ComputeResource
from resources.database import DatabaseResource
from resources.keys import KeysResource
from resources.object_store import ObjectStoreResource
from resources.registry import RegistryResource

defs = Definitions(
    assets=[raw_dicom, deidentified_dicom, quality_report, series_features, catalogue_tables, public_release],
    jobs=[ingest_source, release],
    schedules=[nightly_sync, nightly_release],
    sensors=[delivery_sensor],
    # A run is one source and spreads its series itself: a process per step would only add start-up.
    executor=in_process_executor,
    resources={
        "registry": RegistryResource(),
        "keys": KeysResource(),
        "database": DatabaseResource(),
        "object_store": ObjectStoreResource(),
        "compute": ComputeResource(),
    },
)
