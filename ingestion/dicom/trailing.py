"""A file with bytes behind its last element, told apart from one that ends too early: parsers take the one for the
other, since they read what is behind as the head of a further element."""

from __future__ import annotations

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.dicom.elements import Buffer
from ingestion.dicom.encoding import IMPLICIT_LITTLE, UNDEFINED, Encoding, encoding_of
from ingestion.dicom.header import PIXELS, end_of_fragments, end_of_sequence, read_head
from ingestion.dicom.reading import read_meta

RULE = "dicom.trailing"
BEHIND_PIXELS = frozenset({0xFFFA, 0xFFFC})
"""Groups that may follow the pixel data: digital signatures, and padding (PS3.5 annex D, PS3.10 section 7.2)."""
HEAD = 8
"""Bytes of the shortest head."""


def told_apart(refused: InstanceRefusedError, raw: Buffer) -> InstanceRefusedError:
    """``refused``, or MALFORMED with the number of bytes where ``raw`` goes on behind its last element."""
    if refused.reason not in (Reason.TRUNCATED, Reason.MALFORMED):
        return refused
    try:
        meta = read_meta(raw)
        behind = 0 if meta.deflated else _behind(raw, meta.dataset_start, encoding_of(meta.transfer_syntax))
    except InstanceRefusedError:
        return refused
    if not behind:
        return refused
    detail = f"{behind} byte{'s' if behind > 1 else ''} behind the last element"
    return InstanceRefusedError(Reason.MALFORMED, rule=RULE, detail=detail)


def _behind(buffer: Buffer, position: int, encoding: Encoding) -> int:
    size, last = len(buffer), 0
    while position < size:
        try:
            group, number, vr, value, length = read_head(buffer, position, encoding)
            stop, tag = value + length, group << 16 | number
            if length == UNDEFINED and tag in PIXELS:
                stop = end_of_fragments(buffer, value, encoding) + HEAD
            elif length == UNDEFINED:
                stop = end_of_sequence(buffer, value, IMPLICIT_LITTLE if vr == b"UN" else encoding, depth=1)
        except InstanceRefusedError:
            break
        if stop > size:
            break
        position, last = stop, tag
    rest = bytes(buffer[position : position + HEAD])
    return size - position if rest and _is_no_element(rest, last, encoding) else 0


def _is_no_element(rest: bytes, last: int, encoding: Encoding) -> bool:
    """Whether what stands behind the element ``last`` cannot be the beginning of a further one."""
    order = "little" if encoding.little else "big"
    group = int.from_bytes(rest[:2], order)  # type: ignore[arg-type]
    if last in PIXELS:
        return len(rest) < 2 or (group not in BEHIND_PIXELS and group != last >> 16)
    return 2 <= len(rest) < HEAD and group < last >> 16
