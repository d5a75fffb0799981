"""Resource: PostgreSQL, with the ledger and the catalogue in it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from dagster import ConfigurableResource
from sqlalchemy import Engine

from ingestion.accounting.ledger import Ledger, engine_of
from ingestion.settings import Settings


class DatabaseResource(ConfigurableResource):
    """The database of ``CIE_DATABASE_URL``."""

    @contextmanager
    def engine(self) -> Iterator[Engine]:
        engine = engine_of(Settings().sqlalchemy_url())
        try:
            yield engine
        finally:
            engine.dispose()

    @contextmanager
    def ledger(self) -> Iterator[Ledger]:
        with self.engine() as engine:
            yield Ledger(engine)
