"""The words that policy, rewriter and text cleaner share: what can be done to an element, and why it is done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Treatment(StrEnum):
    """What the rewriter does to one element. Compound codes of Table E.1-1 are resolved to one of these."""

    KEEP = "keep"  # the bytes stay as they are; a known identity in them still removes the element
    REMOVE = "remove"
    EMPTY = "empty"
    DUMMY = "dummy"  # a valid value that says nothing
    UID = "uid"  # each UID by its keyed one; those of the standard stay
    SHIFT = "shift"  # each DA, DT by the patient's days
    SHIFT_SECONDS = "shift_seconds"  # seconds since 1970 as a number (in binary or as text), by the patient's days
    CLEAN = "clean"  # text through the cleaner, as ``Rule.text`` says
    PSEUDONYM = "pseudonym"  # the patient's
    ACCESSION = "accession"  # keyed, 16 characters
    IDENTIFIER = "identifier"  # any other identifier, keyed, 16 characters
    AGE = "age"  # kept up to 89 years, then 090Y
    RECURSE = "recurse"  # a sequence: its items are rewritten one by one


class TextKind(StrEnum):
    """How much trust a text deserves."""

    DESCRIPTOR = "descriptor"  # typed by people: only what is known to be harmless stays
    TECHNICAL = "technical"  # written by a device: stays whole unless an identity or a pattern is found in it


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to an element and why: the sentence that ``cie policy explain`` prints.

    ``vr``: what the value is to be read as, where that is not what the object says (UN, OB, a date in LO).
    ``fallback``: what to do when the treatment leaves nothing, or when a value that should be kept cannot be: REMOVE,
    EMPTY, or DUMMY where the object must have a value (type 1).
    """

    treatment: Treatment
    why: str
    text: TextKind | None = None
    vr: str | None = None
    fallback: Treatment = Treatment.REMOVE


class RuleBook(Protocol):
    """A policy compiled for one kind of object (SOP class, modality, manufacturer)."""

    def rule(self, tag: int, vr: str, *, path: tuple[int, ...] = ()) -> Rule:
        """A standard attribute. ``path``: the tags of the sequences around it, outermost first."""

    def private(self, creator: str, group: int, element: int, vr: str, *, path: tuple[int, ...] = ()) -> Rule:
        """A private attribute by its creator, group and element offset (the low byte), never its absolute tag."""


class Cleaner(Protocol):
    """Text of one patient's study, cleaned. Same text, same result."""

    def clean(self, text: str, *, kind: TextKind) -> str:
        """``text`` without identities; empty when nothing of it can stay."""

    def finds_identity(self, text: str) -> bool:
        """Whether a known identity of this study occurs in ``text``: any case, order, accents, or in part."""

    def finds_identity_bytes(self, data: bytes) -> bool:
        """The same of a value that is no text, in any encoding."""
