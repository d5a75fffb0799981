"""What of an RLE frame is no sample, and room for a text (PS3.5 annex G): unused offsets of its header, and bytes
behind the last sample of a segment."""

from __future__ import annotations

import struct

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason

HEADER = 64
MOST_SEGMENTS = 15
NOTHING = 128
"""The control byte that stands for no sample; below it unlike bytes follow, above it one byte to repeat."""
_MADE = (*range(1, NOTHING + 1), 0, *range(NOTHING, 1, -1))
_STEP = (*range(2, NOTHING + 2), 1, *(2 for _ in range(NOTHING + 1, 256)))
"""By control byte: samples that its run gives, and bytes that it takes."""


def without_tails(frame: bytes, *, samples: int) -> bytes:
    """``frame`` with the unused bytes of its header and those behind each segment's last sample set to 0; the same
    object where all are.

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
    free = [(4 + 4 * number, starts[0])]  # offsets of segments that are not there, and what stands before the first
    for start, stop in zip(starts, [*starts[1:], len(frame)], strict=True):
        free.append((_end_of_samples(frame, start, stop, samples), stop))
    if all(frame.count(0, start, stop) == stop - start for start, stop in free):
        return frame
    cleaned = bytearray(frame)
    for start, stop in free:
        cleaned[start:stop] = bytes(stop - start)
    return bytes(cleaned)


def _end_of_samples(frame: bytes, position: int, stop: int, samples: int) -> int:
    """Behind the byte that the last sample needs: what a last run of unlike bytes has beyond it is free as well."""
    made, control = 0, NOTHING
    try:
        # Two look-ups a run: a slice has some 25,000 runs, and this is most of what its frame costs.
        while made < samples:
            control = frame[position]
            made += _MADE[control]
            position += _STEP[control]
    except IndexError:
        raise _malformed("a segment that ends before its samples do") from None
    if position > stop:
        raise _malformed("a run that passes the end of its segment")
    return position - (made - samples if control < NOTHING else 0)


def _malformed(detail: str) -> InstanceRefusedError:
    return InstanceRefusedError(Reason.MALFORMED, rule="pixels.rle", detail=f"an RLE frame with {detail}")
