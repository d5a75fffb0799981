"""Table E.1-1 of DICOM PS3.15 (Basic Application Level Confidentiality Profile) as data."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources

EDITION = "2025c"
"""Of the table. Rows that a later edition added carry that edition."""
TABLE = "table_e11.csv"
PACKAGE = "ingestion.deidentify"


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

    @property
    def code(self) -> str:
        """As the standard writes it."""
        return _CODE_OF[self]


ACTION_OF = {
    "X": Action.REMOVE,
    "Z": Action.EMPTY,
    "D": Action.DUMMY,
    "U": Action.UID,
    "K": Action.KEEP,
    "C": Action.CLEAN,
    "X/Z": Action.REMOVE_OR_EMPTY,
    "X/D": Action.REMOVE_OR_DUMMY,
    "Z/D": Action.EMPTY_OR_DUMMY,
    "X/Z/D": Action.REMOVE_OR_EMPTY_OR_DUMMY,
    "X/Z/U*": Action.REMOVE_OR_EMPTY_OR_UID,
}
_CODE_OF = {action: code for code, action in ACTION_OF.items()}


class Option(StrEnum):
    """The options of PS3.15 section E.3. Those of ``TABLE_OPTIONS`` are the table's columns and a policy names them;
    the two of pixels follow from what a policy says about pixels and faces, and are declared where it was done."""

    RETAIN_SAFE_PRIVATE = "retain_safe_private"
    RETAIN_UIDS = "retain_uids"
    RETAIN_DEVICE_IDENTITY = "retain_device_id"
    RETAIN_INSTITUTION_IDENTITY = "retain_institution_id"
    RETAIN_PATIENT_CHARACTERISTICS = "retain_patient_characteristics"
    RETAIN_FULL_DATES = "retain_full_dates"
    RETAIN_MODIFIED_DATES = "retain_modified_dates"
    CLEAN_DESCRIPTORS = "clean_descriptors"
    CLEAN_STRUCTURED_CONTENT = "clean_structured_content"
    CLEAN_GRAPHICS = "clean_graphics"
    CLEAN_PIXEL_DATA = "clean_pixel_data"
    CLEAN_RECOGNIZABLE_VISUAL_FEATURES = "clean_recognizable_visual_features"


OF_PIXELS = frozenset({Option.CLEAN_PIXEL_DATA, Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES})
TABLE_OPTIONS = tuple(option for option in Option if option not in OF_PIXELS)

METHOD_CODES: Mapping[Option | None, tuple[str, str]] = {
    None: ("113100", "Basic Application Confidentiality Profile"),
    Option.CLEAN_PIXEL_DATA: ("113101", "Clean Pixel Data Option"),
    Option.CLEAN_RECOGNIZABLE_VISUAL_FEATURES: ("113102", "Clean Recognizable Visual Features Option"),
    Option.CLEAN_GRAPHICS: ("113103", "Clean Graphics Option"),
    Option.CLEAN_STRUCTURED_CONTENT: ("113104", "Clean Structured Content Option"),
    Option.CLEAN_DESCRIPTORS: ("113105", "Clean Descriptors Option"),
    Option.RETAIN_FULL_DATES: ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    Option.RETAIN_MODIFIED_DATES: ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    Option.RETAIN_PATIENT_CHARACTERISTICS: ("113108", "Retain Patient Characteristics Option"),
    Option.RETAIN_DEVICE_IDENTITY: ("113109", "Retain Device Identity Option"),
    Option.RETAIN_UIDS: ("113110", "Retain UIDs Option"),
    Option.RETAIN_SAFE_PRIVATE: ("113111", "Retain Safe Private Option"),
    Option.RETAIN_INSTITUTION_IDENTITY: ("113112", "Retain Institution Identity Option"),
}
"""CID 7050 (PS3.16): the code of the profile (None) and of each option."""


@dataclass(frozen=True, slots=True)
class Row:
    """One attribute of the table. ``options``: the action of each option that has a say."""

    tag: str
    keyword: str
    vr: str
    edition: str
    basic: Action
    options: Mapping[Option, Action]

    def decide(self, chosen: frozenset[Option]) -> tuple[Action, Option | None]:
        """The action under the chosen options, and the option that decides it (None: the Basic Profile).

        To keep wins over to clean, but for dates: where dates are shifted, one that stays (say, of the scanner's last
        calibration, which Retain Device Identity keeps) would tell by how much.
        """
        if self.options.get(Option.RETAIN_MODIFIED_DATES) and Option.RETAIN_MODIFIED_DATES in chosen:
            return self.options[Option.RETAIN_MODIFIED_DATES], Option.RETAIN_MODIFIED_DATES
        for action in (Action.KEEP, Action.CLEAN):
            for option in TABLE_OPTIONS:
                if option in chosen and self.options.get(option) is action:
                    return action, option
        return self.basic, None


def read_text(name: str) -> list[str]:
    """The lines of a data file of this package that are no comments."""
    body = resources.files(PACKAGE).joinpath("tables", name).read_text(encoding="utf-8")
    return [line for line in body.splitlines() if line and not line.startswith("#")]


@cache
def rows() -> Mapping[int, Row]:
    """The attributes of the table by tag."""
    return {int(row.tag, 16): row for row in _all() if row.tag.isalnum() and len(row.tag) == 8 and "x" not in row.tag}


@cache
def group_rows() -> Mapping[str, Row]:
    """The rules of the table for groups: ``50xxxxxx``, ``60xx3000``, ``60xx4000``, ``private``."""
    return {row.tag: row for row in _all() if "x" in row.tag or row.tag == "private"}


def _all() -> list[Row]:
    return [
        Row(
            tag=line["tag"],
            keyword=line["keyword"],
            vr=line["vr"],
            edition=line["edition"],
            basic=ACTION_OF[line["basic_profile"]],
            options={option: ACTION_OF[line[option]] for option in TABLE_OPTIONS if line[option]},
        )
        for line in csv.DictReader(read_text(TABLE))
    ]


@cache
def table(options: frozenset[Option]) -> dict[int, Action]:
    """Tag to action, once each chosen option has had its say over the Basic Profile."""
    return {tag: row.decide(options)[0] for tag, row in rows().items()}
