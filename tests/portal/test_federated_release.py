"""One release, split by project over two nodes that run as ``cie node``; the portal's search asks both and merges."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from ingestion.accounting.database import engine_of
from ingestion.catalogue.federation.fan_out import NodeAddress
from ingestion.catalogue.migrate import upgrade
from ingestion.catalogue.release import build_release
from ingestion.settings import Settings
from ingestion.sources.registry import FolderSettings, Registry
from ingestion.storage.open import open_stores
from portal.app import build_app
from portal.search.setup import counts_secret, portal_limits, service_of
from tests.portal.made_portal import CLOSED, EXACT, FEW, OPEN, Made, make_sources, publish
from tests.s3_servers import endpoint, new_bucket

HELD = {"one": (OPEN, FEW), "two": (CLOSED,)}
LONG = 120.0
"""Seconds for nodes that answer: a slow machine must not look like a dead node."""


@dataclass(frozen=True)
class Federation:
    portal: TestClient
    processes: dict[str, subprocess.Popen[str]]

    def ask(self, said: Any = None, *facets: str) -> dict[str, Any]:
        response = self.portal.post("/api/v1/federated", json={"query": said, "facets": list(facets)})
        assert response.status_code == 200, response.text
        body: dict[str, Any] = response.json()
        return body


@pytest.fixture
def federation(postgres_url: str, tmp_path: Path) -> Iterator[Federation]:
    (tmp_path / "store").mkdir()
    with endpoint("ours", tmp_path / "store") as server:
        made = sources_of_two_projects()
        entries = tuple(one.entry for one in made)
        registry = Registry(description="made for a test", sources=entries)
        settings = Settings(
            data_dir=tmp_path / "data", registry=tmp_path / "registry.yaml", s3_endpoint=server.url,
            s3_access_key=server.access, s3_secret_key=server.secret, bucket_research=new_bucket(server),
            bucket_internal=new_bucket(server),
        )  # fmt: skip
        settings.registry.write_text(registry.model_dump_json(exclude_none=True))  # JSON is YAML
        stores = open_stores(settings)
        upgrade(postgres_url)
        engine = engine_of(postgres_url)
        for source in made:
            publish(engine, stores.research, stores.internal, source)
        build_release(engine, stores.research, stores.internal, registry, today=dt.date(2026, 11, 1))
        engine.dispose()

        secret = counts_secret(settings)  # made before the nodes start: they share the data folder
        processes = {name: start(name, settings, server.secret) for name in HELD}
        try:
            nodes = tuple(address_of(name, process) for name, process in processes.items())
            service = service_of(settings, stores, entries, secret=secret)
            limits = portal_limits(settings, secret=secret)
            yield Federation(TestClient(build_app(stores, entries, search=(service, limits), nodes=nodes)), processes)
        finally:
            for process in processes.values():
                process.kill()
                process.wait()
                if process.stdout is not None:
                    process.stdout.close()


def sources_of_two_projects() -> list[Made]:
    """Each with a folder of its own, as a registry in a file wants it."""
    made = make_sources()
    return [
        Made(one.entry.model_copy(update={"connector": FolderSettings(kind="folder", path=Path(one.entry.id))}),
             list(one.manifests))
        for one in made
    ]  # fmt: skip


def start(name: str, settings: Settings, secret: str) -> subprocess.Popen[str]:
    """``cie node`` with settings in its environment alone, for all sources of one project."""
    [project] = {one.entry.project for one in sources_of_two_projects() if one.entry.id in HELD[name]}
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CIE_")} | {
        "CIE_DATA_DIR": str(settings.data_dir), "CIE_REGISTRY": str(settings.registry),
        "CIE_S3_ENDPOINT": str(settings.s3_endpoint), "CIE_S3_ACCESS_KEY": str(settings.s3_access_key),
        "CIE_S3_SECRET_KEY": secret, "CIE_BUCKET_RESEARCH": settings.bucket_research,
        "CIE_BUCKET_INTERNAL": settings.bucket_internal,
    }  # fmt: skip
    command = [sys.executable, "-m", "ingestion.cli", "node", "--project", project, "--port", "0", "--provider", name]
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True)


def address_of(name: str, process: subprocess.Popen[str]) -> NodeAddress:
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert address.startswith("http://127.0.0.1:"), name
    return NodeAddress(name, f"{address}/node", limit=LONG)


def values_of(body: dict[str, Any], field: str) -> dict[str, dict[str, Any]]:
    return {one["value"]: one for facet in body["facets"] if facet["field"] == field for one in facet["values"]}


def test_two_nodes_of_one_release_are_asked_and_merged(federation: Federation) -> None:
    whole = federation.ask(None, "Modality", "source_id", "PatientSex")
    assert [site["state"] for site in whole["sites"]] == ["answered"] * 2
    assert {site["name"]: site["release"] for site in whole["sites"]} == dict.fromkeys(HELD, "2026.11.1")
    listed = {site["name"]: [one["id"] for one in site["collections"]] for site in whole["sites"]}
    assert listed == {"one": [OPEN], "two": [CLOSED]}  # seven people are no collection that may be counted
    assert whole["complete"] and whole["distinct"] and whole["repeated"] == []
    assert whole["people"] == sum(site["people"] for site in whole["sites"])
    assert abs(whole["people"] - sum(EXACT.values())) < 10 * len(HELD)

    # the sum of what each node says by itself, and partial where one of them hides what may be a few
    sexes = values_of(whole, "PatientSex")
    alone = [federation.ask({"field": "source_id", "in": list(held)}, "PatientSex") for held in HELD.values()]
    assert all(one["people"] % 10 == one["studies"] % 10 == one["series"] % 10 == 0 for one in sexes.values())
    for sex in ("F", "M"):
        assert sexes[sex]["sites"] == 2
        assert abs(sexes[sex]["people"] - sum(values_of(one, "PatientSex")[sex]["people"] for one in alone)) < 40
    modalities = values_of(whole, "Modality")
    assert modalities["CT"]["sites"] == 2 and modalities["CT"]["partial"] is False
    assert modalities["MR"]["sites"] == 1 and modalities["MR"]["partial"] is True
    sources = values_of(whole, "source_id")
    assert set(sources) == {OPEN, CLOSED}
    assert [facet["without"] for facet in whole["facets"]] == [[], [], []]

    unknown = federation.portal.post("/api/v1/federated", json={"facets": ["Stage"]})
    assert unknown.status_code == 400 and "no such counted field" in unknown.text

    dies = federation.processes["two"]
    dies.kill()
    dies.wait()
    left = federation.ask(None, "Modality")
    assert not left["complete"] and {site["name"]: site["state"] for site in left["sites"]}["two"] == "failed"
    assert [facet["without"] for facet in left["facets"]] == [["two"]]
    assert all(one["partial"] for one in values_of(left, "Modality").values())
    assert left["people"] == next(site["people"] for site in whole["sites"] if site["name"] == "one")
