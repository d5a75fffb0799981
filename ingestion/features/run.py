"""The features of a source: measure the series that changed, take up what was measured before, give the tables.

What is stored per series makes a nightly run cost what changed: a series whose manifest version, settings and tool
version were measured already is read back from one small object.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pandas as pd
from pydicom.uid import RTDoseStorage, RTStructureSetStorage

from ingestion.accounting.manifest import Manifest
from ingestion.accounting.source_state import SourceState
from ingestion.dicom.segmentation import CLASSES
from ingestion.fanout import Crashed, Done
from ingestion.features.dose_report import CLASSES as DOSE_REPORTS
from ingestion.features.dose_report import series_dose
from ingestion.features.long_table import long_table
from ingestion.features.refusal import FeatureRefusal
from ingestion.features.settings import FeatureSettings
from ingestion.features.tables import region_rows, regions_table, series_row, series_table
from ingestion.features.tasks import (
    RegionsTask,
    ReportTask,
    Result,
    SeriesTask,
    regions_key,
    result_prefix,
    run_regions,
    run_report,
    run_series,
    series_key,
)
from ingestion.features.undefined import undefined_measures
from ingestion.storage import ObjectStore

NOT_MEASURED = CLASSES | {RTDoseStorage}
"""They have pixels that are no image: masks, and a dose."""
REGIONS = CLASSES | {RTStructureSetStorage}
"""They mark regions of interest."""

Task: TypeAlias = SeriesTask | RegionsTask | ReportTask
Runner: TypeAlias = Callable[[Callable[[Any], Any], Sequence[Any]], Iterator[Done[Any, Any] | Crashed[Any]]]
"""``Fanout.run``."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A series (or an object of a segmentation series, or a region) that was not measured."""

    SeriesInstanceUID: str
    kind: str
    reason: str
    detail: str | None


@dataclass(frozen=True, slots=True)
class SourceFeatures:
    """The features of one source.

    ``series`` has one row per image series, ``regions`` one per region of interest (or per refused object);
    ``ingestion.features.tables`` says their columns. ``long``: the same values, one a row, each with its provenance.
    """

    series: pd.DataFrame
    regions: pd.DataFrame
    long: pd.DataFrame
    computed: int
    """Series (images, regions and dose reports) that were measured now."""
    reused: int
    not_applicable: int
    """Stored series that hold neither images nor regions nor dose reports: plans, doses, other reports."""
    refused: tuple[Refused, ...]
    objects_written: int


def compute_source_features(
    state: SourceState,
    manifests: Iterable[Manifest],
    *,
    research: ObjectStore,
    run: Runner,
    settings: FeatureSettings | None = None,
    full: bool = False,
) -> SourceFeatures:
    """Measure what was not measured yet, and give the tables of the whole source.

    Args:
        manifests: the current manifests of ``state``, as ``read_manifests`` gives them.
        run: ``Fanout.run``; tasks carry keys, not pixels.
        full: measure everything again; what is stored already is not overwritten.

    Raises:
        StoreError: the store failed; what was measured so far is stored and is not measured again.
    """
    chosen = settings or FeatureSettings()
    current = sorted(manifests, key=lambda manifest: manifest.SeriesInstanceUID)
    images = [manifest for manifest in current if is_image(manifest)]
    marked = [manifest for manifest in current if is_marked(manifest)]
    reports = [manifest for manifest in current if manifest.header.get("SOPClassUID") in DOSE_REPORTS]
    stored = set() if full else {item.key for item in research.list(f"features/{state.source_id}/")}
    by_patient: dict[str, dict[str, str]] = {}
    for manifest in images:
        by_patient.setdefault(manifest.PatientID, {})[manifest.SeriesInstanceUID] = manifest.version
    found: dict[str, dict[str, Any]] = {}
    work: list[Task] = []
    kinds: list[tuple[type[SeriesTask] | type[ReportTask], Manifest]] = [(SeriesTask, item) for item in images]
    for kind, manifest in [*kinds, *((ReportTask, item) for item in reports)]:
        key = series_key(state.source_id, manifest.SeriesInstanceUID, manifest.version, chosen)
        if key in stored:
            found[manifest.SeriesInstanceUID] = json.loads(research.read(key))
        else:
            work.append(kind(state.source_id, manifest.SeriesInstanceUID, manifest.version, chosen, research=research))
    for manifest in marked:
        candidates = by_patient.get(manifest.PatientID, {})
        body = stored_regions(manifest, stored, candidates, research=research, settings=chosen)
        if body is not None:
            found[manifest.SeriesInstanceUID] = body
        else:
            work.append(
                RegionsTask(
                    state.source_id,
                    manifest.SeriesInstanceUID,
                    manifest.version,
                    candidates,
                    chosen,
                    research=research,
                )
            )
    reused = len(found)
    written = 0
    for outcome in run(run_task, work):
        if isinstance(outcome, Crashed):
            found[outcome.task.series_uid] = _crashed(outcome.task)
            continue
        found[outcome.task.series_uid] = outcome.result.body
        written += outcome.result.written
    doses = {uid: dose for item in reports for uid, dose in found[item.SeriesInstanceUID].get("doses", {}).items()}
    series = [_series_row(manifest, found[manifest.SeriesInstanceUID], chosen, doses) for manifest in images]
    by_uid = {manifest.SeriesInstanceUID: manifest for manifest in images}
    regions = [
        row
        for manifest in marked
        for row in region_rows(manifest, found[manifest.SeriesInstanceUID], chosen, images=by_uid)
    ]
    series_wide, regions_wide = series_table(series, chosen), regions_table(regions, chosen)
    return SourceFeatures(
        series=series_wide,
        regions=regions_wide,
        long=long_table(
            series_wide,
            regions_wide,
            chosen,
            series_undefined=[undefined_measures(row) for row in series],
            undefined=[row.get("Undefined") or {} for row in regions],
        ),
        computed=len(work),
        reused=reused,
        not_applicable=len(current) - len(images) - len(marked) - len(reports),
        refused=tuple(_refusals(series, regions, reports, found)),
        objects_written=written,
    )


def _series_row(
    manifest: Manifest, body: dict[str, Any], settings: FeatureSettings, doses: Mapping[str, Mapping[str, float]]
) -> dict[str, Any]:
    return series_row(manifest, body, settings, dose=series_dose(body.get("events", ()), doses))


def run_task(task: Task) -> Result:
    """Run one task in a worker."""
    if isinstance(task, RegionsTask):
        return run_regions(task)
    return run_series(task) if isinstance(task, SeriesTask) else run_report(task)


def is_marked(manifest: Manifest) -> bool:
    """Whether a series marks regions of interest."""
    return manifest.header.get("SOPClassUID") in REGIONS


def is_image(manifest: Manifest) -> bool:
    """Whether a series has pixels that are an image."""
    if manifest.header.get("SOPClassUID") in NOT_MEASURED:
        return False
    return any(item.attributes.get("Rows") and item.attributes.get("Columns") for item in manifest.instances)


def stored_regions(
    manifest: Manifest,
    stored: set[str],
    images: Mapping[str, str],
    *,
    research: ObjectStore,
    settings: FeatureSettings,
) -> dict[str, Any] | None:
    """The stored result of a series that marks regions, if its images are still those that were measured.

    Which images it refers to stands in any result of this version of it.
    """
    prefix = result_prefix(manifest.source_id, manifest.SeriesInstanceUID, manifest.version)
    former = min((key for key in stored if key.startswith(prefix)), default=None)
    if former is None:
        return None
    body: dict[str, Any] = json.loads(research.read(former))
    key = regions_key(
        manifest.source_id,
        manifest.SeriesInstanceUID,
        manifest.version,
        referenced=body["referenced"],
        images=images,
        settings=settings,
    )
    if key == former:
        return body
    return json.loads(research.read(key)) if key in stored else None


def _crashed(task: Task) -> dict[str, Any]:
    detail = "measuring it ended the worker process, also when it ran alone"
    return {"reason": FeatureRefusal.CRASHED, "detail": detail, "objects": []}


def _refusals(
    series: Iterable[dict[str, Any]],
    regions: Iterable[dict[str, Any]],
    reports: Iterable[Manifest],
    found: Mapping[str, dict[str, Any]],
) -> Iterator[Refused]:
    for kind, rows in (("series", series), ("regions", regions)):
        for row in rows:
            if row["Reason"] is not None:
                yield Refused(row["SeriesInstanceUID"], kind, row["Reason"], row["Detail"])
    for manifest in reports:
        body = found[manifest.SeriesInstanceUID]
        if body["reason"] is not None:
            yield Refused(manifest.SeriesInstanceUID, "dose report", str(body["reason"]), body["detail"])
