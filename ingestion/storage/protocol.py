"""What the pipeline asks of a store, and nothing more: written once, run on S3, on a folder or in a test.

Keys are ``/``-separated. Every write is a *create*: the pipeline never overwrites and never deletes an object,
so a write of a key that exists is a no-op that reports ``False`` (RFC 9110, section 13.1.2: ``If-None-Match: *``).
Only the erasure of a withdrawn source asks for more: an ``ErasableStore``, which nothing else is given.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


class StoreError(RuntimeError):
    """The store could not do what was asked: unreachable, refused, full. Never the fault of one instance."""


class ObjectMissingError(KeyError):
    """The key asked for does not exist."""


@dataclass(frozen=True, slots=True)
class StoredObject:
    """One row of a listing. ``size`` is in bytes; ``written``: when, by the store's clock, where it tells."""

    key: str
    size: int
    etag: str | None = None
    written: dt.datetime | None = None


class ObjectStore(Protocol):
    """One bucket (or folder). Implementations can be pickled, so that workers on other machines can use them."""

    def create(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> bool:
        """Store ``body`` at ``key`` if nothing is there. True: written now; False: was there already.

        Raises:
            StoreError: the store refused or could not be reached.
        """
        ...

    def read(self, key: str, *, start: int = 0, length: int | None = None) -> bytes:
        """The object's bytes from ``start``, ``length`` of them (all the rest when None).

        Raises:
            ObjectMissingError: no such key.
            StoreError: the store refused or could not be reached.
        """
        ...

    def exists(self, key: str) -> bool:
        """Whether something is stored at ``key``."""
        ...

    def list(self, prefix: str = "", *, after: str = "") -> Iterator[StoredObject]:
        """All objects whose key starts with ``prefix``, in key order, those after key ``after`` only; pages itself."""
        ...


class ErasableStore(ObjectStore, Protocol):
    """A store whose objects can be taken away, for ``ingestion.catalogue.erasure`` alone."""

    def delete(self, keys: Sequence[str]) -> None:
        """Delete these objects; what is not there is no error.

        Raises:
            StoreError: the store refused or could not be reached; some may be deleted.
        """
        ...

    def replace(self, key: str, body: bytes, *, content_type: str = "application/octet-stream") -> None:
        """Store ``body`` at ``key`` whatever is there: a reader finds the old bytes or the new ones.

        Raises:
            StoreError: the store refused or could not be reached.
        """
        ...
