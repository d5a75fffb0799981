"""Errors of a definition that de-identification knowingly brings about: a table, each with its reason."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache

from pydicom.datadict import tag_for_keyword

from ingestion.deidentify.conformance_check import ConformanceError
from ingestion.deidentify.profile import read_text

TABLE = "iod_excuses.csv"


@dataclass(frozen=True, slots=True)
class Excuse:
    """One row. ``removed``: tag of the attribute that the policy took out, which is why the error came about."""

    sop_class: str
    removed: int
    message: str
    times: int
    reason: str


@cache
def excuses() -> tuple[Excuse, ...]:
    """The table.

    Raises:
        ValueError: a row names no attribute of the standard's, or has no reason.
    """
    return tuple(map(_excuse, csv.DictReader(read_text(TABLE))))


def _excuse(row: dict[str, str]) -> Excuse:
    tag = tag_for_keyword(row["removed"])
    if tag is None or not row["reason"]:
        raise ValueError(f"{TABLE}: {row['removed']!r} is no attribute, or its row has no reason")
    return Excuse(row["sop_class"], tag, row["message"], int(row["times"]), row["reason"])


def not_excused(
    errors: Iterable[ConformanceError], *, sop_class: str, removed: Callable[[int], bool]
) -> tuple[ConformanceError, ...]:
    """The errors that no row excuses. ``removed``: whether an attribute was there and is no longer."""
    return tuple(
        error
        for error in errors
        if not any(
            row.message == error.message
            and row.sop_class == sop_class
            and error.count <= row.times
            and removed(row.removed)
            for row in excuses()
        )
    )
