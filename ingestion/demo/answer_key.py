"""The answer key of a demo source: what was planted and what the pipeline must do with every delivered object.

``<root>/<ID>/answer_key.json`` (UTF-8, sorted keys)::

    generator_version, seed, scale, source_id
    delivered   number of objects to account for: every file and every member of an archive that opens; an archive
                that opens isn't an object itself, one that cannot be opened is one object
    series      number of distinct Series Instance UIDs among the generated objects
    bytes       size of the delivery folder's files
    objects     [{name, kind, expected, reasons, series_uid, note}] one per delivered object; name is the POSIX path
                below delivery/, of an archive member "path/x.zip!<index>!<member>"
                kind: image | seg | rtstruct | companion | dirt
                expected: accepted | duplicate | quarantined | cleaned (accepted without its lettering, or quarantined)
                | any (a real file whose end cannot be foretold)
                reasons: values of ``ingestion.accounting.states.Reason`` of which the quarantine has one
                series_uid: of a generated object, or null; note: what is special about it
                lettering: rows from and to (behind) in which identities are burned in, in white; or null
    planted     [{value, kind, where}] identities that stand in the delivery and must stand nowhere in the results;
                where: a DICOM keyword, "private (gggg,ee)", "path", "text" or "pixels of <object name>"
    patients    [{PatientID, name, birth_date, sex, other_id, character_set}] dates as YYYYMMDD
    intervals   [{patient, study_uids: [earlier, later], days}]
    flaws       [{kind, series_uid, detail}] flaws of series whose instances are accepted all the same

The file is written last: a folder without it was left half-made.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from ingestion.accounting.states import Reason

GENERATOR_VERSION = "3"
"""Raised with every change that alters a delivered byte or an expected end, so that older sources are made again."""


class ObjectKind(StrEnum):
    IMAGE = "image"
    SEG = "seg"
    RTSTRUCT = "rtstruct"
    COMPANION = "companion"
    DIRT = "dirt"


class Expected(StrEnum):
    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    QUARANTINED = "quarantined"
    CLEANED = "cleaned"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class KeyObject:
    """One delivered object and its expected end."""

    name: str
    kind: ObjectKind
    expected: Expected
    reasons: tuple[Reason, ...] = ()
    series_uid: str | None = None
    note: str = ""
    lettering: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class PlantedValue:
    value: str
    kind: str
    where: str


@dataclass(frozen=True, slots=True)
class KeyPatient:
    PatientID: str
    name: str
    birth_date: str
    sex: str
    other_id: str
    character_set: str


@dataclass(frozen=True, slots=True)
class KeyInterval:
    patient: str
    study_uids: tuple[str, str]
    days: int


@dataclass(frozen=True, slots=True)
class KeyFlaw:
    kind: str
    series_uid: str
    detail: str


@dataclass(frozen=True, slots=True)
class AnswerKey:
    """The whole key of one source."""

    generator_version: str
    seed: int
    scale: float
    source_id: str
    delivered: int
    series: int
    bytes: int
    objects: tuple[KeyObject, ...]
    planted: tuple[PlantedValue, ...]
    patients: tuple[KeyPatient, ...]
    intervals: tuple[KeyInterval, ...]
    flaws: tuple[KeyFlaw, ...]

    def to_json(self) -> str:
        return json.dumps(asdict(self), ensure_ascii=False, indent=1, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str) -> AnswerKey:
        """Raises: ValueError (also as JSONDecodeError), KeyError or TypeError where the text is not a key."""
        read: dict[str, Any] = json.loads(text)
        return cls(
            generator_version=read["generator_version"],
            seed=read["seed"],
            scale=read["scale"],
            source_id=read["source_id"],
            delivered=read["delivered"],
            series=read["series"],
            bytes=read["bytes"],
            objects=tuple(
                KeyObject(
                    name=entry["name"],
                    kind=ObjectKind(entry["kind"]),
                    expected=Expected(entry["expected"]),
                    reasons=tuple(Reason(reason) for reason in entry["reasons"]),
                    series_uid=entry["series_uid"],
                    note=entry["note"],
                    lettering=(entry["lettering"][0], entry["lettering"][1]) if entry["lettering"] else None,
                )
                for entry in read["objects"]
            ),
            planted=tuple(PlantedValue(**entry) for entry in read["planted"]),
            patients=tuple(KeyPatient(**entry) for entry in read["patients"]),
            intervals=tuple(
                KeyInterval(
                    patient=entry["patient"],
                    study_uids=(entry["study_uids"][0], entry["study_uids"][1]),
                    days=entry["days"],
                )
                for entry in read["intervals"]
            ),
            flaws=tuple(KeyFlaw(**entry) for entry in read["flaws"]),
        )
