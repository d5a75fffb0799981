"""A clinical table de-identified as the DICOM of the same patients: same pseudonyms, same shift, every interval exact.

Row by row, so that a table of any length goes through in little memory. A row that cannot be judged is set aside with
its number and a reason, and no value of it is told.
"""

from __future__ import annotations

import csv
import datetime as dt
import os
import re
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import TextIO

from pydicom.datadict import tag_for_keyword

from ingestion.deidentify.clinical_map import LEFT_OUT, ClinicalTableError, Column, ColumnKind, ColumnMap, safe_name
from ingestion.deidentify.rules import TextKind
from ingestion.deidentify.text import DatesInText, IdentityCollector, KnownIdentities, StudyCleaner
from ingestion.identity.pseudonyms import PatientIdentity, Pseudonyms

SUFFIXES = {".csv": ",", ".tsv": "\t"}
OLDEST_TOLD, OLDEST_GROUP = 89, 90
"""Years; all above the first are the second (45 CFR 164.514(b)(2)(i)(C))."""
OLDEST_POSSIBLE = 130
CLEANERS_KEPT = 256
"""Patients whose cleaner is kept: the rows of one mostly follow one another."""
_PLAIN_NUMBER = re.compile(r"^[+-]?\d{1,7}(?:[.,]\d{1,9})?(?:[eE][+-]?\d{1,2})?$")
"""A measured value. Eight digits can be a date, and more an identifier."""
_PATIENT_ID, _PATIENT_NAME, _BIRTH_DATE, _ACCESSION = (
    tag_for_keyword(keyword) or 0 for keyword in ("PatientID", "PatientName", "PatientBirthDate", "AccessionNumber")
)


class RowReason(StrEnum):
    """Why a row is set aside."""

    FIELDS = "wrong_number_of_fields"
    PATIENT_MISSING = "patient_missing"
    DATE = "date_not_understood"
    AGE = "age_not_understood"
    IDENTITY = "identity_in_a_kept_value"
    RESIDUE = "identity_left_in_the_result"


REMEDIES = {
    RowReason.FIELDS: "quote fields that hold the delimiter",
    RowReason.PATIENT_MISSING: "give the patient's number, and the issuer where there is a column for it",
    RowReason.DATE: "write the day in one of the formats of the map, or add its format there",
    RowReason.AGE: "give whole years from 0 to 129",
    RowReason.IDENTITY: "make the column 'is: text' or 'is: drop'",
    RowReason.RESIDUE: "make the columns that name people 'is: name' or 'is: drop'",
}


@dataclass(frozen=True, slots=True)
class RowQuarantined:
    """One row that was set aside. ``row`` counts from 1, the heading included."""

    row: int
    column: str
    reason: RowReason


@dataclass(frozen=True, slots=True)
class TableOutcome:
    """The accounting: ``rows_in`` = ``rows_out`` + the quarantined ones."""

    rows_in: int
    rows_out: int
    quarantined: tuple[RowQuarantined, ...] = field(default=())

    @property
    def reasons(self) -> dict[str, int]:
        return dict(sorted(Counter(item.reason.value for item in self.quarantined).items()))


class _RowRefused(Exception):
    def __init__(self, column: str, reason: RowReason) -> None:
        super().__init__(reason.value)
        self.column, self.reason = column, reason


def deidentify_table(
    source: Path, target: Path, *, columns: ColumnMap, pseudonyms: Pseudonyms, shift_dates: bool
) -> TableOutcome:
    """De-identify ``source`` into ``target``, which appears whole or not at all.

    Without ``shift_dates`` date columns come out empty; days relative to the baseline are given all the same.

    Raises:
        ClinicalTableError: nothing was written.
    """
    if target.exists():
        raise ClinicalTableError(f"{target} exists; give another name: results are never overwritten")
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    delimiter = SUFFIXES.get(target.suffix.lower(), ",")
    try:
        with partial.open("w", newline="", encoding="utf-8") as out:
            outcome = _run(
                source, out, delimiter=delimiter, columns=columns, pseudonyms=pseudonyms, shift_dates=shift_dates
            )
        os.link(partial, target)
    except FileExistsError:
        raise ClinicalTableError(f"{target} exists; give another name: results are never overwritten") from None
    except OSError as error:
        raise ClinicalTableError(f"{source} or {target}: {type(error).__name__}; check that both can be used") from None
    finally:
        partial.unlink(missing_ok=True)
    return outcome


def _run(
    source: Path, out: TextIO, *, delimiter: str, columns: ColumnMap, pseudonyms: Pseudonyms, shift_dates: bool
) -> TableOutcome:
    rows = _rows(source)
    try:
        header = next(rows)
    except StopIteration:
        raise ClinicalTableError(f"{source}, row 1: empty; a table begins with the names of its columns") from None
    worker = _Rows(columns, columns.arranged(header, place=str(source)), pseudonyms, shift_dates=shift_dates)
    writer = csv.writer(out, delimiter=delimiter, lineterminator="\n")
    writer.writerow(worker.heading())
    quarantined: list[RowQuarantined] = []
    number = 1
    for number, row in enumerate(rows, start=2):
        try:
            writer.writerow(worker.row(row))
        except _RowRefused as refused:
            quarantined.append(RowQuarantined(number, safe_name(refused.column), refused.reason))
    if number == 1:
        raise ClinicalTableError(f"{source} has names of columns and no row below them; check how it was exported")
    return TableOutcome(number - 1, number - 1 - len(quarantined), tuple(quarantined))


def _rows(source: Path) -> Iterator[list[str]]:
    number = 0
    with source.open(newline="", encoding="utf-8-sig") as stream:
        reader = csv.reader(stream, delimiter=SUFFIXES[source.suffix.lower()], strict=True)
        try:
            for row in reader:
                if row:
                    number += 1
                    yield row
        except UnicodeDecodeError:
            raise ClinicalTableError(f"{source}, after row {number}: not UTF-8; convert the file") from None
        except csv.Error as error:
            raise ClinicalTableError(f"{source}, after row {number}: not CSV ({error}); mend its quotes") from None


class _Rows:
    """The rule of each column applied to each row."""

    def __init__(
        self, columns: ColumnMap, arranged: list[Column], pseudonyms: Pseudonyms, *, shift_dates: bool
    ) -> None:
        self._map, self._columns, self._pseudonyms, self._shift = columns, arranged, pseudonyms, shift_dates
        self._places = {column.name: place for place, column in enumerate(arranged)}
        self._cleaners: OrderedDict[tuple[KnownIdentities, int], StudyCleaner] = OrderedDict()

    def heading(self) -> list[str]:
        names: list[str] = []
        for column in self._columns:
            if column.kind is ColumnKind.BIRTH_DATE:
                names.append(f"{column.name}_age")
            elif column.kind not in LEFT_OUT:
                names.append(column.name)
                if column.kind is ColumnKind.DATE and self._map.baseline is not None:
                    names.append(f"{column.name}_days")
        return names

    def row(self, values: list[str]) -> list[str]:
        """The row as it comes out.

        Raises:
            _RowRefused: it cannot be judged.
        """
        if len(values) != len(self._columns):
            raise _RowRefused("", RowReason.FIELDS)
        patient = self._patient(values)
        dates = {
            column.name: _date(column, values[place])
            for place, column in enumerate(self._columns)
            if column.kind in (ColumnKind.DATE, ColumnKind.BIRTH_DATE)
        }
        days = self._pseudonyms.shift_days(patient)
        cleaner = self._cleaner(values, dates, days)
        done: list[str] = []
        for column, value in zip(self._columns, values, strict=True):
            for cell in self._cells(column, value.strip(), patient, dates, days, cleaner):
                if column.kind in (ColumnKind.TEXT, ColumnKind.KEEP) and cleaner.finds_identity(cell):
                    raise _RowRefused(column.name, RowReason.RESIDUE)
                done.append(cell)
        return done

    def _patient(self, values: list[str]) -> PatientIdentity:
        number = values[self._places[self._map.patient]].strip()
        issuer = self._map.issuer
        if self._map.issuer_column is not None:
            issuer = values[self._places[self._map.issuer_column]].strip()
        if not number or (self._map.issuer_column is not None and not issuer):
            raise _RowRefused(self._map.patient, RowReason.PATIENT_MISSING)
        return PatientIdentity(number, issuer)

    def _cleaner(self, values: list[str], dates: dict[str, _Day | None], days: int) -> StudyCleaner:
        collector = IdentityCollector()
        for column, value in zip(self._columns, values, strict=True):
            if not value.strip():
                continue
            if column.kind is ColumnKind.NAME:
                collector.add(_PATIENT_NAME, "PN", re.sub(r"[,;\s]+", "^", value.strip()))
            elif column.kind is ColumnKind.PATIENT:
                collector.add(_PATIENT_ID, "LO", value)
            elif column.kind in (ColumnKind.ACCESSION, ColumnKind.IDENTIFIER):
                collector.add(_ACCESSION, "SH", value)
            elif column.kind is ColumnKind.BIRTH_DATE and (day := dates[column.name]) is not None:
                collector.add(_BIRTH_DATE, "DA", day.at.strftime("%Y%m%d"))
        key = collector.freeze(), days
        cleaner = self._cleaners.pop(key, None)
        if cleaner is None:
            how = DatesInText.SHIFT if self._shift else DatesInText.REMOVE
            cleaner = StudyCleaner(key[0], shift_days=days, dates_in_text=how)
        self._cleaners[key] = cleaner
        if len(self._cleaners) > CLEANERS_KEPT:
            self._cleaners.popitem(last=False)
        return cleaner

    def _cells(
        self,
        column: Column,
        value: str,
        patient: PatientIdentity,
        dates: dict[str, _Day | None],
        days: int,
        cleaner: StudyCleaner,
    ) -> list[str]:
        match column.kind:
            case ColumnKind.PATIENT:
                return [self._pseudonyms.patient(patient)]
            case ColumnKind.DATE:
                return self._dated(column, dates, days)
            case ColumnKind.BIRTH_DATE:
                return [_age_between(column, dates)]
            case ColumnKind.AGE:
                return [_age(column, value)]
            case ColumnKind.ACCESSION:
                return [self._pseudonyms.accession(value, patient.issuer) if value else ""]
            case ColumnKind.IDENTIFIER:
                return [self._pseudonyms.identifier(column.name, value) if value else ""]
            case ColumnKind.TEXT:
                return [cleaner.clean(value, kind=TextKind.DESCRIPTOR)]
            case ColumnKind.KEEP:
                number = _PLAIN_NUMBER.match(value) is not None
                if cleaner.finds_identity(value) or (
                    not number and cleaner.clean(value, kind=TextKind.TECHNICAL) != value
                ):
                    raise _RowRefused(column.name, RowReason.IDENTITY)
                return [value]
        return []

    def _dated(self, column: Column, dates: dict[str, _Day | None], days: int) -> list[str]:
        day = dates[column.name]
        moved = ""
        if day is not None and self._shift:
            try:
                moved = (day.at + dt.timedelta(days=days)).strftime(day.format)
            except OverflowError:
                raise _RowRefused(column.name, RowReason.DATE) from None
        if self._map.baseline is None:
            return [moved]
        start = dates[self._map.baseline]
        return [moved, "" if day is None or start is None else str((day.at.date() - start.at.date()).days)]


@dataclass(frozen=True, slots=True)
class _Day:
    at: dt.datetime = field(repr=False)
    format: str


def _date(column: Column, value: str) -> _Day | None:
    value = value.strip()
    if not value:
        return None
    for one in column.formats:
        try:
            return _Day(dt.datetime.strptime(value, one), one)
        except ValueError:
            continue  # the next format
    raise _RowRefused(column.name, RowReason.DATE)


def _age_between(column: Column, dates: dict[str, _Day | None]) -> str:
    born, seen = dates[column.name], dates[column.age_at or ""]
    if born is None or seen is None:
        return ""
    had_birthday = (seen.at.month, seen.at.day) >= (born.at.month, born.at.day)
    return _told(column, seen.at.year - born.at.year - (not had_birthday))


def _age(column: Column, value: str) -> str:
    if not value:
        return ""
    if not re.fullmatch(r"\d{1,3}", value):
        raise _RowRefused(column.name, RowReason.AGE)
    return _told(column, int(value))


def _told(column: Column, years: int) -> str:
    if not 0 <= years < OLDEST_POSSIBLE:
        raise _RowRefused(column.name, RowReason.AGE)
    return str(OLDEST_GROUP if years > OLDEST_TOLD else years)
