"""What a verification is asked and what it answers. No value of an object is in either: rules, places, offsets."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Kind(StrEnum):
    """What sort of thing a string of the raw header identifies."""

    PERSON = "person"
    IDENTIFIER = "identifier"
    PLACE = "place"  # institutions, departments, addresses, telephone numbers
    DEVICE = "device"  # serial numbers, station names, AE titles
    BIRTH_DATE = "birth_date"
    DATE = "date"
    UID = "uid"


@dataclass(frozen=True, slots=True)
class Finding:
    """What that must not be there. ``tag``: the path to the element; ``offset``: in the result. Never the value."""

    rule: str
    tag: str | None = None
    offset: int | None = None


@dataclass(frozen=True, slots=True)
class Expectation:
    """What the policy promises of a result.

    ``shift_days``: every date moved by this number of days; None: no date is left. ``kept``: kinds that the policy
    retains on purpose (Retain Device Identity: DEVICE, Retain Longitudinal Full Dates: DATE, …). ``private``: may
    private elements be there at all?
    """

    patient_id: str
    shift_days: int | None = field(default=None, repr=False)
    kept: frozenset[Kind] = frozenset()
    private: bool = True
