"""Text of a data set in its own character sets, strictly: what cannot be decoded for certain is not text.

Code tables and escape sequences (PS3.5 section 6.1.2, PS3.3 section C.12.1.1.2) are pydicom's; this module adds what
it leaves to the caller: to say no, where pydicom puts replacement characters.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from pydicom.charset import convert_encodings, decode_bytes, encode_string, python_encoding

_ESCAPE = b"\x1b"
_RESETS = {0x09, 0x0A, 0x0C, 0x0D, 0x5C, 0x5E, 0x3D}
"""After these, text starts again in the first character set (PS3.5 section 6.1.2.5.3): controls, \\ , and PN's ^ =."""
_TERM = re.compile(r"^ISO([ _-]2022)?[ _-]IR[ _-]\d{1,3}$")
"""A defined term, misspelt ones of the kinds that pydicom mends among them."""
_REPLACED = "\ufffd"


@dataclass(frozen=True, slots=True)
class Charset:
    """Specific Character Set (0008,0005) in effect. ``known`` False: only plain ASCII can be read."""

    names: tuple[str, ...]
    encodings: tuple[str, ...]
    known: bool

    def decode(self, value: bytes) -> str | None:
        """The text; None when these character sets do not give one."""
        if value.isascii() and _ESCAPE not in value:
            return value.decode("ascii")
        if not self.known:
            return None
        if _ESCAPE not in value:
            try:
                return value.decode(self.encodings[0])
            except UnicodeDecodeError:
                return None
        try:
            text = decode_bytes(value, self.encodings, _RESETS)
        except (UnicodeError, LookupError):
            return None
        return None if _REPLACED in text or "\x1b" in text else text

    def encode(self, text: str) -> bytes | None:
        """The bytes of one value in these character sets; None when they cannot spell it."""
        if text.isascii():
            return text.encode("ascii")
        if not self.known:
            return None
        try:
            value = encode_string(text, self.encodings)
        except (UnicodeError, LookupError):
            return None
        # A second look: pydicom may have put a question mark for a letter.
        return value if self.decode(value) == text else None


DEFAULT = Charset(names=(), encodings=("iso8859",), known=True)
"""No Specific Character Set. The standard says ASCII; the eight-bit texts met in practice are Latin-1."""


@lru_cache(maxsize=256)
def charset_of(value: bytes) -> Charset:
    """The character sets that the value of (0008,0005) names."""
    names = tuple(part.strip(" \0") for part in value.decode("ascii", "replace").split("\\"))
    if names == ("",):
        return DEFAULT
    if not all(name in python_encoding or _TERM.match(name) for name in names):
        return Charset(names=(), encodings=("ascii",), known=False)
    try:
        encodings = tuple(convert_encodings(list(names)))
    except LookupError:
        return Charset(names=(), encodings=("ascii",), known=False)
    return Charset(names=names, encodings=encodings, known=True)
