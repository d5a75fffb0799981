"""A short path for the sockets by which ``multiprocessing`` reaches its fork server.

They lie below the temporary folder, and the system takes some 100 bytes for the path of a socket (``sun_path``: 108 on
Linux, 104 on macOS, the ending zero included). A batch system's TMPDIR is easily longer.
"""

from __future__ import annotations

import multiprocessing.util
import os
import tempfile
from collections.abc import Iterable
from multiprocessing import process
from pathlib import Path

LONGEST_SOCKET = 103
"""Bytes of a path that every system takes."""
BELOW = len("/pymp-12345678/listener-12345678")
"""What ``multiprocessing`` puts below the temporary folder."""
SHORT_FOLDERS = ("/tmp", "/var/tmp", "/dev/shm")


class SocketPathError(RuntimeError):
    """There is no folder for sockets; the message says how to name one."""


def make_room_for_sockets(folders: Iterable[str] = SHORT_FOLDERS) -> None:
    """To be called before the first worker is started; files of the run stay in the temporary folder.

    Args:
        folders: where else to go when the path of the temporary folder is too long.

    Raises:
        SocketPathError: it is too long, and none of ``folders`` can be written.
    """
    temporary = tempfile.gettempdir()
    if _fits(temporary) or process.current_process()._config.get("tempdir") is not None:  # type: ignore[attr-defined]
        return
    for folder in (os.environ.get("XDG_RUNTIME_DIR", ""), *folders):
        if folder and _fits(folder) and Path(folder).is_dir() and os.access(folder, os.W_OK | os.X_OK):
            before = tempfile.tempdir
            tempfile.tempdir = folder
            try:
                multiprocessing.util.get_temp_dir()  # made once for this process, and removed at its end
            finally:
                tempfile.tempdir = before
            return
    raise SocketPathError(
        f"the temporary folder has a path of {len(os.fsencode(temporary))} bytes, too long for the sockets of worker "
        f"processes: set TMPDIR to a folder whose path has at most {LONGEST_SOCKET - BELOW} bytes"
    )


def _fits(folder: str) -> bool:
    return len(os.fsencode(folder)) + BELOW <= LONGEST_SOCKET
