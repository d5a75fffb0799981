"""Boxes set to black in an object's own encoding, with no other pixel changed and no other frame touched.

Native pixels are written in place. A compressed frame that a box concerns is decoded, blanked, encoded without loss in
the same transfer syntax, decoded again and compared; frames without a box keep their bytes. In JPEG baseline and
extended, which have no encoding without loss, blocks of coefficients are set to black (``jpeg_blank``): the boxes grow
to blocks, all else is compared as decoded before and after. Other syntaxes whose pixels cannot be encoded again
exactly (progressive JPEG, JPEG XL, video) are refused: nothing is changed silently.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, encapsulate_extended, generate_frames
from pydicom.pixels import get_decoder, get_encoder, iter_pixels

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.deidentify.pixels.boxes import Box, mask_of
from ingestion.deidentify.pixels.jpeg_blank import blank_blocks, reached
from ingestion.deidentify.pixels.jpeg_head import JpegRefusedError, read_frame
from ingestion.deidentify.pixels.jpeg_lossless import encode_lossless, read_head
from ingestion.dicom.guard import PARSER_ERRORS

_JPEG_LOSSLESS = frozenset({uid.JPEGLossless, uid.JPEGLosslessSV1})
_JPEG_BLOCKS = frozenset({uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit})
_ENCODED_AS = {
    uid.RLELossless: uid.RLELossless,
    uid.JPEGLSLossless: uid.JPEGLSLossless,
    uid.JPEGLSNearLossless: uid.JPEGLSLossless,
    uid.JPEG2000Lossless: uid.JPEG2000Lossless,
    uid.JPEG2000: uid.JPEG2000Lossless,
}
"""A lossy syntax of JPEG-LS and JPEG 2000 also holds frames encoded without loss (PS3.5, A.4.3 and A.4.4)."""
_PLUGINS = {uid.RLELossless: "pydicom", uid.JPEGLSLossless: "pyjpegls", uid.JPEG2000Lossless: "pylibjpeg"}
BLANKABLE = frozenset({
    uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian, uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian, *_JPEG_LOSSLESS, *_JPEG_BLOCKS, *_ENCODED_AS,
})  # fmt: skip
"""Transfer syntaxes in which boxes are blanked exactly, in JPEG baseline and extended to the block."""
_NATIVE_BITS = (1, 8, 16, 32, 64)
_CODEC_ERRORS = (RuntimeError, OSError, *PARSER_ERRORS)


@dataclass(frozen=True, slots=True)
class BlankedPixels:
    """New values of Pixel Data and, where the object has them, of the Extended Offset Table and its lengths.

    ``boxes``: as blanked, in the order asked for. In native YBR_FULL_422, where two pixels share their colour, they
    start and end on pairs; in JPEG baseline and extended on blocks, with the pixels beside whose colour may shift.
    """

    pixel_data: bytes
    boxes: tuple[Box, ...]
    extended_offset_table: bytes | None = None
    extended_offset_table_lengths: bytes | None = None

    def put(self, dataset: Dataset) -> None:
        """Set the values in ``dataset``."""
        dataset["PixelData"].value = self.pixel_data
        if self.extended_offset_table is not None:
            dataset.ExtendedOffsetTable = self.extended_offset_table
            dataset.ExtendedOffsetTableLengths = self.extended_offset_table_lengths


def blank(dataset: Dataset, boxes: Sequence[Box], *, exact: bool = False) -> BlankedPixels:
    """Black boxes: 0 in colour and in blocks of JPEG, else the darkest grey of the frame, so that no value comes in.

    ``exact``: refuse where boxes would have to grow to blocks.

    Raises:
        InstanceRefusedError: BURNED_IN_ANNOTATION where the encoding does not allow it exactly, or a box is not in
            the image; PIXELS_UNREADABLE where the pixels do not fit their description.
    """
    syntax = dataset.file_meta.TransferSyntaxUID
    frames = int(dataset.get("NumberOfFrames") or 1)
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    if "PixelData" not in dataset or syntax not in BLANKABLE or (exact and syntax in _JPEG_BLOCKS):
        raise _cannot("pixels.encoding", "boxes cannot be blanked exactly in this encoding")
    if any(not box.within(rows=rows, columns=columns) or (box.frame or 0) >= frames for box in boxes):
        raise _cannot("pixels.box", "a box lies outside the image")
    try:
        if syntax.is_encapsulated:
            return _encapsulated(dataset, tuple(boxes), frames=frames)
        return _native(dataset, tuple(boxes), frames=frames)
    except _CODEC_ERRORS as error:
        raise InstanceRefusedError(
            Reason.PIXELS_UNREADABLE, rule="pixels.blank", detail=f"{type(error).__name__} while blanking"
        ) from None


def _to_pairs(box: Box) -> Box:
    left, right = box.left - box.left % 2, box.right + box.right % 2
    return Box(left, box.top, right - left, box.height, box.frame)


def _cannot(rule: str, detail: str) -> InstanceRefusedError:
    return InstanceRefusedError(Reason.BURNED_IN_ANNOTATION, rule=rule, detail=detail)


def _native(dataset: Dataset, boxes: tuple[Box, ...], *, frames: int) -> BlankedPixels:
    rows, columns, bits = int(dataset.Rows), int(dataset.Columns), int(dataset.BitsAllocated)
    samples = int(dataset.get("SamplesPerPixel") or 1)
    shared = dataset.get("PhotometricInterpretation") == "YBR_FULL_422"
    if bits not in _NATIVE_BITS or (shared and (bits != 8 or columns % 2)):
        raise _cannot("pixels.encoding", f"native pixels of {bits} bits cannot be blanked exactly")
    raw = bytearray(dataset.PixelData)
    if bits == 1:
        return _native_bits(raw, boxes, shape=(frames, rows, columns), samples=samples)
    per_frame = rows * columns * (2 if shared else samples) * (bits // 8)
    if len(raw) < per_frame * frames:
        raise InstanceRefusedError(Reason.PIXELS_UNREADABLE, rule="pixels.length", detail="fewer bytes than described")
    big = not dataset.file_meta.TransferSyntaxUID.is_little_endian
    swapped = big and bits == 8 and dataset["PixelData"].VR == "OW" and len(raw) % 2 == 0
    if swapped:  # bytes in words, the words big endian (PS3.5 annex D)
        raw = _pairs_swapped(raw)
    kind = "i" if dataset.get("PixelRepresentation") == 1 else "u"
    values = np.frombuffer(raw, dtype=f"{'>' if big else '<'}{kind}{bits // 8}")
    boxes = tuple(_to_pairs(box) for box in boxes) if shared else boxes
    planar = samples > 1 and not shared and dataset.get("PlanarConfiguration") == 1
    for number in range(frames):
        wanted = [box for box in boxes if box.concerns(number)]
        if wanted:
            size = per_frame // (bits // 8)
            frame = values[number * size : (number + 1) * size]
            _blank_native_frame(frame, wanted, dataset, planar=planar, shared=shared)
    return BlankedPixels(bytes(_pairs_swapped(raw) if swapped else raw), boxes)


def _blank_native_frame(frame: NDArray[Any], boxes: list[Box], dataset: Dataset, *, planar: bool, shared: bool) -> None:
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    if shared:
        pairs = frame.reshape(rows, columns // 2, 4)  # Y Y Cb Cr
        for box in boxes:
            pairs[box.top : box.bottom, box.left // 2 : box.right // 2] = (0, 0, 128, 128)
        return
    samples = int(dataset.get("SamplesPerPixel") or 1)
    shaped = frame.reshape((samples, rows, columns) if planar else (rows, columns, samples))
    pixels = np.moveaxis(shaped, 0, -1) if planar else shaped
    fill = _fill(pixels, dataset)
    for box in boxes:
        pixels[box.top : box.bottom, box.left : box.right] = fill


def _native_bits(raw: bytearray, boxes: tuple[Box, ...], *, shape: tuple[int, int, int], samples: int) -> BlankedPixels:
    count = int(np.prod(shape))
    if samples != 1 or len(raw) * 8 < count:
        raise InstanceRefusedError(Reason.PIXELS_UNREADABLE, rule="pixels.length", detail="fewer bytes than described")
    bits = np.unpackbits(np.frombuffer(raw, dtype=np.uint8), bitorder="little")
    frames = bits[:count].reshape(shape)
    for number in range(shape[0]):
        frames[number][mask_of(boxes, rows=shape[1], columns=shape[2], frame=number)] = 0
    return BlankedPixels(np.packbits(bits, bitorder="little").tobytes(), boxes)


def _pairs_swapped(raw: bytearray) -> bytearray:
    swapped = bytearray(len(raw))
    swapped[0::2], swapped[1::2] = raw[1::2], raw[0::2]
    return swapped


def _fill(pixels: NDArray[Any], dataset: Dataset) -> NDArray[Any]:
    """Black, as the samples of one pixel. ``pixels``: (rows, columns) or (rows, columns, samples), as stored."""
    photometric = str(dataset.get("PhotometricInterpretation") or "")
    if photometric == "MONOCHROME1":
        return np.asarray(pixels.max())
    if photometric == "MONOCHROME2":
        return np.asarray(pixels.min())
    if photometric.startswith("YBR_FULL"):
        return np.asarray([0, 1 << (int(dataset.BitsStored) - 1), 1 << (int(dataset.BitsStored) - 1)])
    return np.asarray(0)  # RGB; YBR_RCT and YBR_ICT, which decode to RGB; the first entry of a palette


def _encapsulated(dataset: Dataset, boxes: tuple[Box, ...], *, frames: int) -> BlankedPixels:
    syntax = dataset.file_meta.TransferSyntaxUID
    offsets = None
    if "ExtendedOffsetTable" in dataset:
        offsets = (bytes(dataset.ExtendedOffsetTable), bytes(dataset.ExtendedOffsetTableLengths))
    parts = list(generate_frames(dataset.PixelData, number_of_frames=frames, extended_offsets=offsets))
    if len(parts) != frames:
        raise InstanceRefusedError(Reason.PIXELS_UNREADABLE, rule="pixels.frames", detail="frames are missing")
    wanted = [number for number in range(frames) if any(box.concerns(number) for box in boxes)]
    if syntax in _JPEG_BLOCKS:
        boxes = _blank_blocks(parts, wanted, dataset, boxes)
    else:
        _blank_samples(parts, wanted, dataset, boxes)
    if offsets is not None:
        data, table, lengths = encapsulate_extended(parts)
        return BlankedPixels(data, boxes, table, lengths)
    return BlankedPixels(encapsulate(parts, has_bot=_has_offset_table(dataset.PixelData)), boxes)


def _blank_samples(parts: list[bytes], wanted: list[int], dataset: Dataset, boxes: tuple[Box, ...]) -> None:
    syntax = dataset.file_meta.TransferSyntaxUID
    if dataset.get("PhotometricInterpretation") in ("YBR_ICT", "YBR_PARTIAL_420"):
        raise _cannot("pixels.encoding", "its colours are coded with loss and cannot be written again exactly")
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    decoded = iter_pixels(dataset, indices=wanted, raw=True, correct_unused_bits=False)
    for number, frame in zip(wanted, decoded, strict=True):
        blanked = np.array(frame)
        blanked[mask_of(boxes, rows=rows, columns=columns, frame=number)] = _fill(frame, dataset)
        try:
            parts[number] = _encode(blanked, dataset, old=parts[number])
        except _CODEC_ERRORS as error:
            raise _cannot("pixels.encoding", f"{type(error).__name__} while encoding as {syntax.name}") from None
        again = _decode(parts[number], dataset)
        if again.dtype != blanked.dtype or not np.array_equal(again, blanked):
            raise _cannot("pixels.encoding", f"the frame does not survive {syntax.name} unchanged")


def _blank_blocks(parts: list[bytes], wanted: list[int], dataset: Dataset, boxes: tuple[Box, ...]) -> tuple[Box, ...]:
    """The boxes as they grew; ``parts`` changed in place."""
    rows, columns = int(dataset.Rows), int(dataset.Columns)
    photometric = str(dataset.get("PhotometricInterpretation") or "")
    grown: dict[Box, Box] = {}
    for number in wanted:
        old, concerned = parts[number], [box for box in boxes if box.concerns(number)]
        try:
            frame = read_frame(old)
            if (frame.rows, frame.columns) != (rows, columns):
                raise JpegRefusedError("a JPEG frame of another size than its header says")
            now = {box: reached(frame, box) for box in concerned}
            if any(grown.setdefault(box, found) != found for box, found in now.items()):
                raise JpegRefusedError("JPEG frames of one object with blocks of different sizes")
            new = blank_blocks(old, concerned, rgb=photometric == "RGB", inverted=photometric == "MONOCHROME1")
        except JpegRefusedError as refused:
            raise _cannot("pixels.encoding", str(refused)) from None
        outside = ~mask_of(now.values(), rows=rows, columns=columns, frame=number)
        before, after = _decode(old, dataset), _decode(new, dataset)
        if before.dtype != after.dtype or not np.array_equal(before[outside], after[outside]):
            raise _cannot("pixels.encoding", "a pixel outside the boxes would change")
        parts[number] = new
    return tuple(grown[box] for box in boxes)


def _has_offset_table(encapsulated: bytes) -> bool:
    return int.from_bytes(encapsulated[4:8], "little") > 0


def _encode(frame: NDArray[Any], dataset: Dataset, *, old: bytes) -> bytes:
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax in _JPEG_LOSSLESS:
        head = read_head(old)
        unsigned: NDArray[Any] = frame.view(f"u{frame.dtype.itemsize}") & ((1 << head.precision) - 1)
        return encode_lossless(unsigned, head)
    target = _ENCODED_AS[syntax]
    return get_encoder(target).encode(frame, encoding_plugin=_PLUGINS[target], **_description(dataset))


def _decode(part: bytes, dataset: Dataset) -> NDArray[Any]:
    options = _description(dataset) | {"correct_unused_bits": False, "pixel_keyword": "PixelData"}
    array, _ = get_decoder(dataset.file_meta.TransferSyntaxUID).as_array(encapsulate([part]), raw=True, **options)
    return array


def _description(dataset: Dataset) -> dict[str, Any]:
    """How the codecs are told of one frame."""
    samples = int(dataset.get("SamplesPerPixel") or 1)
    return {
        "rows": int(dataset.Rows),
        "columns": int(dataset.Columns),
        "samples_per_pixel": samples,
        "number_of_frames": 1,
        "bits_allocated": int(dataset.BitsAllocated),
        "bits_stored": int(dataset.BitsStored),
        "pixel_representation": int(dataset.get("PixelRepresentation") or 0),
        "photometric_interpretation": str(dataset.PhotometricInterpretation),
        **({"planar_configuration": int(dataset.get("PlanarConfiguration") or 0)} if samples > 1 else {}),
    }
