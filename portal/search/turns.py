"""How many questions are counted at once: the others wait their turn, and are told to come again where it takes long.

A question may have parts enough for some seconds of counting (over a million series); a dozen clients within their
rates would hold every thread of the pool, and with it the pages that need no counting.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

AT_ONCE = 4
"""Counts at once: more make each other slower, since the machine has few cores and Python runs one thread at a time."""
WAITING = 12
"""Questions that wait at most. With those being counted they hold 16 of the pool's 40 threads (anyio's default): the
first page and kept answers have the others."""
WAIT_SECONDS = 8.0
"""A person waits no longer, and a hub gives a node 10 s (``fan_out.LIMIT_SECONDS``)."""
COME_AGAIN_SECONDS = 5


class BusyError(RuntimeError):
    """Too much is being counted; ``retry_after`` in seconds. Nothing is wrong with the question."""

    def __init__(self) -> None:
        super().__init__("the catalogue counts as many questions at once as it can: ask again in a moment")
        self.retry_after = COME_AGAIN_SECONDS


class Turns:
    """Gives so many turns at once. Safe to use from several threads."""

    def __init__(
        self, *, at_once: int = AT_ONCE, waiting: int = WAITING, seconds: float = WAIT_SECONDS
    ) -> None:  # fmt: skip
        self._at_once, self._most, self._seconds = at_once, waiting, seconds
        self._free = threading.Condition()
        self._taken = self._waiting = 0

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Holds a turn. Raises ``BusyError`` where none comes in time, or too many wait already."""
        with self._free:
            if self._taken >= self._at_once:
                self._wait()
            self._taken += 1
        try:
            yield
        finally:
            with self._free:
                self._taken -= 1
                self._free.notify()

    @property
    def waiting(self) -> int:
        """How many wait now."""
        with self._free:
            return self._waiting

    def _wait(self) -> None:
        if self._waiting >= self._most:
            raise BusyError
        self._waiting += 1
        try:
            if not self._free.wait_for(lambda: self._taken < self._at_once, timeout=self._seconds):
                raise BusyError
        finally:
            self._waiting -= 1
