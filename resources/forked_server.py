"""A fork server that costs nothing to start: forked from this process, with everything imported, not spawned anew.

``multiprocessing`` starts its fork server as a new interpreter that imports what the workers need: over two seconds
of CPU for each run (``docs/decisions/0003-run-launcher.md``). A process that is still single-threaded can fork it.
"""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from multiprocessing import connection, forkserver

from ingestion.sockets import make_room_for_sockets

_FIELDS = ("_forkserver_address", "_forkserver_alive_fd", "_forkserver_pid")


def start() -> bool:
    """Fork the server and make it this process's. Call it before any thread is started.

    Raises:
        SocketPathError: the temporary folder's path is too long for a socket, and there is no other.

    Returns:
        False where this Python's ``multiprocessing`` is built otherwise: it then starts its own, when it needs one.
    """
    server = getattr(forkserver, "_forkserver", None)
    if server is None or any(getattr(server, field, 0) is not None for field in _FIELDS):
        return False
    make_room_for_sockets()
    with socket.socket(socket.AF_UNIX) as listener:
        address = connection.arbitrary_address("AF_UNIX")  # type: ignore[attr-defined]
        listener.bind(address)
        os.chmod(address, 0o600)
        listener.listen()
        alive_read, alive_write = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(alive_write)  # its end of file tells the server that the run has ended
            with suppress(SystemExit):
                forkserver.main(listener.detach(), alive_read, [])
            os._exit(0)
        os.close(alive_read)
    for field, value in zip(_FIELDS, (address, alive_write, pid), strict=True):
        setattr(server, field, value)
    return True
