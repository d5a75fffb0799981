"""The quality checks on a folder of raw DICOM, on the machine where it lies: nothing is kept but the report.

The folder goes the platform's own way: each series is de-identified into a scratch folder, examined there and deleted.
So all that the report can show is de-identified by construction, and it shows what the platform would hold back.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ingestion.accounting.manifest import Manifest, ManifestInstance, manifest_key
from ingestion.accounting.outcome_state import state_of
from ingestion.accounting.outcomes import SeriesOutcome
from ingestion.accounting.source_state import SourceState
from ingestion.catalogue.rows import build_tables
from ingestion.deidentify.folder import FolderOutcome, deidentify_folder
from ingestion.deidentify.iod_check import IodCheck
from ingestion.deidentify.policy import Policy
from ingestion.deidentify.series import SeriesTask, process_series
from ingestion.fanout import Fanout
from ingestion.identity.keys import SourceKey
from ingestion.sources.registry import SourceEntry
from ingestion.storage.folder import FolderStore
from quality_checks.catalogue_of_checks import OF_THE_REGISTRY
from quality_checks.causes import Places, places_of
from quality_checks.certificate import certificate_of
from quality_checks.changes import Changes
from quality_checks.crossing.cross import cross_source
from quality_checks.documents import Document
from quality_checks.earlier import Earlier, changes_by_rule
from quality_checks.examination import Examination, examination_key
from quality_checks.imaging import rules_digest
from quality_checks.imaging.examine import examine
from quality_checks.imaging.task import REFERRING
from quality_checks.judge import judge
from quality_checks.model import QualityVerdict
from quality_checks.object_progress import ObjectProgress, counting
from quality_checks.report_folder import Conformance, ReportInput, report_documents
from quality_checks.tier import TierResult, tier_of


@dataclass(frozen=True, slots=True)
class FolderCheck:
    """What the check of a folder found, and the files that tell it."""

    verdict: QualityVerdict
    state: SourceState
    tier: TierResult
    series: int
    conformance: Conformance
    changes: Changes
    """Since the report before, by rule."""
    documents: tuple[Document, ...] = field(repr=False)
    places: Places = field(repr=False)
    """The series of each study and patient."""
    outcome: FolderOutcome = field(repr=False)
    """With the names of the delivered files: the data holder's alone."""


def check_folder(
    source: Path,
    *,
    entry: SourceEntry,
    registered: bool,
    key: SourceKey,
    linkage: SourceKey,
    policy: Policy,
    fanout: Fanout,
    scratch: Path,
    iod: IodCheck = IodCheck.INSTALLED,
    progress: Callable[[int, int], None] = lambda done, total: None,
    earlier: Earlier | None = None,
) -> FolderCheck:
    """Judge every series below ``source`` as the platform would.

    Args:
        registered: whether ``entry`` is of the registry, or only stands for the folder.
        iod: whether results are held against their definition by dciodvfy, and studies by dcentvfy.
        linkage: throw-away secret by which people and studies are known again within the folder.
        scratch: an empty folder for de-identified objects, at most those of one series for each worker, and those of
            segmentations and structure sets until all series are known.
        earlier: the report before, which the new one is compared with.

    Raises:
        EarlierReportError: ``earlier`` is of another source.
        SourceGoneError, StoreError: the folder or the scratch folder failed; run again.
        JudgeMissingError: ``iod`` is required, and a tool is not there.
    """
    store = FolderStore(scratch, durable=False)
    with ObjectProgress(progress, scratch).watched() as counted:
        outcome = deidentify_folder(
            source,
            key=key,
            policy=policy,
            target=store,
            fanout=fanout,
            progress=counted,
            process=examine_and_forget,
            linkage=linkage,
            iod=iod,
        )
    if outcome.stopped is not None:
        raise outcome.stopped  # a report of a part would be taken for one of the whole
    state = state_of(key.source_id, outcome.outcomes)
    manifests = {
        item.SeriesInstanceUID: _manifest(store, state.source_id, item.SeriesInstanceUID, item.manifest_version)
        for item in state.series
        if item.SeriesInstanceUID is not None and item.manifest_version is not None
    }
    examinations = tuple(_examination(store, manifest, manifests) for _, manifest in sorted(manifests.items()))
    tables = build_tables(state, manifests.values(), registry_entry=entry)
    crossed = cross_source(state, tables, examinations, internal=store)
    unjudged = frozenset() if registered else OF_THE_REGISTRY
    verdict = judge(
        tables, state, entry=entry, examinations=examinations, crossed=crossed, unjudged=unjudged, folder=True
    )
    tier = tier_of(verdict, tables, entry)
    conformance = _conformance(outcome, iod)
    changes = Changes(first=True)
    if earlier is not None:
        changes = changes_by_rule(earlier, verdict, series=len(tables.series), objects=state.counts.delivered)
    given = ReportInput(
        verdict=verdict,
        tables=tables,
        state=state,
        entry=entry,
        generated_from=f"a folder of {state.counts.delivered:,} objects, state {state.digest}",
        examinations=examinations,
        changes=changes,
        tier=tier,
        certificate=certificate_of(verdict, tables, state, entry, tier=tier),
        registered=registered,
        conformance=conformance,
    )
    return FolderCheck(
        verdict=verdict,
        state=state,
        tier=tier,
        series=len(manifests),
        conformance=conformance,
        changes=changes,
        documents=report_documents(given),
        places=places_of(tables.series),
        outcome=outcome,
    )


def _conformance(outcome: FolderOutcome, iod: IodCheck) -> Conformance:
    work = outcome.work
    return Conformance(
        iod_check=iod.told(judged=work.iod_judged, unjudged=work.iod_unjudged),
        study_check=iod.told_of_studies(judged=work.studies_judged, unjudged=work.studies_unjudged),
        complete=not (work.iod_unjudged or work.studies_unjudged),
    )


def examine_and_forget(task: SeriesTask) -> SeriesOutcome:
    """De-identify a series into the scratch store, examine what became of it, and delete the objects.

    Series that refer to others keep their objects until those are known; they are few and small.
    """
    store = task.research
    if not isinstance(store, FolderStore):
        raise TypeError("objects are only deleted from a scratch folder")
    with counting(store, task.series_uid) as counted:
        return _examine_and_forget(replace(task, research=counted), store)


def _examine_and_forget(task: SeriesTask, store: FolderStore) -> SeriesOutcome:
    outcome = process_series(task)
    if outcome.manifest_version is None:
        return outcome
    manifest = _manifest(store, task.key.source_id, task.series_uid, outcome.manifest_version)
    if not _refers(manifest):
        found = examine(manifest, _reader(store))
        store.create(_key(manifest), found.to_json(), content_type="application/json")
        _forget(store, manifest)
    return outcome


def _examination(store: FolderStore, manifest: Manifest, others: Mapping[str, Manifest]) -> Examination:
    if not _refers(manifest):
        return Examination.from_json(store.read(_key(manifest)))
    companions = [
        other
        for uid, other in sorted(others.items())
        if other.PatientID == manifest.PatientID and uid != manifest.SeriesInstanceUID
    ]
    found = examine(manifest, _reader(store), companions=companions)
    _forget(store, manifest)
    return found


def _refers(manifest: Manifest) -> bool:
    return manifest.header.get("SOPClassUID") in REFERRING


def _reader(store: FolderStore) -> Callable[[ManifestInstance], bytes]:
    return lambda item: store.read(item.key)


def _manifest(store: FolderStore, source_id: str, series_uid: str, version: str) -> Manifest:
    return Manifest.from_json(store.read(manifest_key(source_id, series_uid, version)))


def _key(manifest: Manifest) -> str:
    """As on the platform: images that look alike are compared by the thumbnails that lie there."""
    return examination_key(manifest.source_id, manifest.SeriesInstanceUID, manifest.version, rules_digest())


def _forget(store: FolderStore, manifest: Manifest) -> None:
    shutil.rmtree(store.root / "dicom" / manifest.source_id / manifest.SeriesInstanceUID)
