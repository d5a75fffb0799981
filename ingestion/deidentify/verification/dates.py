"""The ways in which a day is written, and the days that a text holds."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

MEANINGLESS = frozenset({"19000101", "00010101", "19700101", "18991230", "19010101"})
"""Days that programs write for 'unknown': they say nothing of anybody, and de-identifiers write them as dummies."""
EARLIEST, LATEST = 1850, 2099
_MONTHS = ("january", "february", "march", "april", "may", "june", "july", "august", "september", "october",
           "november", "december")  # fmt: skip
_NUMERALS = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
_SHORT_MONTHS = tuple(month[:3] for month in _MONTHS)
_IN_TEXT = re.compile(
    r"(?<!\d)(?:(?P<y1>\d{4})(?P<s1>[-./ ]?)(?P<m1>\d{1,2})(?P=s1)(?P<d1>\d{1,2})"
    r"|(?P<a2>\d{1,2})(?P<s2>[-./ ]?)(?P<b2>\d{1,2})(?P=s2)(?P<y2>\d{4}|\d{2})"
    r"|(?P<d3>\d{1,2})[-./ ]{0,2}(?P<m3>[a-z]{1,9})[-./, ]{0,2}(?P<y3>\d{4})"
    r"|(?P<m4>[a-z]{3,9})[. ]{1,2}(?P<d4>\d{1,2})[, ]{1,2}(?P<y4>\d{4}))"
)


def day_of(year: int, month: int, day: int) -> str | None:
    """YYYYMMDD of a day that can be a person's; None for another, and for what stands for 'unknown'."""
    try:
        found = dt.date(year, month, day)
    except ValueError:
        return None
    text = found.strftime("%Y%m%d")
    return text if EARLIEST <= year <= LATEST and text not in MEANINGLESS else None


def written(day: str) -> Iterator[str]:
    """The usual forms of YYYYMMDD in lower case: ISO, day first, month first, with month names, two-digit years."""
    year, month, date = day[:4], day[4:6], day[6:]
    m, d, name = str(int(month)), str(int(date)), _MONTHS[int(month) - 1]
    yield day
    yield from (date + month + year, month + date + year)
    for sign in "-./":
        yield sign.join((year, month, date))
        for first, second in ((date, month), (month, date)):
            yield sign.join((first, second, year))
            yield sign.join((first, second, year[2:]))
        if (m, d) != (month, date):
            yield from (sign.join((year, m, d)), sign.join((d, m, year)), sign.join((m, d, year)))
    yield " ".join((year, month, date))
    yield " ".join((date, month, year))
    if (m, d) != (month, date):
        yield from (" ".join((year, m, d)), " ".join((d, m, year)))
    for day_text in {date, d}:
        for sign in ("-", " ", ".", "/", ". ", ""):
            yield sign.join((day_text, _NUMERALS[int(month) - 1], year))
        for month_text in {name, name[:3]}:
            yield from (sign.join((day_text, month_text, year)) for sign in ("-", " ", ". ", ""))
            yield from (f"{month_text} {day_text}, {year}", f"{month_text} {day_text} {year}")


def loosely_written(day: str) -> Iterator[str]:
    """Forms of a birth date that would be met by chance for any other day: 14 3 57, 14/3/57."""
    year, m, d = day[2:4], str(int(day[4:6])), str(int(day[6:]))
    for parts in {(d, m, year), (day[6:], day[4:6], year)}:
        yield " ".join(parts)
    if len(m) + len(d) < 4:
        yield from (sign.join((d, m, year)) for sign in "-./")


def shifted(day: str, days: int) -> str | None:
    """``day`` moved by ``days``: the verifier's own arithmetic."""
    ordinal = dt.date(int(day[:4]), int(day[4:6]), int(day[6:])).toordinal() + days
    return dt.date.fromordinal(ordinal).strftime("%Y%m%d") if ordinal > 0 else None


def days_in(text: str) -> set[str]:
    """Every day that ``text`` may mean, in any of the forms of ``written``."""
    found: set[str] = set()
    low = text.lower()
    # From every digit and letter on: forms overlap ("p4 20190619", "1 2019-06-19").
    position = 0
    while (match := _IN_TEXT.search(low, position)) is not None:
        found |= {day for day in _meant(match) if day}
        position = match.start() + 1
    return found


def _meant(match: re.Match[str]) -> Iterator[str | None]:
    part = match.groupdict()
    if part["y1"]:
        yield day_of(int(part["y1"]), int(part["m1"]), int(part["d1"]))
        if not part["s1"] and len(match.group()) == 8:
            digits = match.group()
            yield day_of(int(digits[4:]), int(digits[2:4]), int(digits[:2]))
            yield day_of(int(digits[4:]), int(digits[:2]), int(digits[2:4]))
    elif part["y2"]:
        years = (
            [int(part["y2"])] if len(part["y2"]) == 4 else [century + int(part["y2"]) for century in (1800, 1900, 2000)]
        )
        for year in years:
            yield day_of(year, int(part["b2"]), int(part["a2"]))
            yield day_of(year, int(part["a2"]), int(part["b2"]))
    else:
        month = _month(part["m3"] or part["m4"])
        if month is not None:
            yield day_of(int(part["y3"] or part["y4"]), month, int(part["d3"] or part["d4"]))


def _month(word: str) -> int | None:
    for names in (_MONTHS, _SHORT_MONTHS, _NUMERALS):
        if word in names:
            return names.index(word) + 1
    return None
