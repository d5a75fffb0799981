"""One bad task costs itself and nothing else."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from multiprocessing import process
from pathlib import Path

import psutil
import pytest

from ingestion.fanout import ComputeUnavailableError, Crashed, Done, Fanout, WorkerCrashedError, fanout_of
from ingestion.sockets import SocketPathError, make_room_for_sockets


def double(number: int) -> int:
    return 2 * number


def die_at_three(number: int) -> int:
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def sleep(seconds: int) -> int:
    time.sleep(seconds)
    return seconds


def fail_at_three(number: int) -> int:
    if number == 3:
        raise ValueError("three")
    return number


def test_map_keeps_the_order() -> None:
    with Fanout(workers=2) as fanout:
        assert list(fanout.map(double, range(20))) == [2 * number for number in range(20)]


def test_a_task_that_kills_its_worker_costs_only_itself() -> None:
    with Fanout(workers=2) as fanout:
        found = list(fanout.run(die_at_three, list(range(12))))
    assert [item.task for item in found if isinstance(item, Crashed)] == [3]
    assert sorted(item.result for item in found if isinstance(item, Done)) == [n for n in range(12) if n != 3]


def test_map_says_when_a_task_crashed() -> None:
    with Fanout(workers=1) as fanout, pytest.raises(WorkerCrashedError):
        list(fanout.map(die_at_three, [3]))


def test_an_error_of_the_function_is_raised() -> None:
    with Fanout(workers=1) as fanout, pytest.raises(ValueError, match="three"):
        list(fanout.run(fail_at_three, [1, 2, 3]))


def test_a_scheduler_that_is_not_there_is_one_clear_error() -> None:
    with fanout_of("tcp://127.0.0.1:9") as fanout, pytest.raises(ComputeUnavailableError, match="CIE_COMPUTE"):
        list(fanout.map(double, [1]))


@pytest.mark.slow
def test_the_same_work_runs_on_a_dask_cluster() -> None:
    distributed = pytest.importorskip("distributed")
    cluster = distributed.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None)
    with cluster, fanout_of(cluster.scheduler_address) as fanout:
        # A function that the workers can import: they know nothing of this test's module.
        assert list(fanout.map(abs, [-1, 2, -3])) == [1, 2, 3]


def test_a_run_that_is_abandoned_waits_for_nothing() -> None:
    with Fanout(workers=1) as fanout:
        results = fanout.run(sleep, [0, 3600])
        assert next(iter(results)) == Done(0, 0)
        fanout.abandon()  # else leaving the block takes an hour


POOL = """
import sys, tempfile
from ingestion.fanout import Fanout
if __name__ == '__main__':
    with Fanout(workers=1) as fanout:
        print(list(fanout.map(abs, [-1, 2])), tempfile.gettempdir() == sys.argv[1])
"""


def test_a_long_temporary_folder_stops_no_worker(tmp_path: Path) -> None:
    """The path of a socket has some 100 bytes; files still go where TMPDIR says."""
    script, folder = tmp_path / "run.py", tmp_path / ("long" * 30)
    script.write_text(POOL)
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, str(script), str(folder)],
        env={**os.environ, "TMPDIR": str(folder)}, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "[1, 2] True\n"), done.stderr


def test_where_no_folder_is_short_enough_the_remedy_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / ("long" * 30)))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setitem(process.current_process()._config, "tempdir", None)  # type: ignore[attr-defined]
    with pytest.raises(SocketPathError, match="set TMPDIR to a folder whose path has at most"):
        make_room_for_sockets(folders=())


def test_workers_end_when_their_run_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "import time\n"
        "from ingestion.fanout import Fanout\n"
        "if __name__ == '__main__':\n"
        "    with Fanout(workers=1) as fanout:\n"
        "        print('ready', flush=True)\n"
        "        list(fanout.map(time.sleep, [600]))\n"
    )
    run = subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE)
    assert run.stdout is not None
    run.stdout.readline()
    workers = _wait_for(lambda: psutil.Process(run.pid).children(recursive=True), at_least=2)
    run.kill()
    run.wait()
    _, alive = psutil.wait_procs(workers, timeout=20)
    assert alive == []


def _wait_for(found, *, at_least: int) -> list[psutil.Process]:
    for _ in range(200):
        processes = found()
        if len(processes) >= at_least:
            time.sleep(1.0)
            return found()
        time.sleep(0.1)
    raise AssertionError("the workers did not start")
