"""The shape of a header (``header_shape``) found where its bytes lie: a header like the last costs a dozen elements.

Finer than that of a parsed header: of dates, times, UIDs and texts it tells too whether they are well-formed, since
all that dciodvfy calls an error counts here. Private elements count as present: no definition asks for them.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.dicom.elements import Buffer, walk
from ingestion.dicom.encoding import IMPLICIT_LITTLE, UNDEFINED, Encoding
from ingestion.dicom.header import PIXEL_GROUP, end_of_sequence, read_head
from ingestion.dicom.header_shape import kind_of
from ingestion.dicom.runs import Run, SharedRuns

KNOWN = 4096
"""Elements whose part in the shape is kept; emptied when full."""
COUNTED = frozenset({0x00080100, 0x00080102, 0x00081150})
"""Code value, coding scheme, referenced SOP class: context groups and conditions hang on them."""
_SOUND = {
    "DA": re.compile(rb"\d{8}"),
    "TM": re.compile(rb"\d{2}(?:\d{2}(?:\d{2}(?:\.\d{1,6})?)?)?"),
    "DT": re.compile(rb"\d{4,14}(?:\.\d{1,6})?(?:[+-]\d{4})?"),
    "AS": re.compile(rb"\d{3}[DWMY]"),
    "UI": re.compile(rb"(?=.{1,64}$)(?:0|[1-9]\d*)(?:\.(?:0|[1-9]\d*))*"),
}
"""PS3.5 table 6.2-1, one value."""
_LONGEST = {"SH": 16, "AE": 16, "LO": 64, "PN": 64, "ST": 1024, "LT": 10240}
_UNPRINTED = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f-\xff]")


@dataclass(frozen=True, slots=True)
class Shape:
    """``digest``: equal for headers of one shape. ``stop``: where the pixels, or the data, begin behind the header."""

    digest: str
    stop: int


@dataclass(slots=True)
class ByteShapes:
    """Of the headers of one series, raw or written; what was met before is not looked at again."""

    _shared: SharedRuns = field(
        default_factory=lambda: SharedRuns(apart=frozenset(), bound=PIXEL_GROUP << 16), repr=False
    )
    _runs: dict[Run, str] = field(default_factory=dict, repr=False)
    _known: dict[tuple[bytes, Encoding], str] = field(default_factory=dict, repr=False)

    def of(self, buffer: Buffer, start: int, encoding: Encoding) -> Shape:
        """The shape of the data set from ``start``.

        Raises:
            InstanceRefusedError: TRUNCATED, MALFORMED or NESTED_TOO_DEEP: the header cannot be followed.
        """
        runs = self._shared.find(buffer, start, encoding).runs
        said = [encoding.name]
        position, end = start, len(buffer)
        while position + 8 <= end:
            run = runs.get(position)
            if run is not None:
                said.append(self._of_run(run, encoding))
                position += run.size
                continue
            group, number, vr, value, length = read_head(buffer, position, encoding)
            if group >= PIXEL_GROUP:
                break
            stop = value + length
            if length == UNDEFINED:
                stop = end_of_sequence(buffer, value, IMPLICIT_LITTLE if vr == b"UN" else encoding, depth=1)
            said.append(self._of_element(group << 16 | number, vr, buffer[position:stop], value - position, encoding))
            position = stop
        return Shape(hashlib.sha256("\n".join(said).encode()).hexdigest()[:32], position)

    def _of_run(self, run: Run, encoding: Encoding) -> str:
        if run not in self._runs:
            if len(self._runs) >= KNOWN:
                self._runs.clear()
            self._runs[run] = "\n".join(
                self._of_element(
                    item.tag,
                    item.vr or read_head(run.data, item.start, encoding)[2],
                    run.data[item.start : item.stop],
                    item.value - item.start,
                    encoding,
                )
                for item in run.elements
            )
        return self._runs[run]

    def _of_element(self, tag: int, vr: bytes, data: bytes, head: int, encoding: Encoding) -> str:
        key = (data, encoding)
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= KNOWN:
                self._known.clear()
            found = self._known[key] = _said(tag, vr.decode("ascii"), data, head, encoding)
        return found


def _said(tag: int, vr: str, data: bytes, head: int, encoding: Encoding) -> str:
    if tag >> 16 & 1:
        return f"{tag:08X} private"
    if vr != "SQ":
        return f"{tag:08X} {vr} {_kind(tag, vr, data[head:])}"
    digest = hashlib.sha256()
    try:
        for item in walk(data, 0, implicit=encoding.implicit, little=encoding.little):
            kind = _kind(item.tag, item.vr.decode("ascii"), data[item.start : item.start + item.length])
            digest.update(f"{item.depth} {item.tag:08X} {item.vr!r} {kind if item.vr != b'SQ' else ''}\n".encode())
    except InstanceRefusedError:
        digest.update(data)  # a shape of its own
    return f"{tag:08X} SQ {digest.hexdigest()}"


def _kind(tag: int, vr: str, value: bytes) -> str:
    if tag >> 16 & 1:
        return "private"
    if tag in COUNTED:
        return repr(value)
    kind = kind_of(tag, vr, value, raw=True)
    if kind != "any":
        return kind
    stripped = value.rstrip(b" \0")
    if vr in _SOUND:
        parts = stripped.split(b"\\")
        return f"{len(parts)} {all(not part or _SOUND[vr].fullmatch(part.strip()) for part in parts)}"
    if vr in _LONGEST:
        parts = [stripped] if vr in ("ST", "LT") else stripped.split(b"\\")
        return f"{len(parts)} {max(map(len, parts)) <= _LONGEST[vr]} {_UNPRINTED.search(value) is not None}"
    return kind
