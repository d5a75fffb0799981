"""``cie node`` and ``cie access``: wrong use, and what granting leaves behind."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ingestion.cli import build_app
from ingestion.settings import Settings, SettingsError
from portal.search.access import Access, NotGrantedError
from portal.search.setup import grants_file, node_addresses


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(build_app(arguments[0]), list(arguments))
    return result.exit_code, result.stdout, result.stderr


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIE_DATA_DIR", str(tmp_path / "data"))


def test_a_node_of_nothing_is_refused(tmp_path: Path) -> None:
    code, _, told = run("node", "--project", "No such project")
    assert code == 2 and "no project" in told and "ProCAncer-I" in told
    assert run("node", "--index", str(tmp_path), "--source", "PRCI-PROST-01")[0] == 2


def test_access_is_granted_by_a_token_that_is_kept_nowhere() -> None:
    code, out, _ = run("access", "application 12", "--until", "2026-12-31", "--source", "PRCI-PROST-01")
    token = out.strip()
    file = grants_file(Settings())
    assert code == 0 and len(token) > 40 and token not in file.read_text()
    assert file.stat().st_mode & 0o077 == 0
    grant = Access(file, today=lambda: dt.date(2026, 12, 31)).grant_of(f"Bearer {token}")
    assert grant.may_see("PRCI-PROST-01") and not grant.may_see("PRCI-PROST-02")
    with pytest.raises(NotGrantedError, match="has ended"):
        Access(file, today=lambda: dt.date(2027, 1, 1)).grant_of(f"Bearer {token}")


@pytest.mark.parametrize("said", ['["x"]', '["a=http://b/", "a=http://c/"]', '["a=file:///etc/passwd"]'])
def test_nodes_written_wrongly_stop_the_start(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIE_NODES", said)
    with pytest.raises(SettingsError, match="CIE_NODES"):
        node_addresses(Settings())
