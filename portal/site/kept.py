"""Values that are dear to make, kept for a while: a page asked for a thousand times a minute is made twice."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class Kept(Generic[Value]):
    """The last values by key, each for ``seconds`` (None: as long as there is room). Safe to use from several threads.

    Who asks while a value is being made waits for it: a burst of requests makes it once.
    """

    def __init__(
        self, *, seconds: float | None, most: int, clock: Callable[[], float] = time.monotonic
    ) -> None:  # fmt: skip
        self._seconds, self._most, self._clock = seconds, most, clock
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, tuple[float, Value]] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """The value of ``key``; what ``make`` raises is raised and nothing is kept."""
        with self._lock:
            known = self._values.get(key)
            if known is not None and (self._seconds is None or self._clock() - known[0] < self._seconds):
                self._values.move_to_end(key)
                return known[1]
            made = make()
            self._values[key] = (self._clock(), made)
            self._values.move_to_end(key)
            while len(self._values) > self._most:
                self._values.popitem(last=False)
            return made
