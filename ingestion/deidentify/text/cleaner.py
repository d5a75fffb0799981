"""The text of one patient's study, cleaned: known identities, then patterns, then words that could be names.

What stays, stays byte for byte: case, order, separators. A gap that a removed word leaves is closed, no more.
"""

from __future__ import annotations

import re

from ingestion.deidentify.rules import TextKind
from ingestion.deidentify.text.binary import BinarySearch
from ingestion.deidentify.text.dates import DatesInText, dates_in
from ingestion.deidentify.text.finder import IdentityFinder
from ingestion.deidentify.text.known import KnownIdentities
from ingestion.deidentify.text.patterns import old_ages_in, patterns_in
from ingestion.deidentify.text.vocabulary import Vocabulary, load_vocabulary
from ingestion.deidentify.text.words import unknown_words

MOST_REMEMBERED = 20_000
"""Texts whose result is remembered: a study repeats a few hundred, and a hostile one must not fill the memory."""
LONGEST_REMEMBERED = 2_000
MOST_ROUNDS = 6
"""What is taken out can bring together what it parted, so the rest is judged again; no real text needs three rounds."""
MOST_DATES = 60_000
"""Dates of one text that are moved; no text that a person or a device wrote has more, and the marks end."""
_FIRST_MARK = 0xF0000
"""Marks from a plane for private use stand for moved dates while the rest is judged."""
_MARK = re.compile("[\U000f0000-\U000ffffd]")
_DIGIT = re.compile(r"\d")
_SEPARATOR = re.compile(r"[\s_\-,;:/^|&.=]")
_SEPARATORS = re.compile(r"[\s_\-,;:/^|&.=]*")
_OPEN_LEFT = re.compile(r"[\s_\-,;:/^|&.=]+$")
_OPEN_RIGHT = re.compile(r"[\s_\-,;:/^|&=]+$")
_EMPTY_PAIR = re.compile(r"\s?(?:\(\s*\)|\[\s*\]|\{\s*\}|\"\s*\")")
_LAST_RESORT = ""


class StudyCleaner:
    """Implements ``ingestion.deidentify.rules.Cleaner``. Same text, same result; shows nothing of what it knows."""

    def __init__(
        self,
        known: KnownIdentities,
        *,
        shift_days: int | None,
        dates_in_text: str = DatesInText.SHIFT,
        vocabulary: Vocabulary | None = None,
    ) -> None:
        self._vocabulary = vocabulary or load_vocabulary()
        self._finder = IdentityFinder(known, self._vocabulary)
        self._binary = BinarySearch(known, self._finder)
        self._days = shift_days if DatesInText(dates_in_text) is DatesInText.SHIFT else None
        self._cleaned: dict[tuple[str, TextKind], str] = {}

    def __repr__(self) -> str:
        return f"StudyCleaner(vocabulary={self._vocabulary.digest[:12]})"

    def clean(self, text: str, *, kind: TextKind) -> str:
        """``text`` without identities; empty when nothing of it can stay."""
        key = (text, kind)
        found = self._cleaned.get(key)
        if found is None:
            found = self._clean(text, kind)
            if len(text) <= LONGEST_REMEMBERED:
                if len(self._cleaned) >= MOST_REMEMBERED:
                    self._cleaned.clear()
                self._cleaned[key] = found
        return found

    def finds_identity(self, text: str) -> bool:
        """Whether a known identity of this study occurs in ``text``: any case, order, accents, or in part."""
        return self._finder.occurs(text)

    def finds_identity_bytes(self, data: bytes) -> bool:
        """The same of a value that is no text: in any encoding, any case, with or without separators."""
        return self._binary.finds(data)

    def _clean(self, text: str, kind: TextKind) -> str:
        rest = text if text.isascii() else _MARK.sub("", text)
        moved: list[str] = []
        for _ in range(MOST_ROUNDS):
            judged = self._round(rest, kind, moved)
            if judged == rest:
                break
            rest = judged
        else:
            return _LAST_RESORT
        if moved:
            rest = _MARK.sub(lambda mark: moved[ord(mark.group()) - _FIRST_MARK], rest)
        if rest != text and not any(map(str.isalnum, rest)):
            return ""  # brackets and points that were around what is gone
        return rest

    def _round(self, text: str, kind: TextKind, moved: list[str]) -> str:
        """One look at ``text``: what is known; if nothing is, then dates, patterns and words."""
        known = self._finder.spans(text)
        if known:
            return _applied(text, [(start, end, "") for start, end in known])
        changes = [(start, end, "") for start, end in patterns_in(text, kind=kind, vocabulary=self._vocabulary)]
        if _DIGIT.search(text):
            for start, end, new in dates_in(text, kind=kind, days=self._days):
                if new is None or len(moved) >= MOST_DATES:
                    changes.append((start, end, ""))
                else:
                    moved.append(new)
                    changes.append((start, end, chr(_FIRST_MARK + len(moved) - 1)))
            changes += [change for change in old_ages_in(text) if text[change[0] : change[1]] != change[2]]
        if kind is TextKind.DESCRIPTOR:
            changes += [(start, end, "") for start, end in unknown_words(text, self._vocabulary)]
        return _applied(text, changes) if changes else text


def _applied(text: str, changes: list[tuple[int, int, str]]) -> str:
    """``text`` with all changes made. Where two overlap, a whole date wins over what is within it; else both go."""
    ordered = sorted(changes, key=lambda change: (change[0], -change[1], not change[2]))
    merged: list[tuple[int, int, str]] = []
    for start, end, new in ordered:
        if not merged or start >= merged[-1][1]:
            merged.append((start, end, new))
            continue
        first, last, kept = merged[-1]
        if end > last:
            merged[-1] = (first, end, "")
        elif not kept and new and not _moves(new) and (start, end) == (first, last):
            merged[-1] = (first, last, new)
    return _spliced(text, merged)


def _moves(new: str) -> bool:
    return bool(new) and ord(new[0]) >= _FIRST_MARK


def _spliced(text: str, changes: list[tuple[int, int, str]]) -> str:
    """The text with each change made. Of two separators around a gap one stays, at an edge of the text none."""
    pieces: list[str] = []
    says = False
    at = 0
    for start, end, new in changes:
        if at < start:
            pieces.append(text[at:start])
            says = says or any(map(_says_something, pieces[-1]))
        at = max(at, end)
        if new:
            pieces.append(new)
            says = True
        elif not says:
            at = _SEPARATORS.match(text, at).end()  # type: ignore[union-attr]  # matches nothing, too
            pieces = [_OPEN_LEFT.sub("", "".join(pieces))]
        elif pieces and _SEPARATOR.match(pieces[-1][-1:]) and _SEPARATOR.match(text, at):
            if pieces[-1][-1].isspace() and not text[at].isspace():
                pieces[-1] = pieces[-1][:-1]
            else:
                at += 1
    rest = text[at:]
    if changes and not changes[-1][2] and not any(map(_says_something, rest)):
        return _closed(_OPEN_RIGHT.sub("", "".join(pieces)) + _SEPARATORS.sub("", rest))
    return _closed("".join(pieces) + rest)


def _says_something(character: str) -> bool:
    return character.isalnum() or character in ")]}>?!%\"'*" or ord(character) >= _FIRST_MARK


def _closed(text: str) -> str:
    """Without the brackets that a removed text left empty."""
    while _EMPTY_PAIR.search(text):
        text = _EMPTY_PAIR.sub("", text)
    return text
