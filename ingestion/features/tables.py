"""The two tables of a source's features: rows from manifests and stored results, columns always the same."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from ingestion.accounting.manifest import Manifest
from ingestion.dicom.geometry import GeometryKind, SeriesGeometry, geometry_of
from ingestion.features.dose_report import COLUMNS as DOSE_REPORT
from ingestion.features.exposure import COLUMNS as EXPOSURE
from ingestion.features.feature_units import feature_description, feature_unit
from ingestion.features.ibsi.catalogue import Family, column, features_of
from ingestion.features.intensity import INTENSITY_FEATURES
from ingestion.features.provenance import COLUMNS as PROVENANCE
from ingestion.features.provenance import files_digest, provenance
from ingestion.features.series_measures import QUALITY, SeriesMeasures
from ingestion.features.settings import FeatureSettings
from ingestion.features.undefined import undefined_measures, undefined_text

STATISTICS: tuple[str, ...] = tuple(feature.column for feature in INTENSITY_FEATURES)
IDENTIFIERS: tuple[str, ...] = ("source_id", "PatientID", "StudyInstanceUID", "SeriesInstanceUID")
OUTCOME: tuple[str, ...] = ("Status", "Reason", "Detail")
GEOMETRY: dict[str, str] = {
    "GeometryKind": "kind",
    "Orientation": "orientation",
    "Slices": "slices",
    "Volumes": "volumes",
    "RowSpacing": "row_spacing",
    "ColumnSpacing": "column_spacing",
    "SliceSpacing": "spacing_between_slices",
    "CoverageMm": "coverage_mm",
    "MissingSlices": "missing_slices",
    "DuplicatePositions": "duplicate_positions",
    "IrregularSteps": "irregular",
}
"""Column and attribute of ``SeriesGeometry``; lengths in mm."""
COUNTED = ("Slices", "Volumes", "MissingSlices", "DuplicatePositions", "IrregularSteps")
"""Columns of the geometry that are counted along the normal."""
NOT_COUNTED = frozenset({
    GeometryKind.PROJECTION, GeometryKind.MULTI_FRAME, GeometryKind.MIXED_ORIENTATION, GeometryKind.NO_POSITIONS,
    GeometryKind.NOT_IMAGE,
})  # fmt: skip
"""Without one normal there is nothing to count along: not 0, but unknown."""
CODES: dict[str, str] = {
    "Category": "category", "Type": "type", "Anatomy": "anatomy", "Laterality": "laterality",
}  # fmt: skip
"""Prefix of three columns (code, scheme, meaning), and attribute of ``Region``."""
NAMED: dict[str, str] = {
    "Algorithm": "algorithm", "Role": "role", "TrackingID": "tracking_id", "TrackingUID": "tracking_uid",
    "MaskDigest": "mask_digest",
}  # fmt: skip
"""Column, and attribute of ``Region``."""
REGION: tuple[str, ...] = (
    "SOPInstanceUID", "ImageSeriesInstanceUID", "ImageVersion", "ImageDigest", "MaskVersion", "SegmentNumber",
    "SegmentLabel", *(f"{prefix}{part}" for prefix in CODES for part in ("Code", "Scheme", "Meaning")), *NAMED,
    "Flags", "Voxels", "PaddingVoxels", "VolumeMm3", "UndefinedFeatures",
)  # fmt: skip
COUNTS = (
    "Slices", "Volumes", "MissingSlices", "DuplicatePositions", "Pixels", "SegmentNumber", "Voxels", "PaddingVoxels",
    "UndefinedFeatures",
)  # fmt: skip
NUMBERS = (
    "RowSpacing", "ColumnSpacing", "SliceSpacing", "CoverageMm", "PaddingShare", "VolumeMm3", *STATISTICS, *QUALITY,
    *EXPOSURE, *DOSE_REPORT,
)  # fmt: skip


def ibsi_columns(settings: FeatureSettings) -> tuple[str, ...]:
    """Columns of the features of regions that the settings choose, in the manual's order."""
    return tuple(
        column(feature, aggregation)
        for family in Family
        if family in settings.ibsi.families
        for aggregation in settings.ibsi.aggregations(family) or (None,)
        for feature in features_of(family)
    )


def series_columns(settings: FeatureSettings) -> tuple[str, ...]:
    """Columns of the series table, in order. ``ImageDigest``: of the stored files, whatever their order.

    ``Undefined``: each measure that the series should have, but has not, with the reason.
    """
    return (
        *IDENTIFIERS, "ImageVersion", "ImageDigest", "Modality", "Manufacturer", *OUTCOME, *GEOMETRY,
        "GeometryProblems", "Unit", "SuvRefusal", "Pixels", "PaddingShare", *STATISTICS, *_further(settings), *QUALITY,
        "QualityReason", *EXPOSURE, *DOSE_REPORT, "Undefined", *PROVENANCE,
    )  # fmt: skip


def image_columns(settings: FeatureSettings) -> tuple[str, ...]:
    """Those of the series table that a series on disk has too: not what a store or the patient's other series say."""
    stored = {*IDENTIFIERS, "ImageVersion", *DOSE_REPORT}
    return tuple(name for name in series_columns(settings) if name not in stored)


def region_columns(settings: FeatureSettings) -> tuple[str, ...]:
    """Columns of the regions table, in order. ``SeriesInstanceUID`` is that of the object that marks the region.

    ``ResponseMap``: the filter whose response was measured, with its parameters; empty for the image itself.
    """
    return (
        *IDENTIFIERS, *REGION, *OUTCOME, "Modality", "Manufacturer", "Unit", "SuvRefusal", "ResponseMap",
        *ibsi_columns(settings), *PROVENANCE,
    )  # fmt: skip


def series_row(
    manifest: Manifest, body: dict[str, Any], settings: FeatureSettings, *, dose: Mapping[str, float] | None = None
) -> dict[str, Any]:
    """One image series. Geometry comes from the manifest, so a refused series has it too.

    ``dose``: what dose reports say of the series' irradiation events.
    """
    modality = manifest.header.get("Modality")
    geometry = body.get("geometry") or geometry_record(
        geometry_of(
            [instance.attributes for instance in manifest.instances],
            modality=modality if isinstance(modality, str) else None,
        )
    )
    return {
        **_identifiers(manifest),
        "ImageVersion": manifest.version,
        **(dose or {}),
        **image_row(
            body,
            settings,
            geometry=geometry,
            digest=files_digest(instance.sha256 for instance in manifest.instances),
            modality=modality,
            manufacturer=manifest.header.get("Manufacturer"),
        ),
    }


def image_row(
    body: Mapping[str, Any],
    settings: FeatureSettings,
    *,
    geometry: Mapping[str, Any],
    digest: str,
    modality: Any,
    manufacturer: Any,
) -> dict[str, Any]:
    """What is measured of one image series, stored or on disk, in ``image_columns``.

    ``body``: that of ``series_body``, or a reason and a detail alone; ``geometry``: that of ``geometry_record``.
    """
    row = {
        "ImageDigest": digest,
        "Modality": modality,
        "Manufacturer": manufacturer,
        **_outcome(body),
        **geometry,
        "Unit": body.get("unit"),
        "SuvRefusal": body.get("suv_refusal"),
        "Pixels": body.get("pixels"),
        "PaddingShare": body.get("padding_share"),
        **body.get("values", {}),
        "QualityReason": body.get("quality_reason"),
        **body.get("exposure", {}),
        **provenance(settings),
    }
    return row | {"Undefined": undefined_text(undefined_measures(row))}


def series_body(measures: SeriesMeasures) -> dict[str, Any]:
    """The measures of a series as they are stored: plain values by name."""
    return {
        "reason": None,
        "detail": None,
        "unit": measures.unit.name,
        "suv_refusal": measures.unit.suv_refusal,
        "pixels": measures.pixels,
        "padding_share": measures.padding_share,
        "values": measures.values,
        "exposure": measures.exposure,
        "events": list(measures.events),
        "quality_reason": measures.quality_reason,
        "geometry": None if measures.geometry is None else geometry_record(measures.geometry),
    }


def geometry_record(geometry: SeriesGeometry) -> dict[str, Any]:
    """The geometry as columns of the series table; nothing where it could not be measured."""
    unknown = COUNTED if geometry.kind in NOT_COUNTED else ()
    return {
        **{name: None if name in unknown else getattr(geometry, attribute) for name, attribute in GEOMETRY.items()},
        "GeometryProblems": ",".join(geometry.problems) or None,
    }


def region_rows(
    manifest: Manifest, body: dict[str, Any], settings: FeatureSettings, *, images: Mapping[str, Manifest]
) -> Iterator[dict[str, Any]]:
    """The regions of one series of segmentations or structure sets; one row for each object that was refused.

    ``images``: the manifests of image series by UID.
    """
    common = {
        **_identifiers(manifest),
        "MaskVersion": manifest.version,
        "ResponseMap": settings.ibsi.response_map,
        **provenance(settings),
    }
    if body["reason"] is not None:
        yield {**common, **_outcome(body)}
    for entry in body["objects"]:
        image = images.get(entry["image"] or "")
        named = {
            **common,
            "SOPInstanceUID": entry["SOPInstanceUID"],
            "ImageSeriesInstanceUID": entry["image"],
            "ImageVersion": entry["image_version"],
            "ImageDigest": entry.get("image_digest"),
            "Modality": None if image is None else image.header.get("Modality"),
            "Manufacturer": None if image is None else image.header.get("Manufacturer"),
        }
        if entry["reason"] is not None:
            yield {**named, **_outcome(entry)}
        for region in entry["regions"]:
            yield {
                **named,
                **_outcome(region),
                **region_record(region),
                "Unit": entry["unit"],
                "SuvRefusal": entry["suv_refusal"],
            }


def region_record(region: Mapping[str, Any]) -> dict[str, Any]:
    """What a region is, and its features, as columns of the regions table. ``region``: ``asdict`` of a ``Region``."""
    codes: dict[str, Any] = {}
    for prefix, name in CODES.items():
        codes |= _code(prefix, region[name])
    return {
        "SegmentNumber": region["number"],
        "SegmentLabel": region["label"],
        **codes,
        **{name: region[attribute] for name, attribute in NAMED.items()},
        "Flags": ",".join(region["flags"]) or None,
        "Voxels": region["voxels"],
        "PaddingVoxels": region["padding_voxels"],
        "VolumeMm3": region["volume_mm3"],
        "UndefinedFeatures": len(region["undefined"]),
        "Undefined": region["undefined"],
        **region["values"],
    }


def series_table(rows: Sequence[dict[str, Any]], settings: FeatureSettings) -> pd.DataFrame:
    """The series table: the same columns and types whatever the rows hold."""
    return _table(rows, series_columns(settings), numbers=(*NUMBERS, *_further(settings)))


def regions_table(rows: Sequence[dict[str, Any]], settings: FeatureSettings) -> pd.DataFrame:
    """The regions table: the same columns and types whatever the rows hold."""
    return _table(rows, region_columns(settings), numbers=(*NUMBERS, *ibsi_columns(settings)))


def _table(rows: Sequence[dict[str, Any]], columns: Sequence[str], *, numbers: Sequence[str]) -> pd.DataFrame:
    data = {name: [row.get(name) for row in rows] for name in columns}
    numeric = frozenset(numbers)
    kinds = {name: "Int64" if name in COUNTS else "Float64" if name in numeric else "object" for name in columns}
    kinds["IrregularSteps"] = "boolean"
    frame = pd.DataFrame({name: pd.Series(data[name], dtype=kinds[name]) for name in columns})
    frame.attrs["units"] = {name: feature_unit(name) for name in columns if name in numeric or name in COUNTS}
    described = {name: feature_description(name) for name in columns}
    frame.attrs["descriptions"] = {name: text for name, text in described.items() if text is not None}
    return frame


def _identifiers(manifest: Manifest) -> dict[str, Any]:
    return {name: getattr(manifest, name) for name in IDENTIFIERS}


def _outcome(body: Mapping[str, Any]) -> dict[str, Any]:
    reason = body["reason"]
    return {
        "Status": "measured" if reason is None else "refused",
        "Reason": None if reason is None else str(reason),
        "Detail": body.get("detail"),
    }


def _code(prefix: str, code: dict[str, Any] | None) -> dict[str, Any]:
    given = code or {}
    return {
        f"{prefix}{part.capitalize()}": given.get(name)
        for part, name in (("code", "value"), ("scheme", "scheme"), ("meaning", "meaning"))
    }


def _further(settings: FeatureSettings) -> tuple[str, ...]:
    return ("StandardDeviation", *(f"Percentile{percent}" for percent in settings.percentiles))
