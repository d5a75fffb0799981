"""Two buckets, and a real database with the catalogue's schema."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from made_sources import World
from sqlalchemy import Engine

from ingestion.accounting.database import engine_of
from ingestion.catalogue.migrate import upgrade
from ingestion.storage.folder import FolderStore


@pytest.fixture
def stores(tmp_path: Path) -> tuple[FolderStore, FolderStore]:
    return FolderStore(tmp_path / "research"), FolderStore(tmp_path / "internal")


@pytest.fixture
def engine(postgres_url: str) -> Iterator[Engine]:
    upgrade(postgres_url)
    engine = engine_of(postgres_url)
    yield engine
    engine.dispose()


@pytest.fixture
def world(engine: Engine, stores: tuple[FolderStore, FolderStore]) -> World:
    return World(engine, *stores)
