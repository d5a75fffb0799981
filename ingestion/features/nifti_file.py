"""What a NIfTI file says and holds, byte by byte: data type, axes, whether it is whole, whether its values are finite.

Source: NIfTI-1 and NIfTI-2 headers (nifti1.h, nifti2.h).
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

_GZIP = b"\x1f\x8b"
_CHUNK = 1 << 24
LARGEST = float(np.finfo(np.float32).max)
MAX_START = 2**31
"""Bytes before the first voxel, extensions of the header: no file has two thousand million."""
RIGHT_ANGLE = 1e-3
"""How far the cosine between two axes may be from 0: within what is read as perpendicular."""

GREY = {2: "u1", 256: "i1", 4: "i2", 512: "u2", 8: "i4", 768: "u4", 1024: "i8", 1280: "u8", 16: "f4", 64: "f8"}
"""Codes of the data types that are grey values of at most 64 bits, and NumPy's names of them."""
OTHER = {
    1: "one bit per voxel", 32: "complex", 1792: "complex", 2048: "complex", 128: "colour (RGB)",
    2304: "colour (RGBA)", 1536: "128-bit floats",
}  # fmt: skip
"""Codes of data types that are refused."""


class NiftiError(ValueError):
    """Not to be used as a volume; the message names the file, the rule and the remedy."""


@dataclass(frozen=True, slots=True)
class _Layout:
    """Where the fields stand in a header of one size, and how they are written (``struct``)."""

    dim: tuple[int, str]
    datatype: int
    start: tuple[int, str]
    sform_code: tuple[int, str]
    sform: tuple[int, str]


_LAYOUTS = {
    348: _Layout(dim=(40, "8h"), datatype=70, start=(108, "f"), sform_code=(254, "h"), sform=(280, "12f")),
    540: _Layout(dim=(16, "8q"), datatype=12, start=(168, "q"), sform_code=(348, "i"), sform=(400, "12d")),
}
"""By the size of the header: NIfTI-1 and NIfTI-2."""


@dataclass(frozen=True, slots=True)
class NiftiHeader:
    """``kind``: the type of a stored value. ``start``: byte of the first one; ``number``: of all of them."""

    kind: np.dtype[np.generic]
    start: int
    number: int
    sheared: bool
    """Whether the axes of the affine matrix (sform) are not at right angles."""


def read_header(path: Path) -> NiftiHeader:
    """The header of a NIfTI file, packed by gzip or not.

    Raises:
        NiftiError: no NIfTI, cut off, or of a data type that is no grey value of at most 64 bits.
    """
    with _opened(path) as stream:
        head = stream.read(max(_LAYOUTS))
    if len(head) < min(_LAYOUTS):
        raise NiftiError(f"{path}: not readable as NIfTI; check the file")
    order = "<" if struct.unpack_from("<i", head)[0] in _LAYOUTS else ">"
    size = struct.unpack_from(f"{order}i", head)[0]
    if size not in _LAYOUTS or len(head) < size:
        raise NiftiError(f"{path}: not readable as NIfTI; check the file")
    layout = _LAYOUTS[size]
    code = struct.unpack_from(f"{order}h", head, layout.datatype)[0]
    if code not in GREY:
        named = OTHER.get(code, f"data type {code}")
        raise NiftiError(
            f"{path}: not a grey image: its values are {named}; save it as whole numbers or floats of at most 64 bits"
        )
    at, form = layout.dim
    rank, *sizes = struct.unpack_from(order + form, head, at)
    if not 1 <= rank <= 7 or min(sizes[:rank]) < 1:
        raise NiftiError(f"{path}: not readable as NIfTI: its header gives no size; check the file")
    at, form = layout.start
    start = struct.unpack_from(order + form, head, at)[0]
    if not math.isfinite(start) or not 0 <= start <= MAX_START:
        raise NiftiError(f"{path}: not readable as NIfTI: its header does not say where values begin; check the file")
    at, form = layout.sform_code
    coded = struct.unpack_from(order + form, head, at)[0] > 0
    at, form = layout.sform
    sheared = coded and _sheared(struct.unpack_from(order + form, head, at))
    return NiftiHeader(np.dtype(order + GREY[code]), max(int(start), size), math.prod(sizes[:rank]), sheared)


def check_values(path: Path, header: NiftiHeader) -> None:
    """Look at all values as the file holds them.

    Raises:
        NiftiError: some are missing, not finite, or beyond float32.
    """
    left = header.number * header.kind.itemsize
    with _opened(path) as stream:
        stream.seek(header.start)
        while left > 0:
            chunk = stream.read(min(_CHUNK, left))
            if not chunk:
                raise _cut_off(path)
            left -= len(chunk)
            if header.kind.kind != "f":
                continue
            while len(chunk) % header.kind.itemsize:
                more = stream.read(header.kind.itemsize - len(chunk) % header.kind.itemsize)
                if not more:
                    raise _cut_off(path)
                left -= len(more)
                chunk += more
            check_finite(path, np.frombuffer(chunk, dtype=header.kind))


def check_finite(path: Path, values: NDArray[np.floating[Any]]) -> None:
    """Raises: NiftiError: some are not finite, or would not be as float32, as which they are measured."""
    if not np.isfinite(values).all():
        raise NiftiError(f"{path}: holds values that are not finite; replace them by a value outside the regions")
    if values.size and max(abs(float(values.min())), abs(float(values.max()))) > LARGEST:
        raise NiftiError(
            f"{path}: holds values beyond {LARGEST:.2g}, more than the 32-bit floats that are measured can hold; "
            "rescale them"
        )


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The file, unpacked where it is packed; what goes wrong while it is read is said of the file."""
    try:
        with path.open("rb") as raw:
            packed = raw.read(2) == _GZIP
        with gzip.open(path) if packed else path.open("rb") as stream:
            yield cast("BinaryIO", stream)
    except EOFError:
        raise _cut_off(path) from None
    except (gzip.BadGzipFile, zlib.error):
        raise NiftiError(f"{path}: not readable as NIfTI: what gzip packed is damaged; copy it again") from None
    except OSError as error:
        raise NiftiError(f"{path}: not readable ({error.strerror}); check the file") from None


def _cut_off(path: Path) -> NiftiError:
    return NiftiError(f"{path}: not readable as NIfTI: it is cut off; copy it again")


def _sheared(rows: tuple[float, ...]) -> bool:
    axes = np.array(rows).reshape(3, 4)[:, :3]
    lengths = np.linalg.norm(axes, axis=0)
    if not np.isfinite(axes).all() or not lengths.all():
        return False
    cosines = (axes / lengths).T @ (axes / lengths)
    return bool(np.abs(cosines - np.eye(3)).max() > RIGHT_ANGLE)
