"""Data sets written byte by byte, so that a test can have what no library would write, and known rules for them."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field

from ingestion.deidentify.declaration import Declaration, MethodCode
from ingestion.deidentify.rules import Rule, TextKind, Treatment
from ingestion.deidentify.study import StudyRewriter
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import PatientIdentity, Pseudonyms

PSEUDONYMS = Pseudonyms(SourceKey("MADE-UP", bytes(range(32))))
EXPLICIT, IMPLICIT, BIG, DEFLATED = (
    "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99",
)  # fmt: skip
CT = "1.2.840.10008.5.1.4.1.1.2"
LONG = {"OB", "OD", "OF", "OL", "OV", "OW", "SQ", "SV", "UC", "UN", "UR", "UT", "UV"}
PLANTED = "Przybylski"
PATIENT = PatientIdentity("PL-4471-99")


@dataclass(frozen=True)
class Made:
    """An element: a value as bytes, or items. ``undefined``: lengths of the sequence and of its items."""

    tag: int
    vr: str
    value: bytes = b""
    items: tuple[tuple[Made, ...], ...] | None = None
    undefined: bool = False


def encode(elements: tuple[Made, ...], *, implicit: bool, little: bool) -> bytes:
    return b"".join(encode_one(element, implicit=implicit, little=little) for element in elements)


def encode_one(element: Made, *, implicit: bool, little: bool) -> bytes:
    order = "<" if little else ">"
    group, number = element.tag >> 16, element.tag & 0xFFFF

    def item(tag: int, length: int) -> bytes:
        return struct.pack(order + "HHL", 0xFFFE, tag, length)

    value, length = element.value, len(element.value)
    if element.items is not None:
        inner = implicit or element.vr == "UN"
        parts = []
        for members in element.items:
            body = encode(members, implicit=inner, little=little)
            if element.undefined:
                parts += [item(0xE000, 0xFFFFFFFF), body, item(0xE00D, 0)]
            else:
                parts += [item(0xE000, len(body)), body]
        if element.undefined:
            parts.append(item(0xE0DD, 0))
        value = b"".join(parts)
        length = 0xFFFFFFFF if element.undefined else len(value)
    if implicit:
        return struct.pack(order + "HHL", group, number, length) + value
    if element.vr in LONG:
        return struct.pack(order + "HH2sHL", group, number, element.vr.encode(), 0, length) + value
    return struct.pack(order + "HH2sH", group, number, element.vr.encode(), length) + value


def ids(charset: bytes = b"") -> tuple[Made, ...]:
    """What every object has."""
    first = (Made(0x00080005, "CS", charset + b" " * (len(charset) % 2)),) if charset else ()
    return (
        *first,
        Made(0x00080016, "UI", CT.encode() + b"\0"),
        Made(0x00080018, "UI", b"1.2.3.4"),
        Made(0x00100010, "PN", PLANTED.encode() + b"^Wanda"),
        Made(0x00100020, "LO", b"PL-4471-99"),
        Made(0x0020000D, "UI", b"1.2.3.5"),
        Made(0x0020000E, "UI", b"1.2.3.6"),
    )


def as_file(elements: tuple[Made, ...], *, syntax: str = EXPLICIT, sort: bool = True) -> bytes:
    """A whole object of ``elements``."""
    ordered = tuple(sorted(elements, key=lambda element: element.tag)) if sort else elements
    body = encode(ordered, implicit=syntax == IMPLICIT, little=syntax != BIG)
    if syntax == DEFLATED:
        machine = zlib.compressobj(wbits=-15)
        body = machine.compress(body) + machine.flush()
    name = syntax.encode() + b"\0" * (len(syntax) % 2)
    meta = encode((Made(0x00020010, "UI", name),), implicit=False, little=True)
    return bytes(128) + b"DICM" + meta + body


@dataclass(frozen=True)
class MadeRules:
    """Rules by tag; the ids as every policy has them, everything else ``other``."""

    by_tag: dict[int, Rule] = field(default_factory=dict)
    other: Treatment = Treatment.KEEP
    private_kept: frozenset[str] = frozenset({"SAFE"})

    def rule(self, tag: int, vr: str, *, path: tuple[int, ...] = ()) -> Rule:
        if tag in self.by_tag:
            return self.by_tag[tag]
        if tag in (0x00100010, 0x00100020):
            return Rule(Treatment.PSEUDONYM, "the patient")
        if vr == "UI":
            return Rule(Treatment.UID, "remapped")
        return Rule(Treatment.RECURSE if vr == "SQ" else self.other, "all the rest", TextKind.TECHNICAL)

    def private(self, creator: str, group: int, element: int, vr: str, *, path: tuple[int, ...] = ()) -> Rule:
        kept = creator in self.private_kept
        if kept and vr == "SQ":
            return Rule(Treatment.RECURSE, "safe")
        return Rule(Treatment.KEEP if kept else Treatment.REMOVE, "by creator")


@dataclass(frozen=True)
class MadeCleaner:
    """Knows some words, in any case."""

    words: tuple[str, ...] = (PLANTED,)

    def clean(self, text: str, *, kind: TextKind) -> str:
        for word in self.words:
            while (place := text.lower().find(word.lower())) >= 0:
                text = text[:place] + text[place + len(word) :]
        return text

    def finds_identity(self, text: str) -> bool:
        return any(word.lower() in text.lower() for word in self.words)

    def finds_identity_bytes(self, data: bytes) -> bool:
        return self.finds_identity(data.replace(b"\0", b"").decode("latin-1"))


def rewriter(
    rules: MadeRules | None = None, *, patient: PatientIdentity = PATIENT, words: tuple[str, ...] = (PLANTED,)
) -> StudyRewriter:
    """Ready to rewrite the objects of ``patient``."""
    book = rules or MadeRules()
    return StudyRewriter(
        rulebook_for=lambda _sop_class, _modality, _manufacturer: book,
        pseudonyms=PSEUDONYMS,
        patient=patient,
        cleaner=MadeCleaner(words),
        declaration=Declaration(("made rules",), (MethodCode("113100", "Basic Profile"),), "MODIFIED"),
    )
