"""The brightness of colour images, as ultrasound stores its grey pictures."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import iter_pixels

from ingestion.dicom.guard import PARSER_ERRORS
from ingestion.dicom.values import MAX_FRAME_PIXELS, VolumeRefusal, VolumeRefusedError

WEIGHTS = (0.299, 0.587, 0.114)
"""Of red, green and blue in luma (ITU-R BT.601), as in DICOM's own YBR_FULL (PS3.3, C.7.6.3.1.2)."""
TRUE_COLOUR = frozenset({"RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT", "YBR_PARTIAL_420"})


def is_colour(dataset: Dataset) -> bool:
    return dataset.get("SamplesPerPixel") == 3 and dataset.get("PhotometricInterpretation") in TRUE_COLOUR


def luma_frames(dataset: Dataset) -> Iterator[NDArray[np.uint8]]:
    """The luma of each frame, 0 to 255, (row, column).

    Raises:
        VolumeRefusedError: not decodable, too large, or not 8 bits a sample.
    """
    if dataset.get("BitsAllocated") != 8:
        raise VolumeRefusedError(VolumeRefusal.COLOUR, detail="colour of more than 8 bits")
    if (dataset.get("Rows") or 0) * (dataset.get("Columns") or 0) > MAX_FRAME_PIXELS:
        raise VolumeRefusedError(VolumeRefusal.TOO_LARGE, detail="pixels in a frame")
    try:
        for frame in iter_pixels(dataset):  # as RGB
            yield np.rint(frame.astype(np.float64) @ np.array(WEIGHTS)).astype(np.uint8)
    except (RuntimeError, OSError, struct.error, *PARSER_ERRORS) as error:
        raise VolumeRefusedError(VolumeRefusal.PIXELS_UNREADABLE, detail=type(error).__name__) from None
