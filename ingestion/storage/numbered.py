"""An append-only log of states under one prefix: ``<prefix><number>.json``, the highest number is the current one.

Nothing is overwritten, so a reader sees either the old state or the new one, and every earlier one stays readable.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from ingestion.storage.protocol import ObjectStore

_DIGITS = 8


def read_latest(store: ObjectStore, prefix: str) -> tuple[int, bytes] | None:
    """The current entry with its number; None when there is none."""
    keys = [stored.key for stored in store.list(prefix) if _number(stored.key, prefix) is not None]
    if not keys:
        return None
    latest = max(keys)
    return int(latest[len(prefix) :].removesuffix(".json")), store.read(latest)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry of a log. ``written``: when, by the store's clock, where it tells."""

    number: int
    body: bytes
    written: dt.datetime | None


def read_last(store: ObjectStore, prefix: str, *, count: int) -> tuple[Entry, ...]:
    """The last ``count`` entries, the oldest of them first."""
    listed = {stored.key: stored for stored in store.list(prefix) if _number(stored.key, prefix) is not None}
    return tuple(
        Entry(_number(key, prefix) or 0, store.read(key), listed[key].written) for key in sorted(listed)[-count:]
    )


def append(store: ObjectStore, prefix: str, body: bytes) -> tuple[int, bool]:
    """Store ``body`` under the next number unless it equals the current entry: its number, and whether written."""
    latest = read_latest(store, prefix)
    if latest is not None and latest[1] == body:
        return latest[0], False
    number = 1 if latest is None else latest[0] + 1
    while not store.create(numbered_key(prefix, number), body, content_type="application/json"):
        number += 1  # another process wrote that number a moment ago
    return number, True


def numbered_key(prefix: str, number: int) -> str:
    return f"{prefix}{number:0{_DIGITS}d}.json"


def _number(key: str, prefix: str) -> int | None:
    name = key[len(prefix) :].removesuffix(".json")
    return int(name) if name.isdecimal() and len(name) == _DIGITS else None
