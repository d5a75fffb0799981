"""A first look at a raw header, before anything is rewritten: the texts that may name people, at every level.

What counts as an identity is the collector's business; this scan finds and decodes the texts, each once however
many instances repeat it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Protocol

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.dicom.charset import DEFAULT, Charset, charset_of
from ingestion.dicom.elements import MAX_DEPTH, Buffer
from ingestion.dicom.encoding import (
    DELIMITERS,
    IMPLICIT_LITTLE,
    ITEM,
    ITEM_END,
    LONG_VRS,
    SEQUENCE_END,
    SHORT_VRS,
    UNDEFINED,
    Encoding,
    dictionary_vr,
)  # fmt: skip
from ingestion.dicom.header import CHARSET, PIXEL_GROUP, end_of_fragments, malformed, too_deep, truncated
from ingestion.dicom.runs import NO_RUNS, Run, Runs

MAX_TEXT = 1 << 16
"""Longer values are no names; they are cleaned all the same."""
MAX_SEEN = 50_000
MAX_RUNS = 512
"""Runs whose texts are kept."""
TEXT_VRS = frozenset({"AE", "DA", "DT", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})


class Collector(Protocol):
    """Gathers what identifies people."""

    def add(self, tag: int, vr: str, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Text:
    """One element that may name someone, as it stands in the file."""

    tag: int
    vr: str
    value: bytes = field(repr=False)
    charset: Charset

    def collect(self, into: Collector) -> None:
        """Hand it over; what cannot be decoded is read as Latin-1, so that its ASCII parts are known."""
        text = self.charset.decode(self.value)
        into.add(self.tag, self.vr, (self.value.decode("latin-1") if text is None else text).strip(" \0"))


def may_name_someone(_tag: int, vr: str) -> bool:
    """The widest choice: every text that is not a code or a number."""
    return vr in TEXT_VRS


@dataclass(slots=True)
class IdentityScan:
    """``wanted`` chooses by tag and VR. Elements and short sequences seen before cost one look-up."""

    wanted: Callable[[int, str], bool] = may_name_someone
    _seen: dict[tuple[Charset, Encoding], dict[bytes, frozenset[Text]]] = field(default_factory=dict, repr=False)
    _in_runs: dict[Charset, dict[Run, frozenset[Text]]] = field(default_factory=dict, repr=False)

    def texts(self, buffer: Buffer, start: int, encoding: Encoding, runs: Runs = NO_RUNS) -> frozenset[Text]:
        """All wanted texts of the data set from ``start``, those in sequences too. ``runs``: of its top level.

        Raises:
            InstanceRefusedError: TRUNCATED, MALFORMED or NESTED_TOO_DEEP.
        """
        if sum(len(known) for known in self._seen.values()) > MAX_SEEN:
            self._seen.clear()
        if sum(len(known) for known in self._in_runs.values()) > MAX_RUNS:
            self._in_runs.clear()
        found: set[Text] = set()
        self._data_set(buffer, start, len(buffer), encoding, DEFAULT, found, 0, runs)
        return frozenset(found)

    def _data_set(
        self,
        buffer: Buffer,
        position: int,
        end: int,
        encoding: Encoding,
        charset: Charset,
        found: set[Text],
        depth: int,
        runs: Runs = NO_RUNS,
    ) -> int:
        """The position after the data set: ``end``, or that after its delimiter."""
        if depth > MAX_DEPTH:
            raise too_deep()
        head, u32, implicit = encoding.head.unpack_from, encoding.u32.unpack_from, encoding.implicit
        known, vr = self._seen.setdefault((charset, encoding), {}), b""
        in_runs = self._in_runs.setdefault(charset, {})
        while position < end:
            if runs and (run := runs.get(position)) is not None:
                texts = in_runs.get(run)
                if texts is None:
                    texts = in_runs[run] = self._run(buffer, position, run, encoding, charset)
                found.update(texts)
                position += run.size
                continue
            if end - position < 8:
                raise truncated("the file ends within an element's head")
            if implicit:
                group, number, length = head(buffer, position)
                value = position + 8
            else:
                group, number, vr, length = head(buffer, position)
                value = position + 8
            if group == DELIMITERS:
                if number != ITEM_END:
                    raise malformed("dicom.sequence", "a delimiter that closes nothing")
                return position + 8
            if not implicit and vr not in SHORT_VRS:
                if vr not in LONG_VRS:
                    raise malformed("dicom.vr", "an element has no value representation of the standard's")
                if end - position < 12:
                    raise truncated("the file ends within an element's head")
                value, length = position + 12, u32(buffer, position + 8)[0]
            if length == UNDEFINED:
                if group == PIXEL_GROUP:
                    position = end_of_fragments(buffer, value, encoding) + 8
                else:
                    kind = dictionary_vr(group << 16 | number).encode() if implicit else vr
                    position = self._open(buffer, value, kind, encoding, charset, found, depth)
                continue
            stop = value + length
            if stop > end:
                raise truncated("an element's value passes the end of what holds it")
            if group == PIXEL_GROUP:
                position = stop
                continue
            if length > MAX_TEXT:
                found.update(self._look(buffer, group << 16 | number, vr, value, stop, encoding, charset, depth))
            else:
                key = buffer[position:stop]
                texts = known.get(key)
                if texts is None:
                    texts = frozenset(
                        self._look(buffer, group << 16 | number, vr, value, stop, encoding, charset, depth)
                    )
                    known[key] = texts
                if texts:
                    found.update(texts)
                elif group == 8 and number == 5:
                    charset = charset_of(buffer[value:stop])
                    known = self._seen.setdefault((charset, encoding), {})
                    in_runs = self._in_runs.setdefault(charset, {})
            position = stop
        return position

    def _run(self, buffer: Buffer, position: int, run: Run, encoding: Encoding, charset: Charset) -> frozenset[Text]:
        """The texts in one run of the top level."""
        inside: set[Text] = set()
        for item in run.elements:
            value, stop = position + item.value, position + item.stop
            if item.length == UNDEFINED:
                self._open(buffer, value, item.vr, encoding, charset, inside, 0)
            else:
                inside.update(self._look(buffer, item.tag, item.vr, value, stop, encoding, charset, 0))
        return frozenset(inside)

    def _open(
        self, buffer: Buffer, value: int, kind: bytes, encoding: Encoding, charset: Charset, found: set[Text],
        depth: int,
    ) -> int:  # fmt: skip
        """The texts in a sequence of undefined length; the position after it."""
        inner = IMPLICIT_LITTLE if kind == b"UN" else encoding
        return self._sequence(buffer, value, None, inner, charset, found, depth + 1)

    def _look(
        self,
        buffer: Buffer,
        tag: int,
        vr: bytes,
        value: int,
        stop: int,
        encoding: Encoding,
        charset: Charset,
        depth: int,
    ) -> tuple[Text, ...]:
        """The texts in one element of known length."""
        own = dictionary_vr(tag) if encoding.implicit else vr.decode("ascii")
        kind = dictionary_vr(tag) if own == "UN" else own
        if kind == "SQ":
            inside: set[Text] = set()
            inner = IMPLICIT_LITTLE if own == "UN" else encoding
            try:
                self._sequence(buffer, value, stop, inner, charset, inside, depth + 1)
            except InstanceRefusedError:
                if own == "SQ":
                    raise
                # What calls itself unknown and is no sequence inside is removed by the rewriter.
            return tuple(inside)
        if stop - value > MAX_TEXT or stop == value or tag == CHARSET or not self.wanted(tag, kind):
            return ()
        return (Text(tag, kind, buffer[value:stop], charset),)

    def _sequence(
        self, buffer: Buffer, position: int, end: int | None, encoding: Encoding, charset: Charset, found: set[Text],
        depth: int,
    ) -> int:  # fmt: skip
        limit = len(buffer) if end is None else end
        while position < limit:
            if limit - position < 8:
                raise truncated("the file ends within an item's head")
            group, number, length = encoding.item.unpack_from(buffer, position)
            position += 8
            if group == DELIMITERS and number == SEQUENCE_END and end is None:
                return position
            if group != DELIMITERS or number != ITEM:
                raise malformed("dicom.sequence", "a sequence holds something that is no item")
            stop = limit if length == UNDEFINED else position + length
            if stop > limit:
                raise truncated("an item passes the end of what holds it")
            position = self._data_set(buffer, position, stop, encoding, charset, found, depth)
        if end is None:
            raise truncated("a sequence has no end")
        return position


def collect_identities(texts: Iterable[Text], into: Collector) -> None:
    """Hand all ``texts`` to a collector, in an order that does not depend on the run."""
    for text in sorted(texts, key=lambda item: (item.tag, item.vr, item.value)):
        text.collect(into)
