"""Where de-identified objects, manifests and reports are kept: an S3 bucket, or a folder with the same rules."""

from ingestion.storage.protocol import ErasableStore, ObjectMissingError, ObjectStore, StoredObject, StoreError

__all__ = ["ErasableStore", "ObjectMissingError", "ObjectStore", "StoreError", "StoredObject"]
