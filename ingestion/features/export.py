"""The stored features of a source's regions as DICOM structured reports, one for each object that marks regions.

Nothing is measured: what the current settings have stored is written in another form.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pydicom.dataset import Dataset

from ingestion.accounting.manifest import Manifest
from ingestion.accounting.source_state import SourceState
from ingestion.dicom.region import Code
from ingestion.features.measurement_report import measurement_report
from ingestion.features.regions import Region
from ingestion.features.run import is_image, is_marked, stored_regions
from ingestion.features.settings import FeatureSettings
from ingestion.features.tables import CODES
from ingestion.features.tasks import read_objects
from ingestion.features.units import Unit
from ingestion.storage import ObjectStore


@dataclass(frozen=True, slots=True)
class Export:
    """One object that marks regions. Without a report, ``reason`` says why."""

    SOPInstanceUID: str
    report: Dataset | None
    reason: str | None


def export_reports(
    state: SourceState, manifests: Iterable[Manifest], *, research: ObjectStore, settings: FeatureSettings | None = None
) -> Iterator[Export]:
    """A report for each segmentation and structure set of the source whose regions were measured.

    Raises:
        StoreError: the store failed.
        FeatureRefusedError: the store has lost or changed an object that a manifest names.
    """
    chosen = settings or FeatureSettings()
    current = sorted(manifests, key=lambda manifest: manifest.SeriesInstanceUID)
    images = {manifest.SeriesInstanceUID: manifest for manifest in current if is_image(manifest)}
    stored = {item.key for item in research.list(f"features/{state.source_id}/")}
    for manifest in (item for item in current if is_marked(item)):
        candidates = {uid: image.version for uid, image in images.items() if image.PatientID == manifest.PatientID}
        body = stored_regions(manifest, stored, candidates, research=research, settings=chosen)
        instances = {instance.SOPInstanceUID: instance for instance in manifest.instances}
        if body is None:
            yield from (Export(uid, None, "not_measured") for uid in instances)
            continue
        for entry in body["objects"]:
            uid = entry["SOPInstanceUID"]
            regions = [_region(region) for region in entry["regions"]]
            if chosen.ibsi.filter is not None:
                yield Export(uid, None, "response_map")
                continue
            if not any(value is not None for region in regions for value in region.values.values()):
                yield Export(uid, None, entry["reason"] or "no_values")
                continue
            marks = next(read_objects(research, [instances[uid]]))
            evidence = list(_evidence(images[entry["image"]], research))
            yield Export(uid, measurement_report(marks, evidence, regions, Unit(entry["unit"]), chosen), None)


def _evidence(image: Manifest, research: ObjectStore) -> Iterator[Dataset]:
    """The first instance of the image as it is, of the others what a reference to them says."""
    yield from read_objects(research, image.instances[:1])
    for instance in image.instances[1:]:
        dataset = Dataset()
        dataset.SOPClassUID, dataset.SOPInstanceUID = instance.SOPClassUID, instance.SOPInstanceUID
        dataset.SeriesInstanceUID, dataset.StudyInstanceUID = image.SeriesInstanceUID, image.StudyInstanceUID
        yield dataset


def _region(body: dict[str, Any]) -> Region:
    named = {name: value for name, value in body.items() if name != "reason"}
    for name in CODES.values():
        named[name] = None if body[name] is None else Code(**body[name])
    return Region(**{**named, "flags": tuple(named["flags"]), "refusal": body["reason"]})
