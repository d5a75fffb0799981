"""How many rows the catalogue shows of a source."""

from __future__ import annotations

from sqlalchemy import Engine, func, select

from ingestion.accounting.database import transaction
from ingestion.catalogue import tables as t


def row_counts(engine: Engine, source_id: str) -> dict[str, int]:
    """Rows of a source by table."""
    with transaction(engine, "counting the catalogue's rows") as connection:
        return {
            table.name: connection.execute(
                select(func.count()).select_from(table).where(table.c.source_id == source_id)
            ).scalar_one()
            for table in t.ROW_TABLES
        }
