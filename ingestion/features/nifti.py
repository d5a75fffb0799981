"""NIfTI images as volumes. SimpleITK reads them, and turns what is not finite into 0 without a word: so we look first.

Source: NIfTI-1 and NIfTI-2 headers (nifti1.h, nifti2.h): size of the header, data type, where the voxels start.
"""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np

from ingestion.dicom.volume import Volume

SUFFIXES = (".nii", ".nii.gz")
_GZIP = b"\x1f\x8b"
_LAYOUTS: dict[int, tuple[int, int, str]] = {348: (70, 108, "f"), 540: (12, 168, "q")}
"""By the size of the header: where data type (16 bits) and start of the voxels stand, and how the start is written."""
_FLOATS = {16: "f4", 64: "f8"}
_CHUNK = 1 << 24


class NiftiError(ValueError):
    """Not to be used as a volume; the message names the file, the rule and the remedy."""


def is_nifti(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def read_nifti(path: Path) -> Volume:
    """One three-dimensional grey image, in LPS as DICOM has it.

    Raises:
        NiftiError: not readable, of other dimensions, or with values that are not finite.
    """
    import SimpleITK  # slow to load

    try:
        read = SimpleITK.ReadImage(str(path), imageIO="NiftiImageIO")
    except RuntimeError:
        raise NiftiError(f"{path}: not readable as NIfTI; check the file") from None
    if read.GetDimension() != 3 or read.GetNumberOfComponentsPerPixel() != 1:
        raise NiftiError(f"{path}: not one three-dimensional grey image; give a single volume")
    array = SimpleITK.GetArrayFromImage(read).astype(np.float32)
    if not (np.isfinite(array).all() and _stored_finite(path)):
        raise NiftiError(f"{path}: holds values that are not finite; replace them by a value outside the regions")
    axes = np.array(read.GetDirection()).reshape(3, 3).T
    column, row, between = read.GetSpacing()
    x, y, z = read.GetOrigin()
    return Volume(
        array=array,
        padding=np.zeros(array.shape, dtype=np.bool_),
        spacing=(between, row, column),
        origin=(x, y, z),
        direction=axes[::-1],
        sop_instance_uids=(),
        frame_of_reference=None,
        rescale_type=None,
    )


def _stored_finite(path: Path) -> bool:
    """Whether all values are finite as the file holds them."""
    with path.open("rb") as raw:
        packed = raw.read(2) == _GZIP
    with gzip.open(path) if packed else path.open("rb") as stream:
        head = stream.read(max(_LAYOUTS))
        order = "<" if struct.unpack_from("<i", head)[0] in _LAYOUTS else ">"
        type_at, start_at, start_form = _LAYOUTS[struct.unpack_from(f"{order}i", head)[0]]
        name = _FLOATS.get(struct.unpack_from(f"{order}h", head, type_at)[0])
        if name is None:
            return True  # whole numbers
        kind = np.dtype(order + name)
        stream.seek(int(struct.unpack_from(order + start_form, head, start_at)[0]))
        while chunk := stream.read(_CHUNK):
            if not np.isfinite(np.frombuffer(chunk[: len(chunk) // kind.itemsize * kind.itemsize], dtype=kind)).all():
                return False
    return True
