"""One row per patient: what somebody might know of them (quasi-identifiers), and what they would learn.

**Counted:** sex; age at the first study; the device of the first study; the source (when several are judged together);
and the days from the first to the last study. De-identification moves all dates of a patient by the same number of
days, so intervals stay exact: who knows when a neighbour was in hospital can look for them.

**Not counted unless asked for:** the year of the first study. It is shifted by 366 to 1,830 days that only the source's
key tells, so what an intruder knows of true dates fits every patient of five years. Where a policy keeps full dates
(Retain Longitudinal Full Dates), ask for it.

**Learned (the sensitive attribute):** the cancer that the source is about with the body parts that were examined. It is
the diagnosis, as near as a catalogue of images tells it. Within one source the cancer is the same for all: that
somebody is in the source at all then tells it, and only the body parts can differ.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ingestion.vocabulary.age import parse_date

DROPPED = "dropped"
DAYS_OF_MONTH = 30
"""Days of what is called a month of follow-up: steps of equal length, not the calendar's."""


class Quasi(StrEnum):
    """What an intruder may know."""

    SEX = "sex"
    AGE = "age"
    DEVICE = "device"
    SITE = "site"
    FOLLOW_UP = "follow_up"
    STUDY_YEAR = "study_year"


DEFAULT_QUASI = (Quasi.SEX, Quasi.AGE, Quasi.DEVICE, Quasi.SITE, Quasi.FOLLOW_UP)
LEVELS: dict[Quasi, tuple[str, ...]] = {
    Quasi.SEX: ("as it is", DROPPED),
    Quasi.AGE: ("single years", "5 years", "10 years", "20 years", DROPPED),
    Quasi.DEVICE: ("model", "manufacturer", DROPPED),
    Quasi.SITE: ("source", DROPPED),
    Quasi.FOLLOW_UP: ("days", "30 days", "years", DROPPED),
    Quasi.STUDY_YEAR: ("year", "5 years", DROPPED),
}
"""From exact to nothing: what can be told of each quasi-identifier."""
_STEPS: dict[Quasi, tuple[int, ...]] = {
    Quasi.AGE: (1, 5, 10, 20),
    Quasi.FOLLOW_UP: (1, DAYS_OF_MONTH, 365),
    Quasi.STUDY_YEAR: (1, 5),
}


@dataclass(frozen=True, slots=True)
class Person:
    """One patient of one source, as far as others could know them."""

    site: str
    sex: str | None = None
    age: int | None = None
    manufacturer: str | None = None
    model: str | None = None
    follow_up_days: int | None = None
    study_year: int | None = None
    sensitive: tuple[str, ...] = ()


def told(person: Person, quasi: Quasi, level: int) -> str | None:
    """What is told of ``person`` at ``level`` of ``LEVELS``; None where nothing is, or nothing is known."""
    if LEVELS[quasi][level] == DROPPED:
        return None
    if quasi is Quasi.SEX:
        return person.sex
    if quasi is Quasi.SITE:
        return person.site
    if quasi is Quasi.DEVICE:
        maker = person.manufacturer or ""
        return (f"{maker} {person.model or ''}" if level == 0 else maker).strip() or None
    number = {
        Quasi.AGE: person.age, Quasi.FOLLOW_UP: person.follow_up_days, Quasi.STUDY_YEAR: person.study_year,
    }[quasi]  # fmt: skip
    if number is None:
        return None
    step = _STEPS[quasi][level]
    low = number // step * step
    return str(low) if step == 1 else f"{low}-{low + step - 1}"


def people_of(
    patients: Iterable[Mapping[str, Any]],
    studies: Iterable[Mapping[str, Any]],
    series: Iterable[Mapping[str, Any]],
    *,
    cancers: Mapping[str, str],
) -> tuple[Person, ...]:
    """The patients of rows with the columns of the catalogue's tables; ``cancers``: by source id."""
    studies_of: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    series_of: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for row in studies:
        studies_of[row["source_id"], row["PatientID"]].append(row)
    for row in series:
        series_of[row["source_id"], row["PatientID"]].append(row)
    found = []
    for patient in patients:
        key = patient["source_id"], patient["PatientID"]
        found.append(_person(key[0], patient, studies_of[key], series_of[key], cancers.get(key[0])))
    return tuple(found)


def _person(
    site: str,
    patient: Mapping[str, Any],
    studies: list[Mapping[str, Any]],
    series: list[Mapping[str, Any]],
    cancer: str | None,
) -> Person:
    days = sorted(day for row in studies if (day := parse_date(_text(row["StudyDate"]))) is not None)
    ages = [float(row["AgeAtStudy"]) for row in studies if _known(row["AgeAtStudy"])]
    first = min(series, key=lambda row: (_text(row["StudyDate"]) or "9", str(row["SeriesInstanceUID"])), default=None)
    parts = sorted({part for row in series if (part := _text(row["BodyPart"])) is not None})
    return Person(
        site=site,
        sex=_text(patient["PatientSex"]),
        age=int(min(ages)) if ages else None,
        manufacturer=_text(first["ManufacturerName"]) if first else None,
        model=_text(first["ManufacturerModelName"]) if first else None,
        follow_up_days=(days[-1] - days[0]).days if days else None,
        study_year=days[0].year if days else None,
        sensitive=(cancer or "", *parts),
    )


def _known(value: Any) -> bool:
    # NaN is the one value that is not itself.
    return value is not None and value == value  # noqa: PLR0124


def _text(value: Any) -> str | None:
    return str(value) if _known(value) and value != "" else None
