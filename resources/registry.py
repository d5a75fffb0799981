"""Resource: the registry of sources and their connectors."""

from __future__ import annotations

from dagster import ConfigurableResource

from ingestion.settings import Settings
from ingestion.sources.connect import connect
from ingestion.sources.connector import Connector
from ingestion.sources.registry import Registry, SourceEntry, load_registry


class RegistryResource(ConfigurableResource):
    """The rows of ``CIE_REGISTRY``, read anew at each use so that a run sees the file as it is."""

    def load(self) -> Registry:
        return load_registry(Settings().registry)

    def entry(self, source_id: str) -> SourceEntry:
        return self.load().get(source_id)

    def connector(self, source_id: str) -> Connector:
        return connect(self.entry(source_id), sources_root=Settings().sources_root)
