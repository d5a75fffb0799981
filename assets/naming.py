"""Names that all assets share."""

from __future__ import annotations

INGEST = "ingest"
PUBLISH = "publish"
OWNERS = ["team:ingestion"]
