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
from pydicom.uid import RTDoseStorage, SegmentationStorage

from ingestion.accounting.manifest import Manifest
from ingestion.accounting.source_state import SourceState
from ingestion.fanout import Crashed, Done
from ingestion.features.refusal import FeatureRefusal
from ingestion.features.settings import FeatureSettings
from ingestion.features.tables import region_rows, regions_table, series_row, series_table
from ingestion.features.tasks import (
    Result,
    SegmentationTask,
    SeriesTask,
    result_prefix,
    run_segmentation,
    run_series,
    segmentation_key,
    series_key,
)
from ingestion.storage import ObjectStore

NOT_MEASURED = frozenset({SegmentationStorage, RTDoseStorage})
"""They have pixels that are no image: masks, and a dose."""

Task: TypeAlias = SeriesTask | SegmentationTask
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

    ``series`` has one row per image series, ``regions`` one per region of interest (or per refused segmentation);
    ``ingestion.features.tables`` says their columns.
    """

    series: pd.DataFrame
    regions: pd.DataFrame
    computed: int
    """Series (images and segmentations) that were measured now."""
    reused: int
    not_applicable: int
    """Stored series that hold neither images nor segmentations: plans, structure sets, doses, reports."""
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
    images = [manifest for manifest in current if _is_image(manifest)]
    segmentations = [manifest for manifest in current if _is_segmentation(manifest)]
    stored = set() if full else {item.key for item in research.list(f"features/{state.source_id}/")}
    by_patient: dict[str, dict[str, str]] = {}
    for manifest in images:
        by_patient.setdefault(manifest.PatientID, {})[manifest.SeriesInstanceUID] = manifest.version
    found: dict[str, dict[str, Any]] = {}
    work: list[Task] = []
    for manifest in images:
        key = series_key(state.source_id, manifest.SeriesInstanceUID, manifest.version, chosen)
        if key in stored:
            found[manifest.SeriesInstanceUID] = json.loads(research.read(key))
        else:
            work.append(
                SeriesTask(state.source_id, manifest.SeriesInstanceUID, manifest.version, chosen, research=research)
            )
    for manifest in segmentations:
        candidates = by_patient.get(manifest.PatientID, {})
        body = _stored_regions(manifest, stored, candidates, research=research, settings=chosen)
        if body is not None:
            found[manifest.SeriesInstanceUID] = body
        else:
            work.append(
                SegmentationTask(
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
    series = [series_row(manifest, found[manifest.SeriesInstanceUID], chosen) for manifest in images]
    regions = [
        row for manifest in segmentations for row in region_rows(manifest, found[manifest.SeriesInstanceUID], chosen)
    ]
    return SourceFeatures(
        series=series_table(series, chosen),
        regions=regions_table(regions),
        computed=len(work),
        reused=reused,
        not_applicable=len(current) - len(images) - len(segmentations),
        refused=tuple(_refusals(series, regions)),
        objects_written=written,
    )


def run_task(task: Task) -> Result:
    """Run one task in a worker."""
    return run_series(task) if isinstance(task, SeriesTask) else run_segmentation(task)


def _is_segmentation(manifest: Manifest) -> bool:
    return manifest.header.get("SOPClassUID") == SegmentationStorage


def _is_image(manifest: Manifest) -> bool:
    if manifest.header.get("SOPClassUID") in NOT_MEASURED:
        return False
    return any(item.attributes.get("Rows") and item.attributes.get("Columns") for item in manifest.instances)


def _stored_regions(
    manifest: Manifest,
    stored: set[str],
    images: Mapping[str, str],
    *,
    research: ObjectStore,
    settings: FeatureSettings,
) -> dict[str, Any] | None:
    """The stored result of a segmentation series, if its images are still those that were measured.

    Which images it refers to stands in any result of this version of it.
    """
    prefix = result_prefix(manifest.source_id, manifest.SeriesInstanceUID, manifest.version)
    former = min((key for key in stored if key.startswith(prefix)), default=None)
    if former is None:
        return None
    body: dict[str, Any] = json.loads(research.read(former))
    key = segmentation_key(
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


def _refusals(series: Iterable[dict[str, Any]], regions: Iterable[dict[str, Any]]) -> Iterator[Refused]:
    for row in series:
        if row["Reason"] is not None:
            yield Refused(row["SeriesInstanceUID"], "series", row["Reason"], row["Detail"])
    for row in regions:
        if row["Reason"] is not None:
            yield Refused(row["SeriesInstanceUID"], "regions", row["Reason"], row["Detail"])
