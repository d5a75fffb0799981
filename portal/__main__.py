"""``python -m portal --port N``: serve the portal on the loopback.

With ``--index FOLDER`` only the search is served, over that index and without a store; ``--port 0`` takes a free port.
The address is printed once the port is taken.
"""

from __future__ import annotations

import argparse
import socket
import sys
from pathlib import Path

import uvicorn

parser = argparse.ArgumentParser(prog="portal")
parser.add_argument("--host", default="127.0.0.1")
parser.add_argument("--port", type=int, default=8010)
parser.add_argument("--index", type=Path, help="serve the search over this index and nothing else")


def main() -> None:
    """Serve until told to stop."""
    from portal import app  # the import takes a second, which --help need not wait for

    arguments = parser.parse_args()
    made = app.search_only(arguments.index) if arguments.index else app.make()
    family = socket.AF_INET6 if ":" in arguments.host else socket.AF_INET
    with socket.create_server((arguments.host, arguments.port), family=family) as listening:
        host, port = listening.getsockname()[:2]
        sys.stdout.write(f"http://{host}:{port}\n")
        sys.stdout.flush()
        uvicorn.Server(uvicorn.Config(made, log_level="warning", access_log=False)).run([listening])


if __name__ == "__main__":
    main()
