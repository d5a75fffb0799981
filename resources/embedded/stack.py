"""Starts, stops and shows the embedded stack. All state is below one data folder; starting twice changes nothing."""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import signal
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ingestion.settings import STACK_FILE, Settings
from ingestion.storage.s3 import S3Store
from resources.embedded import postgres
from resources.embedded.processes import Managed

ROOT = Path(__file__).resolve().parents[2]
PREFERRED = {"database": 5433, "store": 9000, "portal": 8010, "operators": 8011, "code-server": 4266, "webserver": 3000}
SERVED_BY = {"operators": "portal"}
"""Parts that are an address of another part's process."""
ORDER = ("database", "store", "portal", "code-server", "webserver", "daemon")
_EVERY_STORAGE = """{
  runsOrError(limit: 1) { __typename }
  assetsOrError(limit: 1) { __typename }
  workspaceOrError { __typename ... on Workspace { locationEntries { id locationOrLoadError { __typename
    ... on RepositoryLocation { repositories { schedules { scheduleState { status } } } } } } } }
}"""
"""Reads of the run, event log and schedule storages, and of the definitions."""
ATTEMPTS = 3
"""To start all, where another stack takes a port between its choice and its use."""
START_SECONDS = 120.0
"""Longest wait for one part: a cold import of Dagster on a busy machine takes half a minute."""


class StackError(RuntimeError):
    """A part did not start; the message names it and its log."""


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One part of the stack."""

    name: str
    pid: int | None
    address: str | None
    log: str


class EmbeddedStack:
    """The stack of one data folder."""

    def __init__(self, settings: Settings) -> None:
        self._data = settings.data_dir
        self._settings = settings
        self._run, self._logs = self._data / "run", self._data / "logs"

    def up(self, *, progress: Callable[[str], None] = lambda text: None) -> None:
        """Start what does not run, in order, and write the addresses to ``<data>/run/stack.json``.

        Raises:
            StackError: a part did not come up.
        """
        self._data.mkdir(parents=True, exist_ok=True)
        for folder in (self._run, self._logs, self._data / "store"):
            folder.mkdir(exist_ok=True, mode=0o700)
        with self._locked():
            self._same_registry()
            for left in reversed(range(ATTEMPTS)):
                ports = self._ports()
                try:
                    self._start(ports, self._secrets(), progress)
                    return
                except StackError:
                    # Free when it was chosen, and another stack's when it was used: choose again.
                    if not left or not self._lost_ports(ports):
                        raise

    def _start(self, ports: dict[str, int], secret: dict[str, str], progress: Callable[[str], None]) -> None:
        url = postgres.url(port=ports["database"], password=secret["database"])
        address = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
        told = {
            "database_url": url, "s3_endpoint": address["store"], "s3_access_key": "cie",
            "s3_secret_key": secret["store"], "dagster_url": address["webserver"], "portal_url": address["portal"],
            "operator_url": address["operators"],
        }  # fmt: skip
        self._database(ports["database"], secret["database"], url, progress)
        _write_private(
            self._data / STACK_FILE, {"settings": told, "ports": ports, "registry": str(self._settings.registry)}
        )
        self._start_rest(ports, secret, url, progress)

    def _same_registry(self) -> None:
        """A stack that runs goes on with the registry it was started with: another one is not taken silently."""
        try:
            running = json.loads((self._data / STACK_FILE).read_text()).get("registry")
        except FileNotFoundError:
            return
        wanted = str(self._settings.registry)
        if running not in (None, wanted) and self._part("code-server").process() is not None:
            raise StackError(f"the stack runs with the registry {running}, not {wanted}: `cie down` first")

    def _database(self, port: int, password: str, url: str, progress: Callable[[str], None]) -> None:
        folder = self._data / "postgres"
        part = self._part("database")
        if part.process() is None:
            progress("PostgreSQL")
            postgres.prepare(folder, password=password)
            postgres.clear_remains(folder)
            # Its pooled connections would be dead, and each would fail a click of somebody's.
            self._part("webserver").stop()
            part.start(postgres.command(folder, port=port), environment={}, folder=Path("/"), user=postgres.user())
        self._wait(part, lambda: _database_answers(url))
        from ingestion.catalogue.migrate import upgrade

        upgrade(url)

    def _start_rest(
        self, ports: dict[str, int], secret: dict[str, str], url: str, progress: Callable[[str], None]
    ) -> None:
        home = self._data / "dagster"
        home.mkdir(exist_ok=True, mode=0o700)
        shutil.copyfile(ROOT / "dagster.yaml", home / "dagster.yaml")
        own = {"CIE_S3_ACCESS_KEY": "cie", "CIE_S3_SECRET_KEY": secret["store"]}
        dagster = {
            "CIE_DATA_DIR": str(self._data), "CIE_DATABASE_URL": url, "DAGSTER_HOME": str(home),
            "CIE_CODE_SERVER_PORT": str(ports["code-server"]), "DAGSTER_DISABLE_TELEMETRY": "1",
            "GX_ANALYTICS_ENABLED": "false", "DO_NOT_TRACK": "1", "PYTHONUNBUFFERED": "1", "PYTHONPATH": str(ROOT),
            "PYTHONWARNINGS": "ignore",
        }  # fmt: skip
        python, tool = sys.executable, str(Path(sys.executable).parent)
        store = ["-m", "resources.embedded.s3_server", "--root", str(self._data / "store")]
        workspace = ["-w", str(ROOT / "workspace.yaml")]
        host = ["-h", "127.0.0.1", "-p"]
        commands: dict[str, tuple[list[str], dict[str, str]]] = {
            "store": ([python, *store, "--port", str(ports["store"])], {**dagster, **own}),
            "portal": (
                [python, "-m", "portal", "--port", str(ports["portal"]), "--operator-port", str(ports["operators"])],
                dagster,
            ),
            "code-server": (
                [f"{tool}/dagster", "code-server", "start", "-m", "assets.definitions", *host,
                 str(ports["code-server"])], dagster,
            ),
            "webserver": ([f"{tool}/dagster-webserver", *host, str(ports["webserver"]), *workspace], dagster),
            "daemon": ([f"{tool}/dagster-daemon", "run", *workspace], dagster),
        }  # fmt: skip
        for name in ORDER[1:]:
            part = self._part(name)
            if name == "portal" and self._missing_address(part, ports):
                part.stop()
            if part.process() is None:
                progress(name)
                part.start(commands[name][0], environment=commands[name][1], folder=ROOT)
            for port in (ports[one] for one in (name, *_addresses_of(name)) if one in ports):
                self._wait(part, lambda port=port: _listens(port))  # type: ignore[misc]
            if name == "store":
                self._buckets(ports["store"], secret["store"])
        webserver = f"http://127.0.0.1:{ports['webserver']}/graphql"
        self._wait(self._part("webserver"), lambda: _dagster_answers(webserver))

    def _lost_ports(self, ports: dict[str, int]) -> bool:
        """Whether a port of a part that does not run is somebody else's."""
        return any(
            self._part(SERVED_BY.get(name, name)).process() is None and not _is_free(port)
            for name, port in ports.items()
        )

    def _missing_address(self, portal: Managed, ports: dict[str, int]) -> bool:
        """Whether it runs since before it had an address for operators."""
        started = portal.process()
        return started is not None and str(ports["operators"]) not in started.cmdline()

    def _buckets(self, port: int, secret: str) -> None:
        for name in (self._settings.bucket_research, self._settings.bucket_internal):
            S3Store(name, f"http://127.0.0.1:{port}", "cie", secret).ensure_bucket()

    def down(self, *, progress: Callable[[str], None] = lambda text: None) -> tuple[str, ...]:
        """Stop all that ``up`` started here and nothing else; the names of the parts that were running."""
        if not self._run.exists():
            return ()
        with self._locked():
            stopped: list[str] = []
            for name in reversed(ORDER):
                how = signal.SIGINT if name in ("database", "daemon") else signal.SIGTERM
                if self._part(name).stop(how=how):
                    progress(f"{name} stopped")
                    stopped.append(name)
            (self._data / STACK_FILE).unlink(missing_ok=True)
            return tuple(stopped)

    def status(self) -> tuple[PartStatus, ...]:
        """Each part: its process, address and log."""
        ports = self._known_ports()
        parts = []
        for name in _with_addresses(ORDER):
            part = self._part(SERVED_BY.get(name, name))
            process = part.process()
            address = f"127.0.0.1:{ports[name]}" if process is not None and name in ports else None
            parts.append(PartStatus(name, process.pid if process else None, address, str(part.log)))
        return tuple(parts)

    def _part(self, name: str) -> Managed:
        return Managed(name, self._run, self._logs)

    def _wait(self, part: Managed, ready: Callable[[], bool]) -> None:
        end = time.monotonic() + START_SECONDS
        while not ready():
            if part.process() is None or time.monotonic() > end:
                raise StackError(f"{part.name} did not start; its log: {part.log}")
            time.sleep(0.1)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with (self._run / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _known_ports(self) -> dict[str, int]:
        try:
            found: dict[str, int] = json.loads((self._run / "ports.json").read_text())
        except FileNotFoundError:
            return {}
        return found

    def _ports(self) -> dict[str, int]:
        """The ports that are asked for or of last time where they are ours or free; else the usual ones; else any."""
        known, chosen = self._known_ports(), dict[str, int]()
        asked = {"portal": self._settings.portal_port, "operators": self._settings.operator_port}
        for name, usual in PREFERRED.items():
            running = name in known and self._part(SERVED_BY.get(name, name)).process() is not None
            port = known[name] if running else asked.get(name) or known.get(name, usual)
            taken = port in chosen.values() or not (running or _is_free(port))
            chosen[name] = _any_free() if taken else port
        _write_private(self._run / "ports.json", chosen)
        return chosen

    def _secrets(self) -> dict[str, str]:
        file = self._run / "secrets.json"
        if not file.exists():
            _write_private(file, {"database": secrets.token_hex(24), "store": secrets.token_hex(24)})
        found: dict[str, str] = json.loads(file.read_text())
        return found


def _addresses_of(name: str) -> tuple[str, ...]:
    """Names of the further addresses of a part."""
    return tuple(one for one, served_by in SERVED_BY.items() if served_by == name)


def _with_addresses(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(one for name in names for one in (name, *_addresses_of(name)))


def _write_private(file: Path, content: Any) -> None:
    new = file.with_suffix(".new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
        json.dump(content, out)
    new.replace(file)


def _is_free(port: int) -> bool:
    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _any_free() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
    return port


def _listens(port: int) -> bool:
    with socket.socket() as trial:
        trial.settimeout(1)
        return trial.connect_ex(("127.0.0.1", port)) == 0


def _dagster_answers(url: str) -> bool:
    """Whether the webserver reaches its storages and has the definitions: before, its pages are empty."""
    asked = urllib.request.Request(
        url, json.dumps({"query": _EVERY_STORAGE}).encode(), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.urlopen(asked, timeout=START_SECONDS) as answer:
            said = json.load(answer)
    except (urllib.error.URLError, OSError, ValueError):
        return False
    found = [part.get("__typename", "") for part in (said.get("data") or {}).values()]
    return bool(found) and "errors" not in said and not any("Error" in name for name in found)


def _database_answers(url: str) -> bool:
    import psycopg2

    try:
        psycopg2.connect(url.replace("+psycopg2", ""), connect_timeout=2).close()
    except psycopg2.OperationalError:
        return False
    return True
