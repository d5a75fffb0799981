"""What one element becomes, its neighbours apart: its rule, its value, the private block it opens.

``ingestion.deidentify.rewriter`` walks the elements; here each is judged by the rule book and written.

What is where: PS3.5 sections 7.1 (elements), 7.8 (private blocks), 6.2.2 (unknown VR).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ingestion.deidentify.rules import Rule, Treatment
from ingestion.deidentify.scopes import Block, Done, Part, Scope
from ingestion.deidentify.values import Element, ValueRewriter
from ingestion.dicom.elements import Buffer
from ingestion.dicom.encoding import MAX_SHORT, SEQUENCE_END, SHORT_VRS, UNDEFINED, Encoding, dictionary_vr, padding
from ingestion.dicom.header import PIXEL_GROUP, end_of_fragments, malformed

TREATMENTS = tuple(Treatment)
"""Counts of treatments are held in this order."""
REMOVE, KEEP, RECURSE = (TREATMENTS.index(item) for item in (Treatment.REMOVE, Treatment.KEEP, Treatment.RECURSE))
_REMOVE_RULE = Rule(Treatment.REMOVE, "it has no place in a data set, or none that can be judged")
_PIXEL_TREATMENTS = frozenset({Treatment.KEEP, Treatment.CLEAN})
PixelCleaner = Callable[[Buffer, int, int, bool], list[Part]]
"""Pixel value from, to (in the buffer), whether encapsulated: the parts to write instead."""


_UNSAID = frozenset({"UN", "OB", "OW"})
"""VRs that say nothing of the value."""
_LIKE_A_UID = re.compile(rb"[\d.\\]*\0?$")


class ElementRewriter:
    """The elements of one instance, one at a time. ``counts`` takes what was done to each."""

    def __init__(self, buffer: Buffer, values: ValueRewriter, pixels: PixelCleaner) -> None:
        self.buffer = buffer
        self.view = memoryview(buffer)
        self.values = values
        self.clean_pixels = pixels
        self.counts = [0] * len(TREATMENTS)

    def counted(self, done: Done) -> Part:
        """What is written of it, once its treatments are counted."""
        out, treatment, inner = done
        self.counts[treatment] += 1
        for index, number in enumerate(inner or ()):
            self.counts[index] += number
        return out

    def rule(self, scope: Scope, block: Block | None, tag: int, vr: str) -> Rule:
        """The rule that holds for an element at this place, under this private creator."""
        group, number = tag >> 16, tag & 0xFFFF
        if number == 0 or group in (0x0002, 0xFFFC):
            return _REMOVE_RULE  # group lengths would be wrong; meta information and padding have their own places
        if group & 1:
            if block is None or not block.creator or group < 0x0009 or group == 0xFFFF:
                return _REMOVE_RULE
            return scope.book.private(block.creator, group, number & 0xFF, vr, path=scope.path)
        if group == PIXEL_GROUP and scope.path:
            return _REMOVE_RULE  # an icon can show what its image does
        return scope.book.rule(tag, vr, path=scope.path)

    def value(
        self, scope: Scope, block: Block | None, rule: Rule, tag: int, own: str, kind: str, position: int, value: int,
        stop: int,
    ) -> Done:  # fmt: skip
        """An element that is no sequence: under ``rule``, with its new value."""
        if not tag >> 16 & 1 and kind != "SQ" and dictionary_vr(tag) == "SQ":
            return b"", REMOVE, None  # a sequence by the dictionary that is none here: nobody knows what it is
        old = self.buffer[value:stop]
        creator = None if block is None else block.creator
        element = Element(tag, kind, bool(scope.path), scope.encoding, scope.charset, creator)
        new = self.values.treat(rule, element, old)
        if new is None or (own.encode() in SHORT_VRS and len(new) > MAX_SHORT and not scope.encoding.implicit):
            return b"", REMOVE, None
        treatment = TREATMENTS.index(rule.treatment)
        if new is old:
            return padded(scope.encoding, tag, own, self.buffer[position:stop], value - position), treatment, None
        if len(new) & 1:
            new += _fill(own if own not in _UNSAID else rule.vr or kind, old)
        return scope.encoding.write(tag, own, new), treatment, None

    def creator(
        self, scope: Scope, blocks: dict[int, Block], parts: list[Part], tag: int, element: bytes, head: int
    ) -> None:
        """A private creator (PS3.5 section 7.8.1) opens its block; it is written if something of the block is."""
        if element not in scope.creators:
            scope.creators[element] = self._creator_name(scope, element, head)
        name, place = scope.creators[element], (tag >> 16) << 8 | (tag & 0xFF)
        known = blocks.get(place)
        if known is not None or name is None:
            # Twice: the first stays. After another name it is not known whose the elements are that follow.
            if known is not None and known.creator != name:
                known.memo, known.creator = {}, ""
            self.counts[REMOVE] += 1
            return
        self.counts[KEEP] += 1
        blocks[place] = Block(name, scope.private.setdefault(name, {}), parts, len(parts))
        parts.append(padded(scope.encoding, tag, "LO", element, head))

    def _creator_name(self, scope: Scope, element: bytes, head: int) -> str | None:
        if not scope.encoding.implicit and element[4:6] not in (b"LO", b"UN"):
            return None
        name = scope.charset.decode(element[head:])
        name = None if name is None else name.strip(" \0")
        return name if name and not self.values.cleaner.finds_identity(name) else None

    def long_binary(self, scope: Scope, tag: int, own: str, position: int, value: int, stop: int) -> list[Part]:
        """Kept where it lies, once nobody's name was found in it."""
        if self.values.readable(self.view[value:stop]):
            self.counts[REMOVE] += 1
            return []
        self.counts[KEEP] += 1
        if not (stop - value) & 1:
            return [self.view[position:stop]]
        return [scope.encoding.write_head(tag, own, stop - value + 1), self.view[value:stop], b"\0"]

    def pixel_data(
        self, scope: Scope, tag: int, vr: bytes, position: int, value: int, length: int
    ) -> tuple[list[Part], int]:
        """The top level's pixel data as it is written, head included; the position after it."""
        own, kind = vrs(scope, tag, vr)
        if own not in ("OB", "OW", "OF", "OD", "UN"):
            raise malformed("dicom.pixels", "pixel data of a VR that holds no pixels")
        stop = end_of_fragments(self.buffer, value, scope.encoding) if length == UNDEFINED else value + length
        after = stop + 8 if length == UNDEFINED else stop
        if scope.book.rule(tag, kind, path=()).treatment not in _PIXEL_TREATMENTS:
            self.counts[REMOVE] += 1
            return [], after
        self.counts[KEEP] += 1
        parts = self.clean_pixels(self.buffer, value, stop, length == UNDEFINED)
        if length == UNDEFINED:
            end = scope.encoding.write_item(SEQUENCE_END)
            return [self.buffer[position:value], *parts, end], after
        size = sum(len(part) for part in parts)
        if size & 1:
            parts, size = [*parts, b"\0"], size + 1
        same = size == length
        head = self.buffer[position:value] if same else scope.encoding.write_head(tag, own, size)
        return [head, *parts], after


def _fill(vr: str, old: bytes) -> bytes:
    """What a new value of odd length is filled up with: as the VR that is written asks; where none is, and the value
    before was a text in the place of a UID, as a text."""
    return b" " if vr == "UI" and not _LIKE_A_UID.match(old) else padding(vr)


def vrs(scope: Scope, tag: int, vr: bytes) -> tuple[str, str]:
    """The VR that is written, and the one that the value has: the dictionary's for what calls itself unknown."""
    if scope.encoding.implicit:
        kind = dictionary_vr(tag)
        return kind, kind
    own = vr.decode("ascii")
    return own, dictionary_vr(tag) if own == "UN" else own


def is_sequence(own: str, kind: str, rule: Rule) -> bool:
    return kind == "SQ" or (own == "UN" and rule.treatment is Treatment.RECURSE)


def padded(encoding: Encoding, tag: int, vr: str, element: bytes, head: int) -> bytes:
    """An untouched element: as it is, or padded where its length is odd (PS3.5 section 7.1.1)."""
    return element if not (len(element) - head) & 1 else encoding.write(tag, vr, element[head:])
