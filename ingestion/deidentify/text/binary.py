"""Known identities in values that are no text: of unknown or binary representation, of a manufacturer's own making."""

from __future__ import annotations

from functools import cached_property

import ahocorasick

from ingestion.deidentify.text.finder import SURE_NAME, IdentityFinder, needles_for_bytes
from ingestion.deidentify.text.known import KnownIdentities

MOSTLY_PRINTABLE = 0.9
"""Share of printable bytes from which a value is a text after all, and searched as one."""
LONGEST_TEXT = 1 << 20
SURE_DIGITS = 8
"""Digits that stand in a binary value for certain by no chance, whatever is beside them."""
ENCODINGS = (
    "utf-8", "utf-16-le", "utf-16-be", "latin-1", "iso8859-2", "iso8859-3", "iso8859-4", "iso8859-5", "iso8859-7",
    "iso8859-9", "iso8859-13", "iso8859-15", "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1257", "cp437",
    "cp850", "cp852", "koi8-r", "mac-roman", "gb18030", "shift-jis", "euc-jp", "euc-kr", "big5",
)  # fmt: skip
"""Those of DICOM's character sets (PS3.3 section C.12.1.1.2), of Windows, of DOS, and of old workstations."""
_SEPARATORS = bytes(range(33)) + b"-_./,:;()+#'^\\=|\x7f"
"""With the zero bytes out, UTF-16 of either order reads as ASCII."""
_LOWER = bytes(range(256)).lower()
_PRINTABLE = bytes([*range(32, 127), 9, 10, 13])


class BinarySearch:
    """The needles of one study as bytes."""

    def __init__(self, known: KnownIdentities, finder: IdentityFinder) -> None:
        self._known = known
        self._finder = finder

    def finds(self, data: bytes) -> bool:
        """Whether a known identity stands in ``data``, in any encoding, any case, with or without separators."""
        if not data:
            return False
        if len(data) <= LONGEST_TEXT and _printable(data) and any(self._finder.occurs(text) for text in _texts(data)):
            return True
        squeezed = data.translate(_LOWER, _SEPARATORS).decode("latin-1")
        if self._sure is not None and next(self._sure.iter(squeezed), None) is not None:
            return True
        if self._bounded is not None:
            low = data.translate(_LOWER, b"\0" if b"\0" in data else b"").decode("latin-1")
            return any(_alone(low, last, length) for last, length in self._bounded.iter(low))
        return False

    @cached_property
    def _sure(self) -> ahocorasick.Automaton | None:
        automaton = ahocorasick.Automaton()
        for text, _ in needles_for_bytes(self._finder):
            if len(text) >= (SURE_DIGITS if text.isdigit() else SURE_NAME):
                automaton.add_word(text, True)
        for word in self._known.written:
            for form in {word, word.lower(), word.upper(), word.title()}:
                for encoding in ENCODINGS:
                    try:
                        coded = form.encode(encoding)
                    except UnicodeEncodeError:
                        continue  # not a word that this encoding can spell
                    key = coded.translate(_LOWER, _SEPARATORS).decode("latin-1")
                    if len(key) >= 4:
                        automaton.add_word(key, True)
        if not len(automaton):
            return None
        automaton.make_automaton()
        return automaton

    @cached_property
    def _bounded(self) -> ahocorasick.Automaton | None:
        """Shorter needles, which count only where they stand alone."""
        automaton = ahocorasick.Automaton()
        for text, _ in needles_for_bytes(self._finder):
            if len(text) < (SURE_DIGITS if text.isdigit() else SURE_NAME):
                automaton.add_word(text, len(text))
        if not len(automaton):
            return None
        automaton.make_automaton()
        return automaton


def _alone(low: str, last: int, length: int) -> bool:
    """Whether no letter stands beside a name, no digit beside a number (zeros before it do not count)."""
    start = last - length + 1
    behind = low[last + 1 : last + 2]
    if low[start].isdigit():
        before = (
            low[max(0, start - 64) : start].rstrip("0")[-1:]
            if low[start - 1 : start] == "0"
            else low[start - 1 : start]
        )
        if before.isdigit() or before == ".":
            return False
    elif "a" <= low[start - 1 : start] <= "z":
        return False
    return not (behind.isdigit() if low[last].isdigit() else "a" <= behind <= "z")


def _printable(data: bytes) -> bool:
    """Whether nearly all of ``data`` can be read, but for zeros: those at its end, or of UTF-16."""
    unreadable = len(data.translate(None, _PRINTABLE + b"\0"))
    wide = _is_wide(data)
    inner_zeros = 0 if wide else data.rstrip(b"\0").count(0)
    return unreadable + inner_zeros <= (1 - MOSTLY_PRINTABLE) * len(data)


def _is_wide(data: bytes) -> bool:
    """Every other byte zero, as UTF-16 writes Latin letters."""
    body = data.strip(b"\0")
    return len(body) > 2 and body.count(0) * 2 >= len(body) - 2


def _texts(data: bytes) -> list[str]:
    if _is_wide(data):
        return [data.decode("utf-16-le", "replace"), data.decode("utf-16-be", "replace")]
    body = data.rstrip(b"\0")
    return (
        [body.decode("utf-8", "replace")]
        if body.isascii()
        else [body.decode("utf-8", "replace"), body.decode("latin-1")]
    )
