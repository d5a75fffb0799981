"""Puts a source's sync together from the resources."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ingestion.deidentify.iod_check import IodCheck
from ingestion.deidentify.policy import load_policy
from ingestion.deidentify.source import SourceSync
from ingestion.settings import Settings
from resources.database import DatabaseResource
from resources.keys import KeysResource
from resources.object_store import ObjectStoreResource
from resources.registry import RegistryResource


@contextmanager
def source_sync(
    source_id: str,
    *,
    registry: RegistryResource,
    keys: KeysResource,
    database: DatabaseResource,
    object_store: ObjectStoreResource,
) -> Iterator[SourceSync]:
    """The sync of one source: its connector, key and policy, the ledger, the two buckets."""
    entry = registry.entry(source_id)
    stores = object_store.open()
    with database.ledger() as ledger:
        yield SourceSync(
            source_id=source_id,
            connector=registry.connector(source_id),
            key=keys.key(source_id),
            policy=load_policy(entry.policy),
            ledger=ledger,
            research=stores.research,
            internal=stores.internal,
            linkage=keys.linkage(),
            iod=IodCheck(Settings().iod_check),
        )
