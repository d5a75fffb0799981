"""The units of work, a series of images, of regions or of dose reports: read from the store, measure, store the result.

A result is one small JSON object, written once. A refusal that lies in the series itself is a result too, so that the
next run does not read the series again; one that does not (``TRANSIENT``) is reported and not stored.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from io import BytesIO
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from ingestion.accounting.manifest import Manifest, ManifestInstance, manifest_key
from ingestion.dicom.geometry import STEP_TOLERANCE_MM, GeometryKind, geometry_of
from ingestion.dicom.guard import PARSER_ERRORS
from ingestion.dicom.images import ImageReader
from ingestion.dicom.region import RegionRefusedError
from ingestion.dicom.stacks import split_by_attributes
from ingestion.dicom.values import VolumeRefusedError
from ingestion.dicom.volume import Volume, read_volume
from ingestion.features.dose_report import event_doses
from ingestion.features.refusal import TRANSIENT, FeatureRefusal, FeatureRefusedError
from ingestion.features.regions import (
    Region,
    image_digest,
    iter_regions,
    measure_regions,
    regions_instances,
    regions_series,
    response_unit,
    volume_unit,
)
from ingestion.features.series_measures import frames_expected, measure_series
from ingestion.features.settings import FeatureSettings
from ingestion.features.tables import series_body
from ingestion.features.units import Unit
from ingestion.storage import ObjectMissingError, ObjectStore

JSON_CONTENT_TYPE = "application/json"
ANY_IMAGE = "*"
"""Stands in the place of the image series of an object that names none."""
REFUSALS = (VolumeRefusedError, RegionRefusedError, FeatureRefusedError)


@dataclass(frozen=True, slots=True)
class SeriesTask:
    """Measure one image series."""

    source_id: str
    series_uid: str
    version: str
    settings: FeatureSettings
    research: ObjectStore = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReportTask:
    """Read the doses of one series of dose reports."""

    source_id: str
    series_uid: str
    version: str
    settings: FeatureSettings
    research: ObjectStore = field(repr=False)


@dataclass(frozen=True, slots=True)
class RegionsTask:
    """Measure the regions of one series of segmentations or structure sets.

    ``images``: the patient's image series and their versions.
    """

    source_id: str
    series_uid: str
    version: str
    images: Mapping[str, str]
    settings: FeatureSettings
    research: ObjectStore = field(repr=False)


@dataclass(frozen=True, slots=True)
class Result:
    """What a task found, as stored, and whether it wrote an object."""

    body: dict[str, Any]
    written: bool


def result_prefix(source_id: str, series_uid: str, version: str) -> str:
    return f"features/{source_id}/{series_uid}/{version}."


def series_key(source_id: str, series_uid: str, version: str, settings: FeatureSettings) -> str:
    return f"{result_prefix(source_id, series_uid, version)}{settings.digest}.json"


def regions_key(
    source_id: str,
    series_uid: str,
    version: str,
    *,
    referenced: Sequence[str],
    images: Mapping[str, str],
    settings: FeatureSettings,
) -> str:
    """The key also says which versions of the referenced images were measured, or that they were not there."""
    uids = sorted(images if ANY_IMAGE in referenced else referenced)
    pairs = [[uid, images.get(uid)] for uid in uids]
    digest = hashlib.sha256(json.dumps(pairs).encode()).hexdigest()[:16]
    return f"{result_prefix(source_id, series_uid, version)}{digest}.{settings.digest}.json"


def run_series(task: SeriesTask) -> Result:
    """Raises ``StoreError`` when the store fails; a series that cannot be measured is a refusal in the result."""
    try:
        manifest = _manifest(task.research, task.source_id, task.series_uid, task.version)
        frames = sum(frames_expected(instance.attributes) for instance in manifest.instances)
        measures = measure_series(
            read_objects(task.research, manifest.instances, ImageReader().from_bytes),
            task.settings,
            frames_expected=frames,
        )
    except REFUSALS as refusal:
        body: dict[str, Any] = _refused(refusal)
    else:
        body = series_body(measures)
    return _store(task.research, series_key(task.source_id, task.series_uid, task.version, task.settings), body)


def run_report(task: ReportTask) -> Result:
    """Raises ``StoreError`` when the store fails; a report that cannot be read is a refusal in the result."""
    doses: dict[str, dict[str, float]] = {}
    body: dict[str, Any] = {"reason": None, "detail": None}
    try:
        manifest = _manifest(task.research, task.source_id, task.series_uid, task.version)
        for dataset in read_objects(task.research, manifest.instances):
            doses |= event_doses(dataset)
    except REFUSALS as refusal:
        body = _refused(refusal)
    except PARSER_ERRORS as error:
        body = {"reason": FeatureRefusal.MALFORMED, "detail": type(error).__name__}
    body["doses"] = doses
    return _store(task.research, series_key(task.source_id, task.series_uid, task.version, task.settings), body)


def run_regions(task: RegionsTask) -> Result:
    """Raises ``StoreError`` when the store fails; what cannot be measured is a refusal in the result."""
    referenced: set[str] = set()
    objects: list[dict[str, Any]] = []
    reader = _ImageReader(task)
    try:
        manifest = _manifest(task.research, task.source_id, task.series_uid, task.version)
        for instance in manifest.instances:
            objects.append(_measure_object(task, instance, reader, referenced))
        refused = {"reason": None, "detail": None}
    except REFUSALS as refusal:
        refused = _refused(refusal)
    body = {**refused, "referenced": sorted(referenced), "objects": objects}
    key = regions_key(
        task.source_id,
        task.series_uid,
        task.version,
        referenced=sorted(referenced),
        images=task.images,
        settings=task.settings,
    )
    transient = any(entry["reason"] in TRANSIENT for entry in [refused, *objects])
    return Result(body, written=False) if transient else _store(task.research, key, body)


def _measure_object(
    task: RegionsTask, instance: ManifestInstance, reader: _ImageReader, referenced: set[str]
) -> dict[str, Any]:
    """One object of the series; ``referenced`` gets the image series that its result depends on."""
    found: dict[str, Any] = {"SOPInstanceUID": instance.SOPInstanceUID, "image": None, "image_version": None}
    try:
        marks = next(read_objects(task.research, [instance]))
        names, used = regions_series(marks), regions_instances(marks)
        # Without a reference any image series of the patient may turn out to hold the instances used.
        referenced.update(names or [ANY_IMAGE])
        image = reader.choose(names, used)
        found |= {"image": image, "image_version": task.images[image]}
        read = reader.read(image, used)
        found["image_digest"] = read.digest
        segments = iter_regions(marks, read.volume)
        regions = [region_body(region) for region in measure_regions(segments, read.volume, read.unit, task.settings)]
        if not regions:
            raise FeatureRefusedError(FeatureRefusal.NO_REGIONS, detail="the object describes no region")
    except REFUSALS as refusal:
        return {**found, **_refused(refusal), "regions": []}
    return {
        **found,
        "reason": None,
        "detail": None,
        "unit": response_unit(read.unit, task.settings).name,
        "suv_refusal": read.unit.suv_refusal,
        "regions": regions,
    }


@dataclass(frozen=True, slots=True)
class _Read:
    volume: Volume
    unit: Unit
    digest: str


class _ImageReader:
    """Reads image volumes for regions; keeps the last, since objects of one series share their image."""

    def __init__(self, task: RegionsTask) -> None:
        self._task = task
        self._last: tuple[tuple[str, ...], _Read] | None = None

    def choose(self, names: Sequence[str], used: frozenset[str]) -> str:
        """The image series that regions were drawn on: the one named, or of several the one that has all ``used``."""
        images = self._task.images
        if len(names) == 1:
            if names[0] not in images:
                raise FeatureRefusedError(FeatureRefusal.IMAGE_MISSING, detail="the image series is not stored")
            return names[0]
        holding = [name for name in names or sorted(images) if name in images and self._holds(name, used)]
        if len(holding) == 1:
            return holding[0]
        if not names:
            raise FeatureRefusedError(FeatureRefusal.NO_REFERENCE, detail="no image series is named")
        raise FeatureRefusedError(FeatureRefusal.SEVERAL_IMAGES, detail=f"{len(names)} image series are named")

    def _holds(self, name: str, used: frozenset[str]) -> bool:
        manifest = _manifest(self._task.research, self._task.source_id, name, self._task.images[name])
        return bool(used) and used <= {instance.SOPInstanceUID for instance in manifest.instances}

    def read(self, series_uid: str, used: frozenset[str]) -> _Read:
        task = self._task
        manifest = _manifest(task.research, task.source_id, series_uid, task.images[series_uid])
        instances = _stack_of(manifest, used)
        keys = tuple(instance.key for instance in instances)
        if self._last is None or self._last[0] != keys:
            self._last = None  # frees the memory before the next volume takes it
            datasets = list(read_objects(task.research, instances, ImageReader().from_bytes))
            unit = volume_unit(datasets)
            if unit is None:
                raise FeatureRefusedError(FeatureRefusal.UNITS_VARY, detail="several units in the image series")
            volume = read_volume(datasets)
            self._last = keys, _Read(volume, unit, image_digest(volume))
        return self._last[1]


def _stack_of(manifest: Manifest, used: frozenset[str]) -> Sequence[ManifestInstance]:
    """Of a series that holds several volumes, the one that has all images used; else all (and a refusal later)."""
    attributes = [{**item.attributes, "_instance": number} for number, item in enumerate(manifest.instances)]
    geometry = geometry_of(attributes)
    if geometry.kind is not GeometryKind.VOLUMES or geometry.normal is None or not used:
        return manifest.instances
    placed = [item for item in attributes if "ImagePositionPatient" in item]
    stacks, _ = split_by_attributes(placed, geometry.normal, same_mm=STEP_TOLERANCE_MM)
    for stack in stacks:
        instances = [manifest.instances[item["_instance"]] for item in stack]
        if used <= {instance.SOPInstanceUID for instance in instances}:
            return instances
    return manifest.instances


def _manifest(research: ObjectStore, source_id: str, series_uid: str, version: str) -> Manifest:
    try:
        return Manifest.from_json(research.read(manifest_key(source_id, series_uid, version)))
    except ObjectMissingError:
        raise FeatureRefusedError(FeatureRefusal.OBJECT_MISSING, detail="the manifest is not in the store") from None


def _whole(body: bytes) -> Dataset:
    return dcmread(BytesIO(body))


def read_objects(
    research: ObjectStore, instances: Sequence[ManifestInstance], reader: Callable[[bytes], Dataset] = _whole
) -> Iterator[Dataset]:
    """The stored objects, one at a time, each checked against its digest."""
    for number, instance in enumerate(instances, start=1):
        where = f"object {number} of {len(instances)}"
        try:
            body = research.read(instance.key)
        except ObjectMissingError:
            raise FeatureRefusedError(FeatureRefusal.OBJECT_MISSING, detail=f"{where} is not in the store") from None
        if hashlib.sha256(body).hexdigest() != instance.sha256:
            raise FeatureRefusedError(FeatureRefusal.OBJECT_CHANGED, detail=f"{where} has another digest")
        try:
            dataset = reader(body)
        except (InvalidDicomError, OSError, *PARSER_ERRORS) as error:
            raise FeatureRefusedError(FeatureRefusal.MALFORMED, detail=f"{where}: {type(error).__name__}") from None
        yield dataset


def region_body(region: Region) -> dict[str, Any]:
    """A region as it is stored: plain values by name."""
    row = asdict(region)
    row["reason"] = row.pop("refusal")
    return row


def _refused(refusal: VolumeRefusedError | RegionRefusedError | FeatureRefusedError) -> dict[str, Any]:
    return {"reason": refusal.reason, "detail": refusal.detail}


def _store(research: ObjectStore, key: str, body: dict[str, Any]) -> Result:
    if body["reason"] in TRANSIENT:
        return Result(body, written=False)
    encoded = json.dumps(body, sort_keys=True, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    return Result(json.loads(encoded), written=research.create(key, encoded, content_type=JSON_CONTENT_TYPE))
