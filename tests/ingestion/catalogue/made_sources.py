"""Sources as the pipeline leaves them in the buckets, made for tests."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from sqlalchemy import Engine

from ingestion.accounting.manifest import Manifest, ManifestInstance
from ingestion.accounting.source_state import Counts, SeriesEntry, SourceState, sorted_entries, write_state
from ingestion.accounting.states import SeriesState
from ingestion.catalogue.frames import store_features, store_quality
from ingestion.catalogue.rebuild import PublishResult, publish_source
from ingestion.sources.registry import Contact, Registry, SourceEntry
from ingestion.storage import ObjectStore

CT_STORAGE = "1.2.840.10008.5.1.4.1.1.2"
SLICES = 4
PUBLISHER = Contact(name="Operator of a test", email="operator@example.org")


def make_entry(source_id: str, *, signed_on: dt.date | None = dt.date(2025, 1, 1), **changes: Any) -> SourceEntry:
    values: dict[str, Any] = {
        "id": source_id,
        "project": "Made for a test",
        "holder_countries": ["NL", "PT"],
        "cancer_type": "lung",
        "modalities": ["CT"],
        "figures": {"individuals": 40, "studies": 50, "series": 60, "as_of": "2026-01-01", "provenance": "invented"},
        "connector": {"kind": "folder", "path": "nowhere"},
        "policy": "platform-default",
        "agreement": {
            "kind": "data_sharing_agreement",
            "signed_on": signed_on,
            "valid_until": dt.date(2030, 1, 1),
            "data_use": ["DUO:0000007", "DUO:0000028"],
            "access_mode": "remote_processing",
        },
        "contact": {"name": "Data steward", "email": "steward@example.org"},
    }
    return SourceEntry.model_validate(values | changes)


def make_registry(*entries: SourceEntry) -> Registry:
    return Registry(description="made for a test", publisher=PUBLISHER, sources=entries)


def make_manifest(
    source_id: str, *, patient: int = 1, study: int = 1, series: int = 1, slices: int = SLICES, **header: Any
) -> Manifest:
    """A CT series of ``slices`` slices 2.5 mm apart."""
    uid = f"2.25.{patient}{study:02d}{series:02d}"
    attributes = {"Rows": 8, "Columns": 8, "PixelSpacing": [0.5, 0.75], "ImageOrientationPatient": [1, 0, 0, 0, 1, 0]}
    values: dict[str, Any] = {
        "SOPClassUID": CT_STORAGE, "Modality": "CT", "BodyPartExamined": "THORAX", "Manufacturer": "GE MEDICAL SYSTEMS",
        "PatientSex": "F", "PatientAge": "063Y", "StudyDate": "20200101", "SeriesNumber": series, "Rows": 8,
        "Columns": 8, "PixelSpacing": [0.5, 0.75], "SliceThickness": 2.5, "KVP": 120.0, "BitsStored": 12,
    }  # fmt: skip
    return Manifest(
        source_id=source_id,
        PatientID=f"{source_id}-{patient:04d}",
        StudyInstanceUID=f"2.25.{patient}{study:02d}",
        SeriesInstanceUID=uid,
        policy="platform-default",
        policy_digest="p" * 24,
        code_version="0.1.0",
        key_id="k" * 12,
        header=values | header,
        varying=("SliceThickness", "AcquisitionTime"),
        instances=tuple(
            ManifestInstance(
                SOPInstanceUID=f"{uid}{number}",
                SOPClassUID=CT_STORAGE,
                key=f"dicom/{source_id}/{uid}/{number}.dcm",
                sha256=f"{number:064x}",
                size=1000,
                pixel_offset=500,
                attributes={**attributes, "ImagePositionPatient": [0, 0, 2.5 * number]},
            )
            for number in range(slices)
        ),
    )


@dataclass
class MadeSource:
    """One source: its manifests, and counts beside the accepted instances."""

    entry: SourceEntry
    manifests: list[Manifest] = field(default_factory=list)
    quarantined_series: int = 1

    def state(self) -> SourceState:
        entries = [
            SeriesEntry(
                SeriesInstanceUID=manifest.SeriesInstanceUID,
                state=SeriesState.PARTIAL if number == 0 else SeriesState.COMPLETE,
                manifest_version=manifest.version,
                counts=Counts(
                    delivered=len(manifest.instances) + 1 + (number == 0),
                    accepted=len(manifest.instances),
                    duplicate=1,
                    quarantined=int(number == 0),
                ),
                reasons={"pixel_unreadable": 1} if number == 0 else {},
            )
            for number, manifest in enumerate(self.manifests)
        ]
        entries += [
            SeriesEntry(f"2.25.9{number}", SeriesState.QUARANTINED, None, Counts(3, 0, 0, 3), {"truncated": 3})
            for number in range(self.quarantined_series)
        ]
        entries.append(SeriesEntry(None, SeriesState.QUARANTINED, None, Counts(2, 0, 0, 2), {"not_dicom": 2}))
        return SourceState(source_id=self.entry.id, series=sorted_entries(entries))


def make_source(source_id: str, *, patients: int = 6, series: int = 2, **entry: Any) -> MadeSource:
    manifests = [
        make_manifest(source_id, patient=patient, series=number, PatientSex="M" if patient % 2 else "F")
        for patient in range(1, patients + 1)
        for number in range(1, series + 1)
    ]
    return MadeSource(make_entry(source_id, **entry), manifests)


def make_quality(source_id: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "source_id": [source_id] * 2,
            "rule_id": ["modality_present", "age_plausible"],
            "rule_version": ["1", "2"],
            "level": ["series", "study"],
            "dimension": ["completeness", "validity"],
            "severity": ["passed", "warning"],
            "rows": [12, 6],
            "passing": [12, 5],
            "share": [1.0, 5 / 6],
        }
    )


def make_features(made: MadeSource) -> tuple[pd.DataFrame, pd.DataFrame]:
    series = pd.DataFrame(
        {
            "source_id": made.entry.id,
            "SeriesInstanceUID": [manifest.SeriesInstanceUID for manifest in made.manifests],
            "Modality": "CT",
            "Status": ["measured"] * (len(made.manifests) - 1) + ["refused"],
            "Mean": [float(number) for number in range(len(made.manifests) - 1)] + [None],
            "IrregularSteps": pd.array([False] * len(made.manifests), dtype="boolean"),
            "Pixels": pd.array([64] * len(made.manifests), dtype="Int64"),
            "Unit": "HU",
            "ToolVersion": "1",
        }
    )
    regions = pd.DataFrame(
        {
            "source_id": made.entry.id,
            "SeriesInstanceUID": ["2.25.777"],
            "ImageSeriesInstanceUID": [made.manifests[0].SeriesInstanceUID],
            "SegmentNumber": pd.array([1], dtype="Int64"),
            "SegmentLabel": ["Lesion"],
            "Status": ["measured"],
            "Voxels": pd.array([27], dtype="Int64"),
            "VolumeMm3": [27.0],
            "Unit": ["HU"],
            "SuvRefusal": ["not a PET"],
        }
    )
    return series, regions


@dataclass
class World:
    """Both buckets and the database."""

    engine: Engine
    research: ObjectStore
    internal: ObjectStore

    def publish(self, made: MadeSource, *, with_results: bool = True) -> PublishResult:
        """Leave the source in the buckets as the pipeline does, and publish it."""
        put_source(self.research, self.internal, made)
        quality_key = series_key = regions_key = None
        if with_results:
            quality_key = store_quality(self.internal, made.entry.id, make_quality(made.entry.id))
            series, regions = make_features(made)
            series_key, regions_key = store_features(self.research, made.entry.id, series=series, regions=regions)
        return publish_source(
            self.engine, self.research, self.internal, made.entry, quality_key=quality_key,
            features_series_key=series_key, features_regions_key=regions_key,
        )  # fmt: skip


def put_source(research: ObjectStore, internal: ObjectStore, made: MadeSource) -> None:
    for manifest in made.manifests:
        research.create(manifest.key, manifest.to_json())
    write_state(internal, made.state())
