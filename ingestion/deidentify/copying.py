"""Files whose headers alone are rewritten: the pixels go from file to file within the kernel, as ``cp`` copies them.

For a caller who vouches for the pixels, or has looked at them elsewhere. Nothing is hashed and nothing verified here.
"""

from __future__ import annotations

import errno
import mmap
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import numpy as np

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.deidentify.instance import DeidentifiedInstance, InstanceDeidentifier
from ingestion.deidentify.scopes import Part
from ingestion.deidentify.stream import write_parts

AT_ONCE = 16
"""Files whose headers are rewritten one after the other, before their pixels are copied: half a megabyte of pixels
between two headers would drive code and tables out of the processor's caches."""
WORTH_COPYING = 1 << 16
"""Bytes from which a call to copy within the kernel costs less than to write them."""
_NOT_HERE = frozenset({errno.ENOSYS, errno.EXDEV, errno.EOPNOTSUPP, errno.EINVAL})
"""What the system says where it cannot copy between two files: they lie on two file systems, or on an odd one."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What became of one file: ``done``, or the reason why nothing was written."""

    source: Path = field(repr=False)
    target: Path = field(repr=False)
    done: DeidentifiedInstance | None
    refused: InstanceRefusedError | None


def copy_files(pairs: Iterable[tuple[Path, Path]], deidentifier: InstanceDeidentifier) -> Iterator[Copied]:
    """Each source de-identified to its target, which must not be there yet. Sources are mapped, not read: memory is
    bounded by some headers. They must not be cut short meanwhile.

    Raises:
        OSError: a file cannot be read or written, or a target exists.
    """
    waiting = iter(pairs)
    while batch := list(islice(waiting, AT_ONCE)):
        rewritten = [(source, target, *_rewritten(source, deidentifier)) for source, target in batch]
        for source, target, buffer, told in rewritten:
            if isinstance(told, InstanceRefusedError):
                yield Copied(source, target, None, told)
            else:
                _write(source, target, buffer, told.rewritten.parts)
                yield Copied(source, target, told, None)


def _rewritten(
    source: Path, deidentifier: InstanceDeidentifier
) -> tuple[bytes | mmap.mmap, DeidentifiedInstance | InstanceRefusedError]:
    file = os.open(source, os.O_RDONLY)
    try:
        # An empty file cannot be mapped.
        buffer = mmap.mmap(file, 0, access=mmap.ACCESS_READ) if os.fstat(file).st_size else b""
    finally:
        os.close(file)
    try:
        return buffer, deidentifier.deidentify(buffer)
    except InstanceRefusedError as refused:
        return buffer, refused


def _write(source: Path, target: Path, buffer: bytes | mmap.mmap, parts: tuple[Part, ...]) -> None:
    file = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        waiting: list[Part] = []
        for part in parts:
            if len(part) < WORTH_COPYING or not isinstance(part, memoryview) or part.obj is not buffer:
                waiting.append(part)
                continue
            write_parts(waiting, file)
            waiting = []
            copied = _copy(source, file, _offset(part, buffer), len(part))
            if copied < len(part):
                waiting.append(part[copied:])
        write_parts(waiting, file)
    finally:
        os.close(file)


def _copy(source: Path, file: int, offset: int, number: int) -> int:
    """Bytes that the kernel copied: none where it cannot.

    Raises:
        OSError: as the system says.
    """
    if not hasattr(os, "copy_file_range"):
        return 0
    copied = 0
    origin = os.open(source, os.O_RDONLY)
    try:
        while copied < number:
            done = os.copy_file_range(origin, file, number - copied, offset + copied)
            if not done:
                raise OSError(errno.EIO, "the file was cut short while it was copied", str(source))
            copied += done
    except OSError as error:
        if error.errno not in _NOT_HERE:
            raise
    finally:
        os.close(origin)
    return copied


def _offset(part: memoryview, buffer: bytes | mmap.mmap) -> int:
    """Where in the buffer a view of it starts."""
    return _address(part) - _address(buffer)


def _address(of: Part | mmap.mmap) -> int:
    return int(np.frombuffer(of, np.uint8).__array_interface__["data"][0])
