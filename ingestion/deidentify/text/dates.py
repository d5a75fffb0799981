"""Dates within a text: found in many manners of writing, and moved by a patient's days in the same manner.

What cannot be moved exactly (a year alone, a month and its year, a date whose order of day and month is anybody's
guess) is taken out: a wrong interval would be worse than none, and a true year would give the shift away.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable
from enum import StrEnum

from ingestion.deidentify.rules import TextKind
from ingestion.deidentify.text.folding import fold
from ingestion.deidentify.text.months import ROMAN, months


class DatesInText(StrEnum):
    """What a policy does with them."""

    SHIFT = "shift"
    REMOVE = "remove"


CENTURY_TURNS = 40
"""Years of two digits up to this one are of this century, later ones of the last: the people are alive."""
_Y4, _MM, _DD = r"(?:1[89]|20)\d\d", r"(?:0[1-9]|1[0-2])", r"(?:0[1-9]|[12]\d|3[01])"
_M, _D = r"(?:0?[1-9]|1[0-2])", r"(?:0?[1-9]|[12]\d|3[01])"
_TIME = r"(?=(?:[01]\d|2[0-3])[0-5]\d(?:[0-5]\d)?(?!\d)|\D|$)"
_MONTH = "|".join(sorted((re.escape(name) for name in months()), key=len, reverse=True))
_ORDINAL = r"(?:st|nd|rd|th|\.|º|er)?"
_PATTERNS = re.compile(
    rf"""
    (?<![\d]) (?<!\d\.)
    (?: (?P<y1>{_Y4})(?P<s1>[-./_ :]?)(?P<m1>{_MM})(?P=s1)(?P<d1>{_DD}){_TIME}
      | (?P<d2>{_D})(?P<s2>[-./_])(?P<m2>{_M})(?P=s2)(?P<y2>{_Y4})(?!\d)
      | (?P<m3>{_M})(?P<s3>[-./_])(?P<d3>{_D})(?P=s3)(?P<y3>{_Y4})(?!\d)
      | (?P<d4>{_DD})(?P<m4>{_MM})(?P<y4>(?:19|20)\d\d)(?!\d)
      | (?P<m5>{_MM})(?P<d5>{_DD})(?P<y5>(?:19|20)\d\d)(?!\d)
      | (?P<d6>{_DD})(?P<s6>[-./])(?P<m6>{_MM})(?P=s6)(?P<y6>\d\d)(?![\d]|\.\d)
      | (?P<m7>{_MM})(?P<s7>[-./])(?P<d7>{_DD})(?P=s7)(?P<y7>\d\d)(?![\d]|\.\d)
      | (?P<y8>\d\d)(?P<s8>[-/])(?P<m8>{_MM})(?P=s8)(?P<d8>{_DD})(?!\d)
    )""",
    re.VERBOSE,
)
_NAMED = re.compile(
    rf"""
    (?<![^\W_])
    (?: (?P<d1>{_D}){_ORDINAL}(?P<a1>[-./_\s]{{0,2}}(?:de\s|of\s)?)(?P<m1>{_MONTH})
        (?P<b1>\.?,?[-./_\s]{{0,2}}(?:de\s)?)(?P<y1>{_Y4}|\d\d)
      | (?P<m2>{_MONTH})(?P<a2>\.?[-./_\s]{{0,2}})(?P<d2>{_D})(?P<o2>{_ORDINAL})(?P<b2>,?[-./_\s]{{1,2}})(?P<y2>{_Y4})
      | (?P<y3>{_Y4})(?P<a3>[-./_\s]?)(?P<m3>{_MONTH})(?P<b3>[-./_\s]?)(?P<d3>{_D})
      | (?P<m4>{_MONTH})\.?[-./_\s]{{0,2}}(?P<y4>{_Y4})
    )(?![^\W_])""",
    re.VERBOSE,
)
_NUMERAL = "|".join(sorted(ROMAN, key=len, reverse=True))
_ROMAN_MONTH = re.compile(
    rf"""(?<![\d]) (?<!\d\.)
    (?: {_D}\s?[-./_,]\s?(?:{_NUMERAL})\s?[-./_,]\s?(?:{_Y4}|\d\d(?![.,]?\d))
      | {_D}[ ]?(?:{_NUMERAL})[ ]?(?:19\d\d|200[1-9]|20[1-4]\d)
      | {_Y4}[-./_ ]{{1,2}}(?:{_NUMERAL})[-./_ ]{{1,2}}{_D}
      | (?<![^\W_]) (?:{_NUMERAL})[-./_]{_Y4} )
    (?![^\W_]|[ ]?(?:mm|s/mm|ms|hz|px)(?![^\W_]))""",
    re.VERBOSE | re.IGNORECASE,
)
"""With a Roman numeral for the month. Taken out: where it stands beside others, it is not sure to be one."""
_PARTIAL = re.compile(rf"(?<![\d.])(?:{_MM}[-./]{_Y4}|{_Y4}[-./]{_MM})(?![\d]|[-./]\d)")
_LOOSE = re.compile(
    rf"""(?<![\d.]) (?<!\d[-/\s]) (?<![vV]) (?<![vV]\.)
    (?: {_D}(?P<s>[-./])(?:{_M})(?P=s)\d\d | {_D}[ ]{{1,2}}{_M}[ ]{{1,2}}(?:19\d\d|200[1-9]|20[1-4]\d|\d\d)
      | {_Y4}(?P<t>[-./ ])(?:{_M})(?P=t)(?:{_D}) )
    (?![\d]|[-/.\s]\d|[ ]?(?:mm|cm|min|mins|sec|secs|s|ms|deg|mgy|mm2)(?![^\W_]))""",
    re.VERBOSE | re.IGNORECASE,
)
"""A day without its zeros, or with blanks between: 14 3 57. A person reads it as one, no program can be sure."""
_PLACED_BY_ORDER = {1: "ymd", 2: "dmy", 3: "mdy", 4: "dmy", 5: "mdy", 6: "dmy", 7: "mdy", 8: "ymd"}
_GUESSED = frozenset({2, 4, 6})
"""Forms that are written day first in Europe and month first elsewhere."""


Found = tuple[int, int, str | None]
"""Where a date stands, and what to put there (None: nothing)."""


def dates_in(text: str, *, kind: TextKind, days: int | None) -> list[Found]:
    """Every date of ``text``; without ``days`` each is to be taken out.

    In the text of a device, three numbers of two digits with points between are a version, not a date.
    """
    found: list[Found] = []
    for match in _PATTERNS.finditer(text):
        form = int((match.lastgroup or "y1")[1:])
        if form in (6, 7, 8) and kind is TextKind.TECHNICAL and match.group(f"s{form}") != "/":
            continue
        found.append((match.start(), match.end(), None if days is None else _moved(match, form, days)))
    low = fold(text)
    if len(low) == len(text) and any(character.isalpha() for character in low):
        for match in _NAMED.finditer(low):
            found.append((match.start(), match.end(), None if days is None else _named(match, text, days)))
    if kind is TextKind.DESCRIPTOR:
        found.extend((match.start(), match.end(), None) for match in _LOOSE.finditer(text) if not _within(match, found))
    found.extend((match.start(), match.end(), None) for match in _ROMAN_MONTH.finditer(text))
    found.extend((match.start(), match.end(), None) for match in _PARTIAL.finditer(text))
    return found


def _within(match: re.Match[str], found: list[Found]) -> bool:
    return any(start <= match.start() and match.end() <= end for start, end, _ in found)


def _moved(match: re.Match[str], form: int, days: int) -> str | None:
    year, month, day = (match.group(f"{part}{form}") for part in "ymd")
    separator = match.groupdict().get(f"s{form}") or ""
    if form in _GUESSED and separator != "." and int(day) <= 12 and int(month) <= 12 and int(day) != int(month):
        return None
    moved = _shift(year, month, day, days)
    if moved is None:
        return None
    parts = {
        "y": f"{moved.year:04d}"[-len(year) :],
        "m": f"{moved.month:0{len(month)}d}",
        "d": f"{moved.day:0{len(day)}d}",
    }
    return separator.join(parts[place] for place in _PLACED_BY_ORDER[form])


def _named(match: re.Match[str], text: str, days: int) -> str | None:
    form = (match.lastgroup or "y4")[1:]
    if form == "4":
        return None
    year, month, day = (match.group(f"{part}{form}") for part in "ymd")
    name = months()[month]
    moved = _shift(year, str(name.number), day, days)
    if moved is None:
        return None
    written = text[match.start(f"m{form}") : match.end(f"m{form}")]
    new: dict[str, str] = {
        "y": f"{moved.year:04d}"[-len(year) :],
        "m": _cased(name.table[moved.month - 1], written),
        "d": f"{moved.day:0{len(day)}d}",
    }
    pieces = []
    at = match.start()
    spans = sorted((match.start(f"{part}{form}"), match.end(f"{part}{form}"), new[part]) for part in "ymd")
    for start, end, part in spans:
        pieces += [text[at:start], part]
        at = end
    return "".join(pieces) + text[at : match.end()]


def _cased(name: str, written: str) -> str:
    change: Callable[[str], str] = str
    if written.isupper():
        change = str.upper
    elif written[:1].isupper():
        change = str.capitalize
    return change(name)


def _shift(year: str, month: str, day: str, days: int) -> dt.date | None:
    number = int(year)
    if len(year) == 2:
        number += 2000 if number <= CENTURY_TURNS else 1900
    try:
        return dt.date(number, int(month), int(day)) + dt.timedelta(days=days)
    except (ValueError, OverflowError):
        return None
