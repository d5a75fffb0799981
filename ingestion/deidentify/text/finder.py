"""Known identities searched for: one pass over a text, whatever the number of needles (Aho and Corasick, 1975)."""

from __future__ import annotations

import re
from collections.abc import Iterator

import ahocorasick

from ingestion.deidentify.text.folding import fold, squeeze
from ingestion.deidentify.text.known import KnownIdentities, Match, Needle
from ingestion.deidentify.text.vocabulary import Vocabulary

Span = tuple[int, int]
SURE_NAME = 6
"""Letters of a name that noise does not spell by chance in a binary value of a megabyte, in any place."""
_GAPS = re.compile(r"(?:[^\W_]|[ \-_./,:()+#'’^\\=|](?![^\w]{2}))*")
"""Between the characters of an identifier, one or two separators at a time."""
_SPREAD_NAME = 5
"""Letters from which a name is also found with something between its letters (D.A.V.I.D)."""
_SHORT_CODE = 5
"""Characters up to which a blank within is no separator of an identifier: a station CT1 is not in 'CT 1 of 2'."""
_BLANK = re.compile(r"\s")
_BEFORE = re.compile(r"(?<![^\W_])(?P<word>[^\W\d_]+)(?P<apart>[.,]?[\s^_-]{0,2}|[.,'’])$")
_BEHIND = re.compile(r"(?P<apart>[.,]?[\s^_-]{1,2})(?P<word>[^\W\d_]+)(?P<dot>\.?)(?![^\W_])")
MOST_BESIDE = 24
"""Characters before a name in which its particles and initials are looked for."""
_LONG_CODE = 8
"""Characters from which an identifier counts within a longer word as well."""


class IdentityFinder:
    """The needles of one study, compiled."""

    def __init__(self, known: KnownIdentities, vocabulary: Vocabulary) -> None:
        self._vocabulary = vocabulary
        chosen: dict[str, Match] = {}
        for needle in known.needles:
            if self._stays_word(needle):
                continue
            chosen[needle.text] = min(needle.match, chosen.get(needle.text, needle.match))
        self.needles = chosen
        self._particles = frozenset(word for word in known.beside if len(word) > 1)
        self._initials = frozenset(word for word in known.beside if len(word) == 1)
        self._automaton = ahocorasick.Automaton()
        for text, match in chosen.items():
            self._automaton.add_word(text, (len(text), match))
        self._empty = not chosen
        if chosen:
            self._automaton.make_automaton()

    def _stays_word(self, needle: Needle) -> bool:
        if needle.match is Match.BEGINNING or needle.common:
            return self._ordinary(needle.text) or (bool(needle.parts) and all(map(self._ordinary, needle.parts)))
        return False

    def _ordinary(self, word: str) -> bool:
        """A word that names no place: of Hammer Hospital, the first one does."""
        return word in self._vocabulary.words and word not in self._vocabulary.half_names

    def spans(self, text: str) -> list[Span]:
        """Where known identities stand in ``text``."""
        if self._empty or not text:
            return []
        squeezed = squeeze(text)
        if not squeezed.text:
            return []
        places = squeezed.places
        found: list[Span] = []
        for last, (length, match) in self._automaton.iter(squeezed.text):
            start, end = places[last - length + 1], places[last] + 1
            span = self._judged(text, start, end, match)
            if span is not None:
                found.append(span if match is Match.CODE else self._with_beside(text, *span))
        return found

    def _with_beside(self, text: str, start: int, end: int) -> Span:
        """A name with its particles (van der) and initials (D. or, behind a comma, D)."""
        while True:
            before = _BEFORE.search(text, max(0, start - MOST_BESIDE), start)
            if before is None or not self._belongs(before["word"], dotted="." in before["apart"]):
                break
            start = before.start("word")
        while True:
            behind = _BEHIND.match(text, end)
            if behind is None:
                break
            dotted = bool(behind["dot"]) or "," in behind["apart"]
            if not self._belongs(behind["word"], dotted=dotted):
                break
            end = behind.end()
        return start, end

    def _belongs(self, word: str, *, dotted: bool) -> bool:
        folded = fold(word)
        return folded in self._particles or (dotted and folded in self._initials)

    def occurs(self, text: str) -> bool:
        """Whether any stands there."""
        return bool(self.spans(text))

    def _judged(self, text: str, start: int, end: int, match: Match) -> Span | None:
        if match is Match.CODE:
            return _code(text, start, end)
        if text[start:end].isalnum():
            return self._word(text, start, end, match)
        if match is Match.PART and end - start > _SPREAD_NAME and not (_letter(text, start - 1) or _letter(text, end)):
            return (
                (start, end) if _GAPS.fullmatch(text, start, end) and not self._known_words(text, start, end) else None
            )
        return None

    def _known_words(self, text: str, start: int, end: int) -> bool:
        """A spread name whose pieces are all words of the vocabulary, with at least four letters, is a phrase."""
        pieces = re.findall(r"[^\W\d_]+", text[start:end])
        return len(pieces) > 1 and all(len(piece) >= 4 and fold(piece) in self._vocabulary.words for piece in pieces)

    def _word(self, text: str, start: int, end: int, match: Match) -> Span | None:
        low, high = start, end
        while low > 0 and text[low - 1].isalpha():
            low -= 1
        while high < len(text) and text[high].isalpha():
            high += 1
        if (low, high) == (start, end):
            return start, end
        before, behind = text[low:start], text[end:high]
        apart = _turns(text, start) and _turns(text, end)
        if match is not Match.PART:
            return (start, end) if apart else None
        if fold(text[low:high]) in self._vocabulary.words:
            return None
        if apart or all(not rest or fold(rest) in self._vocabulary.words for rest in (before, behind)):
            return start, end
        return low, high


def _letter(text: str, place: int) -> bool:
    return 0 <= place < len(text) and text[place].isalpha()


def _turns(text: str, place: int) -> bool:
    """Whether a word ends at ``place``: a letter's neighbour is none, or the case says so (CTHuberAbd)."""
    if not (_letter(text, place - 1) and _letter(text, place)):
        return True
    before, here = text[place - 1], text[place]
    if before.islower() and here.isupper():
        return True
    return before.isupper() and here.isupper() and place + 1 < len(text) and text[place + 1].islower()


def _code(text: str, start: int, end: int) -> Span | None:
    if not _GAPS.fullmatch(text, start, end) or (end - start <= _SHORT_CODE and _BLANK.search(text, start, end)):
        return None
    if text[start].isdigit():
        while start > 0 and text[start - 1] == "0":
            start -= 1
        before = text[start - 1] if start > 0 else ""
        if before.isdigit() or (before == "." and start > 1 and text[start - 2].isdigit() and end - start < _LONG_CODE):
            return None
    elif _letter(text, start - 1) and end - start < _LONG_CODE and not _turns(text, start):
        return None
    if text[end - 1].isdigit():
        behind = text[end] if end < len(text) else ""
        if behind.isdigit():
            return None
    elif _letter(text, end) and end - start < _LONG_CODE and not _turns(text, end):
        return None
    return start, end


def needles_for_bytes(finder: IdentityFinder) -> Iterator[tuple[str, Match]]:
    """Needles that can be searched for in a binary value without finding themselves in noise."""
    for text, match in finder.needles.items():
        if match in (Match.PART, Match.CODE) and text.isascii():
            yield text, match
