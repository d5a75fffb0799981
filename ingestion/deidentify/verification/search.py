"""Many needles in one pass (Aho and Corasick, 1975), then a close look at each that was met."""

from __future__ import annotations

import html
import quopri
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

import ahocorasick

from ingestion.deidentify.verification.charsets import fold, readings
from ingestion.deidentify.verification.haystack import Segment
from ingestion.deidentify.verification.needles import Needle, Reach, normalised
from ingestion.deidentify.verification.walk import Layout, Leaf

TEXT_VRS = frozenset({b"LO", b"SH", b"ST", b"LT", b"UT", b"UC", b"PN", b"AE", b"UR"})
NOISE_FROM = 8
"""Letters from which a needle is looked for in compressed video: a megabyte of noise spells one of eight letters, in
any case, with a chance of one in 10^10."""
_SEARCHED_FOR_DIGITS = TEXT_VRS | {b"UN", b"CS", b"OB"}
_MAY_BE_ESCAPED = _SEARCHED_FOR_DIGITS | {b"OW"}
_PERCENT = re.compile(rb"%[0-9A-Fa-f]{2}")
_QUOTED = re.compile(rb"=(?:[0-9A-Fa-f]{2}|\r?\n)")
_ENTITY = re.compile(rb"&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,8});")


@dataclass(frozen=True, slots=True)
class Hit:
    """A needle met at ``offset``, within ``leaf`` where it stands in an element's value."""

    needle: Needle
    offset: int | None
    leaf: Leaf | None


@dataclass(frozen=True)
class Searcher:
    """A set of needles compiled once: for all instances of a series, as a rule."""

    needles: tuple[Needle, ...] = field(repr=False)

    def __post_init__(self) -> None:
        automaton = ahocorasick.Automaton()
        short = []
        for needle in self.needles:
            if needle.reach in (Reach.TEXT, Reach.TEXT_WORD):
                short.append(needle)
            else:
                automaton.add_word(needle.pattern.decode("latin-1"), needle)
        if len(automaton):
            automaton.make_automaton()
        object.__setattr__(self, "_automaton", automaton)
        object.__setattr__(self, "_short", {needle.pattern: needle for needle in short})
        words = sorted((_bounded(needle) for needle in short), reverse=True)
        pattern = re.compile(b"|".join(words)) if short else None
        object.__setattr__(self, "_short_pattern", pattern)
        object.__setattr__(self, "_any_short", re.compile(_any_of(short)) if short else None)

    _automaton: ahocorasick.Automaton = field(init=False, repr=False)
    _short: dict[bytes, Needle] = field(init=False, repr=False)
    _short_pattern: re.Pattern[bytes] | None = field(init=False, repr=False)
    _any_short: re.Pattern[bytes] | None = field(init=False, repr=False)

    def hits(self, layout: Layout, parts: tuple[Segment, ...], noisy: tuple[Segment, ...]) -> Iterator[Hit]:
        """Every place where a needle stands as its reach asks for."""
        places = _Places(layout)
        joined = parts[0].data if len(parts) == 1 else b"\n".join(part.data for part in parts)
        plain = set()
        for needle in self._met(normalised(joined)):
            for hit in places.of(needle, parts):
                plain.add(needle)
                yield hit
        if self._short_pattern is not None or not joined.isascii():
            yield from self._in_text(layout, seen=plain)
        if _is_escaped(joined):
            yield from self._in_escapes(layout, parts, seen=plain)
        for part in noisy:
            for needle in self._met(normalised(part.data)):
                if len(needle.pattern) >= NOISE_FROM and needle.reach is Reach.ANYWHERE:
                    yield Hit(needle, part.start, None)

    def _in_escapes(self, layout: Layout, parts: tuple[Segment, ...], *, seen: set[Needle]) -> Iterator[Hit]:
        """Values, comments and trailers without their escapes: value by value, as each VR says what counts in it."""
        values: list[tuple[int, bytes, Leaf | None]] = [(part.start, part.data, None) for part in parts[1:]]
        for leaf_of in layout.leaves:
            if leaf_of[1] in _MAY_BE_ESCAPED and leaf_of[3]:
                start, end = leaf_of[2], leaf_of[2] + leaf_of[3]
                values.append((start, bytes(layout.buffer[start:end]), leaf_of))
        for offset, value, leaf in values:
            if not _is_escaped(value):
                continue
            for view in _decoded(value):
                text = normalised(view)
                for needle in self._met(text) - seen:
                    if any(_stands(needle.reach, text, match.span(), leaf) for match in _finditer(needle, text)):
                        yield Hit(needle, offset, leaf)

    def _met(self, text: bytes) -> set[Needle]:
        if not len(self._automaton):
            return set()
        return {needle for _, needle in self._automaton.iter(text.decode("latin-1"))}

    def _in_text(self, layout: Layout, *, seen: set[Needle]) -> Iterator[Hit]:
        """Short words, and words with accents that the raw header wrote without: in values of text VRs."""
        if not self._may_be_in_text(layout):
            return
        buffer, charset = layout.buffer, ""
        for leaf in layout.leaves:
            tag, vr, start, length, _ = leaf
            if tag == 0x00080005:
                charset = bytes(buffer[start : start + length]).decode("latin-1").strip()
            if vr not in TEXT_VRS or not length:
                continue
            value = bytes(buffer[start : start + length])
            if self._short_pattern is not None:
                for match in self._short_pattern.finditer(normalised(value)):
                    yield Hit(self._short[match.group()], start, leaf)
            if not value.isascii():
                for text in readings(value, charset):
                    folded = fold(text).encode("ascii", "replace")
                    for needle in self._met(folded) - seen:
                        if any(_stands(needle.reach, folded, m.span(), leaf) for m in _finditer(needle, folded)):
                            yield Hit(needle, start, leaf)

    def _may_be_in_text(self, layout: Layout) -> bool:
        """All text at once, before it is looked at value by value: what stands in a value stands in this too, for a
        blank between two values is an edge of a word as their own edges are."""
        buffer = layout.buffer
        text = b" ".join(
            [buffer[start : start + length] for _, vr, start, length, _ in layout.leaves if vr in TEXT_VRS and length]
        )
        if not text.isascii():
            return True
        return self._any_short is not None and self._any_short.search(normalised(text)) is not None


@dataclass
class _Places:
    """Where in the result a needle stands."""

    layout: Layout
    _starts: list[int] | None = None

    def of(self, needle: Needle, parts: Iterable[Segment]) -> Iterator[Hit]:
        pattern = re.compile(
            b"\0*".join(re.escape(needle.pattern[at : at + 1]) for at in range(len(needle.pattern))), re.IGNORECASE
        )
        for part in parts:
            for match in pattern.finditer(part.data):
                hit = self._judged(needle, part, match)
                if hit is not None:
                    yield hit

    def _judged(self, needle: Needle, part: Segment, match: re.Match[bytes]) -> Hit | None:
        offset, end = part.start + match.start(), part.start + match.end()
        leaf = self._leaf(offset)
        if leaf is not None and end <= leaf[2] + leaf[3]:
            # The edges of a value are edges of a word: the bytes before it are its length, whatever they spell.
            low, high = max(leaf[2] - part.start, 0), leaf[2] + leaf[3] - part.start
        elif leaf is not None and offset < leaf[2] + leaf[3]:
            return None  # it begins in one value and ends in the head of the next element
        elif part.start == 0 and self._in_heads(offset):
            return None  # tags, VRs and lengths
        else:
            leaf, low, high = None, 0, len(part.data)
        around = part.data[max(low, match.start() - 8) : match.start()].translate(None, b"\0")
        after = part.data[match.end() : min(high, match.end() + 8)].translate(None, b"\0")
        text = around + b"\1" * len(needle.pattern) + after
        span = len(around), len(around) + len(needle.pattern)
        return Hit(needle, offset, leaf) if _stands(needle.reach, text, span, leaf) else None

    def _leaf(self, offset: int) -> Leaf | None:
        if self._starts is None:
            self._starts = [leaf[2] for leaf in self.layout.leaves]
        at = bisect_right(self._starts, offset) - 1
        while at >= 0:
            leaf = self.layout.leaves[at]
            if leaf[1] != b"SQ" and offset < leaf[2] + leaf[3]:
                return leaf
            if leaf[1] != b"SQ" and leaf[3]:
                break
            at -= 1
        return None

    def _in_heads(self, offset: int) -> bool:
        """Whether ``offset`` lies among the elements, so between values; not in the preamble or a trailer."""
        leaves = self.layout.leaves
        return bool(leaves) and leaves[0][2] <= offset < leaves[-1][2] + leaves[-1][3]


def _bounded(needle: Needle) -> bytes:
    word = re.escape(needle.pattern)
    return word if needle.reach is Reach.TEXT else _as_word(word)


def _as_word(pattern: bytes) -> bytes:
    return rb"(?<![a-z0-9])" + pattern + rb"(?![a-z0-9])"


def _any_of(needles: list[Needle]) -> bytes:
    """A pattern that matches where any of them does, and looks at the edge of a word once for all whole words."""
    words = [re.escape(needle.pattern) for needle in needles if needle.reach is not Reach.TEXT]
    found = [re.escape(needle.pattern) for needle in needles if needle.reach is Reach.TEXT]
    if words:
        found.append(_as_word(b"(?:" + b"|".join(words) + b")"))
    return b"|".join(found)


def _finditer(needle: Needle, text: bytes) -> Iterator[re.Match[bytes]]:
    return re.finditer(re.escape(needle.pattern), text)


def _stands(reach: Reach, text: bytes, span: tuple[int, int], leaf: Leaf | None) -> bool:
    """Whether a match at ``span`` counts, by what is beside it and by the VR that it stands in."""
    before, after = text[: span[0]], text[span[1] :]
    vr = leaf[1] if leaf is not None else b"UN"
    if reach is Reach.ANYWHERE:
        return True
    if reach is Reach.WORD:
        return not _alnum(before[-1:]) and not _alnum(after[:1])
    if vr == b"UI" or (reach is Reach.TEXT_DIGITS and vr not in _SEARCHED_FOR_DIGITS):
        return False
    if before[-1:].isdigit() or after[:1].isdigit():
        return False
    if vr in TEXT_VRS or vr in (b"DA", b"DT"):
        return True
    # The digits of a longer number: 3.20190619 is none of 2019.
    return not (before[-1:] == b"." and before[-2:-1].isdigit()) and not (after[:1] == b"." and after[1:2].isdigit())


def _alnum(byte: bytes) -> bool:
    return byte.isalnum()


def _is_escaped(data: bytes) -> bool:
    return bool(
        (b"%" in data and _PERCENT.search(data))
        or (b"=" in data and _QUOTED.search(data))
        or (b"&" in data and _ENTITY.search(data))
    )


def _decoded(data: bytes) -> Iterator[bytes]:
    """The same bytes without their escapes: RFC 3986 (percent), RFC 2045 (quoted-printable), HTML and XML entities."""
    if b"%" in data and _PERCENT.search(data):
        yield unquote_to_bytes(data)
        yield unquote_to_bytes(data.replace(b"+", b" "))
    if b"=" in data and _QUOTED.search(data):
        yield quopri.decodestring(data)
    if b"&" in data and _ENTITY.search(data):
        text = html.unescape(data.decode("latin-1"))
        yield text.encode("utf-8", "replace")
        yield text.encode("latin-1", "replace")
        yield fold(text).encode("ascii", "replace")
