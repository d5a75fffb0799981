"""The rules read the tables that the catalogue builds, not only the ones these tests make."""

from __future__ import annotations

from typing import Any

from ingestion.accounting.manifest import Manifest, ManifestInstance
from ingestion.accounting.source_state import Counts, SeriesEntry, SourceState
from ingestion.accounting.states import SeriesState
from ingestion.catalogue.rows import build_tables
from quality_checks.judge import judge
from quality_checks.model import Severity
from quality_checks.report import render_report


def manifest(source_id: str, number: int, slices: list[float], **header: Any) -> Manifest:
    said = {
        "SOPClassUID": "1.2.840.10008.5.1.4.1.1.2",
        "Modality": "CT",
        "BodyPartExamined": "CHEST",
        "Manufacturer": "GE MEDICAL SYSTEMS",
        "ManufacturerModelName": "Model 2",
        "PatientSex": "F",
        "PatientAge": "051Y",
        "StudyDate": "20180301",
        "SeriesDate": "20180301",
        "AcquisitionDate": "20180301",
        "SeriesNumber": number,
        "Rows": 64,
        "Columns": 64,
        "PixelSpacing": [0.8, 0.8],
        "SliceThickness": 2.0,
        "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        "KVP": 120.0,
        "ConvolutionKernel": "STANDARD",
        "Exposure": 120.0,
    }
    instances = tuple(
        ManifestInstance(
            SOPInstanceUID=f"2.25.9{number}{at}",
            SOPClassUID="1.2.840.10008.5.1.4.1.1.2",
            key=f"dicom/{number}/{at}",
            sha256="0" * 64,
            size=100,
            pixel_offset=None,
            attributes={
                "InstanceNumber": at + 1,
                "Rows": 64,
                "Columns": 64,
                "PixelSpacing": [0.8, 0.8],
                "ImagePositionPatient": [0.0, 0.0, position],
                "ImageOrientationPatient": [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
            },
        )
        for at, position in enumerate(slices)
    )
    return Manifest(
        source_id=source_id,
        PatientID="P1",
        StudyInstanceUID="2.25.71",
        SeriesInstanceUID=f"2.25.8{number}",
        policy="platform-default",
        policy_digest="1" * 24,
        code_version="0.1.0",
        key_id="k1",
        header=said | header,
        varying=("SliceLocation",),
        instances=instances,
    )


def test_tables_of_the_catalogue_are_judged(sound: Any) -> None:
    entry = sound.entry()
    made = [
        manifest(entry.id, 1, [0.0, 2.0, 4.0, 6.0, 8.0]),
        manifest(entry.id, 2, [0.0, 2.0, 4.0, 8.0, 10.0], Manufacturer=None, PatientAge="965Y"),
    ]
    state = SourceState(
        source_id=entry.id,
        series=tuple(
            SeriesEntry(
                SeriesInstanceUID=one.SeriesInstanceUID,
                state=SeriesState.COMPLETE,
                manifest_version=one.version,
                counts=Counts(delivered=5, accepted=5),
                reasons={},
            )
            for one in made
        ),
    )
    tables = build_tables(state, made, registry_entry=entry)
    verdict = judge(tables, state, entry=entry)
    found = {result.rule_id for result in verdict.results if result.severity in (Severity.ERROR, Severity.WARNING)}
    assert found == {"series_manufacturer_present", "series_age_plausible"}
    assert "2.25.82" in render_report(verdict, tables, state, entry=entry, generated_from="state 1")


def test_an_empty_catalogue_is_judged(sound: Any) -> None:
    entry = sound.entry()
    state = SourceState(source_id=entry.id, series=())
    verdict = judge(build_tables(state, [], registry_entry=entry), state, entry=entry)
    assert [result.rule_id for result in verdict.of(Severity.ERROR)] == ["source_not_empty"]
