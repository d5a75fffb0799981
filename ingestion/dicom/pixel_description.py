"""How many bytes of native pixel data a header asks for (PS3.5 section 8.1.1, PS3.3 section C.7.6.3)."""

from __future__ import annotations

from dataclasses import dataclass

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.dicom.header import Header

SAMPLES, PHOTOMETRIC, FRAMES, ROWS, COLUMNS, BITS = (
    0x00280002, 0x00280004, 0x00280008, 0x00280010, 0x00280011, 0x00280100,
)  # fmt: skip
DESCRIBING = (SAMPLES, PHOTOMETRIC, FRAMES, ROWS, COLUMNS, BITS)


@dataclass(frozen=True, slots=True)
class PixelDescription:
    """``length``: bytes of all frames, padded to even; the last sample ends at ``exact``."""

    exact: int

    @property
    def length(self) -> int:
        return self.exact + self.exact % 2


def pixel_description(header: Header) -> PixelDescription:
    """What ``header`` says of its native pixel data.

    Raises:
        InstanceRefusedError: PIXELS_UNREADABLE: Rows, Columns or Bits Allocated is missing, or no number.
    """
    little = header.encoding.little

    def number(tag: int, *, default: int | None = None) -> int:
        value = header.value(tag)
        if len(value) == 2:
            return int.from_bytes(value, "little" if little else "big")
        if default is None or value:
            raise _unreadable("Rows, Columns or BitsAllocated is missing")
        return default

    frames = header.text(FRAMES)
    if frames and not frames.isdigit():
        raise _unreadable("the number of frames is no number")
    samples = number(SAMPLES, default=1) or 1
    if header.text(PHOTOMETRIC) == "YBR_FULL_422":
        samples = 2  # two chroma values per two pixels (PS3.3 section C.7.6.3.1.2)
    bits = number(ROWS) * number(COLUMNS) * (int(frames or 1) or 1) * samples * number(BITS)
    return PixelDescription((bits + 7) // 8)


def _unreadable(detail: str) -> InstanceRefusedError:
    return InstanceRefusedError(Reason.PIXELS_UNREADABLE, rule="pixels.description", detail=detail)
