"""A header rewritten where it lies: bytes in, byte ranges out.

One pass over the encoded elements. Each is looked up, whole, in a memo of what its like became before: the 300 nearly
equal headers of a series then cost one look-up per element. What is not known is decided by the rule book and the
value rewriter, and remembered. Untouched elements are copied as they are; pixels are never copied at all.

What is where: PS3.5 sections 7.1 (elements), 7.5 (sequences), 7.8 (private blocks), 6.2.2 (unknown VR).
"""

from __future__ import annotations

from collections.abc import Iterator

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.deidentify.codes import CODE_VALUE, is_published_code
from ingestion.deidentify.declaration import DECLARED, KEEPS_HISTORY, METHOD, METHOD_CODES, History, cleaned_methods
from ingestion.deidentify.element_rewriter import (
    KEEP,
    RECURSE,
    REMOVE,
    TREATMENTS,
    ElementRewriter,
    PixelCleaner,
    is_sequence,
    padded,
    vrs,
)
from ingestion.deidentify.rules import Rule, TextKind, Treatment
from ingestion.deidentify.scopes import MAX_KEY, Block, Done, Part, RunDone, Scope, ScopeMemo
from ingestion.deidentify.values import Element
from ingestion.dicom.charset import charset_of
from ingestion.dicom.elements import MAX_DEPTH, Buffer
from ingestion.dicom.encoding import (
    DELIMITERS,
    IMPLICIT_LITTLE,
    ITEM,
    ITEM_END,
    LONG_VRS,
    SEQUENCE_END,
    SHORT_VRS,
    UNDEFINED,
)  # fmt: skip
from ingestion.dicom.header import (
    CHARSET,
    PIXEL_GROUP,
    PIXELS,
    end_of_fragments,
    end_of_sequence,
    malformed,
    too_deep,
    truncated,
)
from ingestion.dicom.runs import NO_RUNS, Run, Runs

MAX_ELEMENTS = 8_000_000
"""Most elements of one object: an enhanced multi-frame object of 2,000 frames has about 200,000."""
_SEQUENCE_TREATMENTS = frozenset({Treatment.KEEP, Treatment.CLEAN, Treatment.RECURSE, Treatment.DUMMY, Treatment.UID})
"""A sequence under one of these keeps its items, each rewritten: a required one must not be empty."""


class DataSetRewriter:
    """One instance. Not to be used again."""

    def __init__(
        self, buffer: Buffer, memo: ScopeMemo, pixels: PixelCleaner, runs: Runs = NO_RUNS, *,
        own_methods: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        self.buffer = buffer
        self.runs = runs
        self.own_methods = own_methods
        self.memo = memo
        self.values = memo.values
        self.element = ElementRewriter(buffer, memo.values, pixels)
        self.counts = self.element.counts
        self.budget: Iterator[int] = iter(range(MAX_ELEMENTS))
        self.history = History([], [])
        self.pixels: list[Part] = []
        self.after: list[Part] = []

    def data_set(
        self, position: int, end: int, scope: Scope, *, delimited: bool = False, charset_seen: bool = False
    ) -> tuple[list[Part], int]:
        """The elements from ``position`` to ``end``, or to their delimiter: what is written, and where reading ended.

        Of the top level, pixel data and what follows it is put aside.

        Raises:
            InstanceRefusedError: TRUNCATED, MALFORMED, NESTED_TOO_DEEP or TOO_LARGE.
        """
        if len(scope.path) > MAX_DEPTH:
            raise too_deep()
        start, buffer, counts = position, self.buffer, self.counts
        encoding, memo = scope.encoding, scope.memo
        head, u32, implicit = encoding.head.unpack_from, encoding.u32.unpack_from, encoding.implicit
        written: list[Part] = []
        parts, append = written, written.append
        blocks: dict[int, Block] = {}
        runs = NO_RUNS if scope.path else self.runs
        before = tuple(counts)
        for _ in self.budget:
            if position >= end:
                if delimited:
                    raise truncated("an item has no end")
                break
            if runs and (run := runs.get(position)) is not None:
                piece = self._run(scope, blocks, run, position)
                if piece:
                    append(piece)
                position += run.size
                continue
            if end - position < 8:
                raise truncated("the data ends within an element's head")
            if implicit:
                vr = b""
                group, number, length = head(buffer, position)
                value = position + 8
            else:
                group, number, vr, length = head(buffer, position)
                if vr in SHORT_VRS:
                    value = position + 8
                elif vr in LONG_VRS:
                    if end - position < 12:
                        raise truncated("the data ends within an element's head")
                    value, length = position + 12, u32(buffer, position + 8)[0]
                elif group != DELIMITERS:
                    raise malformed("dicom.vr", "an element has no value representation of the standard's")
            if group == DELIMITERS:
                if number != ITEM_END or not delimited:
                    raise malformed("dicom.sequence", "an item or a delimiter where none can be")
                position += 8
                break
            stop = value + length
            if stop - position > MAX_KEY or stop > end or group == PIXEL_GROUP:
                tag = group << 16 | number
                if length != UNDEFINED and stop > end:
                    if end == len(buffer):
                        raise truncated("an element's value passes the end of the file")
                    raise malformed("dicom.length", "an element passes the end of its item")
                if tag in PIXELS and not scope.path:
                    if self.pixels:
                        raise malformed("dicom.pixels", "pixel data is there twice")
                    self.pixels, position = self.element.pixel_data(scope, tag, vr, position, value, length)
                    parts, append = self.after, self.after.append
                    continue
                block = blocks.get(group << 8 | number >> 8) if group & 1 else None
                pieces, position = self._large(scope, block, tag, vr, position, value, length)
                if pieces:
                    append(pieces[0] if len(pieces) == 1 else b"".join(pieces))
                    if block is not None:
                        block.used = True
                continue
            key = buffer[position:stop]
            block = None
            if group & 1:
                block = blocks.get(group << 8 | number >> 8)
                done = None if block is None else block.memo.get(key)
            else:
                done = memo.get(key)
            if done is None:
                tag = group << 16 | number
                if tag == CHARSET:
                    charset = charset_of(key[value - position :])
                    if charset != scope.charset:
                        if charset_seen:
                            raise malformed("dicom.charset", "two different character sets for one data set")
                        # It holds for the whole data set, wherever in it it stands: begin again.
                        counts[:] = before
                        again = self.memo.scope(scope.book, scope.path, encoding, charset)
                        return self.data_set(start, end, again, delimited=delimited, charset_seen=True)
                    charset_seen = True
                    counts[KEEP] += 1
                    append(padded(scope.encoding, tag, "CS", key, value - position) if charset.known else b"")
                    position = stop
                    continue
                if group & 1 and 0x0F < number < 0x100:
                    self.element.creator(scope, blocks, parts, tag, key, value - position)
                    position = stop
                    continue
                done = self._decide(scope, block, tag, vr, position, value, stop, end)
            out, treatment, inner = done
            counts[treatment] += 1
            if inner is not None:
                for index, number_of in enumerate(inner):
                    counts[index] += number_of
            if out:
                append(out)
                if block is not None:
                    block.used = True
            position = stop
        else:
            raise InstanceRefusedError(
                Reason.TOO_LARGE, rule="dicom.elements", detail=f"more than {MAX_ELEMENTS} elements"
            )
        for block in blocks.values():
            if not block.used:
                block.parts[block.place] = b""
                counts[KEEP] -= 1
                counts[REMOVE] += 1
        return written, position

    def _run(self, scope: Scope, blocks: dict[int, Block], run: Run, position: int) -> bytes:
        """What a run of the top level becomes: what it became before, under the same creators."""
        counts = self.counts
        done = scope.runs.get(run)
        if done is None or (
            done.blocks and any(_creator_of(blocks, place) != creator for place, creator in done.blocks)
        ):
            before = tuple(counts)
            done = self._elements(scope, blocks, run, position)
            counts[:] = before
            scope.runs[run] = done
            self.memo.held += run.size + len(done.out) + 200
        for index, number in done.counts:
            counts[index] += number
        for place in done.used:
            blocks[place].used = True
        return done.out

    def _elements(self, scope: Scope, blocks: dict[int, Block], run: Run, position: int) -> RunDone:
        """The elements of a run one by one, as ``data_set`` does: in a run are neither creators, nor pixels, nor what
        depends on its neighbours."""
        counts, before = self.counts, tuple(self.counts)
        written: list[Part] = []
        used: set[int] = set()
        under: dict[int, str | None] = {}
        for item in run.elements:
            start, value, stop = position + item.start, position + item.value, position + item.stop
            place = item.tag >> 8
            block = blocks.get(place) if item.tag >> 16 & 1 else None
            if item.tag >> 16 & 1:
                under[place] = _creator_of(blocks, place)
            if item.length == UNDEFINED or stop - start > MAX_KEY:
                pieces, _ = self._large(scope, block, item.tag, item.vr, start, value, item.length)
                one: Part = b"".join(pieces)
            else:
                memo = scope.memo if block is None else block.memo
                done = memo.get(self.buffer[start:stop])
                if done is None:
                    done = self._decide(scope, block, item.tag, item.vr, start, value, stop, stop)
                one = self.element.counted(done)
            if one:
                written.append(one)
                if block is not None:
                    used.add(place)
        changed = ((index, now - then) for index, (now, then) in enumerate(zip(counts, before, strict=True)))
        return RunDone(
            b"".join(written),
            tuple((index, number) for index, number in changed if number),
            tuple(under.items()),
            tuple(used),
        )

    def _decide(
        self, scope: Scope, block: Block | None, tag: int, vr: bytes, position: int, value: int, stop: int, end: int
    ) -> Done:
        """What an element of ordinary size becomes; remembered where it depends on nothing but its bytes."""
        own, kind = vrs(scope, tag, vr)
        if not scope.path and tag in DECLARED:
            return self._history(scope, tag, kind, value, stop)
        if tag == CODE_VALUE and is_published_code(
            self.buffer, value, stop, end=end, encoding=scope.encoding, cleaner=self.values.cleaner
        ):
            key = self.buffer[position:stop]
            return padded(scope.encoding, tag, own, key, value - position), KEEP, None
        rule = self.element.rule(scope, block, tag, kind)
        if is_sequence(own, kind, rule):
            done = self._whole_sequence(scope, rule, tag, own, value, stop)
        else:
            done = self.element.value(scope, block, rule, tag, own, kind, position, value, stop)
        if tag != CODE_VALUE:
            key = self.buffer[position:stop]
            memo = scope.memo if block is None else block.memo
            memo[key] = done
            self.memo.held += len(key) + len(done[0]) + 200  # what an entry takes beside its bytes
        return done

    def _whole_sequence(self, scope: Scope, rule: Rule, tag: int, own: str, value: int, stop: int) -> Done:
        """A sequence of known length."""
        if rule.treatment is Treatment.EMPTY:
            return scope.encoding.write(tag, own, b""), TREATMENTS.index(Treatment.EMPTY), None
        if rule.treatment not in _SEQUENCE_TREATMENTS:
            return b"", REMOVE, None
        unknown = own == "UN" and not scope.encoding.implicit
        before = tuple(self.counts)
        try:
            parts, _ = self._sequence(value, stop, self._inner(scope, tag, unknown=unknown))
        except InstanceRefusedError:
            if own != "UN":
                raise
            self.counts[:] = before
            return b"", REMOVE, None  # unknown, and no sequence inside: nobody knows what it is
        inner = tuple(after - earlier for after, earlier in zip(self.counts, before, strict=True))
        self.counts[:] = before
        return scope.encoding.write(tag, own, b"".join(parts)), RECURSE, inner

    def _inner(self, scope: Scope, tag: int, *, unknown: bool) -> Scope:
        """The scope of a sequence's items; inside an unknown VR they are implicit (PS3.5 section 6.2.2, note 2).

        In big endian that makes little endian items, which the common readers cannot read: refused, or removed.
        """
        if unknown and not scope.encoding.little:
            raise malformed("dicom.unknown_vr", "little endian items in a big endian data set")
        encoding = IMPLICIT_LITTLE if unknown else scope.encoding
        return self.memo.scope(scope.book, (*scope.path, tag), encoding, scope.charset)

    def _sequence(
        self, position: int, end: int | None, scope: Scope, bodies: list[bytes] | None = None
    ) -> tuple[list[Part], int]:
        """The items from ``position`` to ``end``, or to the delimiter, which is written too: lengths as the source
        has them, defined or undefined. ``bodies`` takes what is in each."""
        buffer, item = self.buffer, scope.encoding.item.unpack_from
        limit = len(buffer) if end is None else end
        parts: list[Part] = []
        while position < limit:
            if limit - position < 8:
                raise truncated("the data ends within an item's head")
            group, number, length = item(buffer, position)
            position += 8
            if group == DELIMITERS and number == SEQUENCE_END and end is None:
                parts.append(scope.encoding.write_item(SEQUENCE_END))
                return parts, position
            if group != DELIMITERS or number != ITEM:
                raise malformed("dicom.sequence", "a sequence holds something that is no item")
            if length == UNDEFINED:
                written, position = self.data_set(position, limit, scope, delimited=True)
                parts.append(scope.encoding.write_item(ITEM, UNDEFINED))
                parts.extend(written)
                parts.append(scope.encoding.write_item(ITEM_END))
                if bodies is not None:
                    bodies.append(b"".join(written))
                continue
            stop = position + length
            if stop > limit:
                if limit == len(buffer):
                    raise truncated("an item passes the end of the file")
                raise malformed("dicom.length", "an item passes the end of its sequence")
            written, position = self.data_set(position, stop, scope)
            body = b"".join(written)
            parts.append(scope.encoding.write_item(ITEM, len(body)))
            parts.append(body)
            if bodies is not None:
                bodies.append(body)
        if end is None:
            raise truncated("a sequence has no end")
        return parts, position

    def _large(
        self, scope: Scope, block: Block | None, tag: int, vr: bytes, position: int, value: int, length: int
    ) -> tuple[list[Part], int]:
        """An element that is not remembered: of undefined length, long, or of the pixel group."""
        own, kind = vrs(scope, tag, vr)
        stop = value + length
        if length == UNDEFINED and tag in PIXELS:
            self.counts[REMOVE] += 1
            return [], end_of_fragments(self.buffer, value, scope.encoding) + 8
        if not scope.path and tag in DECLARED:
            stop = stop if length != UNDEFINED else end_of_sequence(self.buffer, value, scope.encoding, depth=1)
            self.counts[self._history(scope, tag, kind, value, stop, open_ended=length == UNDEFINED)[1]] += 1
            return [], stop
        rule = self.element.rule(scope, block, tag, kind)
        if length == UNDEFINED:
            return self._open_sequence(scope, rule, tag, own, kind, position, value)
        if is_sequence(own, kind, rule):
            done = self._whole_sequence(scope, rule, tag, own, value, stop)
        elif rule.treatment is Treatment.KEEP and own in ("OB", "OW", "OD", "OF", "OL", "OV", "UN") and kind == own:
            return self.element.long_binary(scope, tag, own, position, value, stop), stop
        else:
            done = self.element.value(scope, block, rule, tag, own, kind, position, value, stop)
        out = self.element.counted(done)
        return [out] if out else [], stop

    def _open_sequence(
        self, scope: Scope, rule: Rule, tag: int, own: str, kind: str, position: int, value: int
    ) -> tuple[list[Part], int]:
        """A sequence of undefined length."""
        if own not in ("SQ", "UN"):
            raise malformed("dicom.length", "an element that is no sequence has no length")
        unknown = own == "UN" and not scope.encoding.implicit
        if rule.treatment in _SEQUENCE_TREATMENTS:
            inner = self._inner(scope, tag, unknown=unknown)
            self.counts[RECURSE] += 1
            parts, stop = self._sequence(value, None, inner)
            return [self.buffer[position:value], *parts], stop
        encoding = IMPLICIT_LITTLE if unknown else scope.encoding
        stop = end_of_sequence(self.buffer, value, encoding, depth=len(scope.path) + 1)
        if rule.treatment is Treatment.EMPTY and kind == "SQ":
            self.counts[TREATMENTS.index(Treatment.EMPTY)] += 1
            return [scope.encoding.write(tag, own, b"")], stop
        self.counts[REMOVE] += 1
        return [], stop

    def _history(self, scope: Scope, tag: int, kind: str, value: int, stop: int, *, open_ended: bool = False) -> Done:
        """What is declared anew is taken out; the earlier methods and their codes are kept for the new ones."""
        rule = scope.book.rule(tag, kind, path=())
        if rule.treatment in KEEPS_HISTORY:
            if tag == METHOD and kind in ("LO", "UN"):
                element = Element(tag, "LO", False, scope.encoding, scope.charset)
                text_kind = rule.text or TextKind.DESCRIPTOR
                self.history.methods += cleaned_methods(
                    self.buffer[value:stop], element, self.values, text_kind, own=self.own_methods
                )
            elif tag == METHOD_CODES and kind == "SQ":
                bodies: list[bytes] = []
                self._sequence(value, None if open_ended else stop, self._inner(scope, tag, unknown=False), bodies)
                code_value = scope.encoding.tag.pack(CODE_VALUE >> 16, CODE_VALUE & 0xFFFF)
                self.history.items += [body for body in bodies if code_value in body]
        return b"", TREATMENTS.index(rule.treatment), None


def _creator_of(blocks: dict[int, Block], place: int) -> str | None:
    """The creator of a private block (group and high byte of the number); None where none was named."""
    block = blocks.get(place)
    return None if block is None else block.creator
