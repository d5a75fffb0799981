"""A result written out piece by piece and hashed on the way: a 4 GB object needs no more memory than a small one."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from ingestion.deidentify.instance import DeidentifiedInstance, InstanceDeidentifier
from ingestion.deidentify.scopes import Part
from ingestion.deidentify.study import Rewritten
from ingestion.dicom.mapped import let_go, open_buffer

CHUNK = 8 << 20
"""Bytes written at a time: the most of a mapped file that is held."""

MAX_VECTOR = 512
"""Parts written by one call; systems allow 1,024."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written."""

    sha256: str
    size: int


def chunks(rewritten: Rewritten) -> Iterator[bytes | memoryview]:
    """The result in pieces of at most ``CHUNK`` bytes; what is mapped is let go of once it was used."""
    for part in rewritten.parts:
        if len(part) <= CHUNK:
            yield part
            continue
        view = memoryview(part)
        for start in range(0, len(view), CHUNK):
            yield view[start : start + CHUNK]
            let_go(view.obj)


def write_at_once(rewritten: Rewritten, file: int) -> None:
    """Write a result of moderate size to the file descriptor ``file`` in one call, or a few where the system asks so.

    Raises:
        OSError: as the system says.
    """
    write_parts(rewritten.parts, file)


def write_parts(parts: Iterable[Part], file: int) -> None:
    """As ``write_at_once``, of some parts.

    Raises:
        OSError: as the system says.
    """
    left = [memoryview(part) for part in parts]
    while left:
        written = os.writev(file, left[:MAX_VECTOR])
        while left and written >= len(left[0]):
            written -= len(left.pop(0))
        if written:
            left[0] = left[0][written:]


def write_result(rewritten: Rewritten, stream: BinaryIO) -> Written:
    """Write the result to ``stream``.

    Raises:
        OSError: as the stream says.
    """
    digest, size = hashlib.sha256(), 0
    for piece in chunks(rewritten):
        digest.update(piece)
        stream.write(piece)
        size += len(piece)
    return Written(digest.hexdigest(), size)


def deidentify_file(
    source: Path, target: Path, deidentifier: InstanceDeidentifier
) -> tuple[DeidentifiedInstance, Written]:
    """One file to another, whatever its size; ``target`` must not be there yet.

    Raises:
        InstanceRefusedError: as ``InstanceDeidentifier.deidentify``; nothing is written.
        OSError: a file cannot be read or written, or ``target`` exists.
    """
    done = deidentifier.deidentify(open_buffer(source))
    with target.open("xb", buffering=0) as stream:
        return done, write_result(done.rewritten, stream)
