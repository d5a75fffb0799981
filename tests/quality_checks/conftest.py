"""A sound source of the tables' documented shape, for tests to spoil."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
import pytest

from ingestion.accounting.source_state import Counts, SeriesEntry, SourceState
from ingestion.accounting.states import SeriesState
from ingestion.sources.registry import SourceEntry

SOURCE = "TEST-BREAST-01"


@dataclass(frozen=True)
class FixtureTables:
    patient: pd.DataFrame
    study: pd.DataFrame
    series: pd.DataFrame


def make_entry(**changes: Any) -> SourceEntry:
    values = {
        "id": SOURCE,
        "project": "Test project",
        "holder_countries": ("NL",),
        "cancer_type": "breast",
        "modalities": ("CT", "MR", "PT", "MG"),
        "figures": {
            "individuals": 5,
            "studies": 10,
            "series": 20,
            "as_of": date(2026, 1, 1),
            "provenance": "invented for a test",
        },
        "connector": {"kind": "folder", "path": "somewhere"},
        "policy": "platform-default",
        "agreement": {
            "kind": "data_sharing_agreement",
            "signed_on": date(2025, 1, 1),
            "valid_until": None,
            "data_use": ("DUO:0000007",),
            "access_mode": "in_situ_processing",
        },
        "contact": {"name": "Data steward", "email": "steward@example.org"},
    }
    return SourceEntry.model_validate(values | changes)


_BY_MODALITY: dict[str, dict[str, Any]] = {
    "CT": {"KVP": 120.0, "ConvolutionKernel": "B30f"},
    "MR": {"MagneticFieldStrength": 1.5, "RepetitionTime": 4200.0, "EchoTime": 90.0},
    "PT": {"Units": "BQML"},
    "MG": {"KVP": 28.0, "ViewPosition": "CC", "ImageLaterality": "L", "SliceThickness": None, "SliceSpacing": None},
    "SEG": {"BodyPartExamined": None, "BodyPart": None, "BodyPartCode": None, "AcquisitionDate": None},
}


def series_row(number: int, *, patient: int, study: int, modality: str) -> dict[str, Any]:
    day = f"2019{study % 12 + 1:02d}14"
    row: dict[str, Any] = {
        "source_id": SOURCE,
        "PatientID": f"P{patient:03d}",
        "StudyInstanceUID": f"2.25.1{study:04d}",
        "SeriesInstanceUID": f"2.25.2{number:04d}",
        "State": "complete",
        "ManifestVersion": "0" * 24,
        "PolicyDigest": "1" * 24,
        "CodeVersion": "0.1.0",
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
        "Modality": modality,
        "BodyPartExamined": "BREAST",
        "BodyPart": "Breast",
        "BodyPartCode": "76752008",
        "Manufacturer": "SIEMENS",
        "ManufacturerName": "Siemens",
        "ManufacturerModelName": "Model 1",
        "PatientSex": "F",
        "PatientAge": "063Y",
        "AgeAtStudy": 63.0,
        "StudyDate": day,
        "SeriesDate": day,
        "AcquisitionDate": day,
        "SeriesNumber": number,
        "SeriesDescription": "axial",
        "FrameOfReferenceUID": f"2.25.3{study:04d}",
        "Rows": 512,
        "Columns": 512,
        "NumberOfInstances": 10,
        "NumberOfFrames": 10,
        "Delivered": 11,
        "Duplicate": 1,
        "Quarantined": 0,
        "Bytes": 1000,
        "PixelSpacingRow": 0.7,
        "PixelSpacingColumn": 0.7,
        "SliceThickness": 3.0,
        "SliceSpacing": 3.0,
        "MissingSlices": 0,
        "DuplicatePositions": 0,
        "KVP": None,
        "ConvolutionKernel": None,
        "MagneticFieldStrength": None,
        "RepetitionTime": None,
        "EchoTime": None,
        "ViewPosition": None,
        "ImageLaterality": None,
        "Units": None,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsStored": 12,
        "Varying": "",
    }
    return row | _BY_MODALITY.get(modality, {})


MODALITIES = ("CT", "MR", "PT", "MG")


def make_tables(count: int = 20) -> FixtureTables:
    """``count`` series, four (one of each modality) to a study, two studies to a patient."""
    rows = [
        series_row(at, patient=at // 8, study=at // 4, modality=MODALITIES[at % len(MODALITIES)]) for at in range(count)
    ]
    series = pd.DataFrame(rows)
    return FixtureTables(patient=patient_table(series), study=study_table(series), series=series)


def study_table(series: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for uid, group in series.groupby("StudyInstanceUID"):
        first = group.iloc[0]
        rows.append({
            "source_id": SOURCE, "PatientID": first["PatientID"], "StudyInstanceUID": uid,
            "StudyDate": first["StudyDate"], "AgeAtStudy": first["AgeAtStudy"], "PatientSex": first["PatientSex"],
            "Modalities": ",".join(sorted(set(group["Modality"]))), "NumberOfSeries": len(group),
            "NumberOfInstances": int(group["NumberOfInstances"].sum()), "Bytes": int(group["Bytes"].sum()),
            "NumberOfPatientIDs": group["PatientID"].nunique(),
        })  # fmt: skip
    return pd.DataFrame(rows)


def patient_table(series: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for patient_id, group in series.groupby("PatientID"):
        rows.append({
            "source_id": SOURCE, "PatientID": patient_id, "PatientSex": group["PatientSex"].iloc[0],
            "Sexes": ",".join(sorted(set(group["PatientSex"].dropna()))),
            "NumberOfStudies": group["StudyInstanceUID"].nunique(), "NumberOfSeries": len(group),
            "NumberOfInstances": int(group["NumberOfInstances"].sum()), "FirstStudyDate": group["StudyDate"].min(),
            "LastStudyDate": group["StudyDate"].max(),
        })  # fmt: skip
    return pd.DataFrame(rows)


def make_state(tables: FixtureTables, *, extra: tuple[SeriesEntry, ...] = ()) -> SourceState:
    """The state that ``tables`` would have been built from, and further entries."""
    entries = [
        SeriesEntry(
            SeriesInstanceUID=row["SeriesInstanceUID"],
            state=SeriesState(row["State"]),
            manifest_version=row["ManifestVersion"],
            counts=Counts(
                delivered=row["Delivered"],
                accepted=row["NumberOfInstances"],
                duplicate=row["Duplicate"],
                quarantined=row["Quarantined"],
            ),
            reasons={"truncated": row["Quarantined"]} if row["Quarantined"] else {},
        )
        for row in tables.series.to_dict("records")
    ]
    return SourceState(source_id=SOURCE, series=(*extra, *entries))


def companions(count: int, reason: str = "not_dicom") -> SeriesEntry:
    """Objects that belong to no series."""
    return SeriesEntry(
        SeriesInstanceUID=None,
        state=SeriesState.QUARANTINED,
        manifest_version=None,
        counts=Counts(delivered=count, quarantined=count),
        reasons={reason: count},
    )


@dataclass(frozen=True)
class Sound:
    """Makers of a sound source, for tests that spoil one thing."""

    entry: Callable[..., SourceEntry] = make_entry
    tables: Callable[..., FixtureTables] = make_tables
    state: Callable[..., SourceState] = make_state
    companions: Callable[..., SeriesEntry] = companions
    row: Callable[..., dict[str, Any]] = series_row
    bundle: type[FixtureTables] = FixtureTables
    study_table: Callable[[pd.DataFrame], pd.DataFrame] = study_table
    patient_table: Callable[[pd.DataFrame], pd.DataFrame] = patient_table


@pytest.fixture(scope="session")
def sound() -> Sound:
    return Sound()
