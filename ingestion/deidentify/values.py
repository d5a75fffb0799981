"""One value under one rule: bytes in, bytes out. Knows values and VRs (PS3.5 section 6.2), and nothing of files."""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from pydicom.datadict import keyword_for_tag

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.deidentify.dates import shift_date, shift_datetime
from ingestion.deidentify.rules import Cleaner, Rule, TextKind, Treatment
from ingestion.deidentify.text.readable import reads_as_text
from ingestion.dicom.charset import Charset
from ingestion.dicom.encoding import Encoding
from ingestion.dicom.standard_uids import ROOT, is_standard_uid
from ingestion.identity.pseudonyms import PatientIdentity, Pseudonyms

OWN_UIDS = frozenset({0x00080018, 0x0020000D, 0x0020000E})
"""Instance, study and series: new ones even where the source took one of the standard's."""
CLASS_UIDS = frozenset({0x00080016, 0x0008001A, 0x0008001B, 0x0008010C, 0x00081150})
LONGEST_CLASS_PART = 6
"""Digits of a component of the UID of a class or a list of codes: makers' roots have up to six, a birth date eight."""
OLDEST = 89
"""Greatest age told; above it the value is 090Y."""
IMPOSSIBLE = 130
"""An age from here on is nobody's, so it names nobody: it stays, for the quality rules to see."""
SECONDS_PER_DAY = 86_400
MAX_UIDS = 4096
"""UIDs whose successors are remembered."""
_DECIMAL_VRS = frozenset({"DS", "IS"})
"""Numbers written as text."""
TEXT_VRS = frozenset({"AE", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_ONE_VALUED = frozenset({"LT", "ST", "UT", "UR"})
"""Text in which a backslash is a letter."""
_MAX_LETTERS = {"CS": 16, "SH": 16, "AE": 16, "LO": 64}
_NUMBERS = {"SL": "l", "UL": "L", "SV": "q", "UV": "Q", "FD": "d"}
"""Binary numbers that can hold seconds since 1970: GE's (0009,xx27) does."""
_WIDTHS = {"US": 2, "SS": 2, "UL": 4, "SL": 4, "FL": 4, "AT": 4, "FD": 8, "SV": 8, "UV": 8}
_ASCII_ONLY = frozenset({"AE", "AS", "CS", "DA", "DS", "DT", "IS", "TM", "UI", "UR"})
_DUMMY = {
    "PN": b"ANONYMIZED", "DA": b"19000101", "DT": b"19000101000000", "TM": b"000000", "AE": b"ANONYMIZED",
    "CS": b"ANONYMIZED", "AS": b"000Y", "IS": b"0", "DS": b"0", "LO": b"ANONYMIZED", "SH": b"ANONYMIZED",
    "ST": b"ANONYMIZED", "LT": b"ANONYMIZED", "UT": b"ANONYMIZED", "UC": b"ANONYMIZED",
    "UR": b"urn:anonymized:none",
}  # fmt: skip
"""Valid values that say nothing (PS3.15 section E.1.1)."""
REQUIRED_TEXT = {0x00620005: b"Segment"}
"""Texts of type 1 that cleaning may leave empty: Segment Label (PS3.3 section C.8.20.4)."""
_AGE = re.compile(rb"^(\d{1,3})([DWMY])$")
_CODE = re.compile(r"^[A-Z0-9_ .+\-/^]{0,16}$")
"""Letters of a CS value, and those that devices use beside them."""
_LONG_NUMBER = re.compile(r"^[+-]?\d{4,}(\.0*)?$")
_READABLE = re.compile(rb"(?:[A-Za-z\x80-\xff]\0?){3,}|(?:[0-9]\0?){4,}")
"""Letters or digits in a row in binary values, UTF-16 too: shorter ones are no name."""
_SHAPES = {
    "DA": re.compile(rb"^(\d{4}\.?\d{2}\.?\d{2})?$"),
    "TM": re.compile(rb"^(([01]\d|2[0-3])(:?[0-5]\d(:?([0-5]\d|60)(\.\d{1,6})?)?)?)?$"),
    "DT": re.compile(rb"^(\d{4,14}(\.\d{1,6})?([+-]\d{4})?)?$"),
    "AS": re.compile(rb"^(\d{1,3}[DWMY])?$"),
}  # fmt: skip
"""What dates, times and ages look like: anything else in their place is not one, and could be anybody's."""


@dataclass(frozen=True, slots=True)
class Element:
    """What a value is the value of. ``nested``: within a sequence. ``creator``: of a private element."""

    tag: int
    vr: str
    nested: bool
    encoding: Encoding
    charset: Charset
    creator: str | None = None


@dataclass(frozen=True, slots=True)
class ValueRewriter:
    """The values of one patient. ``treat`` gives new bytes, the same object when nothing changes, None to remove."""

    pseudonyms: Pseudonyms
    patient: PatientIdentity
    cleaner: Cleaner = field(repr=False)
    pseudonym: bytes = field(init=False, repr=False)
    days: int = field(init=False, repr=False)
    _uids: dict[str, str] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pseudonym", self.pseudonyms.patient(self.patient).encode("ascii"))
        object.__setattr__(self, "days", self.pseudonyms.shift_days(self.patient))

    def treat(self, rule: Rule, element: Element, value: bytes) -> bytes | None:
        """``value`` under ``rule``, or by the rule's fallback where the treatment leaves nothing.

        Raises:
            InstanceRefusedError: UNCLEANABLE_CONTENT: a number that must be there is none, or someone's.
        """
        if rule.vr is not None and rule.vr != element.vr:
            element = replace(element, vr=rule.vr)
        new = self._treated(rule, element, value)
        if new or rule.treatment in (Treatment.EMPTY, Treatment.REMOVE) or (new is not None and not value):
            return new
        if rule.fallback is Treatment.DUMMY:
            if rule.treatment is Treatment.KEEP and element.vr in _DECIMAL_VRS:
                # A spacing or a rescale of 0 would say something false, and be believed.
                raise InstanceRefusedError(
                    Reason.UNCLEANABLE_CONTENT,
                    rule="value.number",
                    detail=f"{keyword_for_tag(element.tag) or 'a number'} is required, and holds what may not stay",
                )
            return REQUIRED_TEXT.get(element.tag) or self._dummy(element, value)
        return b"" if rule.fallback is Treatment.EMPTY else new

    def _treated(self, rule: Rule, element: Element, value: bytes) -> bytes | None:
        """RECURSE is no matter of values: it removes."""
        match rule.treatment:
            case Treatment.KEEP:
                return None if self.names_someone(element, value) else value
            case Treatment.EMPTY:
                return b""
            case Treatment.DUMMY:
                return self._dummy(element, value)
            case Treatment.UID:
                return self._parts(value, self._own_uid if element.tag in OWN_UIDS else self._uid)
            case Treatment.SHIFT:
                return self._shift(element, value)
            case Treatment.SHIFT_SECONDS:
                return self._seconds(element, value)
            case Treatment.CLEAN:
                return self._clean(element, value, rule.text or TextKind.DESCRIPTOR)
            case Treatment.PSEUDONYM:
                return b"" if element.nested else self.pseudonym
            case Treatment.ACCESSION:
                return self._keyed(element, value, self.pseudonyms.accession)
            case Treatment.IDENTIFIER:
                kind = keyword_for_tag(element.tag) or f"{element.creator}/{element.tag & 0xFF:02x}"
                return self._keyed(element, value, lambda text: self.pseudonyms.identifier(kind, text))
            case Treatment.AGE:
                return self._parts(value, self._age)
            case Treatment.REMOVE | Treatment.RECURSE:
                return None

    def names_someone(self, element: Element, value: bytes) -> bool:
        """Whether a known identity is found in a value that would be kept as it is."""
        vr, finds = element.vr, self.cleaner.finds_identity
        if not value:
            return False
        if vr == "UI":
            parts = _free_components(value) if _is_uid(value) else None
            if parts is None or any(map(finds, parts)):
                return True
            return element.tag in CLASS_UIDS and any(len(part) > LONGEST_CLASS_PART for part in parts)
        if vr in TEXT_VRS:
            text = element.charset.decode(value)
            if text is None:
                return True  # what cannot be decoded cannot be judged
            return finds(text) or (not value.isascii() and finds(_as_utf8(value)))
        if vr in ("DS", "IS"):
            # Decimals spell any number by chance; only whole numbers are compared.
            text = value.decode("latin-1")
            if not _is_numbers(text):
                return True
            return any(_LONG_NUMBER.match(part) and finds(part) for part in (p.strip(" \0") for p in text.split("\\")))
        if vr in ("DA", "TM", "DT", "AS"):
            return not all(_SHAPES[vr].match(part.strip(b" \0")) for part in value.split(b"\\"))
        return self.readable(value)

    def readable(self, value: bytes | memoryview) -> bool:
        """Whether binary bytes read as a text, whosever, or a known identity stands in them, in any encoding."""
        if len(value) < 3 or _READABLE.search(value) is None:
            return False
        return reads_as_text(value) or self.cleaner.finds_identity_bytes(bytes(value))

    def _parts(self, value: bytes, change: Callable[[bytes], bytes | None]) -> bytes | None:
        """Each of several values changed; all of them go where one cannot be judged."""
        stripped = value.rstrip(b" \0")
        if not stripped.isascii():
            return None
        parts = []
        for part in stripped.split(b"\\"):
            new = change(part.strip(b" \0"))
            if new is None:
                return None
            parts.append(new)
        joined = b"\\".join(parts)
        return value if joined == stripped else joined

    def _uid(self, part: bytes) -> bytes | None:
        text = part.decode("ascii")
        return part if not text or is_standard_uid(text) else self.new_uid(text).encode("ascii")

    def _own_uid(self, part: bytes) -> bytes:
        return self.new_uid(part.decode("ascii")).encode("ascii") if part else part

    def new_uid(self, uid: str) -> str:
        """As ``Pseudonyms.uid``; remembered for some, since one stands in several places."""
        found = self._uids.get(uid)
        if found is None:
            if len(self._uids) >= MAX_UIDS:
                self._uids.clear()
            found = self._uids[uid] = self.pseudonyms.uid(uid)
        return found

    def _age(self, part: bytes) -> bytes | None:
        match = _AGE.match(part)
        if match is None:
            return None if part else part
        per_year = {b"D": 365.25, b"W": 52.18, b"M": 12.0, b"Y": 1.0}[match.group(2)]
        return b"090Y" if OLDEST < int(match.group(1)) / per_year < IMPOSSIBLE else part

    def _keyed(self, element: Element, value: bytes, derive: Callable[[str], str]) -> bytes | None:
        text = element.charset.decode(value)
        if text is None:
            text = value.decode("latin-1")
        text = text.strip(" \0")
        return derive(text).encode("ascii") if text else b""

    def _dummy(self, element: Element, value: bytes) -> bytes | None:
        vr = element.vr
        if vr == "UI":
            return self._parts(value, self._uid)
        if vr in _WIDTHS:
            return bytes(_WIDTHS[vr])
        return _DUMMY.get(vr)  # binary and unknown: no dummy says nothing for certain

    def _shift(self, element: Element, value: bytes) -> bytes | None:
        vr = element.vr
        if vr == "TM":
            return value if all(_SHAPES["TM"].match(part.strip(b" \0")) for part in value.split(b"\\")) else None
        if vr in _NUMBERS:
            return self._shift_seconds(element, value)
        if vr == "DA":
            return self._parts(value, self._moved(shift_date))
        if vr == "DT":
            return self._parts(value, self._moved(shift_datetime))
        if vr == "UN" and not value.rstrip(b" \0").isdigit():
            return self._shift_seconds(element, value) if len(value) in (4, 8) else None
        if vr in ("DS", "IS", "LO", "SH", "ST", "LT", "UN", "CS", "UT"):
            return self._parts(value, self._shift_unknown)
        return None

    def _seconds(self, element: Element, value: bytes) -> bytes | None:
        """Seconds since 1970 as a number or as text."""
        if element.vr in _NUMBERS or (len(value) in (4, 8) and not value.strip(b" \0").isdigit()):
            return self._shift_seconds(element, value)
        return self._parts(value, self._shift_unknown)

    def _moved(self, shift: Callable[[str, int], str | None]) -> Callable[[bytes], bytes]:
        return lambda part: (shift(part.decode("ascii"), self.days) or "").encode("ascii")

    def _shift_unknown(self, part: bytes) -> bytes | None:
        """A date, or seconds since 1970, in a text or a number."""
        text = part.decode("ascii")
        if not text:
            return part
        moved = shift_date(text, self.days) or shift_datetime(text, self.days)
        if moved is not None:
            return moved.encode("ascii")
        whole, dot, rest = text.partition(".")
        if not whole.isdigit() or len(whole) > 11 or (rest and not rest.isdigit()):
            return None
        seconds = int(whole) + self.days * SECONDS_PER_DAY
        return f"{seconds}{dot}{rest}".encode("ascii") if seconds > 0 else None

    def _shift_seconds(self, element: Element, value: bytes) -> bytes | None:
        form = _NUMBERS.get(element.vr, "L" if len(value) == 4 else "Q")
        order = "<" if element.encoding.little or element.vr == "UN" else ">"
        number = struct.Struct(order + form)
        if not value or len(value) % number.size:
            return None if value else value
        moved = [item[0] + self.days * SECONDS_PER_DAY for item in number.iter_unpack(value)]
        # Not above zero: it was no time of this century, or is a count; it cannot be judged.
        return b"".join(number.pack(item) for item in moved) if all(item > 0 for item in moved) else None

    def _clean(self, element: Element, value: bytes, kind: TextKind) -> bytes | None:
        vr = element.vr
        if vr not in TEXT_VRS:
            # A date, a code or a number that should be cleaned: it stays when there is nothing to clean.
            return None if self.names_someone(element, value) or vr == "UN" else value
        text = element.charset.decode(value)
        if text is None:
            return None
        stripped = text.rstrip(" \0")
        parts = [stripped] if vr in _ONE_VALUED else stripped.split("\\")
        cleaned = [self._cleaned(part, vr, kind) if part.strip() else part for part in parts]
        if cleaned == parts:
            return value
        longest = _MAX_LETTERS.get(vr)
        encoded = [element.charset.encode(part if part in parts else part[:longest].strip()) for part in cleaned]
        if any(part is None or (vr in _ASCII_ONLY and not part.isascii()) for part in encoded):
            return None
        joined = b"\\".join(part for part in encoded if part is not None)
        if joined.strip(b"\\ "):
            return joined
        # Nothing is left of it: what people may have written is left empty, what devices write is not there.
        return REQUIRED_TEXT.get(element.tag, b"" if kind is TextKind.DESCRIPTOR else None)

    def _cleaned(self, part: str, vr: str, kind: TextKind) -> str:
        """A code that has letters no code has was typed by someone."""
        odd = vr == "CS" and not _CODE.match(part)
        return self.cleaner.clean(part, kind=TextKind.DESCRIPTOR if odd else kind)


def _is_uid(value: bytes) -> bool:
    """Digits and dots: a name is not one. Whether it names an object is for the rule to know."""
    return not value.strip(b" \0").translate(None, b"0123456789.\\ ")


def _free_components(value: bytes) -> list[str]:
    """The parts of UIDs that are long enough to be someone's number; those of the standard's own UIDs are not."""
    uids = value.decode("ascii").strip(" \0").split("\\")
    free = (uid.removeprefix(ROOT) for uid in uids if not is_standard_uid(uid))
    return [part for uid in free for part in uid.split(".") if len(part) > 3]


def _is_numbers(text: str) -> bool:
    """A UID is made of digits and dots too, and so is a date: neither is a number."""
    return all(_NUMBER.match(part) for part in text.strip(" \0").split("\\"))


_NUMBER = re.compile(r"^ *([+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)? *$")


def _as_utf8(value: bytes) -> str:
    return value.decode("utf-8", "ignore")
