"""Run workers that start in no time: a small process imports everything once and forks a child for each run.

Importing Dagster, the definitions and Great Expectations costs each run more CPU than its work on a small source.
This process does that once, stays single-threaded, and answers one JSON line per run on its standard streams. It ends
when its standard input closes, that is when the daemon ends; the runs it started go on.

    python -m resources.warm_runs       (started by ``resources.launcher``, not by hand)
"""

from __future__ import annotations

import faulthandler
import importlib
import json
import os
import select
import signal
import sys
import traceback

from resources import forked_server

PRELOAD = (
    "assets.definitions",
    "ingestion.deidentify.series",
    "ingestion.features.run",
    "ingestion.catalogue.writer",
    "quality_checks.judge",
    "boto3",
    "great_expectations",
    "pyarrow.parquet",
    "psycopg2",
)
"""What a run needs; ``great_expectations`` alone takes seconds."""
REAP_SECONDS = 1.0


def main() -> None:
    """Import, then serve until standard input closes."""
    for name in PRELOAD:
        importlib.import_module(name)
    requests = os.fdopen(os.dup(0), "rb", buffering=0)
    # The children write their own output; only answers may go to the pipe that the daemon reads.
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    answers.write(b'{"ready": true}\n')
    buffer = b""
    while True:
        ready, _, _ = select.select([requests], [], [], REAP_SECONDS)
        _reap()
        if not ready:
            continue
        chunk = os.read(requests.fileno(), 1 << 16)
        if not chunk:
            return
        buffer += chunk
        while b"\n" in buffer:
            line, buffer = buffer.split(b"\n", 1)
            answers.write(json.dumps({"pid": _start(json.loads(line)["arguments"])}).encode() + b"\n")


def _start(arguments: list[str]) -> int:
    pid = os.fork()
    if pid:
        return pid
    # From here on this is the run's own process. SystemExit ends it, and no one above catches that.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for descriptor in range(3, 1024):
        _close(descriptor)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    faulthandler.enable()
    forked_server.start()
    sys.exit(_execute(arguments))


def _execute(arguments: list[str]) -> int:
    from dagster._cli import create_dagster_cli

    try:
        create_dagster_cli().main(args=arguments, standalone_mode=False, auto_envvar_prefix="DAGSTER_CLI")
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 1
    except BaseException:  # noqa: BLE001 - whatever it is, it must not get back into the serving loop
        traceback.print_exc()
        return 1
    return 0


def _close(descriptor: int) -> None:
    try:
        os.close(descriptor)
    except OSError:  # was not open
        return


def _reap() -> None:
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return


if __name__ == "__main__":
    main()
