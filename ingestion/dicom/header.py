"""The top level of an encoded data set, found without decoding it: where each element stands.

Only heads are read; sequences and pixels are stepped over. What is asked for is decoded then, and values that many
instances share are decoded once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pydicom.charset import python_encoding
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.dicom.charset import Charset, charset_of
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
)

if TYPE_CHECKING:
    from ingestion.dicom.runs import Runs

CHARSET = 0x00080005
PIXEL_GROUP = 0x7FE0
PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
"""Float, double float and integer pixel data."""
_ERRORS = (ValueError, TypeError, KeyError, OverflowError, NotImplementedError, AttributeError, LookupError)
"""What pydicom raises on a value that it cannot decode."""


Place = tuple[bytes, int, int, int]
"""One element: its VR (empty when implicit), where its head starts, where its value starts and stops. A plain tuple:
one is made for each element of each object."""


def truncated(detail: str) -> InstanceRefusedError:
    return InstanceRefusedError(Reason.TRUNCATED, rule="dicom.length", detail=detail)


def malformed(rule: str, detail: str) -> InstanceRefusedError:
    return InstanceRefusedError(Reason.MALFORMED, rule=rule, detail=detail)


def too_deep() -> InstanceRefusedError:
    return InstanceRefusedError(
        Reason.NESTED_TOO_DEEP, rule="dicom.depth", detail=f"sequences nested deeper than {MAX_DEPTH}"
    )


def read_head(buffer: Buffer, position: int, encoding: Encoding) -> tuple[int, int, bytes, int, int]:
    """Group, number, VR, start of the value and its length of the element at ``position``.

    Raises:
        InstanceRefusedError: TRUNCATED or MALFORMED.
    """
    if position + 8 > len(buffer):
        raise truncated("the file ends within an element's head")
    if encoding.implicit:
        group, number, length = encoding.head.unpack_from(buffer, position)
        return group, number, dictionary_vr(group << 16 | number).encode(), position + 8, length
    group, number, vr, length = encoding.head.unpack_from(buffer, position)
    if vr in SHORT_VRS:
        return group, number, vr, position + 8, length
    if group == DELIMITERS:
        return group, number, b"", position + 8, encoding.u32.unpack_from(buffer, position + 4)[0]
    if vr not in LONG_VRS:
        raise malformed("dicom.vr", "an element has no value representation of the standard's")
    if position + 12 > len(buffer):
        raise truncated("the file ends within an element's head")
    return group, number, vr, position + 12, encoding.u32.unpack_from(buffer, position + 8)[0]


def end_of_sequence(buffer: Buffer, position: int, encoding: Encoding, *, depth: int) -> int:
    """The position after the sequence of undefined length whose items start at ``position``.

    Raises:
        InstanceRefusedError: TRUNCATED, MALFORMED or NESTED_TOO_DEEP.
    """
    if depth > MAX_DEPTH:
        raise too_deep()
    size = len(buffer)
    while position + 8 <= size:
        group, number, length = encoding.item.unpack_from(buffer, position)
        position += 8
        if group != DELIMITERS:
            raise malformed("dicom.sequence", "a sequence holds something that is no item")
        if number == SEQUENCE_END:
            return position
        if number != ITEM:
            raise malformed("dicom.sequence", "a delimiter that closes nothing")
        position = _end_of_item(buffer, position, encoding, depth) if length == UNDEFINED else position + length
    raise truncated("a sequence has no end")


def _end_of_item(buffer: Buffer, position: int, encoding: Encoding, depth: int) -> int:
    size = len(buffer)
    while position + 8 <= size:
        group, number, vr, start, length = read_head(buffer, position, encoding)
        if group == DELIMITERS:
            if number != ITEM_END:
                raise malformed("dicom.sequence", "a delimiter that closes nothing")
            return start
        if length == UNDEFINED:
            inner = IMPLICIT_LITTLE if vr == b"UN" else encoding
            position = end_of_sequence(buffer, start, inner, depth=depth + 1)
        else:
            position = start + length
    raise truncated("an item has no end")


def end_of_fragments(buffer: Buffer, position: int, encoding: Encoding) -> int:
    """The position of the delimiter that ends encapsulated pixel data (PS3.5 section A.4).

    Raises:
        InstanceRefusedError: TRUNCATED or MALFORMED.
    """
    size, read = len(buffer), encoding.item.unpack_from
    while position + 8 <= size:
        group, number, length = read(buffer, position)
        if group == DELIMITERS and number == SEQUENCE_END:
            return position
        if group != DELIMITERS or number != ITEM or length == UNDEFINED:
            raise malformed("dicom.fragments", "encapsulated pixel data holds something that is no fragment")
        position += 8 + length
        if position > size:
            raise truncated("a fragment of the pixel data passes the end of the file")
    raise truncated("the encapsulated pixel data has no end")


@dataclass(slots=True)
class ValueMemo:
    """Decoded elements by their bytes. Bounded: emptied when full."""

    limit: int = 4096
    known: dict[tuple[bytes, Encoding, Charset], DataElement | None] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class Header:
    """Where the top-level elements are. Of an element that is there twice, the last counts, as in pydicom."""

    buffer: Buffer = field(repr=False)
    encoding: Encoding
    places: Mapping[int, Place] = field(repr=False)

    def value(self, tag: int) -> bytes:
        """The bytes of a value; empty where the element is not there."""
        place = self.places.get(tag)
        return b"" if place is None else self.buffer[place[2] : place[3]]

    def element(self, tag: int) -> bytes:
        """The bytes of an element, its head too; empty where it is not there."""
        place = self.places.get(tag)
        return b"" if place is None else self.buffer[place[1] : place[3]]

    def text(self, tag: int) -> str:
        """A value of the default repertoire, without padding; what is not ASCII is replaced."""
        return self.value(tag).decode("ascii", "replace").strip(" \0")

    @property
    def charset(self) -> Charset:
        return charset_of(self.value(CHARSET))

    def dataset(self, keywords: Iterable[str], *, memo: ValueMemo) -> Dataset:
        """The named attributes as pydicom decodes them; sequences and what cannot be decoded are left out."""
        charset = self.charset
        found: dict[BaseTag, DataElement | RawDataElement] = {}
        for keyword in keywords:
            tag = tag_for_keyword(keyword)
            if tag is None or tag not in self.places:
                continue
            raw = self.element(tag)
            key = (raw, self.encoding, charset)
            if key not in memo.known:
                if len(memo.known) >= memo.limit:
                    memo.known.clear()
                memo.known[key] = self._decoded(tag, charset)
            element = memo.known[key]
            if element is not None:
                found[BaseTag(tag)] = element
        return Dataset(found)

    def _decoded(self, tag: int, charset: Charset) -> DataElement | None:
        place = self.places[tag]
        if place[0] == b"SQ" or (self.encoding.implicit and dictionary_vr(tag) == "SQ"):
            return None
        value = self.buffer[place[2] : place[3]]
        raw = RawDataElement(
            BaseTag(tag),
            None if self.encoding.implicit else place[0].decode("ascii"),
            len(value),
            value,
            0,
            self.encoding.implicit,
            self.encoding.little,
        )
        names = [name for name in charset.names if name in python_encoding]
        try:
            return convert_raw_data_element(raw, encoding=names or None)
        except _ERRORS:
            return None


def read_header(
    buffer: Buffer, start: int, encoding: Encoding, *, last_group: int = PIXEL_GROUP - 1, runs: Runs | None = None
) -> Header:
    """The top-level elements from ``start`` up to the first whose group is above ``last_group``. ``runs`` are stepped
    over: where their elements are is known.

    Raises:
        InstanceRefusedError: TRUNCATED, MALFORMED or NESTED_TOO_DEEP.
    """
    places: dict[int, Place] = {}
    position, end = start, len(buffer)
    head, u32, implicit = encoding.head.unpack_from, encoding.u32.unpack_from, encoding.implicit
    vr = b""
    while position < end:
        if runs and (run := runs.get(position)) is not None and run.last_group <= last_group:
            places.update(run.places_at(position))
            position += run.size
            continue
        if end - position < 12:  # the shortest long head; a short one may be the last of a data set
            group, number, vr, value, length = read_head(buffer, position, encoding)
            vr = b"" if implicit else vr  # as of all elements before it
        elif implicit:
            group, number, length = head(buffer, position)
            vr, value = b"", position + 8
        else:
            group, number, vr, length = head(buffer, position)
            if vr in SHORT_VRS:
                value = position + 8
            elif vr in LONG_VRS:
                value, length = position + 12, u32(buffer, position + 8)[0]
            elif group == DELIMITERS:
                raise malformed("dicom.sequence", "an item or a delimiter outside a sequence")
            else:
                raise malformed("dicom.vr", "an element has no value representation of the standard's")
        if group > last_group:
            break
        if length == UNDEFINED:
            vr = dictionary_vr(group << 16 | number).encode() if implicit else vr
            if vr not in (b"SQ", b"UN"):
                raise malformed("dicom.length", "an element that is no sequence has no length")
            stop = end_of_sequence(buffer, value, IMPLICIT_LITTLE if vr == b"UN" else encoding, depth=1)
        else:
            stop = value + length
            if stop > end:
                raise truncated("an element's value passes the end of the file")
        places[group << 16 | number] = (vr, position, value, stop)
        position = stop
    return Header(buffer, encoding, places)
