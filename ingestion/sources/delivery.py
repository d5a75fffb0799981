"""Delivery markers: a file of an agreed name that a data holder writes last, so that no half delivery is synced."""

from __future__ import annotations

from pathlib import Path

from ingestion.sources.connector import DELIVERY_MARKER
from ingestion.sources.registry import Registry


def delivery_markers(registry: Registry, *, sources_root: Path) -> dict[str, str]:
    """The state (time of change and size) of each folder source's marker, by source id; sources without are absent."""
    found: dict[str, str] = {}
    for entry in registry.sources:
        try:
            facts = (sources_root / entry.connector.path / DELIVERY_MARKER).stat()
        except OSError:  # no marker, or the source isn't mounted: nothing was delivered that could be synced
            continue
        found[entry.id] = f"{facts.st_mtime_ns}-{facts.st_size}"
    return found
