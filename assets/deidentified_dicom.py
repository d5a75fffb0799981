"""Asset ``deidentified_dicom``: one pass over every series that needs work."""

from dagster import (
    AssetCheckResult,
    AssetCheckSeverity,
    AssetCheckSpec,
    AssetExecutionContext,
    DataVersion,
    MaterializeResult,
    MetadataValue,
    TableRecord,
    asset,
)

from assets.boundary import identity_safe
from assets.metadata import PREVIEW_ROWS, bar_summary, column_schema, portal_link, source_partition
from assets.naming import INGEST, OWNERS
from assets.partitions import SOURCES
from assets.raw_dicom import raw_dicom
from assets.syncing import source_sync
from ingestion.accounting.reconcile import Reconciliation, reconcile
from ingestion.accounting.source_state import SourceState, state_key
from ingestion.accounting.states import Reason, ReasonGroup
from ingestion.deidentify import CODE_VERSION
from resources.compute import ComputeResource
from resources.database import DatabaseResource
from resources.keys import KeysResource
from resources.object_store import ObjectStoreResource
from resources.registry import RegistryResource

ADDS_UP = "accounting_adds_up"
NO_RESIDUE = "no_identity_residue"
NOTHING_WAITS = "nothing_waits_for_a_person"
SERIES_SCHEMA = column_schema({
    "SeriesInstanceUID": "string: pseudonym of the series; (no series) stands for objects that belong to none",
    "state": "string: complete, partial (some instance is quarantined) or quarantined",
    "delivered": "int: objects that the source holds of it",
    "accepted": "int: objects stored",
    "duplicate": "int: objects with the bytes of an accepted one",
    "quarantined": "int: objects held back",
    "reasons": "string: why, with the number of objects",
})  # fmt: skip


def _spec(name: str, description: str, *, blocking: bool = False) -> AssetCheckSpec:
    return AssetCheckSpec(
        name, asset="deidentified_dicom", partitions_def=SOURCES, blocking=blocking, description=description
    )


@asset(
    partitions_def=SOURCES,
    group_name=INGEST,
    kinds={"dicom", "s3", "postgres"},
    owners=OWNERS,
    code_version=CODE_VERSION,
    deps=[raw_dicom],
    metadata={"dagster/column_schema": SERIES_SCHEMA},
    check_specs=[
        _spec(
            ADDS_UP,
            "Delivered = accepted + duplicate + quarantined, and inventory, ledger, manifests and store agree.",
            blocking=True,
        ),
        _spec(NO_RESIDUE, "The check after de-identification, by code of its own, found no identity in any object."),
        _spec(
            NOTHING_WAITS, "No object is in quarantine for a reason that the data holder or an operator must act on."
        ),
    ],
)
def deidentified_dicom(
    context: AssetExecutionContext,
    registry: RegistryResource,
    keys: KeysResource,
    database: DatabaseResource,
    object_store: ObjectStoreResource,
    compute: ComputeResource,
) -> MaterializeResult:
    """Every series on the worklist, read once, rewritten by the source's policy, verified, stored, accounted for."""
    source_id = source_partition(context)
    with (
        identity_safe("deidentified_dicom"),
        source_sync(source_id, registry=registry, keys=keys, database=database, object_store=object_store) as sync,
    ):
        with compute.fanout() as fanout:
            outcome = sync.deidentify(fanout, run_id=context.run_id, log=context.log.info)
        account = reconcile(source_id, ledger=sync.ledger, research=sync.research, internal=sync.internal)
    state, counts, work = outcome.state, outcome.state.counts, outcome.work
    reasons = ", ".join(f"{number} {reason}" for reason, number in state.reasons.items()) or "none"
    return MaterializeResult(
        data_version=DataVersion(state.digest),
        metadata={
            "delivered": counts.delivered,
            "accepted": counts.accepted,
            "duplicate": counts.duplicate,
            "quarantined": counts.quarantined,
            "series_worked_on": len(outcome.worklist.series),
            "objects_read": work.objects_read,
            "bytes_read": work.bytes_read,
            "objects_written": work.objects_written,
            "bytes_written": work.bytes_written,
            "seconds": round(work.seconds, 3),
            "iod_judged": work.iod_judged,
            "iod_unjudged": work.iod_unjudged,
            "iod_check": sync.iod.told(judged=work.iod_judged, unjudged=work.iod_unjudged),
            "study_check": sync.iod.told_of_studies(judged=work.studies_judged, unjudged=work.studies_unjudged),
            "state": state_key(source_id, outcome.number),
            "state_digest": state.digest,
            "series": _series_preview(state),
            "report": portal_link(f"/accounting/{source_id}", otherwise=state_key(source_id, outcome.number)),
            "summary": bar_summary(
                f"{source_id}, objects delivered",
                {"accepted": counts.accepted, "duplicate": counts.duplicate, "quarantined": counts.quarantined},
                [
                    f"quarantined: {reasons}",
                    f"{len(outcome.worklist.series)} series worked on, {outcome.worklist.unchanged} unchanged",
                    f"`cie quarantine list --source {source_id}` names each object with its remedy",
                ],
            ),
        },
        check_results=[_adds_up(account), _no_residue(state), _nothing_waits(state)],
    )


def _adds_up(account: Reconciliation) -> AssetCheckResult:
    return AssetCheckResult(
        check_name=ADDS_UP,
        passed=account.adds_up,
        severity=AssetCheckSeverity.ERROR,
        description="; ".join(account.problems) or "inventory, ledger, manifests and store agree",
        metadata={
            "inventory": account.inventory,
            "delivered": account.counts.delivered,
            "accepted": account.counts.accepted,
            "in_manifests": account.in_manifests,
            "stored": account.stored,
        },
    )


def _no_residue(state: SourceState) -> AssetCheckResult:
    found = state.reasons.get(Reason.IDENTITY_RESIDUE.value, 0)
    return AssetCheckResult(
        check_name=NO_RESIDUE,
        passed=found == 0,
        severity=AssetCheckSeverity.WARN,  # they are in quarantine, not in the store
        description=f"{found} objects were held back: a rule is missing in the policy" if found else "none found",
        metadata={"objects": found},
    )


def _nothing_waits(state: SourceState) -> AssetCheckResult:
    waiting = {
        reason: number for reason, number in state.reasons.items() if Reason(reason).group is not ReasonGroup.COMPANION
    }
    remedies = "\n".join(
        f"- {number} × **{reason}**: {Reason(reason).facts.meaning}. {Reason(reason).facts.remedy}."
        for reason, number in waiting.items()
    )
    return AssetCheckResult(
        check_name=NOTHING_WAITS,
        passed=not waiting,
        severity=AssetCheckSeverity.WARN,
        description=f"{sum(waiting.values())} objects wait in quarantine" if waiting else "nothing waits",
        metadata={"objects": sum(waiting.values()), "what_to_do": MetadataValue.md(remedies or "nothing")},
    )


def _series_preview(state: SourceState) -> MetadataValue:
    # What needs a look comes first: partial and quarantined series.
    ordered = sorted(state.series, key=lambda entry: (entry.state.value == "complete", entry.SeriesInstanceUID or ""))
    records = [
        TableRecord(
            {
                "SeriesInstanceUID": entry.SeriesInstanceUID or "(no series)",
                "state": entry.state.value,
                "delivered": entry.counts.delivered,
                "accepted": entry.counts.accepted,
                "duplicate": entry.counts.duplicate,
                "quarantined": entry.counts.quarantined,
                "reasons": ", ".join(f"{reason} {number}" for reason, number in entry.reasons.items()),
            }
        )
        for entry in ordered[:PREVIEW_ROWS]
    ]
    return MetadataValue.table(records, schema=SERIES_SCHEMA)
