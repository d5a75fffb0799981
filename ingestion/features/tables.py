"""The two tables of a source's features: rows from manifests and stored results, columns always the same."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from ingestion.accounting.manifest import Manifest
from ingestion.dicom.geometry import geometry_of
from ingestion.features import TOOL_VERSION
from ingestion.features.intensity import INTENSITY_FEATURES
from ingestion.features.settings import FeatureSettings

STATISTICS: tuple[str, ...] = tuple(feature.column for feature in INTENSITY_FEATURES)
PROVENANCE: tuple[str, ...] = ("SettingsDigest", "ToolVersion")
IDENTIFIERS: tuple[str, ...] = ("source_id", "PatientID", "StudyInstanceUID", "SeriesInstanceUID")
OUTCOME: tuple[str, ...] = ("Status", "Reason", "Detail")
GEOMETRY: dict[str, str] = {
    "GeometryKind": "kind",
    "Orientation": "orientation",
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
REGION: tuple[str, ...] = (
    "SOPInstanceUID", "ImageSeriesInstanceUID", "ImageVersion", "MaskVersion", "SegmentNumber", "SegmentLabel",
    "CategoryCode", "CategoryScheme", "CategoryMeaning", "TypeCode", "TypeScheme", "TypeMeaning", "Voxels",
    "PaddingVoxels", "VolumeMm3",
)  # fmt: skip
COUNTS = ("Volumes", "MissingSlices", "DuplicatePositions", "Pixels", "SegmentNumber", "Voxels", "PaddingVoxels")
NUMBERS = ("RowSpacing", "ColumnSpacing", "SliceSpacing", "CoverageMm", "PaddingShare", "VolumeMm3", *STATISTICS)


def series_columns(settings: FeatureSettings) -> tuple[str, ...]:
    """Columns of the series table, in order."""
    return (
        *IDENTIFIERS, "ImageVersion", "Modality", *OUTCOME, *GEOMETRY, "GeometryProblems", "Unit", "SuvRefusal",
        "Pixels", "PaddingShare", *STATISTICS, *_further(settings), *PROVENANCE,
    )  # fmt: skip


def region_columns() -> tuple[str, ...]:
    """Columns of the regions table, in order. ``SeriesInstanceUID`` is the segmentation's."""
    return (*IDENTIFIERS, *REGION, *OUTCOME, "Unit", "SuvRefusal", *STATISTICS, *PROVENANCE)


def series_row(manifest: Manifest, body: dict[str, Any], settings: FeatureSettings) -> dict[str, Any]:
    """One image series. Geometry comes from the manifest, so a refused series has it too."""
    modality = manifest.header.get("Modality")
    geometry = geometry_of(
        [instance.attributes for instance in manifest.instances],
        modality=modality if isinstance(modality, str) else None,
    )
    return {
        **_identifiers(manifest),
        "ImageVersion": manifest.version,
        "Modality": modality,
        **_outcome(body),
        **{column: getattr(geometry, name) for column, name in GEOMETRY.items()},
        "GeometryProblems": ",".join(geometry.problems) or None,
        "Unit": body.get("unit"),
        "SuvRefusal": body.get("suv_refusal"),
        "Pixels": body.get("pixels"),
        "PaddingShare": body.get("padding_share"),
        **body.get("values", {}),
        **_provenance(settings),
    }


def region_rows(manifest: Manifest, body: dict[str, Any], settings: FeatureSettings) -> Iterator[dict[str, Any]]:
    """The regions of one segmentation series; one row without a region for each object that was refused."""
    common = {**_identifiers(manifest), "MaskVersion": manifest.version, **_provenance(settings)}
    if body["reason"] is not None:
        yield {**common, **_outcome(body)}
    for entry in body["objects"]:
        named = {
            **common,
            "SOPInstanceUID": entry["SOPInstanceUID"],
            "ImageSeriesInstanceUID": entry["image"],
            "ImageVersion": entry["image_version"],
        }
        if entry["reason"] is not None:
            yield {**named, **_outcome(entry)}
        for region in entry["regions"]:
            yield {
                **named,
                **_outcome(region),
                "SegmentNumber": region["number"],
                "SegmentLabel": region["label"],
                **_code("Category", region["category"]),
                **_code("Type", region["type"]),
                "Voxels": region["voxels"],
                "PaddingVoxels": region["padding_voxels"],
                "VolumeMm3": region["volume_mm3"],
                "Unit": entry["unit"],
                "SuvRefusal": entry["suv_refusal"],
                **region["values"],
            }


def series_table(rows: Sequence[dict[str, Any]], settings: FeatureSettings) -> pd.DataFrame:
    """The series table: the same columns and types whatever the rows hold."""
    return _table(rows, series_columns(settings), numbers=(*NUMBERS, *_further(settings)))


def regions_table(rows: Sequence[dict[str, Any]]) -> pd.DataFrame:
    """The regions table: the same columns and types whatever the rows hold."""
    return _table(rows, region_columns(), numbers=NUMBERS)


def settings_record(settings: FeatureSettings) -> dict[str, Any]:
    """The settings in words, to stand beside a table."""
    return {**asdict(settings), "settings_digest": settings.digest, "tool_version": TOOL_VERSION}


def _table(rows: Sequence[dict[str, Any]], columns: Sequence[str], *, numbers: Sequence[str]) -> pd.DataFrame:
    data = {column: [row.get(column) for row in rows] for column in columns}
    kinds = {
        column: "Int64" if column in COUNTS else "Float64" if column in numbers else "object" for column in columns
    }
    kinds["IrregularSteps"] = "boolean"
    return pd.DataFrame({column: pd.Series(data[column], dtype=kinds[column]) for column in columns})


def _identifiers(manifest: Manifest) -> dict[str, Any]:
    return {name: getattr(manifest, name) for name in IDENTIFIERS}


def _outcome(body: dict[str, Any]) -> dict[str, Any]:
    reason = body["reason"]
    return {
        "Status": "measured" if reason is None else "refused",
        "Reason": None if reason is None else str(reason),
        "Detail": body.get("detail"),
    }


def _provenance(settings: FeatureSettings) -> dict[str, str]:
    return {"SettingsDigest": settings.digest, "ToolVersion": TOOL_VERSION}


def _code(prefix: str, code: dict[str, Any] | None) -> dict[str, Any]:
    given = code or {}
    return {
        f"{prefix}{part.capitalize()}": given.get(name)
        for part, name in (("code", "value"), ("scheme", "scheme"), ("meaning", "meaning"))
    }


def _further(settings: FeatureSettings) -> tuple[str, ...]:
    return ("StandardDeviation", *(f"Percentile{percent}" for percent in settings.percentiles))
