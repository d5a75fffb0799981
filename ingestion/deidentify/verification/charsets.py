"""Text in and out of bytes, by the verifier's own table of DICOM's character sets (PS3.3 section C.12.1.1.2)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

SINGLE = {
    "": "latin-1", "ISO_IR 6": "latin-1", "ISO_IR 100": "latin-1", "ISO_IR 101": "iso8859-2", "ISO_IR 109": "iso8859-3",
    "ISO_IR 110": "iso8859-4", "ISO_IR 144": "iso8859-5", "ISO_IR 127": "iso8859-6", "ISO_IR 126": "iso8859-7",
    "ISO_IR 138": "iso8859-8", "ISO_IR 148": "iso8859-9", "ISO_IR 203": "iso8859-15", "ISO_IR 13": "shift_jis",
    "ISO_IR 166": "tis-620", "ISO_IR 192": "utf-8", "GB18030": "gb18030", "GBK": "gb18030",
}  # fmt: skip
_ESCAPES = {
    b"(B": "ascii", b"(J": "shift_jis", b")I": "shift_jis", b"-A": "latin-1", b"-B": "iso8859-2", b"-C": "iso8859-3",
    b"-D": "iso8859-4", b"-L": "iso8859-5", b"-G": "iso8859-6", b"-F": "iso8859-7", b"-H": "iso8859-8",
    b"-M": "iso8859-9", b"-b": "iso8859-15", b"-T": "tis-620", b"$)C": "euc_kr", b"$)A": "gb2312",
}  # fmt: skip
_DOUBLE_BYTE = {b"$B": b"\x1b$B", b"$(D": b"\x1b$(D"}
_ESCAPE = re.compile(rb"\x1b(\$\([A-Z]|\$\)[A-Z]|\$[A-Z]|[(\-)][A-Za-z])")
WRITTEN = (
    "utf-8", "utf-16-le", "utf-16-be", "gb18030", "shift_jis", "euc_jp", "euc_kr", "big5", "tis-620", "koi8-r",
    "cp1250", "cp1251", "cp1252", "cp1253", "cp1254", "cp1255", "cp1256", "cp437", "cp850", "mac-roman",
    *(f"iso8859-{part}" for part in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 15)),
)  # fmt: skip
"""In which encodings a word that is not plain ASCII is looked for."""
_JIS = ("iso2022_jp_2", "iso2022_kr")
_PLAIN = str.maketrans({
    "ł": "l", "ø": "o", "đ": "d", "ð": "d", "þ": "th", "ß": "ss", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h", "ŀ": "l",
})  # fmt: skip
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})


def readings(raw: bytes, declared: str) -> set[str]:
    """What ``raw`` may say: by its declared character set, and by the two that undeclared text is mostly in."""
    if raw.isascii() and b"\x1b" not in raw:
        return {raw.decode("ascii")}
    found = {_declared(raw, declared), raw.decode("latin-1")}
    try:
        found.add(raw.decode("utf-8"))
    except UnicodeDecodeError:
        found.discard("")  # nothing more to read it as
    return found


def _declared(raw: bytes, declared: str) -> str:
    first = declared.partition("\\")[0].strip().replace("ISO 2022 IR", "ISO_IR")
    codec = SINGLE.get(first, "latin-1")
    if b"\x1b" not in raw:
        return raw.decode(codec, "replace")
    pieces = _ESCAPE.split(raw)
    text = pieces[0].decode(codec, "replace")
    for escape, piece in zip(pieces[1::2], pieces[2::2], strict=True):
        if escape in _DOUBLE_BYTE:
            text += (_DOUBLE_BYTE[escape] + piece).decode("iso2022_jp_2", "replace")
        else:
            text += piece.decode(_ESCAPES.get(escape, codec), "replace")
    return text


def spellings(text: str) -> set[str]:
    """``text`` in lower case, as it is and with its accents folded (ü as u and as ue)."""
    low = text.lower()
    if low.isascii():
        return {low}
    return {low, fold(low), fold(low.translate(_UMLAUTS)), unicodedata.normalize("NFC", low)} - {""}


def fold(text: str) -> str:
    """Letters without their marks: NFKD, combining marks dropped, and the letters that do not decompose."""
    split = unicodedata.normalize("NFKD", text.lower().translate(_PLAIN))
    return "".join(letter for letter in split if not unicodedata.combining(letter))


def encoded(text: str) -> Iterator[bytes]:
    """The bytes that ``text`` may stand in, in lower, upper and title case where that changes more than ASCII."""
    if text.isascii():
        yield text.encode("ascii")
        return
    for form in {text, text.lower(), text.upper(), text.title(), unicodedata.normalize("NFD", text)}:
        for codec in WRITTEN:
            try:
                yield form.encode(codec)
            except UnicodeEncodeError:
                continue  # not a word that this encoding can spell
        for codec in _JIS:
            try:
                # Without its escapes: they stand where the text around it switches, not at the word.
                yield re.sub(rb"\x1b\$?[()\-]?[A-Z]|[\x0e\x0f]", b"", form.encode(codec))
            except UnicodeEncodeError:
                continue
