"""NIfTI images as volumes.

SimpleITK reads them, but without a word turns what is not finite, or cut off, into 0, and drops the imaginary part of
complex values: so the file itself is looked at too.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ingestion.dicom.volume import Volume
from ingestion.features.nifti_file import NiftiError, check_finite, check_values, read_header

SUFFIXES = (".nii", ".nii.gz")


def is_nifti(path: Path) -> bool:
    return path.name.lower().endswith(SUFFIXES)


def read_nifti(path: Path) -> Volume:
    """One three-dimensional grey image, in LPS as DICOM has it.

    Raises:
        NiftiError: not readable, cut off, of other dimensions, of a data type that is no grey value, sheared, or with
            values that are not finite or beyond what float32 holds.
    """
    import SimpleITK  # slow to load

    header = read_header(path)
    check_values(path, header)  # before memory is taken for what the header claims
    try:
        read = SimpleITK.ReadImage(str(path), imageIO="NiftiImageIO")
    except RuntimeError:
        if header.sheared:
            raise NiftiError(
                f"{path}: its axes are not at right angles (sheared), and voxels that are no boxes are not measured; "
                "resample it to a rectangular grid"
            ) from None
        raise NiftiError(f"{path}: not readable as NIfTI; check the file") from None
    if read.GetDimension() != 3 or read.GetNumberOfComponentsPerPixel() != 1:
        raise NiftiError(f"{path}: not one three-dimensional grey image; give a single volume")
    values = SimpleITK.GetArrayFromImage(read)
    check_finite(path, values)  # by the header's slope and intercept
    array = values.astype(np.float32)
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


__all__ = ["NiftiError", "is_nifti", "read_nifti"]
