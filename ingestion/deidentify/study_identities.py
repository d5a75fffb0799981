"""What identifies someone anywhere in a study, gathered from the headers of its objects before the first is rewritten.

Gathered twice, by code that shares nothing: once for the rewriter, once for the verifier that checks it.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache, reduce
from operator import or_
from typing import BinaryIO

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason, ReasonGroup
from ingestion.deidentify.identity_scan import IdentityScan, Text
from ingestion.deidentify.structured import identities_in_content
from ingestion.deidentify.study import RawObject, open_object
from ingestion.deidentify.text import IdentityCollector
from ingestion.deidentify.verification import Identities, UnreadableError, identities_in, read_layout
from ingestion.dicom.encoding import IMPLICIT_LITTLE, UNDEFINED, encoding_of
from ingestion.dicom.guard import guarded
from ingestion.dicom.header import CHARSET, PIXEL_GROUP, end_of_sequence, read_head
from ingestion.dicom.reading import read_meta
from ingestion.sources.connector import Connector, SourceObject

FIRST_CHUNK = 1 << 18
"""Bytes read at first: nearly all headers end within."""
REMEMBERED = 8192
"""Headers whose identities a process remembers: those of some studies."""
NOBODY = Identities(frozenset(), frozenset(), frozenset(), frozenset())
OF_THE_ENTITIES = 0x00280000
"""Attributes of patient, study, series, equipment and frame of reference stand before it."""
_KIND = (CHARSET, 0x00080060, 0x00080070)
"""Character set, modality, manufacturer: with the SOP class they say which rules hold, and how texts are read."""


@dataclass(frozen=True, slots=True)
class Outline:
    """Objects of one series and outline are de-identified alike: they have the same kind and the same attributes,
    filled or empty. ``series_uid``: as delivered."""

    series_uid: str = field(repr=False)
    sop_class: str
    digest: str


@dataclass(frozen=True, slots=True)
class StudyIdentities:
    """``texts`` for the rewriter, ``raw`` for the verifier. Identities: stays in memory.

    ``outlines``: of each series and outline that the study has, the object with the first name.
    """

    texts: frozenset[Text] = field(repr=False)
    raw: Identities = field(repr=False)
    outlines: tuple[tuple[Outline, SourceObject], ...] = field(default=(), repr=False)


@dataclass(frozen=True, slots=True)
class _HeaderSays:
    texts: frozenset[Text] = field(repr=False)
    raw: Identities = field(repr=False)
    outline: Outline = field(repr=False)


def gather_identities(
    connector: Connector, own: Iterable[SourceObject], companions: Iterable[SourceObject | None]
) -> StudyIdentities:
    """Read the headers of a series' objects and of its companions of the same study.

    An object that cannot be read is refused in its own turn, and named there.

    Raises:
        InstanceRefusedError: CHANGED_WHILE_READING: a companion is away for now, so the names in it are not known.
        SourceGoneError: the source went away.
    """
    texts: set[Text] = set()
    raw: dict[Identities, None] = {}
    outlines: dict[Outline, SourceObject] = {}

    def add(item: SourceObject) -> None:
        found = _in_header(connector, item)
        first = outlines.setdefault(found.outline, item)
        if item.name < first.name:
            outlines[found.outline] = item
        texts.update(found.texts)
        raw.setdefault(found.raw)  # those of a series' objects are mostly equal

    for item in own:
        try:
            add(item)
        except (InstanceRefusedError, UnreadableError):
            continue  # met again, and accounted for, when the object's own turn comes
    for companion in companions:
        try:
            if companion is None:
                raise _away()
            add(companion)
        except InstanceRefusedError as refused:
            if refused.reason.group is ReasonGroup.TRANSIENT:
                raise _away() from None
        except UnreadableError:
            continue  # unreadable for the verifier: it is refused in its own series
    return StudyIdentities(frozenset(texts), reduce(or_, raw, NOBODY), tuple(outlines.items()))


@lru_cache(maxsize=REMEMBERED)
def _in_header(connector: Connector, item: SourceObject) -> _HeaderSays:
    """What one header says. Remembered by this process: every series of a study asks for all headers of the study."""
    with connector.open(item) as stream, guarded("identities"):
        header = read_to_pixels(stream, size=item.size)
        opened = open_object(header)
        texts = IdentityScan(IdentityCollector.wants).texts(opened.buffer, opened.start, opened.encoding)
        texts |= identities_in_content(opened)
        return _HeaderSays(texts, identities_in(read_layout(header)), _outline(opened))


def _outline(opened: RawObject) -> Outline:
    header = opened.header
    places = sorted((tag, start < stop) for tag, (_, _, start, stop) in header.places.items() if tag < OF_THE_ENTITIES)
    kind = b"\0".join(header.value(tag) for tag in _KIND)
    digest = hashlib.sha256(kind + array("Q", (tag << 1 | filled for tag, filled in places)).tobytes())
    return Outline(opened.ids.series_uid, opened.ids.sop_class_uid, digest.hexdigest()[:32])


def read_to_pixels(stream: BinaryIO, *, size: int) -> bytes:
    """The object up to its pixel data.

    Raises:
        InstanceRefusedError: as ``read_meta`` and ``read_head``.
    """
    buffer, wanted = b"", FIRST_CHUNK
    while True:
        while len(buffer) < wanted and (part := stream.read(wanted - len(buffer))):
            buffer += part
        whole = len(buffer) >= size or len(buffer) < wanted
        try:
            meta = read_meta(buffer)
            if not meta.deflated:
                return buffer[: _pixels_start(buffer, meta.dataset_start, meta.transfer_syntax)]
            if whole:
                return buffer
        except InstanceRefusedError as refused:
            if whole or refused.reason is not Reason.TRUNCATED:
                raise
        wanted *= 8


def _pixels_start(buffer: bytes, position: int, transfer_syntax: str) -> int:
    encoding, end = encoding_of(transfer_syntax), len(buffer)
    while position < end:
        group, _, vr, value, length = read_head(buffer, position, encoding)
        if group >= PIXEL_GROUP:
            return position
        if length == UNDEFINED:
            position = end_of_sequence(buffer, value, IMPLICIT_LITTLE if vr == b"UN" else encoding, depth=1)
        else:
            position = value + length
    if position > end:
        raise InstanceRefusedError(Reason.TRUNCATED, rule="dicom.length", detail="an element passes the end")
    return end


def _away() -> InstanceRefusedError:
    return InstanceRefusedError(
        Reason.CHANGED_WHILE_READING, rule="study.companion", detail="another series of its study cannot be read now"
    )
