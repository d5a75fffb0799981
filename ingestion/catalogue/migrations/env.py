"""Alembic's entry point. The connection is handed in by ``ingestion.catalogue.migrate``; there is no ini file."""

from __future__ import annotations

from alembic import context

from ingestion.catalogue.migrate import configure

configure(context)
with context.begin_transaction():
    context.run_migrations()
