"""Serving an application on one address, which is printed once the port is taken."""

from __future__ import annotations

import socket
import sys

import uvicorn
from starlette.applications import Starlette


def serve(app: Starlette, *, host: str, port: int) -> None:
    """Serve until told to stop. ``port`` 0 takes a free one.

    Raises:
        OSError: the address can't be taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listening:
        taken, number = listening.getsockname()[:2]
        sys.stdout.write(f"http://{taken}:{number}\n")
        sys.stdout.flush()
        uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False)).run([listening])
