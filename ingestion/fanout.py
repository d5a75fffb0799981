"""Spreading tasks over processes so that one bad task costs itself and nothing else.

Written against ``concurrent.futures.Executor``: a pool of local processes, or a Dask cluster through its client's
executor. A plain process pool loses everything queued when one worker dies; here the pool is made again, what was
lost is tried again one at a time, and only a task that kills its worker when it runs alone is given up.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import psutil

from ingestion.dicom.quiet import silence_readers
from ingestion.sockets import make_room_for_sockets

Task = TypeVar("Task")
Result = TypeVar("Result")

PARENT_POLL_SECONDS = 1.0
"""How often a worker looks whether its run is still alive; a run that was killed cannot say goodbye."""
PRELOAD = ("ingestion.deidentify.series", "ingestion.sources.inventory", "ingestion.features.run", "boto3")
"""Imported once by the fork server, so that each worker starts with them in place."""


@dataclass(frozen=True, slots=True)
class Done(Generic[Task, Result]):
    task: Task
    result: Result


@dataclass(frozen=True, slots=True)
class Crashed(Generic[Task]):
    """The task ended its worker process (a crash of native code, or memory) even when it ran alone."""

    task: Task


class Fanout:
    """Runs tasks in ``workers`` processes, or on the Dask cluster at ``address``. Use as a context manager."""

    def __init__(self, *, workers: int = 1, address: str | None = None) -> None:
        self.workers = workers
        self.address = address
        self._executor: Executor | None = None
        self._client: Any = None
        self._futures: list[Future[Any]] = []
        self._broken: tuple[type[BaseException], ...] = (BrokenProcessPool,)

    def __enter__(self) -> Fanout:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._executor is not None:
            for future in self._futures:
                future.cancel()  # Dask's executor knows no `cancel_futures` at shutdown
            self._executor.shutdown(wait=True)
            self._executor = None
        if self._client is not None:
            self._client.close()
            self._client = None

    def abandon(self) -> None:
        """End without waiting for what is being done: for a run that is told to stop. Workers of a pool of this
        machine are ended at once; a cluster is told to cancel."""
        for future in self._futures:
            future.cancel()
        if isinstance(self._executor, ProcessPoolExecutor):
            # What Python 3.14 offers as `kill_workers`; before that the pool has no public list of its processes.
            for process in list((self._executor._processes or {}).values()):
                process.kill()
            self._executor.shutdown(wait=True, cancel_futures=True)  # its thread ends with the last of them
            self._executor = None

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """As the built-in ``map``, in the order of ``tasks``; a crash raises ``WorkerCrashedError``."""
        listed = list(tasks)
        found: dict[int, Result] = {}
        for number, outcome in self._run(function, listed):
            if isinstance(outcome, Crashed):
                raise WorkerCrashedError(f"task {number + 1} of {len(listed)} ended its worker process, twice")
            found[number] = outcome.result
        return (found[number] for number in range(len(listed)))

    def run(
        self, function: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Iterator[Done[Task, Result] | Crashed[Task]]:
        """Results as they come, each with its task. An exception that ``function`` raises is raised here."""
        for _, outcome in self._run(function, tasks):
            yield outcome

    def _run(
        self, function: Callable[[Task], Result], tasks: Sequence[Task]
    ) -> Iterator[tuple[int, Done[Task, Result] | Crashed[Task]]]:
        if not tasks:
            return
        lost: list[int] = []
        futures: dict[Future[Result], int] = {}
        try:
            executor = self._get()
            for number, task in enumerate(tasks):
                futures[executor.submit(function, task)] = number
        except self._broken:
            lost = [number for number in range(len(tasks)) if number not in futures.values()]
        self._futures = list(futures)
        for future in as_completed(futures):
            number = futures[future]
            try:
                result = future.result()
            except self._broken:
                lost.append(number)
                continue
            yield number, Done(tasks[number], result)
        for number in sorted(lost):
            yield number, self._alone(function, tasks[number])

    def _alone(self, function: Callable[[Task], Result], task: Task) -> Done[Task, Result] | Crashed[Task]:
        self._drop()
        try:
            return Done(task, self._get().submit(function, task).result())
        except self._broken:
            self._drop()
            return Crashed(task)

    def _drop(self) -> None:
        if isinstance(self._executor, ProcessPoolExecutor):
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = None

    def _get(self) -> Executor:
        if self._executor is None:
            self._executor = self._connect() if self.address else _pool(self.workers)
        return self._executor

    def _connect(self) -> Executor:
        try:
            from distributed import Client, KilledWorker
        except ImportError:
            raise ComputeUnavailableError(
                "CIE_COMPUTE names a Dask scheduler, but Dask is not installed: `uv sync --extra dask`"
            ) from None
        try:
            self._client = Client(self.address, timeout="10s")
        except (OSError, TimeoutError) as error:
            raise ComputeUnavailableError(
                f"no Dask scheduler answers at {self.address} ({type(error).__name__}); check CIE_COMPUTE"
            ) from None
        self._broken = (BrokenProcessPool, KilledWorker)
        return self._client.get_executor(pure=False, retries=1)


class WorkerCrashedError(RuntimeError):
    """A task that must not fail ended its worker process."""


class ComputeUnavailableError(RuntimeError):
    """The cluster that the settings name cannot be used."""


@contextmanager
def fanout_of(compute: str) -> Iterator[Fanout]:
    """The fan-out that ``CIE_COMPUTE`` asks for: ``local`` (one process per core), ``local:N``, ``tcp://host:port``."""
    local = re.match(r"^local(?::(\d+))?$", compute)
    workers = int(local.group(1) or os.cpu_count() or 1) if local else 1
    with Fanout(workers=workers, address=None if local else compute) as fanout:
        yield fanout


def _pool(workers: int) -> ProcessPoolExecutor:
    # A fork server: forking a process that has threads (Dagster's, boto3's) can deadlock, spawning imports anew.
    make_room_for_sockets()
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOAD))
    parent = psutil.Process()
    return ProcessPoolExecutor(
        max_workers=workers, mp_context=context, initializer=_watch, initargs=(parent.pid, parent.create_time())
    )


def _watch(parent_pid: int, parent_started: float) -> None:
    """Silence the readers, and end this worker when its run is gone: a killed run would leave it waiting for ever.

    Ctrl-C goes to all processes of a terminal: what it means is for the run to say."""
    silence_readers()
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def watch() -> None:
        while True:
            try:
                alive = psutil.Process(parent_pid).create_time() == parent_started
            except psutil.NoSuchProcess:
                alive = False
            if not alive:
                os._exit(1)
            time.sleep(PARENT_POLL_SECONDS)

    threading.Thread(target=watch, daemon=True, name="watch-parent").start()
