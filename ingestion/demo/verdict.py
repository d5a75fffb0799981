"""The demo judged by its answer keys: what became of every object, and whether an identity got out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ingestion.accounting.ledger import Ledger, engine_of
from ingestion.demo.check import Difference, compare, lettering_left
from ingestion.demo.make import read_key
from ingestion.demo.results import everything
from ingestion.demo.search import Hit, Search
from ingestion.identity.keys import load_key
from ingestion.settings import Settings
from ingestion.storage.open import open_stores


@dataclass(frozen=True, slots=True)
class DemoVerdict:
    """``objects`` held against the keys; ``values`` looked for in ``places`` of together ``bytes``."""

    objects: int
    differences: tuple[Difference, ...]
    values: int
    places: int
    bytes: int
    hits: tuple[Hit, ...]

    @property
    def good(self) -> bool:
        return not self.differences and not self.hits


def judge_demo(settings: Settings, source_ids: Sequence[str]) -> DemoVerdict:
    """Compare and search for these sources.

    Raises:
        FileNotFoundError: a source was not made.
        LedgerError, StoreError: a service failed.
    """
    keys = [read_key(settings.sources_root, source_id) for source_id in source_ids]
    engine = engine_of(settings.sqlalchemy_url())
    ledger, research = Ledger(engine), open_stores(settings).research
    differences: list[Difference] = []
    for key in keys:
        source_key = load_key(key.source_id, keys_dir=settings.keys_root)
        differences += compare(key, ledger.outcomes(key.source_id), source_key=source_key)
        stored = ledger.store_keys(key.source_id)
        differences += lettering_left(key, stored, research, source_key=source_key)
    engine.dispose()
    search = Search(keys)
    places, size, hits = 0, 0, list[Hit]()
    for place, body in everything(settings):
        places, size = places + 1, size + len(body)
        hits += search.hits(body, place)
    return DemoVerdict(
        objects=sum(key.delivered for key in keys),
        differences=tuple(differences),
        values=search.values,
        places=places,
        bytes=size,
        hits=tuple(hits),
    )
