"""From the settings to the two buckets."""

from __future__ import annotations

from dataclasses import dataclass

from ingestion.settings import Settings, SettingsError
from ingestion.storage.protocol import ObjectStore
from ingestion.storage.s3 import S3Store


@dataclass(frozen=True, slots=True)
class Stores:
    """``research``: de-identified objects only. ``internal``: inventories, state, reports; never raw bytes."""

    research: ObjectStore
    internal: ObjectStore


def open_stores(settings: Settings) -> Stores:
    """The buckets that the settings name. Nothing is asked of the server yet.

    Raises:
        SettingsError: no store is set and no embedded stack is running.
    """
    if settings.s3_endpoint is None and settings.s3_access_key is None:
        raise SettingsError(
            "no object store: start the embedded stack with `cie up`, or set CIE_S3_ENDPOINT, CIE_S3_ACCESS_KEY and "
            "CIE_S3_SECRET_KEY"
        )
    return Stores(
        research=bucket(settings, settings.bucket_research), internal=bucket(settings, settings.bucket_internal)
    )


def bucket(settings: Settings, name: str) -> S3Store:
    """One bucket of the settings' server."""
    return S3Store(
        bucket=name,
        endpoint=settings.s3_endpoint,
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key.get_secret_value() if settings.s3_secret_key else None,
        region=settings.s3_region,
        addressing_style=settings.s3_addressing_style,
    )
