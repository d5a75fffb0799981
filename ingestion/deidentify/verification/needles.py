"""From identifying values to the byte strings to look for, and how much each of them means where it is met.

What is looked for, of a value and its parts:

- words of six letters and more anywhere, of four and five as whole words, of two and three as whole words in text
  (of names; of places those of three); words of other scripts by their bytes;
- neighbouring words of a name or an address together (in both orders, with ``^``, ``=``, comma, blank, _, -, . or
  nothing between), also where each word alone is too ordinary to mean anything;
- identifiers as they are, without their separators and with others; their parts of five digits or six letters;
- days in every form of ``dates.written``;
- each of these in the bytes of the raw value itself, in every encoding of ``charsets.WRITTEN`` (what isn't ASCII), as
  base64 at each of its three alignments, and as hexadecimal digits.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise

from ingestion.deidentify.verification.charsets import encoded, readings, spellings
from ingestion.deidentify.verification.dates import loosely_written, written
from ingestion.deidentify.verification.findings import Kind
from ingestion.deidentify.verification.identities import Identities, RawValue
from ingestion.deidentify.verification.romanised import romanised
from ingestion.deidentify.verification.words import ORDINARY, SAYS_NOTHING

ANYWHERE_FROM = 6
"""Letters from which a word is looked for inside longer ones: 'Mann' is a part of 'manner'."""
WORD_FROM = 4
"""Shorter words are initials, VR codes and units as well: looked for as whole words, in text only."""
FIRST_IDEOGRAPH = "\u3400"
"""From here on one character is a family name: 王, 홍."""
ACRONYM = 3
"""Letters of a hospital's short name that is looked for as a whole word in text."""
DIGITS_FROM = 5
DIGITS_ANYWHERE_FROM = 8
"""Numbers of five to seven digits are met among measurements: looked for in text, not in numeric attributes."""
OPAQUE_FROM = 6
"""Bytes from which base64 and hexadecimal forms are looked for: shorter ones come about by chance."""
_WORD = re.compile(r"[^\W_]+")
_SEPARATORS = ("", " ", "-", "_", ".", "/", "^")
_BETWEEN = ("", " ", "^", "=", ",", ", ", "_", "-", ".", "%20", "+")
_NO_CASE = bytes(range(ord("A"), ord("Z") + 1)), bytes(range(ord("a"), ord("z") + 1))
_TO_LOWER = bytes.maketrans(*_NO_CASE)


class Reach(StrEnum):
    """Where a needle counts."""

    ANYWHERE = "anywhere"
    WORD = "word"  # no letter or digit before or after it
    TEXT = "text"  # anywhere in values of text VRs
    TEXT_WORD = "text_word"  # as a whole word in values of text VRs
    DIGITS = "digits"  # no digit or point before or after it
    TEXT_DIGITS = "text_digits"  # likewise, and not in numeric VRs
    DAY = "day"  # likewise, and judged by what the raw object has at that place


@dataclass(frozen=True, slots=True)
class Needle:
    """``pattern``: lower case, without NUL bytes, as the text that is searched."""

    kind: Kind
    reach: Reach
    pattern: bytes = field(repr=False)
    day: str | None = field(default=None, repr=False)


def normalised(data: bytes) -> bytes:
    """ASCII in lower case, NUL bytes dropped: so that UTF-16 of either order is found by the same needle as ASCII."""
    return data.translate(_TO_LOWER, b"\0")


def needles_of(identities: Identities, *, kept: frozenset[Kind]) -> tuple[Needle, ...]:
    """All that is looked for, longest first, each pattern once."""
    found: dict[bytes, Needle] = {}
    for value in identities.values:
        if value.kind not in kept:
            for needle in _of_value(value):
                known = found.get(needle.pattern)
                if known is None or _rank(needle) < _rank(known):
                    found[needle.pattern] = needle
    for day in identities.dates | identities.birth_dates:
        kind = Kind.BIRTH_DATE if day in identities.birth_dates else Kind.DATE
        if kind not in kept:
            for needle in _of_day(day, kind):
                found.setdefault(needle.pattern, needle)
    return tuple(sorted(found.values(), key=lambda needle: (-len(needle.pattern), needle.pattern)))


def _rank(needle: Needle) -> int:
    return list(Reach).index(needle.reach)


def _of_value(value: RawValue) -> Iterator[Needle]:
    for part in value.value.split(b"\\"):
        bare = part.strip(b" \0")
        for text in readings(bare, value.charset):
            yield from _of_text(text.strip(" \0"), value.kind)
        words = _WORD.findall(bare.decode("latin-1"))
        if not bare.isascii() and len(bare) >= ANYWHERE_FROM and len(words):
            yield from _made(value.kind, Reach.ANYWHERE, [bare])


def _of_text(text: str, kind: Kind) -> Iterator[Needle]:
    low = text.lower()
    if low in SAYS_NOTHING or low.replace("^", " ").strip() in SAYS_NOTHING:
        return
    for spelled in spellings(text):
        words = _WORD.findall(spelled)
        if kind in (Kind.IDENTIFIER, Kind.DEVICE):
            yield from _of_identifier(spelled, words, kind)
        else:
            yield from _of_words(words, kind)
    if len(low) >= OPAQUE_FROM and not _is_ordinary(_WORD.findall(low)):
        yield from _opaque(text, kind)


def _of_words(words: list[str], kind: Kind) -> Iterator[Needle]:
    for word in words:
        if word.isdigit():
            yield from _number(word, kind)
        elif word not in ORDINARY:
            yield from _word(word, kind)
            for latin in romanised(word):
                if latin not in ORDINARY:
                    yield from _word(latin, kind)
    for first, second in pairwise(words):
        if _is_ordinary((first, second)) or len(first) + len(second) < ANYWHERE_FROM:
            continue
        reach = Reach.ANYWHERE if len(first) + len(second) >= 2 * WORD_FROM else Reach.WORD
        for pair in ((first, second), (second, first)):
            yield from _made(kind, reach, (bytes_ for sep in _BETWEEN for bytes_ in encoded(sep.join(pair))))


def _word(word: str, kind: Kind) -> Iterator[Needle]:
    plain = word.isascii()
    if len(word) >= ANYWHERE_FROM:
        reach = Reach.ANYWHERE
    elif len(word) >= WORD_FROM or (not plain and (len(word) > 1 or word >= FIRST_IDEOGRAPH)):
        reach = Reach.WORD
    elif (len(word) > 1 and kind is Kind.PERSON) or (len(word) == ACRONYM and kind is Kind.PLACE):
        reach = Reach.TEXT_WORD
    else:
        return
    for pattern in encoded(word):
        yield from _made(kind, reach if plain else _reach_of_bytes(normalised(pattern)), [pattern])
    if len(word) >= OPAQUE_FROM:
        for form in (word, word.upper(), word.title()):
            yield from _opaque(form, kind)


def _reach_of_bytes(pattern: bytes) -> Reach:
    """Of a word in another script: it has no letters beside it that could tell where it ends, but many bytes.

    Two or three letters are two to six bytes. So few are a part of any binary value, and looked for in text only.
    """
    if len(pattern) >= ANYWHERE_FROM:
        return Reach.ANYWHERE
    return Reach.TEXT if len(pattern) >= WORD_FROM else Reach.TEXT_WORD


def _of_identifier(text: str, words: list[str], kind: Kind) -> Iterator[Needle]:
    """The identifier whole, with its separators changed; its parts where they say enough by themselves."""
    bare = "".join(words)
    if _is_ordinary(words):
        return
    if bare.isdigit():
        yield from _number(bare, kind)
        if len(words) == 1:
            return
    if len(bare) >= WORD_FROM:
        reach = Reach.ANYWHERE if len(bare) >= ANYWHERE_FROM and not bare.isdigit() else Reach.WORD
        forms = {text.strip(), *(separator.join(words) for separator in _SEPARATORS)}
        if not bare.isdigit():
            yield from _made(kind, reach, (pattern for form in forms for pattern in encoded(form)))
        else:
            digits = Reach.DIGITS if len(bare) >= DIGITS_FROM else None
            if digits is not None:
                yield from _made(kind, digits, (form.encode() for form in forms))
    elif len(bare) == ACRONYM and kind is Kind.IDENTIFIER and not bare.isdigit():
        yield from _made(kind, Reach.TEXT_WORD, encoded(bare))
    for word in words if len(words) > 1 else ():
        if word.isdigit():
            yield from _number(word, kind)
        elif word not in ORDINARY and len(word) >= ANYWHERE_FROM:
            yield from _word(word, kind)


def _number(digits: str, kind: Kind) -> Iterator[Needle]:
    if len(digits) >= DIGITS_FROM and digits.strip("0"):
        reach = Reach.DIGITS if len(digits) >= DIGITS_ANYWHERE_FROM else Reach.TEXT_DIGITS
        yield from _made(kind, reach, encoded(digits))
    elif len(digits) == DIGITS_FROM - 1 and kind in (Kind.IDENTIFIER, Kind.PERSON) and digits.strip("0"):
        yield from _made(kind, Reach.TEXT_WORD, encoded(digits))


def _of_day(day: str, kind: Kind) -> Iterator[Needle]:
    loose = loosely_written(day) if kind is Kind.BIRTH_DATE else ()
    for form in (*written(day), *loose):
        yield Needle(kind, Reach.DAY, normalised(form.encode("ascii")), day)


def _opaque(text: str, kind: Kind) -> Iterator[Needle]:
    """Base64 (RFC 4648) at its three alignments, without the outer digits that depend on the neighbours; and hex."""
    for codec in ("utf-8", "latin-1"):
        try:
            data = text.encode(codec)
        except UnicodeEncodeError:
            continue
        for ahead in range(3):
            digits = base64.b64encode(bytes(ahead) + data)
            first, last = (0, 2, 3)[ahead], len(digits) - (0, 3, 2)[(ahead + len(data)) % 3]
            if last - first >= OPAQUE_FROM + 1:
                yield from _made(kind, Reach.ANYWHERE, (digits[first:last], digits[first:last].translate(_URL_SAFE)))
        yield from _made(kind, Reach.ANYWHERE, [data.hex().encode()])


_URL_SAFE = bytes.maketrans(b"+/", b"-_")


def _made(kind: Kind, reach: Reach, patterns: Iterable[bytes]) -> Iterator[Needle]:
    for pattern in patterns:
        found = normalised(pattern)
        if len(found) > 1:
            yield Needle(kind, reach, found)


def _is_ordinary(words: Iterable[str]) -> bool:
    return all(word in ORDINARY for word in words)
