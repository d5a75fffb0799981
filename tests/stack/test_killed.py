"""Processes killed in the middle of a run: the same final state, nothing lost, nothing twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from ingestion.accounting.ledger import Ledger, engine_of
from ingestion.accounting.reconcile import reconcile
from ingestion.deidentify.folder import deidentify_folder
from ingestion.deidentify.policy import load_policy
from ingestion.demo.check import compare
from ingestion.demo.make import DemoSource, make_sources, read_key
from ingestion.fanout import Fanout
from ingestion.identity.keys import create_key, load_key
from ingestion.settings import Settings
from ingestion.sources.registry import load_registry
from ingestion.storage.folder import FolderStore
from ingestion.storage.open import open_stores
from tests.stack.conftest import DemoStack

pytestmark = pytest.mark.stack
SCALE = 2.0
PATIENCE_SECONDS = 150


def _prepare(demo: DemoStack, source_id: str) -> Settings:
    settings = demo.settings
    entry = load_registry(settings.registry).select([source_id])[0]
    wanted = DemoSource(entry.id, entry.cancer_type.value, entry.modalities, entry.holder_countries)
    make_sources([wanted], settings.sources_root, seed=settings.seed, scale=SCALE)
    create_key(source_id, keys_dir=settings.keys_root)
    return settings


def _until(what: str, ready: Callable[[], Any], *, seconds: float = PATIENCE_SECONDS) -> Any:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = ready()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail(f"waited {seconds:.0f} s for {what}")


def _runs(settings: Settings, source_id: str) -> list[dict[str, Any]]:
    query = """query Runs($filter: RunsFilter!) { runsOrError(filter: $filter, limit: 20) {
      ... on Runs { results { status tags { key value } } } } }"""
    wanted = {"tags": [{"key": "dagster/partition", "value": source_id}]}
    reply = requests.post(
        f"{settings.dagster_url}/graphql", json={"query": query, "variables": {"filter": wanted}}, timeout=60
    )
    runs: list[dict[str, Any]] = reply.json()["data"]["runsOrError"]["results"]
    return [{"status": run["status"], **{tag["key"]: tag["value"] for tag in run["tags"]}} for run in runs]


def _stored(settings: Settings, source_id: str) -> dict[str, int]:
    return {item.key: item.size for item in open_stores(settings).research.list(f"dicom/{source_id}/")}


def _as_undisturbed(settings: Settings, source_id: str, scratch: Path) -> dict[str, int]:
    """What the same code makes of the same delivery in one go, in a folder."""
    key, target = load_key(source_id, keys_dir=settings.keys_root), FolderStore(scratch)
    entry = load_registry(settings.registry).select([source_id])[0]
    delivery = settings.sources_root / source_id / "delivery"
    with Fanout(workers=2) as fanout:
        deidentify_folder(delivery, key=key, policy=load_policy(entry.policy), target=target, fanout=fanout)
    return {item.key: item.size for item in target.list(f"dicom/{source_id}/")}


def _assert_whole(settings: Settings, source_id: str, scratch: Path) -> None:
    assert _stored(settings, source_id) == _as_undisturbed(settings, source_id, scratch)
    engine, stores = engine_of(settings.sqlalchemy_url()), open_stores(settings)
    account = reconcile(source_id, ledger=Ledger(engine), research=stores.research, internal=stores.internal)
    assert account.problems == ()
    source_key = load_key(source_id, keys_dir=settings.keys_root)
    answer_key = read_key(settings.sources_root, source_id)
    assert compare(answer_key, Ledger(engine).outcomes(source_id), source_key=source_key) == ()
    engine.dispose()


def test_a_run_killed_in_the_middle_is_tried_again_and_ends_the_same(demo: DemoStack, tmp_path: Path) -> None:
    source_id = "EUCI-COLON-PL"
    settings = _prepare(demo, source_id)
    demo.cie("backfill", "--source", source_id, "--no-wait")
    _until("the first stored objects", lambda: len(_stored(settings, source_id)) >= 5)
    pid = int(_runs(settings, source_id)[0]["cie/pid"])
    workers = psutil.Process(pid).children(recursive=True)
    os.kill(pid, signal.SIGKILL)
    stored_then = len(_stored(settings, source_id))
    psutil.wait_procs(workers, timeout=20)
    assert not [worker for worker in workers if worker.is_running()], "workers outlive their run"

    def ended() -> bool:
        runs = _runs(settings, source_id)
        return len(runs) >= 2 and all(run["status"] in ("SUCCESS", "FAILURE") for run in runs)

    _until("the run that Dagster starts by itself", ended)
    assert sorted(run["status"] for run in _runs(settings, source_id)) == ["FAILURE", "SUCCESS"]
    assert stored_then < len(_stored(settings, source_id)), "it was killed too late to prove anything"
    _assert_whole(settings, source_id, tmp_path / "again")


def test_database_and_store_killed_in_the_middle(demo: DemoStack, tmp_path: Path) -> None:
    """The run fails with a message, `cie up` mends the stack, the next run ends as if nothing had been."""
    source_id = "EUCI-LIVER-LT"
    settings = _prepare(demo, source_id)
    demo.cie("backfill", "--source", source_id, "--no-wait")
    _until("the first stored objects", lambda: len(_stored(settings, source_id)) >= 5)
    parts = {part["name"]: part["pid"] for part in json.loads(demo.cie("status", "--json").stdout)["parts"]}
    for name in ("store", "database"):
        os.kill(parts[name], signal.SIGKILL)
    demo.cie("up")
    demo.cie("backfill", "--source", source_id)
    _assert_whole(settings, source_id, tmp_path / "again")


def test_up_twice_starts_nothing_and_down_stops_nothing_else(demo: DemoStack) -> None:
    before = json.loads(demo.cie("status", "--json").stdout)["parts"]
    demo.cie("up")
    assert json.loads(demo.cie("status", "--json").stdout)["parts"] == before
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    try:
        demo.cie("down")
        assert stranger.poll() is None
        assert not [part["name"] for part in before if psutil.pid_exists(part["pid"])]
        assert demo.cie("status", "--json", check=False).returncode == 1
        demo.cie("up")
        assert all(part["pid"] for part in json.loads(demo.cie("status", "--json").stdout)["parts"])
    finally:
        stranger.kill()
