"""Table E.1-1 of DICOM PS3.15 (Basic Application Level Confidentiality Profile) as data."""

from __future__ import annotations

import csv
from enum import StrEnum
from functools import cache
from importlib import resources

EDITION = "2025c"
TABLE = "table_e11_2025c.csv"


class Action(StrEnum):
    """The action codes of PS3.15 section E.3 in words; compound ones end in what the code must choose between."""

    REMOVE = "REMOVE"
    EMPTY = "EMPTY"
    DUMMY = "DUMMY"
    UID = "UID"
    KEEP = "KEEP"
    CLEAN = "CLEAN"
    REMOVE_OR_EMPTY = "REMOVE_OR_EMPTY"
    REMOVE_OR_DUMMY = "REMOVE_OR_DUMMY"
    EMPTY_OR_DUMMY = "EMPTY_OR_DUMMY"
    REMOVE_OR_EMPTY_OR_DUMMY = "REMOVE_OR_EMPTY_OR_DUMMY"
    REMOVE_OR_EMPTY_OR_UID = "REMOVE_OR_EMPTY_OR_UID"


class Option(StrEnum):
    """Options that a policy can choose, named as the table's columns. The others need code that isn't there yet."""

    RETAIN_MODIFIED_DATES = "retain_modified_dates"
    RETAIN_PATIENT_CHARACTERISTICS = "retain_patient_characteristics"
    CLEAN_DESCRIPTORS = "clean_descriptors"


METHOD_CODES = {
    None: ("113100", "Basic Application Confidentiality Profile"),
    Option.CLEAN_DESCRIPTORS: ("113105", "Clean Descriptors Option"),
    Option.RETAIN_MODIFIED_DATES: (
        "113107",
        "Retain Longitudinal Temporal Information Modified Dates Option",
    ),
    Option.RETAIN_PATIENT_CHARACTERISTICS: ("113108", "Retain Patient Characteristics Option"),
}
"""CID 7050 (PS3.16): the code of the profile (None) and of each option."""


def read_text(name: str) -> list[str]:
    """The lines of a data file of this package that are no comments."""
    body = resources.files("ingestion.deidentify").joinpath("tables", name).read_text(encoding="utf-8")
    return [line for line in body.splitlines() if line and not line.startswith("#")]


@cache
def table(options: frozenset[Option]) -> dict[int, Action]:
    """Tag to action, once each chosen option has had its say over the Basic Profile; KEEP wins over CLEAN."""
    found: dict[int, Action] = {}
    for row in csv.DictReader(read_text(TABLE)):
        chosen = {row[option.value] for option in options} - {""}
        word = "KEEP" if "KEEP" in chosen else "CLEAN" if "CLEAN" in chosen else row["basic_profile"]
        if word:
            found[int(row["tag"], 16)] = Action(word)
    return found
