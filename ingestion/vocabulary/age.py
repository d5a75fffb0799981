"""Age in years, from Patient's Age (0010,1010) or from two dates."""

from __future__ import annotations

import datetime as dt
import re

_AGE_STRING = re.compile(r"^(\d{1,3})([DWMY])$")
"""Age String (PS3.5, section 6.2) is three digits and a unit; fewer digits are met and mean the same."""
_PER_YEAR = {"D": 365.25, "W": 365.25 / 7, "M": 12.0, "Y": 1.0}
_DATE = re.compile(r"^(\d{4})[.\-]?(\d{2})[.\-]?(\d{2})$")
"""Date (PS3.5, section 6.2), and the retired form with points that old devices write."""
MAX_AGE_YEARS = 125
"""No person has lived longer: a larger value is an error, as are dates that give one."""
_DECIMALS = 2


def age_in_years(age_string: str | None) -> float | None:
    """``063Y`` to 63.0, ``018M`` to 1.5; None for what is not an age string with a unit."""
    match = _AGE_STRING.match(age_string.strip().upper()) if age_string else None
    if match is None:
        return None
    years = round(int(match.group(1)) / _PER_YEAR[match.group(2)], _DECIMALS)
    return years if years <= MAX_AGE_YEARS else None


def parse_date(text: str | None) -> dt.date | None:
    """A DICOM date; None where there is none or it is no day of the calendar."""
    match = _DATE.match(text.strip()) if text else None
    if match is None:
        return None
    try:
        return dt.date(*(int(part) for part in match.groups()))
    except ValueError:
        return None


def age_at_study(
    *, patient_age: str | None, birth_date: str | None = None, study_date: str | None = None
) -> float | None:
    """Age in years at the study: Patient's Age where given, else what the two dates say; None where neither does."""
    given = age_in_years(patient_age)
    if given is not None:
        return given
    born, seen = parse_date(birth_date), parse_date(study_date)
    if born is None or seen is None or seen < born:
        return None
    years = round((seen - born).days / _PER_YEAR["D"], _DECIMALS)
    return years if years <= MAX_AGE_YEARS else None
