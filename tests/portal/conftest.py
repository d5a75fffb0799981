"""One made platform for all tests of the pages."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_index import HELD, TODAY, client_of, make_index, make_rows
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from starlette.testclient import TestClient

from ingestion.accounting.database import engine_of
from ingestion.catalogue.migrate import upgrade
from ingestion.catalogue.search.index import SearchIndex
from portal.search.access import add_grant
from tests.portal.made_portal import Platform, make_platform


@pytest.fixture(scope="session")
def platform(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    name = f"t_{uuid.uuid4().hex[:12]}"
    admin = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    url = make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    upgrade(url)
    engine = engine_of(url)
    # the pages read the stores alone: the database is only needed to make the releases
    made = make_platform(engine, tmp_path_factory.mktemp("platform"), console_files=console_files())
    engine.dispose()
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()
    yield made


def console_files() -> Path:
    """Where ``make console`` put the files of the SQL console, if it was run."""
    from ingestion.settings import Settings
    from portal.site.console_files import FOLDER

    return Settings().data_dir / FOLDER


@pytest.fixture(scope="session")
def served(platform: Platform) -> Iterator[str]:
    """The address of the platform's portal, on the loopback."""
    import socket
    import threading

    import uvicorn

    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(platform.app, log_level="warning", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    server.should_exit = True
    thread.join(timeout=60)
    listening.close()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> SearchIndex:
    return make_index(tmp_path_factory.mktemp("api"), make_rows(HELD))


@pytest.fixture
def granted(index: SearchIndex, tmp_path: Path) -> TestClient:
    client = client_of(index, grants=tmp_path / "access.json")
    token = add_grant(tmp_path / "access.json", name="study 12", sources=("LUNG-01", "LUNG-02"), until=TODAY)
    client.headers["Authorization"] = f"Bearer {token}"
    return client
