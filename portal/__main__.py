"""``python -m portal --port N``: serve the portal on the loopback.

With ``--index FOLDER`` only the search is served, over that index and without a store; ``--port 0`` takes a free port.
The address is printed once the port is taken.
"""

from __future__ import annotations

import argparse
from pathlib import Path

parser = argparse.ArgumentParser(prog="portal")
parser.add_argument("--host", default="127.0.0.1")
parser.add_argument("--port", type=int, default=8010)
parser.add_argument("--index", type=Path, help="serve the search over this index and nothing else")


def main() -> None:
    """Serve until told to stop."""
    from portal import app  # the import takes a second, which --help need not wait for
    from portal.serving import serve

    arguments = parser.parse_args()
    made = app.search_only(arguments.index) if arguments.index else app.make()
    serve(made, host=arguments.host, port=arguments.port)


if __name__ == "__main__":
    main()
