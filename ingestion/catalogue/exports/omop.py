"""OMOP medical imaging (MI-CDM for CDM 5.4): image_occurrence, image_feature and the rows that they refer to, as CSV.

Concept ids come from the OHDSI vocabularies, which are not ours to ship: without them every concept is 0 ("no matching
concept") and ``source_to_concept_map.csv`` lists which codes wait for one; with the vocabulary's CONCEPT.csv they are
filled in. Ids are positions in the sorted release, so the same release gives the same files.
"""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ingestion.catalogue.exports.record_level import RecordTables
from ingestion.catalogue.plain_cells import plain_cell
from ingestion.catalogue.results import Level
from ingestion.sources.registry import AccessMode
from ingestion.vocabulary.body_part import body_parts
from ingestion.vocabulary.modality import modalities

NO_CONCEPT = 0
MEASUREMENT_FIELD = 1147330
"""Concept of the field ``measurement.measurement_id``, to which an image feature's event points."""
UNKNOWN_DATE = "1970-01-01"
"""Where the image has no date, which the model demands."""
COLUMNS = {
    "person": ("person_id", "gender_concept_id", "year_of_birth", "race_concept_id", "ethnicity_concept_id",
               "person_source_value", "gender_source_value"),
    "procedure_occurrence": ("procedure_occurrence_id", "person_id", "procedure_concept_id", "procedure_date",
                             "procedure_type_concept_id", "procedure_source_value"),
    "image_occurrence": ("image_occurrence_id", "person_id", "procedure_occurrence_id", "visit_occurrence_id",
                         "anatomic_site_concept_id", "wadors_uri", "local_path", "image_occurrence_date",
                         "image_study_uid", "image_series_uid", "modality_concept_id"),
    "image_feature": ("image_feature_id", "person_id", "image_occurrence_id", "image_feature_event_field_concept_id",
                      "image_feature_event_id", "image_feature_concept_id", "image_feature_type_concept_id",
                      "image_finding_concept_id", "image_finding_id", "anatomic_site_concept_id", "alg_system",
                      "alg_datetime"),
    "measurement": ("measurement_id", "person_id", "measurement_concept_id", "measurement_date",
                    "measurement_type_concept_id", "value_as_number", "measurement_source_value", "unit_source_value"),
    "source_to_concept_map": ("source_code", "source_concept_id", "source_vocabulary_id", "source_code_description",
                              "target_concept_id", "target_vocabulary_id"),
}  # fmt: skip
"""The files and their columns (OHDSI MI-CDM DDL for CDM 5.4; person, procedure and measurement as far as needed)."""
_ALGORITHM = "cie features"


class ConceptsUnusableError(ValueError):
    """Not a CONCEPT.csv of the OHDSI vocabularies; the message says what is missing."""


@dataclass(slots=True)
class Concepts:
    """Concept ids by vocabulary and code; gathers which codes were asked for."""

    known: Mapping[tuple[str, str], int] = field(default_factory=dict)
    asked: dict[tuple[str, str], str] = field(default_factory=dict)

    def id(self, vocabulary: str, code: str | None, meaning: str) -> int:
        """The concept of a code; 0 where there is none."""
        if not code:
            return NO_CONCEPT
        self.asked[(vocabulary, code)] = meaning
        return self.known.get((vocabulary, code), NO_CONCEPT)


def read_concepts(path: Path, *, vocabularies: Iterable[str] = ("SNOMED", "DICOM", "Gender")) -> Concepts:
    """The concepts of an OHDSI vocabulary download (tab-separated).

    Raises:
        ConceptsUnusableError: a column is missing, or an id is no number.
    """
    wanted = frozenset(vocabularies)
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        missing = {"concept_id", "vocabulary_id", "concept_code"} - set(reader.fieldnames or ())
        if missing:
            raise ConceptsUnusableError(
                f"{path} has no column {', '.join(sorted(missing))}: give the tab-separated CONCEPT.csv of an OHDSI "
                "vocabulary download"
            )
        try:
            rows = {
                (row["vocabulary_id"], row["concept_code"]): int(row["concept_id"])
                for row in reader
                if row["vocabulary_id"] in wanted
            }
        except (TypeError, ValueError) as error:
            raise ConceptsUnusableError(f"{path}, line {reader.line_num}: concept_id is no number") from error
    return Concepts(rows)


def write_omop(
    tables: RecordTables, folder: Path, concepts: Concepts | None = None, *, secure: bool = False
) -> dict[Path, int]:
    """Write all files into ``folder``: rows by file.

    Args:
        secure: the files stay in the secure environment; else no place of objects that may not be downloaded is told.

    Raises:
        TableMissingError, FileDamagedError: as for ``RecordTables``.
    """
    folder.mkdir(parents=True, exist_ok=True)
    made = _Maker(tables, concepts or Concepts(), secure)
    counts = {}
    with _Writers(folder) as writers:
        for name, row in made.rows():
            writers.write(name, row)
        counts = writers.counts()
    return counts


class _Writers:
    """One open CSV per table."""

    def __init__(self, folder: Path) -> None:
        self._paths = {name: folder / f"{name}.csv" for name in COLUMNS}

    def __enter__(self) -> _Writers:
        self._files = {name: path.open("w", encoding="utf-8", newline="") for name, path in self._paths.items()}
        self._writers = {
            name: csv.DictWriter(file, COLUMNS[name], lineterminator="\n") for name, file in self._files.items()
        }
        self._rows = dict.fromkeys(COLUMNS, 0)
        for writer in self._writers.values():
            writer.writeheader()
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files.values():
            file.close()

    def write(self, name: str, row: Mapping[str, Any]) -> None:
        self._writers[name].writerow({column: plain_cell(value) for column, value in row.items()})
        self._rows[name] += 1

    def counts(self) -> dict[Path, int]:
        return {self._paths[name]: count for name, count in self._rows.items()}


@dataclass(slots=True)
class _Maker:
    tables: RecordTables
    concepts: Concepts
    secure: bool
    persons: int = 0
    procedures: int = 0
    images: int = 0
    features: int = 0

    def rows(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        for source_id in self.tables.release.sources:
            yield from self._source(source_id)
        for (vocabulary, code), meaning in sorted(self.concepts.asked.items()):
            yield "source_to_concept_map", {
                "source_code": code, "source_concept_id": NO_CONCEPT, "source_vocabulary_id": vocabulary,
                "source_code_description": meaning,
                "target_concept_id": self.concepts.known.get((vocabulary, code), NO_CONCEPT),
                "target_vocabulary_id": vocabulary,
            }  # fmt: skip

    def _source(self, source_id: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
        persons: dict[str, int] = {}
        columns: tuple[str, ...] = ("PatientID", "PatientSex")
        for patient, sex in _sorted(self.tables, "patient", source_id, columns):
            self.persons += 1
            persons[patient] = self.persons
            yield "person", {
                "person_id": self.persons, "gender_concept_id": self.concepts.id("Gender", sex, "sex at birth"),
                # Not known: ages are at the study, and dates are shifted.
                "year_of_birth": 0, "race_concept_id": NO_CONCEPT, "ethnicity_concept_id": NO_CONCEPT,
                "person_source_value": patient, "gender_source_value": sex or "",
            }  # fmt: skip
        procedures: dict[tuple[str, str], int] = {}
        columns = ("PatientID", "StudyInstanceUID", "StudyDate")
        for patient, study, date in _sorted(self.tables, "study", source_id, columns):
            self.procedures += 1
            procedures[(patient, study)] = self.procedures
            yield "procedure_occurrence", {
                "procedure_occurrence_id": self.procedures, "person_id": persons[patient],
                "procedure_concept_id": NO_CONCEPT, "procedure_date": _date(date),
                "procedure_type_concept_id": NO_CONCEPT, "procedure_source_value": study,
            }  # fmt: skip
        images: dict[str, tuple[int, int, str, int]] = {}
        columns = (
            "SeriesInstanceUID", "PatientID", "StudyInstanceUID", "ModalityCode", "BodyPart", "SeriesDate", "StudyDate",
            "series_prefix", "AccessMode",
        )  # fmt: skip
        for uid, patient, study, modality, part, series_date, study_date, prefix, mode in _sorted(
            self.tables, "series", source_id, columns
        ):
            self.images += 1
            site = self._site(part)
            date = _date(series_date or study_date)
            images[uid] = (self.images, persons[patient], date, site)
            yield "image_occurrence", {
                "image_occurrence_id": self.images, "person_id": persons[patient],
                "procedure_occurrence_id": procedures[(patient, study)], "anatomic_site_concept_id": site,
                "local_path": prefix if self.secure or mode == AccessMode.DOWNLOAD else None,
                "image_occurrence_date": date, "image_study_uid": study,
                "image_series_uid": uid, "modality_concept_id": self._modality(modality),
            }  # fmt: skip
        columns = ("Level", "RowNumber", "Feature", "SeriesInstanceUID", "Value", "Unit")
        for level, row, name, uid, value, unit in _sorted(self.tables, "feature", source_id, columns):
            if uid in images and value is not None:
                region = row + 1 if level == Level.REGION.value else None
                yield from self._feature(images[uid], name, value, unit, region=region)

    def _feature(
        self,
        image: tuple[int, int, str, int],
        name: str,
        value: float,
        unit: str | None,
        *,
        region: int | None,
    ) -> Iterator[tuple[str, Mapping[str, Any]]]:
        self.features += 1
        image_id, person, date, site = image
        concept = self.concepts.id("IBSI", name, "image feature")
        yield "measurement", {
            "measurement_id": self.features, "person_id": person, "measurement_concept_id": concept,
            "measurement_date": date, "measurement_type_concept_id": NO_CONCEPT, "value_as_number": repr(value),
            "measurement_source_value": name, "unit_source_value": unit or "",
        }  # fmt: skip
        yield "image_feature", {
            "image_feature_id": self.features, "person_id": person, "image_occurrence_id": image_id,
            "image_feature_event_field_concept_id": MEASUREMENT_FIELD, "image_feature_event_id": self.features,
            "image_feature_concept_id": concept, "image_feature_type_concept_id": NO_CONCEPT,
            "anatomic_site_concept_id": site, "alg_system": _ALGORITHM, "image_finding_id": region,
        }  # fmt: skip

    def _site(self, part: str | None) -> int:
        known = body_parts().get(part or "")
        return self.concepts.id("SNOMED", known.code.value, known.label) if known else NO_CONCEPT

    def _modality(self, code: str | None) -> int:
        known = modalities().get(code or "")
        return self.concepts.id("DICOM", known.value, known.meaning) if known else NO_CONCEPT


def _sorted(tables: RecordTables, table: str, source_id: str, columns: tuple[str, ...]) -> Iterator[tuple[Any, ...]]:
    """Rows as plain values with None, in the order of the released table, which is sorted by key."""
    frame = tables.read(table, source_id, columns)
    frame = frame[list(columns)].astype(object)
    return frame.where(frame.notna(), None).itertuples(index=False, name=None)


def _date(text: str | None) -> str:
    try:
        return dt.datetime.strptime(text or "", "%Y%m%d").date().isoformat()
    except ValueError:
        return UNKNOWN_DATE
