"""A second look at the result, by code that shares nothing with the rewriter: it searches bytes, and parses none.

``identities`` are the identifying words of the raw header. They are looked for in every encoding that a header can
hold them in; in the pixel bytes too, when they are so long that noise cannot spell them.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterable
from dataclasses import dataclass

LONG = 8
"""Letters from which a word is looked for in pixels as well: 500 kB of noise spell one of eight letters, in any case,
with a chance of one in 10^11."""
WHOLE_WORD_BELOW = 6
"""Shorter words are looked for as whole words: 'Mann' is a part of 'manner'."""
_PIXEL_DATA = (b"\xe0\x7f\x10\x00", b"\x7f\xe0\x00\x10")
_ENCODINGS = ("utf-8", "latin-1", "utf-16-le")
_META = 128 + 4


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that must not be there. ``tag``: where, if known; never the value."""

    rule: str
    tag: str | None = None


def verify(body: bytes, *, identities: Iterable[str], expected_patient_id: str) -> tuple[Finding, ...]:
    """All findings in one result; none means that it may be stored."""
    found = []
    if body[:_META] != bytes(128) + b"DICM":
        found.append(Finding("verify.preamble"))
    if expected_patient_id.encode("ascii") not in body:
        found.append(Finding("verify.patient_id", "(0010,0020)"))
    header = _header(body)
    low, spoken = header.lower(), body.lower()
    own = expected_patient_id.lower()
    for identity in sorted(identities):
        if identity and identity not in own and _occurs(identity, spoken if len(identity) >= LONG else low):
            found.append(Finding("verify.identity"))
            break
    if _has_private(header):
        found.append(Finding("verify.private"))
    return tuple(found)


def _header(body: bytes) -> bytes:
    ends = [place for place in (body.rfind(mark) for mark in _PIXEL_DATA) if place > 0]
    early = [place for place in (body.find(mark) for mark in _PIXEL_DATA) if place > 0]
    return body[: min(early)] if ends and early else body


def _occurs(identity: str, low: bytes) -> bool:
    for encoding in _ENCODINGS:
        try:
            word = identity.lower().encode(encoding)
        except UnicodeEncodeError:
            continue  # not a word that this encoding can spell
        if word not in low:
            continue
        if len(identity) >= WHOLE_WORD_BELOW and not identity.isdigit():
            return True
        edge = rb"[0-9.]" if identity.isdigit() else rb"[a-z0-9]"
        if re.search(rb"(?<!" + edge + rb")" + re.escape(word) + rb"(?!" + edge + rb")", low):
            return True
    return False


def _has_private(header: bytes) -> bool:
    """A private creator of the commonest private groups, as explicit little endian writes it."""
    for group in (0x0009, 0x0019, 0x0021, 0x0029, 0x0043, 0x0051, 0x2001, 0x2005, 0x7053, 0x0099):
        if struct.pack("<HH", group, 0x0010) + b"LO" in header:
            return True
    return False
