"""Asset ``raw_dicom``: what a source holds now, and what of it needs work."""

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    MaterializeResult,
    asset,
)

from assets.boundary import identity_safe
from assets.metadata import bar_summary, column_schema, counts_table, portal_link, source_partition
from assets.naming import INGEST, OWNERS
from assets.partitions import SOURCES
from assets.syncing import source_sync
from ingestion.accounting.inventory import Inventory
from ingestion.accounting.states import ObjectChange, Reason
from ingestion.accounting.worklist import WorkReason
from resources.compute import ComputeResource
from resources.database import DatabaseResource
from resources.keys import KeysResource
from resources.object_store import ObjectStoreResource
from resources.registry import RegistryResource

LISTING_COMPLETE = "listing_complete"
INVENTORY_SCHEMA = column_schema({
    "object_hash": "string: keyed hash of the object's name",
    "fingerprint": "string: keyed digest of its size and time, or of the archive member",
    "size": "int: bytes",
    "series_uid": "string: pseudonym of its series",
    "study_uid": "string: pseudonym of its study",
    "sop_uid": "string: pseudonym of the instance",
    "patient": "string: pseudonym of the patient",
    "refusal": "string: why it could not be read, if so",
})  # fmt: skip


@asset(
    partitions_def=SOURCES,
    group_name=INGEST,
    kinds={"dicom", "postgres"},
    owners=OWNERS,
    code_version="1",
    metadata={"dagster/column_schema": INVENTORY_SCHEMA},
    check_specs=[
        AssetCheckSpec(
            LISTING_COMPLETE,
            asset="raw_dicom",
            partitions_def=SOURCES,
            description="Every folder and object of the source could be seen. What couldn't be is tried again "
            "next time; nothing is taken as withdrawn meanwhile.",
        )
    ],
)
def raw_dicom(
    context: AssetExecutionContext,
    registry: RegistryResource,
    keys: KeysResource,
    database: DatabaseResource,
    object_store: ObjectStoreResource,
    compute: ComputeResource,
) -> MaterializeResult:
    """Inventory of the source: what is new, changed, withdrawn, unchanged since the last one, and the worklist.

    Headers of new and changed objects are read for their ids. Nothing raw is copied; of names and UIDs only keyed
    hashes are kept.
    """
    source_id = source_partition(context)
    with (
        identity_safe("raw_dicom"),
        source_sync(source_id, registry=registry, keys=keys, database=database, object_store=object_store) as sync,
        compute.fanout() as fanout,
    ):
        inventory, worklist = sync.take_inventory(fanout, log=context.log.info)
    changes = {change.value: inventory.count(change) for change in ObjectChange}
    reasons = {reason.value: worklist.count(reason) for reason in WorkReason}
    context.log.info(f"{source_id}: {len(inventory.objects)} objects; {len(worklist.series)} series need work")
    hidden = _hidden(inventory)
    return MaterializeResult(
        metadata={
            "objects": len(inventory.objects),
            "bytes": sum(item.size for item in inventory.objects.values()),
            "series": sum(1 for key in inventory.by_series() if key),
            "objects_new": changes["new"],
            "objects_changed": changes["changed"],
            "objects_withdrawn": changes["withdrawn"],
            "objects_unchanged": changes["unchanged"],
            "series_to_work_on": len(worklist.series),
            "series_unchanged": worklist.unchanged,
            "changes": counts_table(changes, name="change"),
            "worklist": counts_table(reasons, name="reason"),
            "report": portal_link(f"/accounting/{source_id}", otherwise=f"`cie reconcile --source {source_id}`"),
            "summary": bar_summary(
                f"{source_id}, objects against the last inventory",
                changes,
                [f"{len(worklist.series)} series need work, {worklist.unchanged} are as they were"],
            ),
        },
        check_results=[
            AssetCheckResult(
                check_name=LISTING_COMPLETE,
                passed=hidden == 0,
                severity=AssetCheckSeverity.WARN,
                metadata={"not_seen": hidden},
                description="all objects were seen"
                if hidden == 0
                else f"{hidden} folders or objects could not be read",
            )
        ],
    )


def _hidden(inventory: Inventory) -> int:
    unreadable = (Reason.UNREADABLE_FOLDER, Reason.UNREADABLE_OBJECT)
    return sum(1 for item in inventory.objects.values() if item.refusal and item.refusal.reason in unreadable)
