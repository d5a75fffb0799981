"""The people of a catalogue, of a source's tables in memory, and of a folder of de-identified files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pydicom
from pydicom.errors import InvalidDicomError
from sqlalchemy import Engine, Table, select

from ingestion.accounting.database import transaction
from ingestion.catalogue import tables as t
from ingestion.catalogue.risk.people import Person, people_of
from ingestion.dicom.guard import PARSER_ERRORS
from ingestion.vocabulary.age import age_at_study
from ingestion.vocabulary.body_part import normalise_body_part
from ingestion.vocabulary.manufacturer import normalise_manufacturer
from ingestion.vocabulary.sex import normalise_sex

_COLUMNS = {
    t.patient: ("source_id", "PatientID", "PatientSex"),
    t.study: ("source_id", "PatientID", "StudyDate", "AgeAtStudy"),
    t.series: (
        "source_id", "PatientID", "SeriesInstanceUID", "StudyDate", "ManufacturerName", "ManufacturerModelName",
        "BodyPart",
    ),
    t.collection: ("source_id", "CancerType"),
}  # fmt: skip
_KEYWORDS = [
    "PatientID", "PatientSex", "PatientAge", "StudyDate", "StudyInstanceUID", "SeriesInstanceUID", "Manufacturer",
    "ManufacturerModelName", "BodyPartExamined", "PatientIdentityRemoved",
]  # fmt: skip


class NotDeidentifiedError(ValueError):
    """A folder with raw objects in it: their identities must not get into a report."""


def people_of_catalogue(engine: Engine, source_ids: Iterable[str] | None = None) -> tuple[Person, ...]:
    """The patients of some sources, or of all.

    Raises:
        LedgerError: the database cannot be reached.
    """
    wanted = None if source_ids is None else list(source_ids)
    with transaction(engine, "reading the catalogue") as connection:

        def rows(table: Table) -> list[Mapping[str, Any]]:
            query = select(*(table.c[name] for name in _COLUMNS[table]))
            if wanted is not None:
                query = query.where(table.c.source_id.in_(wanted))
            return [dict(row) for row in connection.execute(query).mappings()]

        patients, studies, series, collections = (rows(table) for table in (t.patient, t.study, t.series, t.collection))
    return people_of(patients, studies, series, cancers={row["source_id"]: row["CancerType"] for row in collections})


def people_of_frames(
    *, patient: pd.DataFrame, study: pd.DataFrame, series: pd.DataFrame, cancers: Mapping[str, str]
) -> tuple[Person, ...]:
    """The patients of tables in memory, as ``build_tables`` makes them."""
    rows = (
        frame[list(_COLUMNS[table])].to_dict("records")
        for table, frame in ((t.patient, patient), (t.study, study), (t.series, series))
    )
    patients, studies, of_series = rows
    return people_of(patients, studies, of_series, cancers=cancers)  # type: ignore[arg-type]


def people_of_folder(folder: Path) -> tuple[tuple[Person, ...], int]:
    """The patients of the de-identified files below ``folder``, and how many files could not be read.

    Raises:
        NotDeidentifiedError: a file does not say that its patient's identity was removed (0012,0062).
    """
    site = folder.name or "folder"
    patients: dict[str, dict[str, Any]] = {}
    studies: dict[tuple[str, str], dict[str, Any]] = {}
    series: dict[str, dict[str, Any]] = {}
    unreadable = 0
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".json"):
        try:
            header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=_KEYWORDS)
            row = {keyword: str(header.get(keyword) or "").strip() for keyword in _KEYWORDS}
        except (InvalidDicomError, *PARSER_ERRORS):
            unreadable += 1
            continue
        if row["PatientIdentityRemoved"].upper() != "YES":
            raise NotDeidentifiedError("a file in the folder does not say that its patient's identity was removed")
        _add(row, site, patients, studies, series)
    return people_of(patients.values(), studies.values(), series.values(), cancers={}), unreadable


def _add(
    row: Mapping[str, str],
    site: str,
    patients: dict[str, dict[str, Any]],
    studies: dict[tuple[str, str], dict[str, Any]],
    series: dict[str, dict[str, Any]],
) -> None:
    own = {"source_id": site, "PatientID": row["PatientID"]}
    sex, part = normalise_sex(row["PatientSex"]), normalise_body_part(row["BodyPartExamined"])
    known = patients.setdefault(row["PatientID"], own | {"PatientSex": None})
    known["PatientSex"] = known["PatientSex"] or (sex.value if sex else None)
    study = studies.setdefault(
        (row["PatientID"], row["StudyInstanceUID"]), own | {"StudyDate": None, "AgeAtStudy": None}
    )
    study["StudyDate"] = study["StudyDate"] or row["StudyDate"] or None
    if study["AgeAtStudy"] is None:
        study["AgeAtStudy"] = age_at_study(patient_age=row["PatientAge"])
    series.setdefault(
        row["SeriesInstanceUID"],
        own
        | {
            "SeriesInstanceUID": row["SeriesInstanceUID"],
            "StudyDate": row["StudyDate"] or None,
            "ManufacturerName": normalise_manufacturer(row["Manufacturer"]),
            "ManufacturerModelName": row["ManufacturerModelName"] or None,
            "BodyPart": part.label if part else None,
        },
    )
