"""What a result says of its own de-identification (PS3.15 section E.1.1, PS3.3 section C.12.1.1.7, PS3.16 CID 7050).

Earlier history is kept: methods and codes that an object brings stand before those that are added.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from ingestion.deidentify.rules import TextKind, Treatment
from ingestion.deidentify.values import Element, ValueRewriter
from ingestion.dicom.encoding import Encoding

REMOVED, METHOD, METHOD_CODES, LONGITUDINAL = 0x00120062, 0x00120063, 0x00120064, 0x00280303
DECLARED = frozenset({REMOVED, METHOD, METHOD_CODES, LONGITUDINAL})
BURNED_IN, RECOGNIZABLE = 0x00280301, 0x00280302
PIXEL_STATES = frozenset({BURNED_IN, RECOGNIZABLE})
"""What may be declared of the pixels."""
MAX_METHOD = 64
"""Characters of one value of De-identification Method (VR LO)."""


@dataclass(frozen=True, slots=True)
class MethodCode:
    """One item of the De-identification Method Code Sequence, of the scheme DCM."""

    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Declaration:
    """``methods``: what is appended to De-identification Method. ``longitudinal``: MODIFIED, REMOVED or UNMODIFIED."""

    methods: tuple[str, ...]
    codes: tuple[MethodCode, ...]
    longitudinal: str
    states: tuple[tuple[int, str], ...] = ()
    """Further attributes of VR CS to state, in place of what the source says: tag and value."""

    def with_pixels(self, codes: tuple[MethodCode, ...], states: tuple[tuple[int, str], ...]) -> Declaration:
        """The same with what was done to the pixels of one object."""
        added = tuple(code for code in codes if code not in self.codes)
        ordered = tuple(sorted((*self.codes, *added), key=lambda code: code.value))
        return replace(self, codes=ordered, states=tuple(sorted({**dict(self.states), **dict(states)}.items())))


@dataclass(slots=True)
class History:
    """What the source says of earlier de-identification: the cleaned method, and its code items as rewritten."""

    methods: list[bytes]
    items: list[bytes]


def cleaned_methods(
    value: bytes, element: Element, values: ValueRewriter, kind: TextKind, *, own: frozenset[str] = frozenset()
) -> list[bytes]:
    """The values of an earlier De-identification Method that can stay. Those in ``own`` are what is declared now: they
    stay whole, although the digits of a digest may look like somebody's number."""
    text = element.charset.decode(value)
    if text is None:
        return []
    said = (part.strip() for part in text.strip(" \0").split("\\"))
    parts = [part if part in own else values.cleaner.clean(part, kind=kind)[:MAX_METHOD].strip() for part in said]
    encoded = [element.charset.encode(part) for part in parts if part]
    return [part for part in encoded if part]


def declared_elements(declaration: Declaration, history: History, encoding: Encoding) -> list[tuple[int, bytes]]:
    """The elements to put into the result, by tag. What the history says already is not said twice."""
    if not history.methods and not history.items:
        return _first_declaration(declaration, encoding)
    return _declared(declaration, history, encoding)


@lru_cache(maxsize=64)
def _first_declaration(declaration: Declaration, encoding: Encoding) -> list[tuple[int, bytes]]:
    return _declared(declaration, History([], []), encoding)


def _declared(declaration: Declaration, history: History, encoding: Encoding) -> list[tuple[int, bytes]]:
    methods = [part for part in history.methods if part not in {text.encode("ascii") for text in declaration.methods}]
    methods += [text.encode("ascii", "replace")[:MAX_METHOD] for text in declaration.methods]
    own = [_code_item(code, encoding) for code in declaration.codes]
    items = list(dict.fromkeys(item for item in history.items if item not in own)) + own
    body = b"".join(encoding.write_item(0xE000, len(item)) + item for item in items)
    return [
        (REMOVED, encoding.write(REMOVED, "CS", b"YES")),
        (METHOD, encoding.write(METHOD, "LO", b"\\".join(methods))),
        (METHOD_CODES, encoding.write(METHOD_CODES, "SQ", body)),
        (LONGITUDINAL, encoding.write(LONGITUDINAL, "CS", declaration.longitudinal.encode("ascii"))),
        *((tag, encoding.write(tag, "CS", value.encode("ascii"))) for tag, value in declaration.states),
    ]


def _code_item(code: MethodCode, encoding: Encoding) -> bytes:
    return b"".join(
        (
            encoding.write(0x00080100, "SH", code.value.encode("ascii")),
            encoding.write(0x00080102, "SH", b"DCM"),
            encoding.write(0x00080104, "LO", code.meaning.encode("ascii")),
        )
    )


KEEPS_HISTORY = frozenset({Treatment.KEEP, Treatment.CLEAN, Treatment.RECURSE, Treatment.DUMMY})
"""A rule for the two attributes with one of these keeps what they say; any other drops it."""
