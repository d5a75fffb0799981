"""What every kind of source can do: list what it holds, open one object, read one object. Names stay in memory.

A connector is small and can be pickled: workers read from the source themselves.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from ingestion.accounting.states import Reason

DELIVERY_MARKER = "_DELIVERED"
"""A file of this name at the top of a folder source says that a delivery is complete; it is no object itself."""


class SourceGoneError(RuntimeError):
    """The source as a whole cannot be reached. Nothing may be concluded from that, least of all a withdrawal."""


@dataclass(frozen=True, slots=True)
class SourceObject:
    """One object of the source. ``fingerprint`` changes whenever the bytes may have changed; ``size`` in bytes.

    ``name`` can hold identities and is kept out of ``repr``.
    """

    name: str = field(repr=False)
    size: int
    fingerprint: str
    written: dt.date | None = None
    """The day (UTC) it was last written at the source, where the source tells."""


@dataclass(frozen=True, slots=True)
class RefusedObject:
    """An object that can be seen but not handed out: an unsafe archive member, a folder that can't be listed."""

    name: str = field(repr=False)
    fingerprint: str
    reason: Reason
    rule: str
    detail: str


@dataclass(frozen=True, slots=True)
class Listing:
    """What the source holds now, by name. ``complete``: all could be seen, so what's absent is withdrawn.

    ``announced``: the delivery marker is there, so that an empty source is empty on purpose.
    """

    objects: tuple[SourceObject, ...]
    refused: tuple[RefusedObject, ...]
    complete: bool
    announced: bool = False


class Connector(Protocol):
    """One kind of source."""

    def __hash__(self) -> int:
        """Connectors are known by what they connect to."""
        ...

    def listing(self) -> Listing:
        """Everything the source holds now.

        Raises:
            SourceGoneError: the source cannot be reached.
        """
        ...

    def open(self, item: SourceObject) -> BinaryIO:
        """The object's bytes as a stream; close it.

        Raises:
            InstanceRefusedError: this object cannot be read, or is no longer the one that was listed.
            SourceGoneError: the source cannot be reached.
        """
        ...

    def read(self, item: SourceObject, *, limit: int) -> bytes:
        """All bytes of the object, refused beyond ``limit``; errors as ``open``."""
        ...
