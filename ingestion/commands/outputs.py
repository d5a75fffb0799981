"""Files that a command is to write: held against the disk before the work, not after it."""

from __future__ import annotations

import os
from pathlib import Path


class OutputError(ValueError):
    """A file could not be written, or must not lie where it was asked for; the message names it."""


def check_outputs(*files: Path | None, outside: Path | None = None) -> None:
    """Whether each can be written.

    Args:
        outside: a folder that is read; what is written into it would be read the next time.

    Raises:
        OutputError: the first that cannot.
    """
    for file in files:
        if file is None:
            continue
        folder = file.absolute().parent
        if not folder.is_dir():
            raise OutputError(f"{file}: there is no folder {folder}; make it first")
        if file.is_dir():
            raise OutputError(f"{file} is a folder; name a file")
        if not os.access(file if file.exists() else folder, os.W_OK):
            raise OutputError(f"{file} must not be written by you; name another place")
        if outside is not None and file.resolve().is_relative_to(outside.resolve()):
            raise OutputError(f"{file} lies in IN, and would be taken for delivered the next time; name another place")
