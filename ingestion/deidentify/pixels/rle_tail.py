"""What of an RLE frame is no sample, and room for a text (PS3.5 annex G): unused offsets of its header, and bytes
behind the last run of a segment."""

from __future__ import annotations

import struct

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason

HEADER = 64
MOST_SEGMENTS = 15


def without_tails(frame: bytes, *, samples: int) -> bytes:
    """``frame`` with the unused bytes of its header and those behind each segment's last run set to 0.

    ``samples``: bytes of one segment, decoded.

    Raises:
        InstanceRefusedError: MALFORMED: the header or a segment is not what the standard says.
    """
    if len(frame) < HEADER:
        raise _malformed("shorter than its header")
    number, *offsets = struct.unpack_from("<16L", frame)
    starts = offsets[:number]
    if not 0 < number <= MOST_SEGMENTS or starts != sorted(starts) or starts[0] < HEADER or starts[-1] >= len(frame):
        raise _malformed("a header that names no segments")
    cleaned = bytearray(frame)
    unused = 4 + 4 * number  # offsets of segments that are not there, and what stands before the first one that is
    cleaned[unused : starts[0]] = bytes(starts[0] - unused)
    for start, stop in zip(starts, [*starts[1:], len(frame)], strict=True):
        end = _end_of_runs(frame, start, stop, samples)
        cleaned[end:stop] = bytes(stop - end)
    return bytes(cleaned)


def _end_of_runs(frame: bytes, position: int, stop: int, samples: int) -> int:
    made = 0
    while made < samples:
        if position >= stop:
            raise _malformed("a segment that ends before its samples do")
        control = frame[position]
        if control < 128:
            made, position = made + control + 1, position + control + 2
        elif control > 128:
            made, position = made + 257 - control, position + 2
        else:
            position += 1
    if position > stop:
        raise _malformed("a run that passes the end of its segment")
    return position


def _malformed(detail: str) -> InstanceRefusedError:
    return InstanceRefusedError(Reason.MALFORMED, rule="pixels.rle", detail=f"an RLE frame with {detail}")
