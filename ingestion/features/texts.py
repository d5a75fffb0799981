"""Columns of texts that repeat: each text kept once, the rows hold its number. A source may have millions of rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Texts:
    """``codes``: for each row the position of its text in ``names``, -1 for none."""

    codes: NDArray[np.int32]
    names: tuple[str, ...]

    @staticmethod
    def of(values: Iterable[Any]) -> Texts:
        """Of a text or nothing per row; what is no text, or empty, counts as nothing."""
        listed = [value if isinstance(value, str) and value else None for value in values]
        names = tuple(sorted({value for value in listed if value is not None}))
        numbers: dict[str | None, int] = {name: number for number, name in enumerate(names)}
        return Texts(np.array([numbers.get(value, -1) for value in listed], dtype=np.int32), names)

    @staticmethod
    def same(text: str | None, rows: int) -> Texts:
        """One text for all rows."""
        return Texts(np.full(rows, -1 if text is None else 0, dtype=np.int32), () if text is None else (text,))

    def taken(self, rows: NDArray[np.int64]) -> Texts:
        """The rows at these positions; -1 gives nothing."""
        if not len(self.codes):
            return Texts(np.full(len(rows), -1, dtype=np.int32), self.names)
        return Texts(np.where(rows < 0, np.int32(-1), self.codes[rows]).astype(np.int32), self.names)

    @staticmethod
    def joined(parts: Sequence[Texts]) -> pd.Categorical:
        """All parts one below the other, with sorted categories that occur."""
        names = sorted({part.names[code] for part in parts for code in np.unique(part.codes) if code >= 0})
        numbers = {name: number for number, name in enumerate(names)}
        codes = [
            np.array([*(numbers.get(name, -1) for name in part.names), -1], dtype=np.int32)[part.codes]
            for part in parts
        ]
        return pd.Categorical.from_codes(np.concatenate(codes), categories=pd.Index(names, dtype="string"))
