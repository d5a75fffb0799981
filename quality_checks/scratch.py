"""A folder for de-identified objects that must not outlive the run: gone at its end, also when it is told to stop.

What a killed run could not remove is removed by the next: the folder's name holds the process that owns it.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import psutil

_PREFIX = "cie-check-"
_OWNED = re.compile(rf"^{_PREFIX}(\d+)-")
_ENDING = (signal.SIGTERM, signal.SIGHUP)
"""A job that is cancelled, a terminal that is closed. Ctrl-C is an exception already."""


class StoppedError(BaseException):
    """The process was told to end; not an error that anything may handle. ``signal_number``: how."""

    def __init__(self, signal_number: int) -> None:
        super().__init__(signal_number)
        self.signal_number = signal_number


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder that nobody else can read.

    Raises:
        StoppedError: SIGTERM or SIGHUP came; the folder is gone.
    """
    _sweep(Path(tempfile.gettempdir()))
    # What is ignored stays so: under nohup a closed terminal is to stop nothing.
    before = {number: signal.signal(number, _stop) for number in _ENDING if signal.getsignal(number) != signal.SIG_IGN}
    try:
        with tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-") as name:
            yield Path(name)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _stop(number: int, _frame: FrameType | None) -> None:
    for ending in _ENDING:
        signal.signal(ending, signal.SIG_IGN)  # a second one must not break off the cleaning
    raise StoppedError(number)


def _sweep(folder: Path) -> None:
    """Remove what runs left that are no more, and are one's own."""
    for left in folder.glob(f"{_PREFIX}*"):
        owner = _OWNED.match(left.name)
        try:
            mine = left.lstat().st_uid == os.getuid()
        except FileNotFoundError:
            continue  # another start swept it
        if owner is not None and mine and not left.is_symlink() and not psutil.pid_exists(int(owner.group(1))):
            shutil.rmtree(left, ignore_errors=True)
