"""What may stay of a text: known words and plain numbers. An allow-list: a list of what to cut is never whole."""

from __future__ import annotations

import re

_TOKEN = re.compile(r"[A-Za-z0-9.]+|[^\W_]+")
_NUMBER = re.compile(r"^\d{1,3}(\.\d{1,2})?(mm|cm|kv|mas|ms|sec|min|s|hz|t|d|b)?$")
"""Up to three digits: a year, a date, a phone number or a patient id has more."""


def clean_text(text: str, words: frozenset[str]) -> str:
    """The tokens of ``text`` that are known words or short numbers, in their order and case, blanks between."""
    return " ".join(token for token in _TOKEN.findall(text) if _may_stay(token.strip(".").lower(), words))


def _may_stay(token: str, words: frozenset[str]) -> bool:
    return token in words or _NUMBER.match(token) is not None


def names_an_identity(text: str, identities: frozenset[str]) -> bool:
    """Whether any identifying word of this object occurs in ``text``, in any case."""
    low = text.lower()
    return any(identity in low for identity in identities)


_PATTERN = re.compile(r"\d{5,}|@|\d{1,4}[./-]\d{1,2}[./-]\d{2,4}|\+\d{2}")


def looks_technical(text: str, identities: frozenset[str]) -> bool:
    """Whether a value of a technical attribute can stay whole: no identity, no number long enough to be one."""
    return not _PATTERN.search(text) and not names_an_identity(text, identities)
