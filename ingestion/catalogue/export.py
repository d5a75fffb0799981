"""The catalogue's tables as files: for analysts with access to the exact figures, not for the public."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

from sqlalchemy import Engine

from ingestion.accounting.database import transaction
from ingestion.catalogue.frames import json_text, table_bytes
from ingestion.catalogue.plain_cells import plain_frame
from ingestion.catalogue.tables import ROW_TABLES
from ingestion.catalogue.writer import read_rows


class ExportFormat(StrEnum):
    PARQUET = "parquet"
    CSV = "csv"


def export_tables(engine: Engine, folder: Path, *, kind: ExportFormat, source_id: str | None = None) -> dict[Path, int]:
    """Write each table as one file into ``folder``, replacing what an earlier export left: rows by file."""
    folder.mkdir(parents=True, exist_ok=True)
    written = {}
    snapshot = engine.execution_options(isolation_level="REPEATABLE READ")
    with transaction(snapshot, "exporting the catalogue") as connection:
        for table in ROW_TABLES:
            frame = read_rows(connection, table, source_id=source_id)
            path = folder / f"{table.name}.{kind.value}"
            if kind is ExportFormat.PARQUET:
                path.write_bytes(table_bytes(table, frame))
            else:
                if "Other" in frame.columns:
                    frame = frame.assign(Other=frame["Other"].map(json_text, na_action="ignore"))
                plain_frame(frame).to_csv(path, index=False, lineterminator="\n")
            written[path] = len(frame)
    return written
