"""Features of regions as a DICOM structured report (PS3.16, TID 1500), which other systems read.

A region of a segmentation is a volumetric measurement group that refers to its segment (TID 1411); a region of a
structure set a plain measurement group (TID 1501) whose tracking UID is made of the structure set's UID and the
region's number, since a report has no way to refer to a contour set. Names are IBSI's codes (coding scheme IBSI),
units UCUM's; texture's aggregation is the method of the measurement. The same input gives the same bytes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import highdicom as hd
from pydicom.dataset import Dataset
from pydicom.sr.codedict import codes
from pydicom.sr.coding import Code as DicomCode

from ingestion.dicom.region import Code
from ingestion.features import TOOL, TOOL_VERSION
from ingestion.features.ibsi.catalogue import Aggregation, feature_table
from ingestion.features.regions import Region, is_structure_set
from ingestion.features.settings import FeatureSettings
from ingestion.features.units import BQML, HU, SUVBW, Unit

REPORT_SERIES_NUMBER = 9500
IMAGE_UNITS: dict[str, str] = {HU: "[hnsf'U]", SUVBW: "{SUVbw}g/ml", BQML: "Bq/ml"}
"""UCUM of the units of images (PS3.16, CID 83, 84, 85); others have none."""
UCUM: dict[str, str] = {"1": "1", "mm": "mm", "mm²": "mm2", "mm³": "mm3", "1/mm": "/mm"}
UID_ROOT = "2.25."
MAX_TEXT = 64
DAYS = ("ContentDate", "StructureSetDate", "StudyDate")
"""Of what marks the regions, else of the image: the day of the report."""
TAKEN = ("PatientID", "PatientName", "PatientBirthDate", "PatientSex", "StudyID", "StudyDate", "StudyTime",
         "AccessionNumber", "ReferringPhysicianName")  # fmt: skip


def measurement_report(
    marks: Dataset, images: Sequence[Dataset], regions: Sequence[Region], unit: Unit, settings: FeatureSettings
) -> hd.sr.Comprehensive3DSR:
    """The report of what was measured of ``regions``, which ``marks`` (SEG or RTSTRUCT) marks on ``images``.

    Regions and features without a value are left out: TID 1500 has no place for a refusal.

    Raises:
        ValueError: no region has a value, or they are of a filter's response map, which TID 1500 has no place for: its
            readers would take them for those of the image.
    """
    if settings.ibsi.filter is not None:
        raise ValueError("features of a response map cannot be told apart in a report; leave the report or filter out")
    groups = [_group(marks, images, region, unit, settings) for region in regions if any(_values(region))]
    if not groups:
        raise ValueError("no region has a value to report")
    device = hd.sr.ObserverContext(
        observer_type=codes.DCM.Device,
        observer_identifying_attributes=hd.sr.DeviceObserverIdentifyingAttributes(
            uid=_uid("device", TOOL), name=TOOL, manufacturer_name=TOOL, model_name=f"{TOOL} {TOOL_VERSION}"
        ),
    )
    content = hd.sr.MeasurementReport(
        observation_context=hd.sr.ObservationContext(observer_device_context=device),
        procedure_reported=DicomCode("363679005", "SCT", "Imaging procedure"),
        imaging_measurements=groups,
        title=codes.DCM.ImagingMeasurementReport,
    )  # fmt: skip
    digest = (str(marks.SOPInstanceUID), settings.digest)
    report = hd.sr.Comprehensive3DSR(
        evidence=[_complete(images[0]), *images[1:], marks],
        content=content[0],
        series_instance_uid=_uid("series", str(marks.SeriesInstanceUID), settings.digest),
        series_number=REPORT_SERIES_NUMBER,
        sop_instance_uid=_uid("instance", *digest),
        instance_number=1,
        manufacturer=TOOL,
        is_complete=True,
    )
    # highdicom writes the moment of the call: a report would never be the same twice.
    day = next((str(d.get(name)) for d in (marks, images[0]) for name in DAYS if d.get(name)), report.ContentDate)
    for prefix in ("Content", "InstanceCreation"):
        setattr(report, f"{prefix}Date", day)
        setattr(report, f"{prefix}Time", "000000")
    for item in report.get("ContributingEquipmentSequence") or ():
        if "ContributionDateTime" in item:
            del item.ContributionDateTime
    return report


def _complete(image: Dataset) -> Dataset:
    """``image`` with the attributes that a report takes from it, empty where it has none (type 2)."""
    found = Dataset()
    found.update({element.tag: element for element in image if element.keyword != "PixelData"})
    for keyword in TAKEN:
        if keyword not in found:
            setattr(found, keyword, "")
    return found


def _group(
    marks: Dataset, images: Sequence[Dataset], region: Region, unit: Unit, settings: FeatureSettings
) -> hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations | hd.sr.MeasurementsAndQualitativeEvaluations:
    tracking = hd.sr.TrackingIdentifier(
        uid=region.tracking_uid or _uid("region", str(marks.SOPInstanceUID), str(region.number)),
        identifier=(region.tracking_id or region.label or f"region {region.number}")[:MAX_TEXT],
    )
    algorithm = hd.sr.AlgorithmIdentification(
        name=TOOL, version=TOOL_VERSION, parameters=[f"settings digest {settings.digest}"]
    )
    common: dict[str, Any] = {
        "tracking_identifier": tracking,
        "finding_type": _coded(region.type),
        "finding_category": _coded(region.category),
        "algorithm_id": algorithm,
        "finding_sites": _sites(region),
        "measurements": _values(region, unit),
    }
    if is_structure_set(marks):
        return hd.sr.MeasurementsAndQualitativeEvaluations(**common)
    segment = hd.sr.ReferencedSegment(
        sop_class_uid=str(marks.SOPClassUID),
        sop_instance_uid=str(marks.SOPInstanceUID),
        segment_number=region.number,
        source_series=hd.sr.SourceSeriesForSegmentation(str(images[0].SeriesInstanceUID)),
    )
    return hd.sr.VolumetricROIMeasurementsAndQualitativeEvaluations(referenced_segment=segment, **common)


def _values(region: Region, unit: Unit | None = None) -> list[hd.sr.Measurement]:
    methods = {aggregation.code: aggregation.value for aggregation in Aggregation}
    found = []
    for row in feature_table():
        value = region.values.get(row["Column"])
        if value is None:
            continue
        method = row["AggregationCode"]
        found.append(
            hd.sr.Measurement(
                name=hd.sr.CodedConcept(row["Code"], "IBSI", row["Name"][:MAX_TEXT]),
                value=value,
                unit=_unit(row["Unit"], unit),
                method=hd.sr.CodedConcept(method, "IBSI", methods[method]) if method else None,
            )
        )
    return found


def _unit(text: str, unit: Unit | None) -> hd.sr.CodedConcept:
    """UCUM of a feature's unit, in which ``u`` stands for the image's own."""
    own = IMAGE_UNITS.get(unit.name) if unit is not None else None
    of_image = {
        "u": own or "1",
        "u²": "1" if own is None else f"{own}2" if "/" not in own else f"({own})2",
        "u·mm³": "mm3" if own is None else f"{own}.mm3",
    }
    code = of_image.get(text) or UCUM[text]
    return hd.sr.CodedConcept(code, "UCUM", "no units" if code == "1" else code)


def _coded(code: Code | None) -> hd.sr.CodedConcept | None:
    if code is None or not (code.value and code.scheme and code.meaning):
        return None
    return hd.sr.CodedConcept(code.value, code.scheme, code.meaning[:MAX_TEXT])


def _sites(region: Region) -> list[hd.sr.FindingSite] | None:
    place = _coded(region.anatomy)
    return None if place is None else [hd.sr.FindingSite(place, laterality=_coded(region.laterality))]


def _uid(*parts: str) -> str:
    digest = hashlib.sha256("\0".join((TOOL, TOOL_VERSION, *parts)).encode()).digest()
    return UID_ROOT + str(int.from_bytes(digest[:16], "big"))
