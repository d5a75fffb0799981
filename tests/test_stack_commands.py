"""What ``cie up``, ``cie status`` and ``cie down`` say: in plain words, with what to do next; no stack is started."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ingestion.cli import build_app
from resources import commands
from resources.embedded.stack import ORDER, SERVED_BY, EmbeddedStack, PartStatus

NAMES = (*ORDER, *SERVED_BY)


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(build_app(arguments[0]), list(arguments))
    return result.exit_code, " ".join(result.output.split())


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "the data"
    folder.mkdir()
    monkeypatch.setenv("CIE_DATA_DIR", str(folder))
    return folder


def running(monkeypatch: pytest.MonkeyPatch, *dead: str) -> None:
    parts = tuple(PartStatus(name, None if name in dead else 7, "127.0.0.1:1", f"/logs/{name}.log") for name in NAMES)
    monkeypatch.setattr(EmbeddedStack, "status", lambda self: parts)


def test_every_part_is_told_in_words() -> None:
    assert set(commands.PURPOSE) == set(NAMES)


def test_status_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = run("status")
    assert code == 1 and "Nothing runs: `cie up` starts it." in said
    running(monkeypatch, "daemon")
    code, said = run("status")
    assert code == 1 and "daemon does not run. Why: see the end of /logs/daemon.log" in said and "`cie up`" in said
    running(monkeypatch)
    code, said = run("status")
    assert (
        code == 0 and "All parts run." in said and "cie release build" in said and "pages and API for visitors" in said
    )


def test_down_says_what_it_stopped_and_what_is_kept(own_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = run("down")
    assert code == 0 and "nothing to stop" in said and "kept: all data in" in said
    assert f"rm -r '{own_folder}'" in said  # as a shell takes it, with its space

    def down(self: EmbeddedStack, *, progress: Callable[[str], None]) -> tuple[str, ...]:
        return ("daemon", "store")

    monkeypatch.setattr(EmbeddedStack, "down", down)
    assert "stopped: daemon, store. Nothing else was touched." in run("down")[1]
    told = json.loads(CliRunner().invoke(build_app("down"), ["down", "--json"]).stdout)
    assert told == {"stopped": 2, "parts": ["daemon", "store"], "data": str(own_folder)}
