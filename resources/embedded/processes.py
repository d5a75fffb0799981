"""Processes that outlive the command that started them, known by process id and start time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

STOP_SECONDS = 20.0
"""Longest wait for a process to end by itself: PostgreSQL writes its checkpoint then."""


@dataclass(frozen=True, slots=True)
class Managed:
    """One process of the stack by name; what it is is remembered in ``<run>/<name>.pid``."""

    name: str
    run_dir: Path
    log_dir: Path

    @property
    def log(self) -> Path:
        return self.log_dir / f"{self.name}.log"

    @property
    def _file(self) -> Path:
        return self.run_dir / f"{self.name}.pid"

    def process(self) -> psutil.Process | None:
        """The process if it runs. A process id that was given to another since is told apart by its start time."""
        try:
            told = json.loads(self._file.read_text())
            process = psutil.Process(told["pid"])
            same = abs(process.create_time() - told["started"]) < 0.05
            return process if same and process.status() != psutil.STATUS_ZOMBIE else None
        except (FileNotFoundError, psutil.NoSuchProcess, ValueError, KeyError):
            return None

    def start(
        self, command: list[str], *, environment: Mapping[str, str], folder: Path, user: str | None = None
    ) -> psutil.Process:
        with self.log.open("ab") as log:
            started = subprocess.Popen(
                command, env={**os.environ, **environment}, cwd=folder, stdin=subprocess.DEVNULL, stdout=log,
                stderr=subprocess.STDOUT, start_new_session=True, user=user, group=user,
                extra_groups=[] if user else None,
            )  # fmt: skip
        process = psutil.Process(started.pid)
        written = self._file.with_suffix(".new")
        written.write_text(json.dumps({"pid": process.pid, "started": process.create_time()}))
        written.replace(self._file)
        return process

    def stop(self, *, how: signal.Signals = signal.SIGTERM) -> bool:
        """End it and its children; whether it was running."""
        process = self.process()
        if process is None:
            self._file.unlink(missing_ok=True)
            return False
        family = [process, *process.children(recursive=True)]
        process.send_signal(how)
        psutil.wait_procs([process], timeout=STOP_SECONDS)
        for left in family:
            if left.is_running() and left.status() != psutil.STATUS_ZOMBIE:
                left.kill()
        psutil.wait_procs(family, timeout=STOP_SECONDS)
        self._file.unlink(missing_ok=True)
        return True
