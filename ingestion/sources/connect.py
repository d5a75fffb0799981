"""From a registry row to the connector that reads it."""

from __future__ import annotations

from pathlib import Path

from ingestion.sources.connector import Connector
from ingestion.sources.folder import FolderConnector
from ingestion.sources.registry import SourceEntry


def connect(entry: SourceEntry, *, sources_root: Path) -> Connector:
    """The connector of a source. A new kind of source is a new settings class and a case here."""
    match entry.connector.kind:
        case "folder":
            return FolderConnector(
                root=sources_root / entry.connector.path,
                max_member_bytes=entry.connector.max_member_bytes,
                max_compression_ratio=entry.connector.max_compression_ratio,
            )
