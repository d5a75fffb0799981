"""Values that are dear to make, kept for a while: a page asked for a thousand times a minute is made twice."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from portal.search.outage import UNREADABLE, Outage

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """The last values by key, each for ``seconds`` (None: as long as there is room). Safe to use from several threads.

    Who asks while a first value is being made waits for it: a burst of requests makes it once. While a value that is
    known is being made anew, the others have the one before.
    """

    def __init__(
        self, *, seconds: float | None, most: int, clock: Callable[[], float] = time.monotonic,
        outage: Outage | None = None, what: str = "",
    ) -> None:  # fmt: skip
        """``outage``: told where a value can't be read; the one before is kept on then. ``what``: is read."""
        self._seconds, self._most, self._clock = seconds, most, clock
        self._outage, self._what = outage, what
        self._changed = threading.Condition()
        self._making: set[Hashable] = set()
        self._values: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of ``key``; what ``make`` raises is raised and nothing is kept, unless ``outage`` is told."""
        with self._changed:
            while (known := self._values.get(key)) is not None or key in self._making:
                if known is not None and (key in self._making or self._is_fresh(known[0])):
                    self._values.move_to_end(key)
                    return known[1]
                if known is not None:
                    break
                self._changed.wait()
            self._making.add(key)
        try:
            made = self._made(make, known)
            with self._changed:
                self._values[key] = (self._clock(), made)
                self._values.move_to_end(key)
                while len(self._values) > self._most:
                    self._values.popitem(last=False)
            return made
        finally:
            with self._changed:
                self._making.discard(key)
                self._changed.notify_all()

    def _is_fresh(self, at: float) -> bool:
        return self._seconds is None or self._clock() - at < self._seconds

    def _made(self, make: Callable[[], Value], known: tuple[float, Value] | None) -> Value:
        try:
            made = make()
        except UNREADABLE as error:
            if self._outage is None:
                raise
            self._outage.failed(self._what, error)
            if known is None:
                raise
            return known[1]
        if self._outage is not None:
            self._outage.read(self._what)
        return made
