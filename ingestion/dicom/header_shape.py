"""The shape of a header: all that dciodvfy's findings on which readers stumble depend on.

Slices of one series differ in positions, numbers and UIDs, and in nothing that a definition asks for. Headers of one
shape get one answer, so that each file of a series of 300 is judged at the cost of one or two calls of the program.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

from pydicom.datadict import dictionary_VR
from pydicom.dataelem import RawDataElement
from pydicom.dataset import Dataset
from pydicom.tag import BaseTag

from ingestion.dicom.guard import PARSER_ERRORS

NUMBER = re.compile(r" *[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[Ee][+-]?\d+)? *")
"""One Decimal String (PS3.5 section 6.2)."""
WHOLE = re.compile(r" *[+-]?\d+ *")
LONGEST = {"DS": 16, "IS": 12}
CLOSED = frozenset({"CS", "US", "SS", "AT"})
"""Of these the value itself counts: enumerated values, and the conditions of modules and attributes."""
OF_THE_PIXELS = range(0x00280106, 0x0028010A)
"""Smallest and largest pixel value: whole numbers that differ by slice and decide nothing."""


class Shapes:
    """Of the headers of one series; sequences that were met before are not parsed again."""

    def __init__(self) -> None:
        self._known: dict[tuple[int, bytes], str] = {}

    def of(self, header: Dataset) -> str:
        """Digest (32 hex digits): equal for headers with the same attributes, kinds of values and coded values."""
        return hashlib.sha256(self._said(header).encode(errors="replace")).hexdigest()[:32]

    def _said(self, dataset: Dataset) -> str:
        return "\n".join(self._element(dataset, tag) for tag in sorted(dataset.keys()))

    def _element(self, dataset: Dataset, tag: BaseTag) -> str:
        item = dataset.get_item(tag)
        if item is None:  # a deferred value: never with the header in memory
            return f"{tag:08X} ?"
        value = item.value
        vr = item.VR or _known_vr(tag)
        if vr == "SQ":
            return self._sequence(dataset, tag, value if isinstance(item, RawDataElement) else None)
        return f"{tag:08X} {vr} {kind_of(int(tag), vr, value, raw=isinstance(item, RawDataElement))}"

    def _sequence(self, dataset: Dataset, tag: BaseTag, raw: bytes | None) -> str:
        key = (int(tag), hashlib.sha256(raw).digest()) if raw else None
        if key is not None and key in self._known:
            return self._known[key]
        try:
            items = [self._said(item) for item in dataset[tag].value or ()]
        except PARSER_ERRORS as error:
            items = [type(error).__name__]
        # frames that are alike are said once
        said = f"{tag:08X} SQ {len(items) > 0}({'|'.join(dict.fromkeys(items))})"
        if key is not None:
            self._known[key] = said
        return said


@lru_cache(maxsize=4096)
def _known_vr(tag: BaseTag) -> str:
    try:
        return dictionary_VR(tag)
    except KeyError:
        return "UN"


def kind_of(tag: int, vr: str, value: object, *, raw: bool) -> str:
    """What counts of one value."""
    if value is None or (isinstance(value, (bytes, str, list)) and not len(value)):
        return "empty"
    if vr in CLOSED or tag == 0x00080016:
        return "any" if tag in OF_THE_PIXELS else repr(value)
    if vr not in LONGEST:
        blank = isinstance(value, (bytes, str)) and not value.strip()
        return "blank" if blank else "any"
    text = value.decode("latin-1") if raw and isinstance(value, bytes) else None
    if text is None:  # decoded already, so each of its parts was a number
        parts = value if isinstance(value, (list, tuple)) else [value]
        return f"{len(parts)} decoded"
    pattern, longest = (NUMBER if vr == "DS" else WHOLE), LONGEST[vr]
    parts = text.rstrip("\0").split("\\")
    sound = all(not part.strip() or (len(part) <= longest and pattern.fullmatch(part)) for part in parts)
    # a value that is no number is named for itself: each has a fault of its own
    return f"{len(parts)} {'sound' if sound else text}"
