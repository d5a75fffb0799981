"""One stored object, opened once for all checks: its bytes, its header, where its pixels stand."""

from __future__ import annotations

from dataclasses import dataclass, field
from io import BytesIO

from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import UID

from ingestion.accounting.manifest import ManifestInstance
from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.dicom.encoding import UNDEFINED, Encoding, encoding_of
from ingestion.dicom.guard import PARSER_ERRORS
from ingestion.dicom.header import PIXEL_GROUP, end_of_fragments, read_head, read_header
from ingestion.dicom.reading import inflate, read_meta

PIXEL_NUMBERS = {0x0008: "FloatPixelData", 0x0009: "DoubleFloatPixelData", 0x0010: "PixelData"}
"""Element numbers of group 7FE0 that hold pixels."""


class ObjectDamagedError(Exception):
    """The object cannot be opened. ``detail`` holds numbers and our own words."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


@dataclass(frozen=True, slots=True)
class PixelPlace:
    """Bytes ``start`` to ``stop`` of ``StoredObject.data``. ``missing``: bytes lacking at the end, at least."""

    keyword: str
    start: int
    stop: int
    encapsulated: bool
    missing: int = 0
    ended: bool = True
    """False: all fragments are there, and the delimiter after the last is not."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """``data`` is the body, inflated where it was deflated; ``header`` the data set without pixels."""

    item: ManifestInstance
    syntax: UID
    header: Dataset = field(repr=False)
    data: bytes = field(repr=False)
    pixels: PixelPlace | None = None

    @property
    def uid(self) -> str:
        """The SOPInstanceUID that faults name: the manifest's, for the header's may be the fault."""
        return self.item.SOPInstanceUID

    def number(self, keyword: str, default: int = 0) -> int:
        """A whole number of the header; ``default`` where it is missing or no number."""
        try:
            value = self.header.get(keyword)
            return default if value in (None, "") else int(value)
        except PARSER_ERRORS:
            return default


def open_object(item: ManifestInstance, body: bytes) -> StoredObject:
    """Raises ``ObjectDamagedError`` when the structure ends early or is none."""
    try:
        meta = read_meta(body)
        data, start = (
            (inflate(body[meta.dataset_start :], whole=True), 0) if meta.deflated else (body, meta.dataset_start)
        )
        encoding = encoding_of(meta.transfer_syntax)
        places = read_header(data, start, encoding).places
        position = max((place[3] for place in places.values()), default=start)
        pixels = None
        while position + 8 <= len(data):
            group, number, _, value, length = read_head(data, position, encoding)
            if group > PIXEL_GROUP:
                break
            if length == UNDEFINED:
                pixels = _encapsulated(data, value, encoding)
                break
            if number in PIXEL_NUMBERS:
                stop = min(value + length, len(data))
                pixels = PixelPlace(PIXEL_NUMBERS[number], value, stop, False, missing=value + length - stop)
                break
            position = value + length
        header = dcmread(BytesIO(body), stop_before_pixels=True, force=True)
    except InstanceRefusedError as refused:
        raise ObjectDamagedError(refused.detail) from None
    except PARSER_ERRORS as error:
        raise ObjectDamagedError(f"not readable as DICOM ({type(error).__name__})") from None
    return StoredObject(item, UID(meta.transfer_syntax), header, data, pixels)


def _encapsulated(data: bytes, start: int, encoding: Encoding) -> PixelPlace:
    try:
        return PixelPlace("PixelData", start, end_of_fragments(data, start, encoding), True)
    except InstanceRefusedError:
        position = start
        while position + 8 <= len(data):
            *_, length = encoding.item.unpack_from(data, position)
            position += 8 + length
        lacking = max(position - len(data), 0)
        return PixelPlace("PixelData", start, len(data), True, missing=lacking, ended=False)
