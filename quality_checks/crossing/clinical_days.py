"""Days and visits of a clinical table: which come in an order that cannot be."""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import combinations, pairwise

from ingestion.catalogue.clinical import ClinicalRole, ClinicalTable
from ingestion.vocabulary.age import parse_date

FIRST_DATE = 300_000
"""Days counted from a baseline stay far below (800 years); dates as ordinals lie above (from the year 822)."""
_VISITS = (ClinicalRole.VISIT, ClinicalRole.VISIT_DAYS, ClinicalRole.VISITED)
_NUMBER = re.compile(r"\d+")


def first_days(table: ClinicalTable, role: ClinicalRole) -> dict[str, int]:
    """The first day of each patient that has one."""
    first: dict[str, int] = {}
    for patient, value in table.values(role):
        day = _day(value)
        if day is not None:
            first[patient] = min(day, first.get(patient, day))
    return first


def earlier(before: dict[str, int], after: dict[str, int]) -> tuple[int, set[str]]:
    """Patients with both days, and those of them whose ``after`` comes first. A date and a count are not compared."""
    both = {one for one in before.keys() & after.keys() if _is_date(before[one]) == _is_date(after[one])}
    return len(both), {one for one in both if after[one] < before[one]}


def disordered_visits(table: ClinicalTable) -> tuple[int, set[str]]:
    """Patients with two visits to compare, and those whose visit numbers, relative days and dates disagree in order."""
    visits: dict[str, list[dict[ClinicalRole, int]]] = defaultdict(list)
    for row in table.rows:
        told = {role: _number(row[role], role) for role in _VISITS if row.get(role)}
        visits[row[ClinicalRole.PATIENT]].append({role: said for role, said in told.items() if said is not None})
    judged, wrong = set(), set()
    for patient, rows in visits.items():
        for one, other in combinations(_VISITS, 2):
            found = sorted((row[one], row[other]) for row in rows if one in row and other in row)
            if len(found) < 2 or len({tuple(map(_is_date, pair)) for pair in found}) > 1:
                continue
            judged.add(patient)
            if any(this[1] > following[1] for this, following in pairwise(found)):
                wrong.add(patient)
    return len(judged), wrong


def _number(value: str, role: ClinicalRole) -> int | None:
    """A visit's number out of texts such as ``2`` or ``V2``; else the day."""
    if role is not ClinicalRole.VISIT:
        return _day(value)
    found = _NUMBER.search(value)
    return int(found[0]) if found else None


def _is_date(day: int) -> bool:
    return day >= FIRST_DATE


def _day(value: str) -> int | None:
    """A date, or days from a baseline, as a number of days."""
    day = parse_date(value)
    if day is not None:
        return day.toordinal()
    try:
        return int(value)
    except ValueError:
        return None
