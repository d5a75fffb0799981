"""Codes of published schemes: they are about things, so they stay, long numbers as they are."""

from __future__ import annotations

from ingestion.deidentify.rules import Cleaner
from ingestion.dicom.elements import Buffer
from ingestion.dicom.encoding import Encoding

CODE_VALUE, SCHEME = 0x00080100, 0x00080102
PUBLISHED_SCHEMES = frozenset({
    "SCT", "SRT", "SNM3", "99SDM", "DCM", "UCUM", "LN", "FMA", "RADLEX", "NCIt", "UMLS", "I10", "I9C", "ICDO", "ICDO3",
    "BI", "MDC", "NEU", "RXNORM", "IBSI", "ISO3166_1", "ISO639_1", "ISO639_2", "RFC3066", "RFC5646", "UNS",
})  # fmt: skip
"""Coding schemes that are published (PS3.16 section 8.1): their codes are about things. Other codes can be anything."""
MAX_CODE = 18
"""Characters of a published code: a SNOMED CT identifier has up to 18 digits."""
_CODE_LETTERS = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-/[]{}%"


def is_published_code(buffer: Buffer, value: int, stop: int, *, end: int, encoding: Encoding, cleaner: Cleaner) -> bool:
    """Whether the Code Value from ``value`` to ``stop`` is of a published scheme, which the next element names, and
    looks like one of its codes. ``end``: of the item that holds both."""
    if end - stop < 8:
        return False
    group, number = encoding.tag.unpack_from(buffer, stop)
    if group << 16 | number != SCHEME:
        return False
    if encoding.implicit:
        length = encoding.u32.unpack_from(buffer, stop + 4)[0]
    else:
        length = encoding.u16.unpack_from(buffer, stop + 6)[0]
    if length > 16 or stop + 8 + length > end:
        return False
    scheme = buffer[stop + 8 : stop + 8 + length].strip(b" \0")
    code = buffer[value:stop].strip(b" \0")
    if scheme.decode("ascii", "replace") not in PUBLISHED_SCHEMES or not 0 < len(code) <= MAX_CODE:
        return False
    return not code.translate(None, _CODE_LETTERS) and not cleaner.finds_identity(code.decode("ascii"))
