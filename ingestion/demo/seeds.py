"""All chance of the demo: everything random is derived by SHA-256 from (seed, source, names), so it never depends on
the order of work, the machine or the day."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

Option = TypeVar("Option")
Name = str | int
UID_MAX = 64
"""PS3.5 section 9.1."""


@dataclass(frozen=True, slots=True)
class Seeds:
    """The chance of one source."""

    seed: int
    source_id: str

    def number(self, *names: Name) -> int:
        """A number of 128 bits that belongs to these names."""
        message = "\x1f".join((str(self.seed), self.source_id, *map(str, names)))
        return int.from_bytes(hashlib.sha256(message.encode()).digest()[:16], "big")

    def pick(self, options: Sequence[Option], *names: Name) -> Option:
        return options[self.number(*names) % len(options)]

    def between(self, low: int, high: int, *names: Name) -> int:
        """A whole number from ``low`` to ``high``, both included."""
        return low + self.number(*names) % (high - low + 1)

    def digits(self, count: int, *names: Name) -> str:
        """``count`` decimal digits, the first not zero."""
        return str(10 ** (count - 1) + self.number(*names) % (9 * 10 ** (count - 1)))

    def uid(self, root: str, *names: Name) -> str:
        """A UID under a vendor's ``root``, as long as the standard allows at most."""
        room = min(UID_MAX - len(root) - 1, 36)
        return f"{root}.{self.digits(room, 'uid', root, *names)}"

    def generator(self, *names: Name) -> np.random.Generator:
        return np.random.default_rng(self.number("generator", *names))
