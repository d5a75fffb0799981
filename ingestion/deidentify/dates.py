"""Dates moved by a patient's days: PS3.5 section 6.2, VRs DA and DT. Every interval stays exact."""

from __future__ import annotations

import datetime as dt
import re

_DATE = re.compile(r"^(\d{4})\.?(\d{2})\.?(\d{2})$", re.ASCII)
_DATETIME = re.compile(
    r"^(\d{8})((?:[01]\d|2[0-3])(?:[0-5]\d(?:(?:[0-5]\d|60)(?:\.\d{1,6})?)?)?)?([+-]\d{4})?$", re.ASCII
)
"""Only a time of day may stand behind the day: six digits that are none can be anybody's number."""


def shift_date(text: str, days: int) -> str | None:
    """The shifted date as YYYYMMDD; None for what is no day of the calendar."""
    match = _DATE.match(text.strip())
    if match is None:
        return None
    try:
        moved = dt.date(*(int(part) for part in match.groups())) + dt.timedelta(days=days)
    except (ValueError, OverflowError):
        return None
    return f"{moved.year:04d}{moved.month:02d}{moved.day:02d}"


def shift_datetime(text: str, days: int) -> str | None:
    """The shifted date with its time as it was; None for what holds no whole date.

    The offset from UTC goes: with summer time it says on which side of a known day the true date lies.
    """
    match = _DATETIME.match(text.strip())
    if match is None:
        return None
    moved = shift_date(match.group(1), days)
    return None if moved is None else moved + (match.group(2) or "")
