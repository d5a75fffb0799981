"""What is cut out of pixel data whatever it shows: bytes after the last sample, comments in compressed frames."""

from __future__ import annotations

import struct

from pydicom.dataset import Dataset

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason

_KEPT_APPS = {0xE0: b"JFIF", 0xE8: b"mrfx", 0xEE: b"Adobe"}
"""Application segments that a decoder needs: JFIF, the colour transform of JPEG-LS, Adobe's colour transform."""
_UNDEFINED = 0xFFFFFFFF


def clean_pixels(dataset: Dataset) -> None:
    """Cut what follows the last native sample, and blank the comment segments of compressed frames, in place."""
    if "PixelData" not in dataset:
        return
    syntax = dataset.file_meta.TransferSyntaxUID
    raw = dataset.PixelData
    cleaned = (
        clean_fragments(raw) if syntax.is_compressed and not syntax.is_deflated else raw[: _native_length(dataset)]
    )
    if cleaned != raw:
        dataset["PixelData"].value = cleaned


def _native_length(dataset: Dataset) -> int:
    samples = int(dataset.get("SamplesPerPixel") or 1)
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        samples = 2
    frames = int(dataset.get("NumberOfFrames") or 1)
    bits = int(dataset.Rows) * int(dataset.Columns) * frames * samples * int(dataset.BitsAllocated)
    length = (bits + 7) // 8
    return length + length % 2


def clean_fragments(encapsulated: bytes) -> bytes:
    """Blank the comments of JPEG, JPEG-LS and JPEG 2000 frames (ISO 10918-1 B.1.1.3, 15444-1 A.1), lengths kept.

    Raises:
        InstanceRefusedError: MALFORMED, or UNCLEANABLE_CONTENT for a JP2 container, whose boxes can hold anything.
    """
    buffer = bytearray(encapsulated)
    position = 0
    while position + 8 <= len(buffer):
        group, number, length = struct.unpack_from("<HHL", buffer, position)
        if (group, number) == (0xFFFE, 0xE0DD):
            del buffer[position + 8 :]
            break
        if (group, number) != (0xFFFE, 0xE000) or length == _UNDEFINED or position + 8 + length > len(buffer):
            raise InstanceRefusedError(Reason.MALFORMED, rule="pixels.fragments", detail="not a row of fragments")
        _clean_frame(buffer, position + 8, position + 8 + length)
        position += 8 + length
    return bytes(buffer)


def _clean_frame(buffer: bytearray, start: int, end: int) -> None:
    if buffer[start + 4 : start + 8] == b"jP  ":
        raise InstanceRefusedError(
            Reason.UNCLEANABLE_CONTENT, rule="pixels.jp2", detail="JPEG 2000 in a container with free boxes"
        )
    jpeg2000 = buffer[start : start + 2] == b"\xff\x4f"
    if not jpeg2000 and buffer[start : start + 2] != b"\xff\xd8":
        return  # RLE, the offset table, or the rest of a frame that began in another fragment
    last, comment = (0x90, 0x64) if jpeg2000 else (0xDA, 0xFE)
    position = start + 2
    while position + 4 <= end and buffer[position] == 0xFF and buffer[position + 1] != last:
        marker = buffer[position + 1]
        length = struct.unpack_from(">H", buffer, position + 2)[0]
        value, stop = position + 4, min(position + 2 + length, end)
        is_app = not jpeg2000 and 0xE0 <= marker <= 0xEF
        kept = is_app and buffer[value : value + 4] == (_KEPT_APPS.get(marker) or b"")[:4] and marker in _KEPT_APPS
        if marker == comment or (is_app and not kept):
            skip = 2 if jpeg2000 else 0  # the registration value says how to read the comment
            buffer[value + skip : stop] = bytes(max(0, stop - value - skip))
        position += 2 + length
