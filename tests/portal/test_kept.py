"""What is dear to make is made once for many who ask, and anew when its time is over."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from starlette.requests import Request

from ingestion.storage import ObjectStore
from ingestion.storage.open import Stores
from portal.site.collections import Collections, Place
from portal.site.kept import Kept
from portal.site.rendering import Pages
from portal.site.shelf import KEPT_SECONDS, Shelf
from portal.site.status import Status
from tests.portal.made_portal import FEW, OPEN, Platform


class Counting:
    """A store that counts what it is asked for."""

    def __init__(self, inner: ObjectStore) -> None:
        self._inner, self.asked = inner, 0

    def __getattr__(self, name: str) -> Any:
        self.asked += 1
        return getattr(self._inner, name)


def counting(platform: Platform) -> tuple[Stores, Callable[[], int]]:
    research, internal = Counting(platform.stores.research), Counting(platform.stores.internal)
    stores = Stores(research, internal)  # type: ignore[arg-type]
    return stores, lambda: research.asked + internal.asked


def asked(path: str, **parameters: str) -> Request:
    return Request(
        {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": [], "path_params": parameters}
    )


def test_a_value_is_kept_for_its_time() -> None:
    now, made = [0.0], []
    kept: Kept[int] = Kept(seconds=30, most=2, clock=lambda: now[0])

    def make() -> int:
        made.append(len(made))
        return made[-1]

    assert [kept.get("a", make), kept.get("a", make)] == [0, 0]
    now[0] = 29.9
    assert kept.get("a", make) == 0
    now[0] = 30
    assert kept.get("a", make) == 1
    assert [kept.get("b", make), kept.get("c", make), kept.get("a", make)] == [2, 3, 4]  # a had to go


def test_what_fails_is_not_kept() -> None:
    kept: Kept[int] = Kept(seconds=None, most=1)
    with pytest.raises(ZeroDivisionError):
        kept.get("", lambda: 1 // 0)
    assert kept.get("", lambda: 1) == 1


def test_a_burst_makes_a_value_once() -> None:
    kept: Kept[int] = Kept(seconds=None, most=1)
    made, together = [], threading.Barrier(8)

    def ask() -> None:
        together.wait()
        kept.get("", lambda: made.append(1) or 1)  # type: ignore[func-returns-value]

    threads = [threading.Thread(target=ask) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(made) == 1


def test_the_status_reads_the_store_once_in_half_a_minute(platform: Platform) -> None:
    stores, reads = counting(platform)
    status = Status(Shelf(stores, platform.entries), Pages(), failed=None)
    first = status.page(asked("/status")).body
    before = reads()
    assert before > 0
    assert status.page(asked("/status")).body == first and reads() == before


def test_documents_and_certificates_are_kept(platform: Platform) -> None:
    stores, reads = counting(platform)
    now = [0.0]
    shelf = Shelf(stores, platform.entries, clock=lambda: now[0])
    pages = Collections(shelf, None, Pages(searchable=False), Place("made"))
    for source_id in (OPEN, FEW):
        for name in ("dcat.ttl", "dcat.jsonld", "datacite.json", "policy.jsonld"):
            request = asked(f"/collections/{source_id}/{name}", source_id=source_id, name=name)
            first = pages.record(request).body
            before = reads()
            again = pages.record(request).body
            assert again is first and reads() == before, name
    request = asked(f"/collections/{OPEN}/certificate", source_id=OPEN)
    pages.certificate(request)
    before = reads()
    pages.certificate(request)
    assert reads() == before
    now[0] = KEPT_SECONDS
    pages.certificate(request)
    assert reads() > before
