"""Large objects without holding them: mapped into memory, and let go of again page by page."""

from __future__ import annotations

import mmap
from pathlib import Path

MAPPED_FROM = 64 << 20
"""Bytes from which a file is mapped instead of read: a quarter of a worker's memory holds some of the smaller ones."""


def open_buffer(path: Path) -> bytes | mmap.mmap:
    """The bytes of a file; mapped read-only when it is large.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        if size < MAPPED_FROM:
            stream.seek(0)
            return stream.read()
        return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)


def let_go(buffer: object) -> None:
    """Give the pages of a mapped buffer back; they are read again when they are looked at. Does nothing to others."""
    if isinstance(buffer, mmap.mmap):
        buffer.madvise(mmap.MADV_DONTNEED)
