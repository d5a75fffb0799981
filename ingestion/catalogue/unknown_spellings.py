"""Spellings that no table and no curator knows yet, with how many series have them: what a curator works through.

Each source's current list is the highest number of ``vocabulary/unknown/<source>/`` in the internal bucket. Spellings
come from de-identified headers only.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ingestion.catalogue.curated import Attribute, Curated
from ingestion.storage import ObjectStore
from ingestion.storage.numbered import append

UNKNOWN = "vocabulary/unknown/"


@dataclass(frozen=True, slots=True)
class UnknownSpelling:
    """One spelling as delivered; ``series`` by source."""

    attribute: Attribute
    spelling: str
    series: Mapping[str, int]

    @property
    def total(self) -> int:
        return sum(self.series.values())


def unknown_spellings(
    values: Iterable[tuple[Attribute, str | None]], curated: Curated
) -> dict[Attribute, Counter[str]]:
    """How often each unknown spelling occurs among ``values``, one value per series."""
    found: dict[Attribute, Counter[str]] = {attribute: Counter() for attribute in Attribute}
    for attribute, delivered in values:
        if not delivered or curated.term(attribute, delivered) is not None:
            continue
        known: object = (
            curated.body_part(delivered) if attribute is Attribute.BODY_PART else curated.manufacturer(delivered)
        )
        if known is None:
            found[attribute][delivered] += 1
    return found


def save_unknown(internal: ObjectStore, source_id: str, found: Mapping[Attribute, Mapping[str, int]]) -> None:
    """Make ``found`` the source's current list."""
    said = {attribute.value: dict(sorted(counts.items())) for attribute, counts in found.items() if counts}
    append(internal, f"{UNKNOWN}{source_id}/", json.dumps(said, sort_keys=True, ensure_ascii=False).encode())


def read_unknown(internal: ObjectStore, curated: Curated) -> list[UnknownSpelling]:
    """The queue over all sources, the most frequent first; what ``curated`` decides has left it."""
    latest: dict[str, str] = {}
    for stored in internal.list(UNKNOWN):  # in key order: the last of a source is its current list
        latest[stored.key.removeprefix(UNKNOWN).split("/", 1)[0]] = stored.key
    counted: dict[tuple[Attribute, str], dict[str, int]] = {}
    for source_id, key in sorted(latest.items()):
        for name, counts in json.loads(internal.read(key)).items():
            for spelling, series in counts.items():
                if curated.term(Attribute(name), spelling) is None:
                    counted.setdefault((Attribute(name), spelling), {})[source_id] = series
    found = [UnknownSpelling(attribute, spelling, series) for (attribute, spelling), series in counted.items()]
    return sorted(found, key=lambda item: (-item.total, item.attribute, item.spelling))
