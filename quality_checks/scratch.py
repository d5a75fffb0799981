"""A folder for de-identified objects that must not outlive the run: gone at its end, also when it is told to stop.

What a killed run could not remove is removed by the next: the folder's name holds the process that owns it.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from ingestion.stopping import stoppable

_PREFIX = "cie-check-"
_OWNED = re.compile(rf"^{_PREFIX}(\d+)-")


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """An empty folder that nobody else can read.

    Raises:
        StoppedError: SIGTERM or SIGHUP came; the folder is gone.
    """
    _sweep(Path(tempfile.gettempdir()))
    with stoppable(), tempfile.TemporaryDirectory(prefix=f"{_PREFIX}{os.getpid()}-") as name:
        yield Path(name)


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
