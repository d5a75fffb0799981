"""How elements are written (PS3.5 section 7.1 and annex A): three encodings, each with what reads and writes a head."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from functools import lru_cache

from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian

UNDEFINED = 0xFFFFFFFF
ITEM, ITEM_END, SEQUENCE_END = 0xE000, 0xE00D, 0xE0DD
"""Element numbers of group FFFE."""
DELIMITERS = 0xFFFE
LONG_VRS = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})
SHORT_VRS = frozenset({
    b"AE", b"AS", b"AT", b"CS", b"DA", b"DS", b"DT", b"FD", b"FL", b"IS", b"LO", b"LT", b"PN", b"SH", b"SL", b"SS",
    b"ST", b"TM", b"UI", b"UL", b"US",
})  # fmt: skip
MAX_SHORT = 0xFFFE
"""Longest value of a VR whose length field has 16 bits; lengths are even."""
_PADDED_WITH_ZERO = frozenset({
    "UI", "OB", "OW", "OD", "OF", "OL", "OV", "UN", "AT", "FD", "FL", "SL", "SS", "SV", "UL", "US", "UV",
})  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Encoding:
    """One of the three below. ``head`` reads group, number, (VR,) length; of a long VR the length comes after it."""

    name: str
    implicit: bool
    little: bool
    head: struct.Struct = field(init=False, repr=False)
    tag: struct.Struct = field(init=False, repr=False)
    u16: struct.Struct = field(init=False, repr=False)
    u32: struct.Struct = field(init=False, repr=False)
    item: struct.Struct = field(init=False, repr=False)

    def __post_init__(self) -> None:
        order = "<" if self.little else ">"
        forms = {
            "head": "HHL" if self.implicit else "HH2sH",
            "tag": "HH",
            "u16": "H",
            "u32": "L",
            "item": "HHL",
        }
        for name, form in forms.items():
            object.__setattr__(self, name, struct.Struct(order + form))

    def write_head(self, tag: int, vr: str, length: int) -> bytes:
        """The bytes before a value of ``length`` bytes (or UNDEFINED)."""
        group, number = tag >> 16, tag & 0xFFFF
        if self.implicit:
            return self.head.pack(group, number, length)
        code = vr.encode("ascii")
        if code in LONG_VRS:
            return self.head.pack(group, number, code, 0) + self.u32.pack(length)
        return self.head.pack(group, number, code, length)

    def write(self, tag: int, vr: str, value: bytes) -> bytes:
        """One element, its value padded to even length (PS3.5 section 7.1.1)."""
        if len(value) & 1:
            value += padding(vr)
        return self.write_head(tag, vr, len(value)) + value

    def write_item(self, number: int, length: int = 0) -> bytes:
        """The head of an item, or a delimiter."""
        return self.item.pack(DELIMITERS, number, length)


EXPLICIT_LITTLE = Encoding("explicit little endian", implicit=False, little=True)
IMPLICIT_LITTLE = Encoding("implicit little endian", implicit=True, little=True)
EXPLICIT_BIG = Encoding("explicit big endian", implicit=False, little=False)


def encoding_of(transfer_syntax: str) -> Encoding:
    """How the data set under ``transfer_syntax`` is written; compressed pixels come in explicit little endian."""
    if transfer_syntax == ImplicitVRLittleEndian:
        return IMPLICIT_LITTLE
    return EXPLICIT_BIG if transfer_syntax == ExplicitVRBigEndian else EXPLICIT_LITTLE


def padding(vr: str) -> bytes:
    """What fills up a value of odd length (PS3.5 section 6.2)."""
    return b"\0" if vr in _PADDED_WITH_ZERO else b" "


@lru_cache(maxsize=8192)
def dictionary_vr(tag: int) -> str:
    """The VR that PS3.6 gives; the first where it leaves a choice; UN for what is private or not in it."""
    if tag >> 16 & 1 or not dictionary_has_tag(tag):
        return "UN"
    return dictionary_VR(tag)[:2]
