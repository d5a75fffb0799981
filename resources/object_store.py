"""Resource: the two buckets of the S3-compatible store."""

from __future__ import annotations

from dagster import ConfigurableResource

from ingestion.settings import Settings
from ingestion.storage.open import Stores, open_stores


class ObjectStoreResource(ConfigurableResource):
    """The store of ``CIE_S3_ENDPOINT``."""

    def open(self) -> Stores:
        return open_stores(Settings())
