"""One partition per source. A row added to the registry is a new partition; no code changes."""

from __future__ import annotations

from dagster import StaticPartitionsDefinition

from ingestion.settings import Settings
from ingestion.sources.registry import load_registry

SOURCES = StaticPartitionsDefinition(list(load_registry(Settings().registry).ids))
