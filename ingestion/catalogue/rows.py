"""The rows of a source's series, studies and patients, from its state and manifests alone: no object is opened."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from ingestion.accounting.manifest import Manifest
from ingestion.accounting.source_state import SeriesEntry, SourceState
from ingestion.catalogue import values
from ingestion.catalogue.accounts import Making, instance_rows, quarantine_rows
from ingestion.catalogue.collection import Row, collection_row, contents_row, distinct, total
from ingestion.catalogue.curated import Curated
from ingestion.catalogue.details import details_frame, details_row
from ingestion.catalogue.frames import frame_of
from ingestion.catalogue.results import plain
from ingestion.catalogue.series_columns import derived_columns, people_of, pointers, rights_of
from ingestion.catalogue.tables import collection as collection_table
from ingestion.catalogue.tables import instance_manifest as instance_table
from ingestion.catalogue.tables import lineage as lineage_table
from ingestion.catalogue.tables import patient as patient_table
from ingestion.catalogue.tables import quarantine as quarantine_table
from ingestion.catalogue.tables import series as series_table
from ingestion.catalogue.tables import study as study_table
from ingestion.dicom.geometry import geometry_of
from ingestion.sources.registry import SourceEntry
from ingestion.vocabulary.age import age_at_study
from ingestion.vocabulary.sex import normalise_sex

TABLES_VERSION = 5
"""Raise it when the same manifests give other rows: it makes every publication new, so all rows are written again."""

_TEXTS = (
    "SOPClassUID", "Modality", "BodyPartExamined", "Manufacturer", "ManufacturerModelName", "PatientSex", "PatientAge",
    "StudyDate", "SeriesDate", "AcquisitionDate", "SeriesDescription", "FrameOfReferenceUID", "ConvolutionKernel",
    "ViewPosition", "ImageLaterality", "Units", "PhotometricInterpretation",
    "BurnedInAnnotation", "RecognizableVisualFeatures", "StudyDescription", "ProtocolName", "ImageType",
    "TransferSyntaxUID", "SoftwareVersions", "LossyImageCompression", "PatientPosition", "ContrastBolusAgent",
    "ScanningSequence", "MRAcquisitionType", "DecayCorrection",
)  # fmt: skip
_NUMBERS = (
    "SliceThickness", "KVP", "MagneticFieldStrength", "RepetitionTime", "EchoTime", "PatientWeight", "PatientSize",
    "ExposureTime", "XRayTubeCurrent", "Exposure", "BodyPartThickness", "CompressionForce", "FlipAngle",
    "InversionTime", "RadionuclideTotalDose", "RadionuclideHalfLife",
)  # fmt: skip
_INTEGERS = ("SeriesNumber", "Rows", "Columns", "BitsStored", "SamplesPerPixel", "PixelRepresentation")
QUALITY_COLUMNS = ("QualityStatus", "QualityFlags", "LeftOutBecause")
"""Columns of ``series`` that come from the quality results, not from the manifests."""
RELEASE_COLUMNS = ("FirstRelease", "RevisedRelease", "LastRelease")
"""Columns of ``series`` that come from the releases."""


class ManifestsIncompleteError(ValueError):
    """The manifests are not those that the state names: rows made of them would be wrong."""


@dataclass(frozen=True, slots=True)
class SourceTables:
    """Data frames with the columns of the tables of the same names, sorted by key. ``collection`` has one row."""

    collection: pd.DataFrame
    patient: pd.DataFrame
    study: pd.DataFrame
    series: pd.DataFrame
    instance_manifest: pd.DataFrame
    lineage: pd.DataFrame
    quarantine: pd.DataFrame
    details: pd.DataFrame = field(default_factory=pd.DataFrame)
    """Of each series what the checks read beside the catalogue (``ingestion.catalogue.details``)."""


def build_tables(
    state: SourceState, manifests: Iterable[Manifest], *, registry_entry: SourceEntry, curated: Curated | None = None
) -> SourceTables:
    """The rows of one source. Only series with a stored instance have a row.

    Args:
        curated: what curators decided about spellings; None: nothing.

    Raises:
        ManifestsIncompleteError: a manifest is missing, of another version or of another source.
    """
    if state.source_id != registry_entry.id:
        raise ManifestsIncompleteError(f"the state is of source {state.source_id}, the entry of {registry_entry.id}")
    entries = {
        entry.SeriesInstanceUID: entry
        for entry in state.series
        if entry.SeriesInstanceUID is not None and entry.manifest_version is not None
    }
    rows, details, instances = [], [], []
    making = Making(state)
    for manifest in manifests:
        entry = entries.pop(manifest.SeriesInstanceUID, None)
        if entry is None or entry.manifest_version != manifest.version or manifest.source_id != state.source_id:
            raise ManifestsIncompleteError(
                f"source {state.source_id}: the manifest of series {manifest.SeriesInstanceUID}, version "
                f"{manifest.version}, is not one that the state names; read the manifests of this very state"
            )
        rows.append(_series_row(entry, manifest, curated or Curated()) | rights_of(registry_entry))
        details.append(details_row(manifest))
        instances += instance_rows(manifest)
        making.add(manifest)
    if entries:
        raise ManifestsIncompleteError(
            f"source {state.source_id}: {len(entries)} manifest(s) that the state names were not given, "
            f"the first of series {min(entries)}"
        )
    rows.sort(key=lambda row: str(row["SeriesInstanceUID"]))
    patients, studies = people_and_studies(rows, people_of(state, rows))
    return SourceTables(
        collection=frame_of(
            collection_table,
            [collection_row(registry_entry, state, patients=patients, studies=studies, series=rows)],
        ),
        patient=frame_of(patient_table, patients),
        study=frame_of(study_table, studies),
        series=frame_of(series_table, rows),
        instance_manifest=frame_of(instance_table, instances),
        lineage=frame_of(lineage_table, making.rows()),
        quarantine=frame_of(quarantine_table, quarantine_rows(state)),
        details=details_frame(details),
    )


def with_quality(tables: SourceTables, quality: pd.DataFrame) -> SourceTables:
    """The tables with each series' status, flags and reasons; ``quality`` has a row for each, or none at all.

    Raises:
        ManifestsIncompleteError: the quality results are about other series.
    """
    if quality.empty:
        return tables
    of_series = quality.set_index("SeriesInstanceUID")
    if set(of_series.index) != set(tables.series["SeriesInstanceUID"]) or not of_series.index.is_unique:
        raise ManifestsIncompleteError("the quality results of series are not of the series that are to be published")
    series = tables.series.copy()
    for name in QUALITY_COLUMNS:
        values = of_series[name].reindex(series["SeriesInstanceUID"])
        series[name] = [value if isinstance(value, str) else None for value in values]
    return replace(tables, series=series)


def with_pointers(tables: SourceTables, *, features: pd.DataFrame, regions: pd.DataFrame) -> SourceTables:
    """The tables with each series' pointers to its segmentations and features, and what the collection sums of them."""
    found = pointers(tables.series["SeriesInstanceUID"], features=features, regions=regions)
    rows = [row | found[row["SeriesInstanceUID"]] for row in rows_of(tables.series)]
    [collection] = rows_of(tables.collection)
    collection |= contents_row(patients=rows_of(tables.patient), studies=rows_of(tables.study), series=rows)
    return replace(tables, series=frame_of(series_table, rows), collection=frame_of(collection_table, [collection]))


def rows_of(frame: pd.DataFrame) -> list[Row]:
    """The rows of a frame as plain Python values."""
    names = [str(name) for name in frame.columns]
    return [
        dict(zip(names, (plain(value) for value in values), strict=True))
        for values in frame.itertuples(index=False, name=None)
    ]


def people_and_studies(series: list[Row], people: Mapping[str, str] | None = None) -> tuple[list[Row], list[Row]]:
    """The rows of ``patient`` and ``study`` that belong to these of ``series``. ``people``: person by pseudonym."""
    return _patient_rows(series, people or {}), _study_rows(series)


def _series_row(entry: SeriesEntry, manifest: Manifest, curated: Curated) -> Row:
    header = manifest.header
    row: Row = {
        "source_id": manifest.source_id,
        "SeriesInstanceUID": manifest.SeriesInstanceUID,
        **dict.fromkeys((*QUALITY_COLUMNS, *RELEASE_COLUMNS)),
        "PatientID": manifest.PatientID,
        "StudyInstanceUID": manifest.StudyInstanceUID,
        "State": entry.state.value,
        "ManifestVersion": entry.manifest_version,
        "PolicyDigest": manifest.policy_digest,
        "CodeVersion": manifest.code_version,
        "NumberOfInstances": entry.counts.accepted,
        "NumberOfFrames": sum(_frames(item.attributes) for item in manifest.instances if item.pixel_offset is not None),
        "Delivered": entry.counts.delivered,
        "Duplicate": entry.counts.duplicate,
        "Quarantined": entry.counts.quarantined,
        "Bytes": sum(item.size for item in manifest.instances),
        "Varying": ",".join(sorted(manifest.varying)) or None,
    }
    row |= {name: values.text(header.get(name)) for name in _TEXTS}
    row |= {name: values.number(header.get(name)) for name in _NUMBERS}
    row |= {name: values.integer(header.get(name)) for name in _INTEGERS}
    part = curated.body_part(row["BodyPartExamined"])
    row |= derived_columns(manifest, row)
    row["BodyPart"] = part.label if part else None
    row["BodyPartCode"] = part.code.value if part else None
    row["ManufacturerName"] = curated.manufacturer(row["Manufacturer"])
    row["AgeAtStudy"] = age_at_study(patient_age=row["PatientAge"])
    # Projection images give the spacing at the detector instead (PS3.3, section 10.7.1.3).
    spacing = header.get("PixelSpacing") or header.get("ImagerPixelSpacing")
    row["PixelSpacingRow"] = values.number(spacing, at=0)
    row["PixelSpacingColumn"] = values.number(spacing, at=1)
    geometry = geometry_of([item.attributes for item in manifest.instances], modality=row["Modality"])
    row["SliceSpacing"] = geometry.spacing_between_slices
    row["MissingSlices"] = geometry.missing_slices
    row["DuplicatePositions"] = geometry.duplicate_positions
    row["GeometryKind"] = geometry.kind.value
    row["Orientation"] = geometry.orientation.value if geometry.orientation else None
    row["Volumes"] = geometry.volumes
    row["GeometryProblems"] = ",".join(problem.value for problem in geometry.problems) or None
    return row


def _frames(attributes: Mapping[str, Any]) -> int:
    """Frames of an instance with pixels: one unless Number of Frames (0028,0008) says more."""
    return max(values.integer(attributes.get("NumberOfFrames")) or 1, 1)


def _study_rows(series: list[Row]) -> list[Row]:
    patients: dict[str, set[str]] = {}
    for row in series:
        patients.setdefault(row["StudyInstanceUID"], set()).add(row["PatientID"])
    return [
        {
            "source_id": rows[0]["source_id"],
            "PatientID": patient_id,
            "StudyInstanceUID": study_uid,
            "StudyDate": min(distinct(rows, "StudyDate"), default=None),
            "AgeAtStudy": min(distinct(rows, "AgeAtStudy"), default=None),
            "PatientSex": _one_sex(rows),
            "Modalities": ",".join(distinct(rows, "Modality")) or None,
            "NumberOfSeries": len(rows),
            "NumberOfInstances": total(rows, "NumberOfInstances"),
            "Bytes": total(rows, "Bytes"),
            "NumberOfPatientIDs": len(patients[study_uid]),
        }
        for (patient_id, study_uid), rows in _grouped(
            series, lambda row: (row["PatientID"], row["StudyInstanceUID"])
        ).items()
    ]


def _patient_rows(series: list[Row], people: Mapping[str, str]) -> list[Row]:
    return [
        {
            "source_id": rows[0]["source_id"],
            "PatientID": patient_id,
            "PatientSex": _one_sex(rows),
            "Sexes": ",".join(distinct(rows, "PatientSex")) or None,
            "NumberOfStudies": len(distinct(rows, "StudyInstanceUID")),
            "NumberOfSeries": len(rows),
            "NumberOfInstances": total(rows, "NumberOfInstances"),
            "FirstStudyDate": min(distinct(rows, "StudyDate"), default=None),
            "LastStudyDate": max(distinct(rows, "StudyDate"), default=None),
            "PersonKey": people.get(patient_id, patient_id),
        }
        for (patient_id,), rows in _grouped(series, lambda row: (row["PatientID"],)).items()
    ]


def _grouped(rows: list[Row], key: Callable[[Row], tuple[str, ...]]) -> dict[tuple[str, ...], list[Row]]:
    """The rows by key, keys in order, rows in the order given."""
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(key(row), []).append(row)
    return dict(sorted(found.items()))


def _one_sex(rows: list[Row]) -> str | None:
    """The sex that all rows agree on, as far as they know one."""
    found = {sex.value for row in rows if (sex := normalise_sex(row["PatientSex"]))}
    return found.pop() if len(found) == 1 else None
