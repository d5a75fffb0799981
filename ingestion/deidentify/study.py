"""The headers of one patient's study rewritten, object by object: what a caller holds while it brings a series through.

``StudyRewriter.rewrite`` takes the raw bytes (or a memory map of a large file) and gives the result as byte ranges,
most of them views of the input. The same raw bytes give the same result, whatever came before.
"""

from __future__ import annotations

import mmap
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from operator import itemgetter

from pydicom.uid import UID

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.deidentify import CODE_VERSION
from ingestion.deidentify.codes import CODE_VALUE
from ingestion.deidentify.declaration import DECLARED, PIXEL_STATES, Declaration, declared_elements
from ingestion.deidentify.element_rewriter import TREATMENTS
from ingestion.deidentify.pixels.fragments import Encapsulated, clean_fragments
from ingestion.deidentify.rewriter import DataSetRewriter
from ingestion.deidentify.rules import Cleaner, RuleBook, Treatment
from ingestion.deidentify.scopes import Part, ScopeMemo
from ingestion.deidentify.values import ValueRewriter
from ingestion.dicom.elements import Buffer
from ingestion.dicom.encoding import EXPLICIT_LITTLE, Encoding, encoding_of
from ingestion.dicom.header import Header, read_header
from ingestion.dicom.pixel_description import COLUMNS, FRAMES, ROWS, pixel_description
from ingestion.dicom.reading import ID_TAGS, InstanceIds, Meta, ids_of_values, inflate, read_meta
from ingestion.dicom.runs import NO_OUTLINE, NO_RUNS, Runs, SharedRuns
from ingestion.identity.pseudonyms import PatientIdentity, Pseudonyms

IMPLEMENTATION_UID = "2.25.318215604937230912417420918330017459321"
IMPLEMENTATION_NAME = f"CIE_{CODE_VERSION}"
PREAMBLE = bytes(128) + b"DICM"
DESCRIBING_GROUPS = 0x0028
"""The last group that holds ids, kind of object and pixel description; sequences of many frames come later."""
_SOP_CLASS, _MODALITY, _MANUFACTURER = 0x00080016, 0x00080060, 0x00080070
_NEEDED = (_SOP_CLASS, 0x00080018, 0x00100020, 0x0020000D, 0x0020000E, 0x00280010)
APART = DECLARED | PIXEL_STATES | {CODE_VALUE}
"""Tags at which elements are put in or taken out, and one whose meaning the next element tells: no run spans them."""
RuleBookFor = Callable[[str, str, str], RuleBook]
"""SOP class UID, modality, manufacturer: the policy compiled for such objects."""


@dataclass(frozen=True, slots=True)
class RawObject:
    """A raw object, its header found. ``buffer``: the data set, inflated when ``raw`` is deflated. ``runs``: what its
    header shares with those before it."""

    raw: Buffer = field(repr=False)
    buffer: Buffer = field(repr=False)
    meta: Meta
    start: int
    header: Header = field(repr=False)
    ids: InstanceIds = field(repr=False)
    runs: Runs = field(default_factory=dict, repr=False)

    @property
    def encoding(self) -> Encoding:
        return self.header.encoding


@dataclass(frozen=True, slots=True)
class Rewritten:
    """One result as byte ranges, in order. ``treated``: elements by what was done to them, in sequences too.

    ``pixel_offset``: where in the result the pixel data's value starts; None without pixels, or when deflated.
    ``header``: the data set up to the pixels (inflated), one of the parts.
    """

    parts: tuple[Part, ...] = field(repr=False)
    ids: InstanceIds = field(repr=False)
    new_ids: InstanceIds
    pixel_offset: int | None
    treated: Mapping[Treatment, int]
    header: bytes = field(repr=False)
    encoding: Encoding

    @property
    def size(self) -> int:
        return sum(len(part) for part in self.parts)

    def body(self) -> bytes:
        """The whole result in one piece."""
        return b"".join(self.parts)


def open_object(raw: bytes | memoryview | mmap.mmap, shared: SharedRuns | None = None) -> RawObject:
    """Find the header of ``raw``; nothing is decoded but the ids. ``shared``: of the headers that came before.

    Raises:
        InstanceRefusedError: EMPTY_FILE, NOT_DICOM, MEDIA_DIRECTORY, UNKNOWN_TRANSFER_SYNTAX, TRUNCATED, MALFORMED,
            NESTED_TOO_DEEP, TOO_LARGE, MISSING_IDENTIFIER or INVALID_UID.
    """
    if not len(raw):
        raise InstanceRefusedError(Reason.EMPTY_FILE, rule="dicom.size", detail="0 bytes")
    whole: Buffer = bytes(raw) if isinstance(raw, memoryview) else raw
    buffer = whole
    meta = read_meta(buffer)
    start = meta.dataset_start
    if meta.deflated:
        buffer, start = inflate(buffer[start:], whole=True), 0
    encoding = encoding_of(meta.transfer_syntax)
    outline = NO_OUTLINE if shared is None else shared.find(buffer, start, encoding)
    if outline.places is not None:
        header = Header(buffer, encoding, outline.places)
    else:
        header = read_header(buffer, start, encoding, last_group=DESCRIBING_GROUPS)
    if not all(tag in header.places for tag in _NEEDED):
        header = read_header(buffer, start, encoding, runs=outline.runs)  # elements out of order: look at all of them
    values = {tag: header.value(tag) for tag in ID_TAGS}
    ids = ids_of_values(values, transfer_syntax=meta.transfer_syntax)
    return RawObject(whole, buffer, meta, start, header, ids, outline.runs)


def shared_runs() -> SharedRuns:
    """An empty memory of what headers have in common: for ``open_object``, with one object after the other."""
    return SharedRuns(apart=APART, bound=(DESCRIBING_GROUPS + 1) << 16)


@dataclass(slots=True)
class StudyRewriter:
    """All objects of one patient under one policy. ``cleaner`` must not change: another one needs another rewriter."""

    rulebook_for: RuleBookFor = field(repr=False)
    pseudonyms: Pseudonyms
    patient: PatientIdentity = field(repr=False)
    cleaner: Cleaner = field(repr=False)
    declaration: Declaration
    _memo: ScopeMemo = field(init=False, repr=False)
    _books: dict[tuple[str, str, str], RuleBook] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        self._memo = ScopeMemo(ValueRewriter(self.pseudonyms, self.patient, self.cleaner))

    def rewrite(
        self, raw: bytes | memoryview | mmap.mmap | RawObject, *, declaration: Declaration | None = None
    ) -> Rewritten:
        """One object de-identified. ``declaration``: instead of the study's, where more was done to this object.

        Raises:
            InstanceRefusedError: as ``open_object``; PIXELS_UNREADABLE: less pixel data than its description asks for;
                MIXED_PATIENTS: it is another patient's.
        """
        opened = raw if isinstance(raw, RawObject) else open_object(raw)
        if opened.ids.patient != self.patient:
            raise InstanceRefusedError(
                Reason.MIXED_PATIENTS, rule="study.patient", detail="an object of another patient than its study"
            )
        self._memo.keep_bounded()
        header, encoding = opened.header, opened.encoding
        said = declaration or self.declaration
        runs = opened.runs if all(tag in APART for tag, _ in said.states) else NO_RUNS
        own = frozenset(said.methods)
        work = DataSetRewriter(opened.buffer, self._memo, _pixel_cleaner(opened), runs, own_methods=own)
        scope = self._memo.scope(self._book(header), (), encoding, header.charset)
        before, _ = work.data_set(opened.start, len(opened.buffer), scope)
        merged = _with_declared(before, declared_elements(said, work.history, encoding), encoding, replaced=said.states)
        new_ids = self._new_ids(opened.ids)
        meta = file_meta(new_ids)
        top = b"".join(merged)
        parts: list[Part] = [meta, top, *work.pixels, *(part for part in work.after if part)]
        offset = len(meta) + len(top) + len(work.pixels[0]) if work.pixels else None
        if opened.meta.deflated:
            parts, offset = [meta, deflate(parts[1:])], None
        treated = {TREATMENTS[index]: number for index, number in enumerate(work.counts) if number}
        return Rewritten(tuple(parts), opened.ids, new_ids, offset, treated, top, encoding)

    def book_of(self, opened: RawObject) -> RuleBook:
        """The rules for an object of its kind."""
        return self._book(opened.header)

    def _book(self, header: Header) -> RuleBook:
        key = (header.text(_SOP_CLASS), header.text(_MODALITY), header.text(_MANUFACTURER))
        if key not in self._books:
            self._books[key] = self.rulebook_for(*key)
        return self._books[key]

    def _new_ids(self, ids: InstanceIds) -> InstanceIds:
        """As the values themselves are rewritten."""
        uid = self._memo.values.new_uid
        return InstanceIds(
            patient=PatientIdentity(self._memo.values.pseudonym.decode("ascii")),
            study_uid=uid(ids.study_uid),
            series_uid=uid(ids.series_uid),
            sop_instance_uid=uid(ids.sop_instance_uid),
            sop_class_uid=ids.sop_class_uid,
            transfer_syntax_uid=ids.transfer_syntax_uid,
        )


def _with_declared(
    parts: list[Part],
    declared: list[tuple[int, bytes]],
    encoding: Encoding,
    *,
    replaced: tuple[tuple[int, str], ...] = (),
) -> list[Part]:
    """The top level with the declared elements in their places; those in ``replaced`` are the source's no longer."""
    found = [part for part in parts if part]
    unpack = encoding.tag.unpack_from
    tags = [group << 16 | number for group, number in map(unpack, found)]
    if replaced:
        own = {tag for tag, _ in replaced}
        found = [part for part, tag in zip(found, tags, strict=True) if tag not in own]
        tags = [tag for tag in tags if tag not in own]
    # Before the first that comes after it: that is the same place whether or not neighbours were rewritten as one run,
    # also where the source's tags are out of order.
    merged: list[Part] = []
    done = 0
    for tag, element in sorted(declared, key=itemgetter(0)):
        start = done
        while done < len(tags) and tags[done] < tag:
            done += 1
        merged += found[start:done]
        merged.append(element)
    return merged + found[done:]


def _pixel_cleaner(opened: RawObject) -> Callable[[Buffer, int, int, bool], list[Part]]:
    view, header = memoryview(opened.buffer), opened.header
    syntax = UID(opened.meta.transfer_syntax)
    compressed = syntax.is_compressed and not syntax.is_deflated

    def clean(buffer: Buffer, start: int, stop: int, encapsulated: bool) -> list[Part]:
        if encapsulated is not compressed:
            raise InstanceRefusedError(
                Reason.PIXELS_UNREADABLE,
                rule="pixels.encapsulated",
                detail="pixel data in fragments where the transfer syntax has none, or the other way round",
            )
        if encapsulated:
            return list(clean_fragments(buffer, start, stop, _encapsulated(opened)))
        described = pixel_description(header)
        if stop - start < described.exact:
            raise InstanceRefusedError(
                Reason.PIXELS_UNREADABLE,
                rule="pixels.length",
                detail=f"{stop - start} bytes of pixel data, the description asks for {described.exact}",
            )
        return [view[start : min(stop, start + described.length)]]

    return clean


def _encapsulated(opened: RawObject) -> Encapsulated:
    """What the header says of compressed frames."""
    header, order = opened.header, "little" if opened.encoding.little else "big"
    rows, columns = (int.from_bytes(header.value(tag), order) for tag in (ROWS, COLUMNS))  # type: ignore[arg-type]
    frames = header.text(FRAMES)
    return Encapsulated(
        opened.meta.transfer_syntax, frames=int(frames) if frames.isdigit() else 1, samples=rows * columns
    )


def deflate(parts: Iterable[Part]) -> bytes:
    """PS3.5 section A.5: a raw deflate stream, padded to even length."""
    machine = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    body = b"".join([*(machine.compress(part) for part in parts), machine.flush()])
    return body + b"\0" * (len(body) & 1)


def file_meta(ids: InstanceIds) -> bytes:
    """Preamble and new file meta information (PS3.10 section 7.1); of the old one only the transfer syntax is taken."""
    before, after = _meta_around(ids.sop_class_uid, ids.transfer_syntax_uid)
    instance = EXPLICIT_LITTLE.write(0x00020003, "UI", ids.sop_instance_uid.encode("ascii"))
    length = len(before) + len(instance) + len(after)
    return PREAMBLE + b"\2\0\0\0UL\4\0" + length.to_bytes(4, "little") + before + instance + after


@lru_cache(maxsize=256)
def _meta_around(sop_class_uid: str, transfer_syntax_uid: str) -> tuple[bytes, bytes]:
    """What stands before and after the instance's own UID."""
    write = EXPLICIT_LITTLE.write
    before = write(0x00020001, "OB", b"\0\1") + write(0x00020002, "UI", sop_class_uid.encode("ascii"))
    after = b"".join(
        (
            write(0x00020010, "UI", transfer_syntax_uid.encode("ascii")),
            write(0x00020012, "UI", IMPLEMENTATION_UID.encode("ascii")),
            write(0x00020013, "SH", IMPLEMENTATION_NAME.encode("ascii")),
        )
    )
    return before, after
