"""Images read for their values: what pydicom would give, at a fraction of its cost.

The header is scanned once, up to the pixel data; an element is decoded when it is asked for, and one that many
instances share once for all. Pixel data of a file stays there until its frames are read. What the scanner does not
take (deflated, malformed, cut off) is left to pydicom, so that nothing is read differently.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any, TypeAlias, cast

from pydicom import dcmread
from pydicom.charset import convert_encodings
from pydicom.datadict import tag_for_keyword
from pydicom.dataelem import DataElement, RawDataElement, convert_raw_data_element
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.tag import BaseTag
from pydicom.valuerep import AMBIGUOUS_VR

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.dicom.elements import PIXEL_DATA
from ingestion.dicom.encoding import EXPLICIT_LITTLE, UNDEFINED, Encoding, encoding_of
from ingestion.dicom.guard import PARSER_ERRORS
from ingestion.dicom.header import CHARSET, PIXEL_GROUP, Header, end_of_fragments, read_head, read_header, truncated
from ingestion.dicom.reading import FIRST_CHUNK, MAX_HEADER, PREAMBLE, PREFIX, read_meta
from ingestion.dicom.summary import INSTANCE_KEYWORDS

SHARED = frozenset(
    tag_for_keyword(keyword)
    for keyword in (
        *INSTANCE_KEYWORDS, "SpecificCharacterSet", "SOPClassUID", "Modality", "StudyInstanceUID", "SeriesInstanceUID",
        "FrameOfReferenceUID", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit",
        "PixelRepresentation", "PixelPaddingValue", "PixelPaddingRangeLimit", "RescaleType", "CTDIvol",
        "ExposureIndex", "ComplexImageComponent", "IrradiationEventUID",
    )
)  # fmt: skip
"""What volumes and measures ask of every instance: decoded at once, each value one time."""
SHARED_UP_TO = 256
"""Bytes of the longest element worth keeping: what instances share are short texts and numbers."""
TRAILING_GROUP = 0xFFFC
"""Data Set Trailing Padding (PS3.10, 7.2)."""
KEPT = 4096
"""Elements that are kept; then all are forgotten."""

Elements: TypeAlias = dict[BaseTag, DataElement | RawDataElement]


class _LeftToPydicomError(Exception):
    """The scanner does not read this object."""


@dataclass(frozen=True, slots=True)
class _Scanned:
    elements: Elements
    meta: Elements
    encoding: Encoding
    charset: bytes


@dataclass(slots=True)
class ImageReader:
    """Reads the instances of a series, one after another. The data sets share elements: not to be changed."""

    _known: dict[tuple[Encoding, bytes], dict[bytes, DataElement | RawDataElement]] = field(
        default_factory=dict, repr=False
    )
    """By encoding and character set, then by the bytes of an element."""

    def from_bytes(self, body: bytes) -> Dataset:
        """The instance that ``body`` holds, its pixel data too.

        Raises:
            InvalidDicomError, or one of ``PARSER_ERRORS``: as pydicom does.
        """
        try:
            return _dataset(BytesIO(), self._scanned(body, size=len(body), pixels=True))
        except (InstanceRefusedError, _LeftToPydicomError):
            return dcmread(BytesIO(body))

    def from_file(self, path: Path) -> Dataset:
        """The instance in a file. Its pixel data is read when it is asked for, the header alone now.

        Raises:
            OSError: the file cannot be read.
            InvalidDicomError, or one of ``PARSER_ERRORS``: as pydicom does.
        """
        try:
            return _dataset(str(path), self._header_of(path))
        except (InstanceRefusedError, _LeftToPydicomError):
            return dcmread(path)

    def _header_of(self, path: Path) -> _Scanned:
        with path.open("rb", buffering=0) as stream:
            size, body, wanted = os.fstat(stream.fileno()).st_size, b"", FIRST_CHUNK
            while True:
                body += stream.read(wanted - len(body))
                try:
                    return self._scanned(body, size=size, pixels=False)
                except InstanceRefusedError as refused:
                    if refused.reason is not Reason.TRUNCATED or len(body) < wanted or wanted >= MAX_HEADER:
                        raise
                    wanted *= 8

    def _scanned(self, body: bytes, *, size: int, pixels: bool) -> _Scanned:
        """What ``body`` holds, the beginning of an object of ``size`` bytes; its pixel data if ``pixels``.

        Raises:
            InstanceRefusedError: TRUNCATED where the header goes on after ``body``; others.
            _LeftToPydicomError: what is no fault, but not for this scanner.
        """
        meta = read_meta(body)
        encoding, start = encoding_of(meta.transfer_syntax), meta.dataset_start
        # pydicom believes a first VR more than the transfer syntax.
        if meta.deflated or not _has_preamble(body) or (encoding.implicit and body[start + 4 : start + 6].isupper()):
            raise _LeftToPydicomError
        header = read_header(body, start, encoding)
        end = max((place[3] for place in header.places.values()), default=start)
        if end == len(body) < size:
            raise truncated("the header goes on")
        charset = header.value(CHARSET)
        elements = self._elements(header, charset) | _pixels(body, end, encoding, size=size, read=pixels)
        return _Scanned(elements, _meta(body, start), encoding, charset)

    def _elements(self, header: Header, charset: bytes) -> Elements:
        """All before the pixel data: those in ``SHARED`` decoded, others as pydicom holds what is not decoded yet."""
        body, encoding = header.buffer, header.encoding
        known = self._known.setdefault((encoding, charset), {})
        if len(known) > KEPT:
            known.clear()
        found: Elements = {}
        for number, (vr, start, value, stop) in header.places.items():
            whole = body[start:stop]
            element = known.get(whole)
            if element is None:
                if vr == b"UN" and _no_length(body, value, encoding):
                    raise _LeftToPydicomError  # a sequence in another encoding
                element = _raw(_tag(number), vr, body[value:stop], value, encoding)
                if len(whole) <= SHARED_UP_TO:
                    element = known[whole] = _decoded(element, charset) if number in SHARED else element
            found[element.tag] = element
        return found


_tag = lru_cache(maxsize=4096)(BaseTag)


def _has_preamble(body: bytes) -> bool:
    return body[PREAMBLE : PREAMBLE + len(PREFIX)] == PREFIX


def _no_length(body: Any, value: int, encoding: Encoding) -> bool:
    return bool(encoding.u32.unpack_from(body, value - 4)[0] == UNDEFINED)


def _raw(tag: BaseTag, vr: bytes, value: bytes | None, place: int, encoding: Encoding) -> RawDataElement:
    name = None if encoding.implicit else vr.decode("ascii")
    return RawDataElement(tag, name, len(value or b""), value, place, encoding.implicit, encoding.little)


def _decoded(raw: RawDataElement, charset: bytes) -> DataElement | RawDataElement:
    """``raw`` as it is where its VR hangs on another element."""
    try:
        element = convert_raw_data_element(raw, encoding=_encodings(charset))
    except PARSER_ERRORS:
        raise _LeftToPydicomError from None  # which raises when the value is asked for
    return raw if element.VR in AMBIGUOUS_VR else element


def _pixels(body: bytes, position: int, encoding: Encoding, *, size: int, read: bool) -> Elements:
    """The group of the pixel data. ``read`` False: where Pixel Data is, for pydicom or ``stored_frames`` to fetch."""
    found: Elements = {}
    while position < len(body):
        group, number, vr, value, length = read_head(body, position, encoding)
        if group == TRAILING_GROUP:
            break
        if group != PIXEL_GROUP:
            raise _LeftToPydicomError  # out of order
        tag = _tag(group << 16 | number)
        stop = value + length
        if length == UNDEFINED:
            if tag != PIXEL_DATA:
                raise _LeftToPydicomError
            stop = end_of_fragments(body, value, encoding) if read else value
        elif stop > size:
            raise _LeftToPydicomError  # cut off
        if tag == PIXEL_DATA and not read:
            found[tag] = _raw(tag, vr, None, value, encoding)._replace(length=length)
            break
        if stop > len(body):
            raise truncated("the header goes on")
        found[tag] = _raw(tag, vr, body[value:stop], value, encoding)._replace(length=length)
        position = stop + 8 if length == UNDEFINED else stop  # after the delimiter
    return found


def _meta(body: bytes, end: int) -> Elements:
    """The file meta information, which ends where the data set starts."""
    found: Elements = {}
    position = PREAMBLE + len(PREFIX)
    while position < end:
        group, number, vr, value, length = read_head(body, position, EXPLICIT_LITTLE)
        position = value + length
        tag = _tag(group << 16 | number)
        found[tag] = _raw(tag, vr, body[value:position], value, EXPLICIT_LITTLE)
    return found


@lru_cache(maxsize=64)
def _encodings(charset: bytes) -> list[str]:
    raw = RawDataElement(_tag(CHARSET), "CS", len(charset), charset, 0, False, True)
    try:
        return convert_encodings(convert_raw_data_element(raw).value)
    except PARSER_ERRORS:
        raise _LeftToPydicomError from None


def _dataset(source: str | BytesIO, scanned: _Scanned) -> FileDataset:
    encoding = scanned.encoding
    dataset = FileDataset(
        source,
        cast(Any, scanned.elements),
        file_meta=FileMetaDataset(cast(Any, scanned.meta)),
        is_implicit_VR=encoding.implicit,
        is_little_endian=encoding.little,
    )
    dataset.set_original_encoding(encoding.implicit, encoding.little, [*_encodings(scanned.charset)])
    return dataset
