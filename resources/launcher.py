"""Dagster's run launcher of this product: runs fork from a warm process, and their health is their process id.

Chosen by measurement (``docs/decisions/0003-run-launcher.md``). Any launcher of Dagster's works in its place, for
instance the Kubernetes one: it is one entry in ``dagster.yaml``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import psutil
from dagster import DagsterRun
from dagster._config import UserConfigSchema
from dagster._core.errors import DagsterLaunchFailedError
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._grpc.types import ExecuteRunArgs
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from ingestion.settings import Settings

PID_TAG = "cie/pid"
STARTED_TAG = "cie/pid_started"
ROOT = Path(__file__).resolve().parents[1]
WATCHED = ("assets", "ingestion", "quality_checks", "resources")
"""Packages whose change makes the warm process start anew, so that a run never works with old code."""
PATIENCE_SECONDS = 10.0
"""For the warm process to end by itself."""


class WarmRunLauncher(RunLauncher, ConfigurableClass):
    """Starts each run as a fork of ``resources.warm_runs``."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        self._lock = threading.Lock()
        self._server: subprocess.Popen[bytes] | None = None
        self._code: str | None = None
        super().__init__()

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        return self._inst_data

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        return {}

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        return cls(inst_data=inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        run = context.dagster_run
        origin = context.job_code_origin
        if origin is None:
            raise DagsterLaunchFailedError(f"run {run.run_id} names no code to run")
        command = ExecuteRunArgs(
            job_origin=origin, run_id=run.run_id, instance_ref=self._instance.get_ref(), set_exit_code_on_failure=True
        ).get_command_args()
        arguments = list(command[command.index("api") :])
        with self._lock:
            pid = self._request(arguments)
        self._instance.add_run_tags(run.run_id, {PID_TAG: str(pid), STARTED_TAG: _started(pid)})

    def terminate(self, run_id: str) -> bool:
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        process = _process(run)
        if process is None:
            self._instance.report_run_canceled(run, message="its process had already ended")
            return True
        process.send_signal(signal.SIGTERM)
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        if PID_TAG not in run.tags:
            return CheckRunHealthResult(WorkerStatus.UNKNOWN, "its process is not known yet")
        if _process(run) is None:
            return CheckRunHealthResult(WorkerStatus.NOT_FOUND, "its process has ended without a word")
        return CheckRunHealthResult(WorkerStatus.RUNNING)

    def dispose(self) -> None:
        with self._lock:
            self._stop()

    def _request(self, arguments: list[str]) -> int:
        code = code_fingerprint()
        if self._server is None or self._server.poll() is not None or code != self._code:
            self._restart(code)
        try:
            self._ask(arguments)
        except BrokenPipeError:  # it ended just now, and has not heard of this run
            self._restart(code)
            self._ask(arguments)
        return int(self._answer()["pid"])

    def _restart(self, code: str) -> None:
        self._stop()
        self._server, self._code = _start_server(), code
        self._answer()

    def _ask(self, arguments: list[str]) -> None:
        if self._server is None or self._server.stdin is None:
            raise DagsterLaunchFailedError("the process that starts runs has no input")
        self._server.stdin.write(json.dumps({"arguments": arguments}).encode() + b"\n")
        self._server.stdin.flush()

    def _answer(self) -> dict[str, Any]:
        if self._server is None or self._server.stdout is None:
            raise DagsterLaunchFailedError("the process that starts runs is not there")
        line = self._server.stdout.readline()
        if not line:
            self._stop()
            raise DagsterLaunchFailedError("the process that starts runs ended; the daemon's log says why")
        found: dict[str, Any] = json.loads(line)
        return found

    def _stop(self) -> None:
        if self._server is None:
            return
        if self._server.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # what was not sent yet has nobody to go to
                self._server.stdin.close()  # it ends by itself; its runs go on
        try:
            self._server.wait(timeout=PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            # On a busy machine it may take long to end, and the next run must not fail for that. Its runs are processes
            # of their own and go on.
            self._server.kill()
            self._server.wait()
        self._server = None


def code_fingerprint() -> str:
    """Changes whenever a source file or the registry does."""
    files = [path for package in WATCHED for path in (ROOT / package).rglob("*.py")]
    files.append(Settings().registry)
    return f"{len(files)}-{max(map(_changed, files), default=0)}"


def _changed(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except FileNotFoundError:  # taken away while we looked
        return 0


def _start_server() -> subprocess.Popen[bytes]:
    environment = dict(os.environ)
    environment.update(
        PYTHONPATH=os.pathsep.join(filter(None, [str(ROOT), environment.get("PYTHONPATH")])),
        GX_ANALYTICS_ENABLED="false",
        DAGSTER_DISABLE_TELEMETRY="1",
        # Several runs share the cores: threads of one run's linear algebra would only be in the others' way.
        OPENBLAS_NUM_THREADS="1",
        OMP_NUM_THREADS="1",
    )
    return subprocess.Popen(
        [sys.executable, "-m", "resources.warm_runs"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment,
        cwd=ROOT,
    )


def _started(pid: int) -> str:
    try:
        return f"{psutil.Process(pid).create_time():.2f}"
    except psutil.NoSuchProcess:
        return "ended"  # before we looked: no process has this start, so that monitoring sees it as ended


def _process(run: DagsterRun) -> psutil.Process | None:
    """The run's process if it still runs; a recycled process id is told apart by its start time."""
    pid = run.tags.get(PID_TAG)
    if pid is None:
        return None
    try:
        process = psutil.Process(int(pid))
        same = f"{process.create_time():.2f}" == run.tags.get(STARTED_TAG)
        return process if same and process.status() != psutil.STATUS_ZOMBIE else None
    except psutil.NoSuchProcess:
        return None
