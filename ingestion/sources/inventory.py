"""Taking the inventory of a source: list it, read the headers of what is new or changed, keep hashes only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from ingestion.accounting.inventory import NO_SERIES, Inventory, InventoryObject, Refusal, compare
from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import ObjectChange, Reason
from ingestion.dicom.guard import guarded
from ingestion.dicom.quiet import silence_readers
from ingestion.dicom.reading import peek
from ingestion.identity.pseudonyms import Pseudonyms
from ingestion.sources.connector import Connector, SourceGoneError, SourceObject

PEEK_CHUNK = 64
"""Objects per task: a header takes about a millisecond, so a smaller grain would cost more than it spreads."""


@dataclass(frozen=True, slots=True)
class TakenInventory:
    """The inventory to keep, and the names that go with it, which stay in memory."""

    inventory: Inventory
    items: Mapping[str, SourceObject] = field(repr=False)
    refused_names: tuple[str, ...] = field(default=(), repr=False)


def take_inventory(
    connector: Connector,
    pseudonyms: Pseudonyms,
    *,
    before: Mapping[str, InventoryObject],
    spread: Callable[..., Iterable[Any]] = map,
) -> TakenInventory:
    """List the source and read the headers of new and changed objects only.

    ``spread`` is ``map`` or an executor's: headers are read in chunks of ``PEEK_CHUNK``.

    Raises:
        SourceGoneError: the source cannot be reached, or is empty all at once and without a delivery marker; nothing
            may be concluded about its objects.
    """
    listing = connector.listing()
    if before and not listing.objects and not listing.refused and not listing.announced:
        raise SourceGoneError(
            f"the source is empty and held {len(before)} objects before: nothing is taken as withdrawn. Mount it; if "
            "all was withdrawn on purpose, put the delivery marker (_DELIVERED) into the empty folder."
        )
    items: dict[str, SourceObject] = {}
    now: dict[str, InventoryObject] = {}
    to_read: list[tuple[str, SourceObject]] = []
    for item in listing.objects:
        object_hash = pseudonyms.object_name(item.name)
        items[object_hash] = item
        known = before.get(object_hash)
        if known is not None and known.fingerprint == item.fingerprint and not known.is_transient:
            now[object_hash] = known
        else:
            to_read.append((object_hash, item))
    for refused in listing.refused:
        object_hash = pseudonyms.object_name(refused.name)
        refusal = Refusal(refused.reason, refused.rule, refused.detail)
        now[object_hash] = InventoryObject(object_hash, refused.fingerprint, 0, refusal=refusal)
    chunks = [to_read[start : start + PEEK_CHUNK] for start in range(0, len(to_read), PEEK_CHUNK)]
    for chunk in spread(partial(_peek_chunk, connector, pseudonyms), chunks):
        now.update({item.object_hash: item for item in chunk})
    changes = compare(before, now, complete=listing.complete)
    unseen: frozenset[str] = frozenset()
    if not listing.complete:
        unseen = frozenset(before.keys() - now.keys())
        now.update({object_hash: before[object_hash] for object_hash in unseen})
        changes.update({object_hash: ObjectChange.UNCHANGED for object_hash in unseen})
    inventory = Inventory(source_id=pseudonyms.key.source_id, objects=now, changes=changes, unseen=unseen)
    return TakenInventory(inventory, items, tuple(refused.name for refused in listing.refused))


def _peek_chunk(
    connector: Connector, pseudonyms: Pseudonyms, chunk: list[tuple[str, SourceObject]]
) -> list[InventoryObject]:
    silence_readers()
    return [_peek_one(connector, pseudonyms, object_hash, item) for object_hash, item in chunk]


def _peek_one(connector: Connector, pseudonyms: Pseudonyms, object_hash: str, item: SourceObject) -> InventoryObject:
    try:
        with connector.open(item) as stream, guarded("peek"):
            ids = peek(stream, size=item.size)
    except InstanceRefusedError as refused:
        refusal = Refusal(refused.reason, refused.rule, refused.detail)
        return InventoryObject(object_hash, item.fingerprint, item.size, NO_SERIES, refusal=refusal)
    except OSError as error:
        refusal = Refusal(Reason.UNREADABLE_OBJECT, "source.read", f"the source answered {type(error).__name__}")
        return InventoryObject(object_hash, item.fingerprint, item.size, NO_SERIES, refusal=refusal)
    return InventoryObject(
        object_hash=object_hash,
        fingerprint=item.fingerprint,
        size=item.size,
        series_uid=pseudonyms.uid(ids.series_uid),
        study_uid=pseudonyms.uid(ids.study_uid),
        sop_uid=pseudonyms.uid(ids.sop_instance_uid),
        patient=pseudonyms.patient(ids.patient),
    )
