"""Who is who: people, studies and numbers compared by keyed digests, within a source and with the others."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

import pandas as pd

from ingestion.accounting.facts import SeriesFacts
from quality_checks.crossing import rules as r
from quality_checks.crossing.rules import LinkOutcome
from quality_checks.model import Rule

MOST_IDS_OF_ONE = 10
"""A name and birth date under more ids than this stands for nobody: a placeholder that we do not know."""
Failing = dict[str, str | None]


def patient_outcomes(facts: Mapping[str, SeriesFacts], own: pd.DataFrame) -> Iterator[LinkOutcome]:
    """Rules on patients within the source. ``facts`` by SeriesInstanceUID; ``own``: the source's index rows."""
    by_patient: dict[str, list[SeriesFacts]] = defaultdict(list)
    for uid, patient in own[["SeriesInstanceUID", "PatientID"]].itertuples(index=False):
        if uid in facts:
            by_patient[str(patient)].append(facts[uid])
    two, births, rows = Failing(), Failing(), 0
    for patient, known in by_patient.items():
        names, days = _all(one.names for one in known), _all(one.birth_dates for one in known)
        rows += bool(days)
        if len(names) > 1 and len(days) > 1:
            two[patient] = f"{len(names)} names and {len(days)} birth dates"
        elif len(days) > 1:
            births[patient] = f"{len(days)} birth dates under one name"
    yield _outcome(r.TWO_PEOPLE, rows, two)
    yield _outcome(r.ONE_BIRTH_DATE, rows, births)


def person_outcomes(own: pd.DataFrame, others: pd.DataFrame) -> Iterator[LinkOutcome]:
    """One person under several ids, here and in other sources."""
    mine = _people(own)
    ids = mine.groupby("Person")["PatientID"].nunique() if len(mine) else pd.Series(dtype="int64")
    believable = set(ids[ids <= MOST_IDS_OF_ONE].index)
    repeated = {person: int(count) for person, count in ids.items() if 1 < count <= MOST_IDS_OF_ONE}
    several = {
        str(patient): f"the same person has {repeated[person]} ids in this source"
        for patient, person in mine[["PatientID", "Person"]].itertuples(index=False)
        if person in repeated
    }
    patients = mine["PatientID"].nunique()
    yield _outcome(r.ONE_ID, patients, several)
    theirs = _people(others)
    counts = theirs.groupby(["Person", "source_id"])["PatientID"].nunique().reset_index() if len(theirs) else theirs
    elsewhere: dict[str, set[str]] = defaultdict(set)
    for person, source_id in counts[["Person", "source_id"]].itertuples(index=False) if len(counts) else ():
        if person in believable:
            elsewhere[person].add(source_id)
    beside = {
        str(patient): f"also in {', '.join(sorted(elsewhere[person]))}"
        for patient, person in mine[["PatientID", "Person"]].itertuples(index=False)
        if person in elsewhere
    }
    yield _outcome(r.ONE_SOURCE, patients if len(others) else 0, beside)


def study_outcomes(own: pd.DataFrame, others: pd.DataFrame) -> Iterator[LinkOutcome]:
    """Studies and accession numbers that several patients or sources have."""
    theirs = _by(others, "Study")
    people = _grouped_people(others, "Study")
    failing = Failing()
    for study, digest, people_here in own[["StudyInstanceUID", "Study", "People"]].itertuples(index=False):
        if digest in theirs:
            same = set(_split(people_here)) & people.get(digest, set())
            who = "the same person" if same else "another or an unknown person"
            failing[str(study)] = f"also in {', '.join(sorted(theirs[digest]))}, of {who}"
    yield _outcome(r.STUDY_ONE_SOURCE, _known(own, "StudyInstanceUID", "Study") if len(others) else 0, failing)

    numbers = _exploded(own, "Accessions")
    patients = numbers.groupby("Accessions")["PatientID"].nunique() if len(numbers) else pd.Series(dtype="int64")
    shared = {
        str(study): f"its number is of {patients[number]} patients"
        for study, number in numbers[["StudyInstanceUID", "Accessions"]].itertuples(index=False)
        if patients[number] > 1
    }
    yield _outcome(r.ACCESSION_ONE_PATIENT, numbers["StudyInstanceUID"].nunique(), shared)

    elsewhere: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for source_id, study, number, person in _exploded(_exploded(others, "Accessions"), "People")[
        ["source_id", "Study", "Accessions", "People"]
    ].itertuples(index=False):
        elsewhere[number, person].add((source_id, study))
    twice = Failing()
    pairs = _exploded(numbers, "People")
    for study, digest, number, person in pairs[["StudyInstanceUID", "Study", "Accessions", "People"]].itertuples(
        index=False
    ):
        found = sorted({source_id for source_id, other in elsewhere.get((number, person), ()) if other != digest})
        if found:
            twice[str(study)] = f"also in {', '.join(found)}, under another UID"
    yield _outcome(r.EXAMINED_ONCE, pairs["StudyInstanceUID"].nunique() if len(others) else 0, twice)


def time_outcomes(facts: Mapping[str, SeriesFacts]) -> Iterator[LinkOutcome]:
    """What only the raw dates tell."""
    born = {uid: one for uid, one in facts.items() if one.birth_date_stated}
    yield _outcome(r.AFTER_BIRTH, len(born), {uid: None for uid, one in born.items() if one.before_birth})
    yield _outcome(r.NOT_IN_FUTURE, len(facts), {uid: None for uid, one in facts.items() if one.after_delivery})
    yield _outcome(r.AGE_FITS, len(born), {uid: None for uid, one in born.items() if one.age_contradicts})


def _outcome(rule: Rule, rows: int, failing: Mapping[str, str | None]) -> LinkOutcome:
    return LinkOutcome(rule.id, rows, tuple(sorted(failing.items())))


def _all(groups: Iterable[tuple[str, ...]]) -> set[str]:
    return {digest for group in groups for digest in group}


def _people(index: pd.DataFrame) -> pd.DataFrame:
    """One row per source, patient and person that the patient's headers name."""
    return (
        _exploded(index, "People")
        .rename(columns={"People": "Person"})[["source_id", "PatientID", "Person"]]
        .drop_duplicates()
    )


def _exploded(index: pd.DataFrame, column: str) -> pd.DataFrame:
    known = index[index[column].notna()]
    parts = pd.Series([_split(value) for value in known[column]], index=known.index, dtype=object)
    return known.assign(**{column: parts}).explode(column)


def _split(value: object) -> list[str]:
    return value.split() if isinstance(value, str) else []


def _by(index: pd.DataFrame, column: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    known = index[index[column].notna()]
    for digest, source_id in known[[column, "source_id"]].itertuples(index=False):
        found[digest].add(source_id)
    return found


def _grouped_people(index: pd.DataFrame, column: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for digest, people in index[[column, "People"]].itertuples(index=False):
        if isinstance(digest, str):
            found[digest] |= set(_split(people))
    return found


def _known(index: pd.DataFrame, key: str, column: str) -> int:
    return int(index.loc[index[column].notna(), key].nunique())
