"""Defects of identity and linkage, and repeated images, put into the rows that sources tell each other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ingestion.accounting.facts import SeriesFacts
from ingestion.accounting.source_state import Counts, SeriesEntry, SourceState
from ingestion.accounting.states import SeriesState
from quality_checks.crossing.cross import compare
from quality_checks.crossing.index import COLUMNS

HERE, ELSEWHERE = "B-SOURCE", "A-SOURCE"


@dataclass
class Row:
    """One series of a sound source; no two share anything but patient and study."""

    uid: str
    patient: str
    study: str
    source_id: str = HERE
    modality: str = "CT"
    pixels: str | None = None
    hashes: tuple[int, ...] = ()
    facts: SeriesFacts = SeriesFacts()  # noqa: RUF009 - frozen


def rows(source_id: str, *, patients: int = 4, seed: int = 1) -> list[Row]:
    """Two studies of two series each for every patient."""
    chance = np.random.default_rng(seed)
    made = []
    for at in range(patients * 4):
        patient, study = at // 4, at // 2
        made.append(
            Row(
                uid=f"{source_id}.{at:04d}", patient=f"{source_id}-P{patient}", study=f"{source_id}-S{study}",
                source_id=source_id, pixels=f"{source_id}-pixels-{at}",
                hashes=tuple(int(value) for value in chance.integers(1, 2**64 - 1, 3, dtype=np.uint64)),
                facts=SeriesFacts(
                    people=(f"{source_id}-person-{patient}",), names=(f"{source_id}-name-{patient}",),
                    birth_dates=(f"{source_id}-birth-{patient}",), patients=(f"{source_id}-id-{patient}",),
                    study=f"{source_id}-study-{study}", series=f"{source_id}-series-{at}",
                    content=f"{source_id}-content-{at}", accessions=(f"{source_id}-accession-{study}",),
                    birth_date_stated=True,
                ),
            )
        )  # fmt: skip
    return made


def index_of(found: list[Row]) -> pd.DataFrame:
    """As ``quality_checks.crossing.index`` makes it."""
    table = [
        (row.source_id, row.uid, row.study, row.patient, row.modality, row.facts.content, row.facts.series,
         row.facts.study, " ".join(row.facts.accessions) or None, " ".join(row.facts.people) or None, row.pixels,
         " ".join(f"{value:016x}" for value in row.hashes) or None, None)
        for row in found
    ]  # fmt: skip
    return pd.DataFrame(table, columns=list(COLUMNS), dtype=object)


def state_of(found: list[Row]) -> SourceState:
    entries = [
        SeriesEntry(row.uid, SeriesState.COMPLETE, "0" * 24, Counts(1, 1), {}, row.facts.to_json()) for row in found
    ]
    return SourceState(HERE, tuple(entries))


def fired(own: list[Row], others: list[Row]) -> set[str]:
    """The rules that found something."""
    outcomes = compare(state_of(own), index_of(own), index_of(others)).outcomes
    return {one.rule_id for one in outcomes if one.failing}


def change(row: Row, **facts: object) -> None:
    row.facts = replace(row.facts, **facts)  # type: ignore[arg-type]


def two_people(own: list[Row], others: list[Row]) -> None:
    change(own[0], names=("x",), birth_dates=("y",), people=("z",))


def two_birth_dates(own: list[Row], others: list[Row]) -> None:
    change(own[0], birth_dates=("y",), people=("z",))


def two_ids(own: list[Row], others: list[Row]) -> None:
    for row in own[4:8]:
        change(row, people=own[0].facts.people)


def two_sources(own: list[Row], others: list[Row]) -> None:
    change(others[0], people=own[0].facts.people)


def study_elsewhere(own: list[Row], others: list[Row]) -> None:
    change(others[0], study=own[0].facts.study)


def accession_of_two(own: list[Row], others: list[Row]) -> None:
    change(own[4], accessions=own[0].facts.accessions)


def examined_twice(own: list[Row], others: list[Row]) -> None:
    change(others[0], accessions=own[0].facts.accessions, people=own[0].facts.people)


def same_files(own: list[Row], others: list[Row]) -> None:
    change(others[0], content=own[0].facts.content)


def series_elsewhere(own: list[Row], others: list[Row]) -> None:
    change(others[0], series=own[0].facts.series)


def same_pixels(own: list[Row], others: list[Row]) -> None:
    own[0].pixels = own[4].pixels


def same_pixels_elsewhere(own: list[Row], others: list[Row]) -> None:
    own[0].pixels = others[4].pixels


def near_copy(own: list[Row], others: list[Row]) -> None:
    own[0].hashes = tuple(value ^ 0b11 for value in own[4].hashes)


def near_copy_elsewhere(own: list[Row], others: list[Row]) -> None:
    own[0].hashes = tuple(value ^ (1 << 40) for value in others[4].hashes)


def before_birth(own: list[Row], others: list[Row]) -> None:
    change(own[0], before_birth=True)


def in_the_future(own: list[Row], others: list[Row]) -> None:
    change(own[0], after_delivery=True)


def age_contradicts(own: list[Row], others: list[Row]) -> None:
    change(own[0], age_contradicts=True)


DEFECTS: dict[Callable[[list[Row], list[Row]], None], set[str]] = {
    two_people: {"patient_is_one_person"},
    two_birth_dates: {"patient_one_birth_date"},
    two_ids: {"patient_one_id"},
    two_sources: {"patient_one_source"},
    study_elsewhere: {"study_uid_one_source"},
    accession_of_two: {"study_accession_one_patient"},
    examined_twice: {"study_one_accession", "patient_one_source"},
    same_files: {"series_not_repeated"},
    series_elsewhere: {"series_uid_one_source"},
    same_pixels: {"series_pixels_not_repeated"},
    same_pixels_elsewhere: {"series_pixels_not_repeated"},
    near_copy: {"series_not_nearly_repeated"},
    near_copy_elsewhere: {"series_not_nearly_repeated"},
    before_birth: {"series_after_birth"},
    in_the_future: {"series_not_in_future"},
    age_contradicts: {"series_age_fits_birth_date"},
}
"""What is put in, and the rules that must find it, and no other."""


def matrix() -> list[tuple[str, set[str], set[str]]]:
    """Of each defect: its name, the rules that must find it, those that did."""
    found = []
    for defect, expected in DEFECTS.items():
        own, others = rows(HERE), rows(ELSEWHERE, seed=2)
        defect(own, others)
        found.append((defect.__name__, expected, fired(own, others)))
    return found
