"""The database schema ``cie``: made and brought up to date by Alembic's revisions, which travel in the package.

``upgrade(url)`` may be called by several processes at once and any number of times. A developer who changes a table
makes the next revision with ``python -m ingestion.catalogue.migrate URL "what changed"``.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, inspect, text
from sqlalchemy.pool import NullPool

from ingestion.accounting import tables as ledger
from ingestion.catalogue import tables as catalogue

CONNECT_TIMEOUT_SECONDS = 10
VERSION_TABLE = "schema_version"
_METADATA = [ledger.metadata, catalogue.metadata]
_LOCK = 0x636965_01
"""Number of the advisory lock held during an upgrade: the letters "cie", and 1."""
_SCRIPTS = Path(__file__).parent / "migrations"


def upgrade(url: str) -> None:
    """Make the schema ``cie`` at ``url`` (``postgresql+psycopg2://…``) what this code needs. Idempotent.

    All revisions run in one transaction, behind an advisory lock: a second process waits and then finds nothing to do.
    """
    engine = create_engine(url, poolclass=NullPool, connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS})
    with engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
        if not inspect(connection).has_schema(ledger.SCHEMA):
            connection.execute(text(f"CREATE SCHEMA {ledger.SCHEMA}"))
        command.upgrade(_config(connection), "head")


def differences(connection: Connection) -> list[Any]:
    """What the database's schema lacks or has too much against the tables in code; empty after ``upgrade``."""
    context = MigrationContext.configure(connection, opts=_options())
    return compare_metadata(context, _METADATA)  # type: ignore[arg-type]


def new_revision(url: str, message: str) -> None:
    """Write the revision that brings the upgraded database at ``url`` to the tables in code. For developers."""
    upgrade(url)
    with create_engine(url, poolclass=NullPool).begin() as connection:
        number = len(list((_SCRIPTS / "versions").glob("[0-9]*.py"))) + 1
        command.revision(_config(connection), message=message, autogenerate=True, rev_id=f"{number:04d}")


def configure(context: Any) -> None:
    """Called by ``migrations/env.py``: run on the connection at hand, with the version table in our schema."""
    context.configure(connection=context.config.attributes["connection"], target_metadata=_METADATA, **_options())


def _options() -> dict[str, Any]:
    return {
        "version_table": VERSION_TABLE,
        "version_table_schema": ledger.SCHEMA,
        "include_schemas": True,
        "include_name": _ours,
        "compare_server_default": True,
    }


def _ours(name: str | None, kind: str, parents: Any) -> bool:
    """Only our schema is compared: the database also holds Dagster's tables."""
    return kind != "schema" or name == ledger.SCHEMA


def _config(connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.set_main_option("file_template", "%%(rev)s_%%(slug)s")
    config.attributes["connection"] = connection
    logging.getLogger("alembic").setLevel(logging.WARNING)
    return config


if __name__ == "__main__":
    new_revision(sys.argv[1], sys.argv[2])
