"""``python -m portal --port N``: serve the report pages on the loopback."""

from __future__ import annotations

import argparse

import uvicorn

parser = argparse.ArgumentParser(prog="portal")
parser.add_argument("--host", default="127.0.0.1")
parser.add_argument("--port", type=int, default=8010)
if __name__ == "__main__":
    arguments = parser.parse_args()
    uvicorn.run(
        "portal.app:make", factory=True, host=arguments.host, port=arguments.port, log_level="warning", access_log=False
    )
