"""What each column of a clinical table is: said by a person in a YAML file, checked before a row is read.

patient: {column: patient_no, issuer: HOSP-A}     # or issuer_column: …; as in the DICOM headers
baseline: diagnosed                                # optional: a date column; others get days relative to it
columns:
  patient_no: {is: patient}
  surname: {is: name}                              # left out, and searched for in all other columns
  born: {is: birth_date, formats: ["%d.%m.%Y"], age_at: diagnosed}
  diagnosed: {is: date, formats: ["%Y-%m-%d"]}
  accession: {is: accession}
  biopsy_no: {is: identifier}
  age: {is: age}
  notes: {is: text}
  stage: {is: keep}
  insurance: {is: drop}
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from ingestion.strict_yaml import YamlFileError, read_yaml

ISO_DATE = "%Y-%m-%d"
_WHOLE_DAY = (("%Y", "%y"), ("%m", "%b", "%B"), ("%d",))
"""What a format must hold so that it gives a day; each part once, in one of its spellings."""


class ClinicalTableError(ValueError):
    """A table or its map cannot be used. Names the file, the row, the rule and the remedy; never a value."""


class ColumnKind(StrEnum):
    """What a column holds, and so what becomes of it."""

    PATIENT = "patient"  # the pseudonym that the same patient has in DICOM
    ISSUER = "issuer"  # left out; tells patients of the same number apart
    NAME = "name"  # left out, and searched for elsewhere in the row
    DATE = "date"  # moved by the patient's days
    BIRTH_DATE = "birth_date"  # the age at another column's date, in whole years
    AGE = "age"  # years; above 89 it is 90
    ACCESSION = "accession"
    IDENTIFIER = "identifier"
    TEXT = "text"  # cleaned as descriptions are
    KEEP = "keep"  # as it is; a row in which an identity is found there is set aside
    DROP = "drop"


LEFT_OUT = frozenset({ColumnKind.ISSUER, ColumnKind.NAME, ColumnKind.DROP})


@dataclass(frozen=True, slots=True)
class Column:
    """One column. ``formats`` as ``strptime`` has them, the first that fits is taken and written again."""

    name: str
    kind: ColumnKind
    formats: tuple[str, ...] = (ISO_DATE,)
    age_at: str | None = None


@dataclass(frozen=True, slots=True)
class ColumnMap:
    """All columns, in the order of the map."""

    patient: str
    issuer: str
    issuer_column: str | None
    baseline: str | None
    columns: dict[str, Column]

    def arranged(self, header: list[str], *, place: str) -> list[Column]:
        """The columns as they stand in ``header``.

        Raises:
            ClinicalTableError: a column twice, without a rule, or a rule without its column; lists all.
        """
        wrong = []
        if twice := sorted({name for name in header if header.count(name) > 1}):
            wrong.append(f"columns that stand there twice: {', '.join(twice)}; rename them")
        if unmapped := [name for name in header if name not in self.columns]:
            wrong.append(
                f"columns without a rule: {', '.join(unmapped)}; add each to the map, 'is: drop' leaves it out"
            )
        if missing := [name for name in self.columns if name not in header]:
            wrong.append(f"columns of the map that are not there: {', '.join(missing)}; take them out of the map")
        if wrong:
            raise ClinicalTableError(f"{place}, row 1: " + "; ".join(wrong))
        return [self.columns[name] for name in header]


def load_map(file: Path) -> ColumnMap:
    """The map in ``file``.

    Raises:
        ClinicalTableError: it cannot be read or is wrong; the message lists all that is.
    """
    try:
        content = read_yaml(file)
    except YamlFileError as error:
        raise ClinicalTableError(str(error)) from None
    wrong: list[str] = []
    found = _map(content, wrong)
    if wrong or found is None:
        raise ClinicalTableError(f"{file}: " + "; ".join(wrong))
    return found


def _map(content: Any, wrong: list[str]) -> ColumnMap | None:
    if not isinstance(content, dict) or not isinstance(content.get("columns"), dict):
        wrong.append("a map has 'patient', 'columns' and, if wanted, 'baseline'")
        return None
    wrong += [f"unknown field {name!r}" for name in content if name not in ("patient", "baseline", "columns")]
    columns = {str(name): _column(str(name), rule, wrong) for name, rule in content["columns"].items()}
    patient = content.get("patient")
    patient = {"column": patient} if isinstance(patient, str) else patient
    if not isinstance(patient, dict) or not isinstance(patient.get("column"), str):
        wrong.append("'patient' must name its column: patient: {column: …}")
        return None
    known = ("column", "issuer", "issuer_column")
    wrong += [f"patient: unknown field {name!r}" for name in patient if name not in known]
    found = ColumnMap(
        patient=patient["column"],
        issuer=str(patient.get("issuer") or ""),
        issuer_column=patient.get("issuer_column"),
        baseline=content.get("baseline"),
        columns=columns,
    )
    _check_references(found, wrong)
    return found


def _column(name: str, rule: Any, wrong: list[str]) -> Column:
    rule = {"is": rule} if isinstance(rule, str) else rule
    if not isinstance(rule, dict) or rule.get("is") not in set(ColumnKind):
        wrong.append(f"column {name!r}: 'is' must be one of {', '.join(ColumnKind)}")
        return Column(name, ColumnKind.DROP)
    kind = ColumnKind(rule["is"])
    dated = kind in (ColumnKind.DATE, ColumnKind.BIRTH_DATE)
    allowed = {"is"} | ({"formats", "format"} if dated else set())
    if kind is ColumnKind.BIRTH_DATE:
        allowed.add("age_at")
    wrong += [f"column {name!r}: a column that is {kind} has no {field!r}" for field in rule if field not in allowed]
    given = rule.get("formats", rule.get("format", ISO_DATE))
    formats = tuple(given) if isinstance(given, list) else (given,)
    for one in formats:
        if not isinstance(one, str) or not all(sum(one.count(code) for code in codes) == 1 for codes in _WHOLE_DAY):
            wrong.append(f"column {name!r}: a format needs a year, a month and a day, such as {ISO_DATE}")
    return Column(name, kind, formats, rule.get("age_at"))


def _check_references(found: ColumnMap, wrong: list[str]) -> None:
    def kind(name: str | None) -> ColumnKind | None:
        return found.columns[name].kind if name in found.columns else None

    patients = [name for name, column in found.columns.items() if column.kind is ColumnKind.PATIENT]
    if patients != [found.patient]:
        wrong.append("exactly one column must be 'is: patient', the one that 'patient' names")
    if found.issuer_column is not None and kind(found.issuer_column) is not ColumnKind.ISSUER:
        wrong.append("the column that 'issuer_column' names must be 'is: issuer'")
    if found.issuer_column is not None and found.issuer:
        wrong.append("give 'issuer' or 'issuer_column', not both")
    if found.baseline is not None and kind(found.baseline) is not ColumnKind.DATE:
        wrong.append("'baseline' must name a column that is 'is: date'")
    for column in found.columns.values():
        if column.kind is ColumnKind.BIRTH_DATE and kind(column.age_at) is not ColumnKind.DATE:
            wrong.append(f"column {column.name!r}: 'age_at' must name a column that is 'is: date'")
    made = [f"{name}_days" for name in found.columns] + [f"{name}_age" for name in found.columns]
    if clash := sorted(set(made) & found.columns.keys()):
        wrong.append(f"columns named as those that are added: {', '.join(clash)}; rename them")


def safe_name(name: str) -> str:
    """A column's name for a message: bounded, of one line."""
    return re.sub(r"\s+", " ", name)[:60]
