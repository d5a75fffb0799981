"""The catalogue's row of a source: what its registry entry says of it, and what is stored of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from ingestion.accounting.source_state import SourceState
from ingestion.accounting.states import SeriesState
from ingestion.sources.registry import SourceEntry

Row = dict[str, Any]
LABELS_JOINED_BY = "; "


def collection_row(
    entry: SourceEntry, state: SourceState, *, patients: list[Row], studies: list[Row], series: list[Row]
) -> Row:
    """One row of ``collection``; counts are exact (``release`` suppresses small ones before anything is public)."""
    states = [item.state for item in state.series if item.SeriesInstanceUID is not None]
    counts = state.counts
    accounting = {
        "SeriesPartial": states.count(SeriesState.PARTIAL),
        "SeriesQuarantined": states.count(SeriesState.QUARANTINED),
        "Delivered": counts.delivered,
        "Accepted": counts.accepted,
        "Duplicate": counts.duplicate,
        "Quarantined": counts.quarantined,
    }
    return _declared(entry) | accounting | contents_row(patients=patients, studies=studies, series=series)


def contents_row(*, patients: list[Row], studies: list[Row], series: list[Row]) -> Row:
    """The columns of ``collection`` that sum up these rows."""
    ages = distinct(studies, "AgeAtStudy")
    return {
        "NumberOfPatients": len(patients),
        "NumberOfStudies": len(studies),
        "NumberOfSeries": len(series),
        "NumberOfInstances": total(series, "NumberOfInstances"),
        "Bytes": total(series, "Bytes"),
        "Modalities": ",".join(distinct(series, "Modality")) or None,
        # Labels hold commas ("Chest, Abdomen and Pelvis").
        "BodyParts": "; ".join(distinct(series, "BodyPart")) or None,
        "Manufacturers": ",".join(distinct(series, "ManufacturerName")) or None,
        "Sexes": ",".join(distinct(patients, "PatientSex")) or None,
        "AgeMinimum": min(ages, default=None),
        "AgeMaximum": max(ages, default=None),
        "FirstStudyDate": min(distinct(studies, "StudyDate"), default=None),
        "LastStudyDate": max(distinct(studies, "StudyDate"), default=None),
        "SegmentedStudies": len({row["StudyInstanceUID"] for row in series if row["NumberOfSegments"]}),
        "SegmentLabels": _labels(series),
        "SmallestSpacing": min(_spacings(series), default=None),
        "TransferSyntaxes": ",".join(distinct(series, "TransferSyntaxUID")) or None,
        "InstancesSHA256": digest_of(row["InstancesSHA256"] for row in series),
    }


def digest_of(digests: Iterable[str]) -> str:
    """SHA-256 over the digests, sorted, one a line: anybody who has the objects can make it again."""
    return hashlib.sha256("".join(f"{one}\n" for one in sorted(digests)).encode()).hexdigest()


def _labels(series: list[Row]) -> str | None:
    found = {label for row in series if row["SegmentLabels"] for label in row["SegmentLabels"].split(LABELS_JOINED_BY)}
    return LABELS_JOINED_BY.join(sorted(found)) or None


def _spacings(series: list[Row]) -> list[float]:
    names = ("PixelSpacingRow", "PixelSpacingColumn", "SliceSpacing")
    return [row[name] for row in series for name in names if row[name] is not None and row[name] > 0]


def distinct(rows: list[Row], column: str) -> list[Any]:
    """The distinct values of a column, sorted, without None."""
    return sorted({row[column] for row in rows if row[column] is not None})


def total(rows: list[Row], column: str) -> int:
    return sum(row[column] for row in rows)


def _declared(entry: SourceEntry) -> Row:
    code = entry.cancer_type.code
    return {
        "source_id": entry.id,
        "Project": entry.project,
        "HolderCountries": ",".join(entry.holder_countries),
        "CancerType": entry.cancer_type.value,
        "CancerScheme": code.scheme.value,
        "CancerCode": code.value,
        "CancerMeaning": code.meaning,
        "ModalitiesDeclared": ",".join(entry.modalities),
        "Policy": entry.policy,
        "AgreementKind": entry.agreement.kind.value,
        "AgreementSignedOn": entry.agreement.signed_on,
        "AgreementValidUntil": entry.agreement.valid_until,
        "DataUse": ",".join(entry.agreement.data_use),
        "AccessMode": entry.agreement.access_mode.value,
        "AgreementWithdrawnOn": entry.agreement.withdrawn_on,
        "license_short_name": entry.licence,
        "source_DOI": entry.doi,
        "CountsHiddenBelow": entry.counts.hidden_below,
        "CountsRoundedTo": entry.counts.rounded_to,
        "ContactName": entry.contact.name,
        "ContactEmail": entry.contact.email,
        "IndividualsDeclared": entry.figures.individuals,
        "StudiesDeclared": entry.figures.studies,
        "SeriesDeclared": entry.figures.series,
        "FiguresAsOf": entry.figures.as_of,
        "FiguresProvenance": entry.figures.provenance,
    }
