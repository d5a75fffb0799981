"""The platform's own sources as six nodes, one for each project: ``cie node`` six times, one dead and one slow."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
from starlette.testclient import TestClient

from ingestion.accounting.database import engine_of
from ingestion.catalogue.federation.fan_out import NodeAddress
from ingestion.catalogue.migrate import upgrade
from ingestion.catalogue.release import build_release
from ingestion.catalogue.release_manifest import list_releases
from ingestion.settings import Settings
from ingestion.sources.registry import Registry, load_registry
from ingestion.storage.open import Stores, open_stores
from portal.app import build_app
from portal.search.setup import counts_secret, portal_limits, service_of
from tests.ingestion.catalogue.made_sources import MadeSource, World, make_manifest
from tests.s3_servers import endpoint, new_bucket

pytestmark = pytest.mark.slow
PEOPLE = 20
"""Of each source: enough that its count may be shown."""
LONG = 120.0
"""Seconds for nodes that answer: a slow machine must not look like a dead node."""


@dataclass(frozen=True)
class Nodes:
    settings: Settings
    stores: Stores
    registry: Registry
    processes: dict[str, subprocess.Popen[str]]
    addresses: dict[str, NodeAddress]

    def portal(self, limits: dict[str, float] | None = None) -> TestClient:
        """The platform's own search over the nodes; ``limits``: seconds of some of them."""
        nodes = tuple(replace(one, limit=(limits or {}).get(name, LONG)) for name, one in self.addresses.items())
        secret = counts_secret(self.settings)
        service = service_of(self.settings, self.stores, self.registry.sources, secret=secret)
        search = service, portal_limits(self.settings, secret=secret)
        return TestClient(build_app(self.stores, self.registry.sources, search=search, nodes=nodes))


@pytest.fixture(scope="module")
def nodes(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nodes]:
    folder = tmp_path_factory.mktemp("federation")
    (folder / "store").mkdir()
    registry = load_registry(Settings().registry)
    with endpoint("ours", folder / "store") as server:
        settings = Settings(
            data_dir=folder / "data", s3_endpoint=server.url, s3_access_key=server.access,
            s3_secret_key=server.secret, bucket_research=new_bucket(server), bucket_internal=new_bucket(server),
        )  # fmt: skip
        stores = open_stores(settings)
        publish_all(postgres_server, stores, registry)
        counts_secret(settings)  # made before the nodes start: they share the data folder
        environment = {key: value for key, value in os.environ.items() if not key.startswith("CIE_")} | {
            "CIE_DATA_DIR": str(settings.data_dir), "CIE_S3_ENDPOINT": server.url, "CIE_S3_ACCESS_KEY": server.access,
            "CIE_S3_SECRET_KEY": server.secret, "CIE_BUCKET_RESEARCH": settings.bucket_research,
            "CIE_BUCKET_INTERNAL": settings.bucket_internal,
        }  # fmt: skip
        processes: dict[str, subprocess.Popen[str]] = {}
        try:
            for project in sorted({entry.project for entry in registry.sources}):
                command = [sys.executable, "-m", "ingestion.cli", "node", "--project", project, "--port", "0"]
                processes[project] = subprocess.Popen(
                    [*command, "--provider", project], env=environment, stdout=subprocess.PIPE, text=True,
                    start_new_session=True,
                )  # fmt: skip
            yield Nodes(settings, stores, registry, processes, {
                name: NodeAddress(name, f"{first_line(process)}/node") for name, process in processes.items()
            })  # fmt: skip
        finally:
            for process in processes.values():
                process.kill()
                process.wait()
                if process.stdout is not None:
                    process.stdout.close()


def publish_all(server: str, stores: Stores, registry: Registry) -> None:
    """A release of all sources of the registry, each with so many people, half of them women, every third with MR."""
    from uuid import uuid4

    from sqlalchemy import create_engine, make_url, text

    name = f"t_{uuid4().hex[:12]}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = make_url(server).set(database=name).render_as_string(hide_password=False)
    upgrade(url)
    engine = engine_of(url)
    world = World(engine, stores.research, stores.internal)
    for entry in registry.sources:
        made = [
            make_manifest(entry.id, patient=person, slices=1, PatientSex="MF"[person % 2],
                          Modality="MR" if person % 3 == 0 else "CT")
            for person in range(1, PEOPLE + 1)
        ]  # fmt: skip
        world.publish(MadeSource(entry, made), with_results=False)
    build_release(engine, stores.research, stores.internal, registry, today=dt.date(2026, 11, 1))
    engine.dispose()
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    assert address.startswith("http://127.0.0.1:"), address
    return address


def asked(portal: TestClient, said: Any, *facets: str) -> dict[str, Any]:
    response = portal.post("/api/v1/federated", json={"query": said, "facets": list(facets)})
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


def test_all_sources_as_six_nodes_then_one_is_dead_and_one_is_slow(nodes: Nodes) -> None:
    [release] = list_releases(nodes.stores.research)
    assert len(nodes.processes) == 6 and len(release.sources) == 35  # one of the 36 has no signed agreement
    women = {"field": "PatientSex", "in": ["F"]}
    whole = asked(nodes.portal(), women, "Modality")
    assert {site["state"] for site in whole["sites"]} == {"answered"}
    assert whole["complete"] and whole["distinct"] and whole["repeated"] == []
    listed = [one["id"] for site in whole["sites"] for one in site["collections"]]
    assert set(listed) <= set(release.sources) and len(listed) == len(set(listed))
    sites = {site["name"]: site for site in whole["sites"]}
    assert whole["people"] == sum(site["people"] or 0 for site in sites.values())
    assert abs(whole["people"] - 35 * PEOPLE // 2) <= 10 * 6  # each node rounds its own number
    everybody = asked(nodes.portal(), None)
    listed = [one["id"] for site in everybody["sites"] for one in site["collections"]]
    assert sorted(listed) == sorted(release.sources)

    dead, slow = "PRIMAGE", "CHAIMELEON"
    nodes.processes[dead].kill()
    nodes.processes[dead].wait()
    os.kill(nodes.processes[slow].pid, signal.SIGSTOP)
    try:
        partial = asked(nodes.portal({slow: 1.0}), women, "Modality")
    finally:
        os.kill(nodes.processes[slow].pid, signal.SIGCONT)
    left = {site["name"]: site for site in partial["sites"]}
    assert {name: site["state"] for name, site in left.items()} == {
        **dict.fromkeys(left, "answered"), dead: "failed", slow: "late",
    }  # fmt: skip
    assert left[slow]["reason"] == "no answer within 1 s" and "does not answer" in left[dead]["reason"]
    assert not partial["complete"]
    # what is left gives the numbers of before, and nothing of what is missing
    assert partial["people"] == sum(site["people"] or 0 for name, site in sites.items() if name not in (dead, slow))
    [modalities] = partial["facets"]
    assert sorted(modalities["without"]) == sorted([dead, slow])
    assert modalities["values"] and all(one["partial"] for one in modalities["values"])
