"""The run launcher beside processes that start runs badly: a run must not fail for that."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dagster import DagsterRun
from dagster._core.launcher.base import WorkerStatus

from resources import launcher as module
from resources.launcher import PID_TAG, STARTED_TAG, WarmRunLauncher

ANSWERS = (
    "import os, sys\nprint(1, flush=True)\nfor line in sys.stdin: print('{\"pid\": %d}' % os.getpid(), flush=True)\n"
)
STAYS = ANSWERS + "import time\ntime.sleep(600)\n"
ENDS = "print(1, flush=True)\n"


class Servers:
    """Starts one after another of what it was given."""

    def __init__(self, *programs: str) -> None:
        self._programs = iter(programs)
        self.started: list[subprocess.Popen[bytes]] = []

    def __call__(self) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-c", next(self._programs)]
        self.started.append(subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE))
        return self.started[-1]


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> WarmRunLauncher:
    made = WarmRunLauncher()
    made.tags: dict[str, dict[str, str]] = {}  # type: ignore[attr-defined]
    instance = SimpleNamespace(
        get_ref=lambda: None,
        add_run_tags=made.tags.__setitem__,  # type: ignore[attr-defined]
    )
    monkeypatch.setattr(WarmRunLauncher, "_instance", instance, raising=False)
    monkeypatch.setattr(module, "ExecuteRunArgs", lambda **_: SimpleNamespace(get_command_args=lambda: ["api", "x"]))
    return made


def launch(launcher: WarmRunLauncher, run_id: str) -> dict[str, str]:
    context: Any = SimpleNamespace(dagster_run=SimpleNamespace(run_id=run_id), job_code_origin=object())
    launcher.launch_run(context)
    tags: dict[str, str] = launcher.tags[run_id]  # type: ignore[attr-defined]
    return tags


def test_a_starter_that_does_not_end_does_not_hold_up_the_next_run(
    launcher: WarmRunLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers, codes = Servers(STAYS, ANSWERS), iter(["old", "new"])
    monkeypatch.setattr(module, "_start_server", servers)
    monkeypatch.setattr(module, "code_fingerprint", lambda: next(codes))
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.1)
    first, second = launch(launcher, "one"), launch(launcher, "two")
    assert first[PID_TAG] != second[PID_TAG]
    assert servers.started[0].poll() is not None
    launcher.dispose()
    assert servers.started[1].wait(timeout=60) == 0


def test_a_starter_that_ended_unseen_is_started_anew(
    launcher: WarmRunLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    servers = Servers(ENDS, ANSWERS)

    def started() -> subprocess.Popen[bytes]:
        server = servers()
        if len(servers.started) == 1:
            server.wait()
            server.poll = lambda: None  # type: ignore[method-assign]  # not seen yet
        return server

    monkeypatch.setattr(module, "_start_server", started)
    monkeypatch.setattr(module, "code_fingerprint", lambda: "code")
    assert launch(launcher, "one")[PID_TAG] == str(servers.started[1].pid)
    launcher.dispose()


def test_a_run_that_ended_before_it_was_looked_at_was_started(
    launcher: WarmRunLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    monkeypatch.setattr(module, "_start_server", Servers(ANSWERS.replace("% os.getpid()", f"% {gone.pid}")))
    monkeypatch.setattr(module, "code_fingerprint", lambda: "code")
    tags = launch(launcher, "one")
    run = DagsterRun(job_name="sources", run_id="3f0c8a4e-0000-4000-8000-000000000000", tags=tags)
    assert tags[STARTED_TAG] == "ended"
    assert launcher.check_run_worker_health(run).status is WorkerStatus.NOT_FOUND
    launcher.dispose()


def test_a_file_that_goes_while_the_code_is_looked_at_is_no_error(tmp_path: Path) -> None:
    assert module._changed(tmp_path / "gone.py") == 0 < module._changed(Path(os.__file__))
