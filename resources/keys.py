"""Resource: the secret key of each source."""

from __future__ import annotations

from dagster import ConfigurableResource

from ingestion.identity.keys import KeyMissingError, SourceKey, load_key
from ingestion.identity.linkage import LINKAGE_KEY_ID
from ingestion.settings import Settings


class KeysResource(ConfigurableResource):
    """Keys from ``CIE_KEY_<SOURCE>`` or the keys folder; never part of a run's config."""

    def key(self, source_id: str) -> SourceKey:
        return load_key(source_id, keys_dir=Settings().keys_root)

    def linkage(self) -> SourceKey | None:
        """The platform's secret for comparing sources; None where the platform has none.

        Raises:
            KeyInvalidError: what is there is no key.
        """
        try:
            return self.key(LINKAGE_KEY_ID)
        except KeyMissingError:
            return None
