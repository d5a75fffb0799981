"""The rows that match a query, as masks. Masks of single criteria are kept for as long as one query is worked on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ingestion.catalogue.search.fields import FieldKind
from ingestion.catalogue.search.index import FieldIndex, SearchIndex
from ingestion.catalogue.search.query import AllOf, AnyOf, AnyOfValues, Between, Node, Not, Words

MANY_VALUES = 100
"""From which it is faster to go over all rows at once: a word may stand in tens of thousands of texts."""


class Evaluator:
    """Evaluates nodes of one query. A mask is (N,) bool, or None for all rows; nobody changes a mask given out."""

    def __init__(self, index: SearchIndex) -> None:
        self._index = index
        self._kept: dict[Node, NDArray[np.bool_]] = {}

    def every(self, nodes: Sequence[Node]) -> NDArray[np.bool_] | None:
        """The rows that match all nodes."""
        return both(*(self.mask(node) for node in nodes))

    def mask(self, node: Node) -> NDArray[np.bool_] | None:
        match node:
            case AllOf(children):
                return self.every(children)
            case AnyOf(children):
                return self._any(children)
            case Not(child):
                mask = self.mask(child)
                return np.zeros(self._index.series, dtype=bool) if mask is None else ~mask
            case _:
                if node not in self._kept:
                    self._kept[node] = self._leaf(node)
                return self._kept[node]

    def _leaf(self, node: AnyOfValues | Between | Words) -> NDArray[np.bool_]:
        match node:
            case AnyOfValues(field, values):
                one = self._index.fields[field]
                return self._marked(one, [one.code_of[value] for value in values if value in one.code_of])
            case Between(field, low, high):
                return inside(self._index.fields[field].numbers, low, high)
            case Words(words):
                return self._with_words(words)

    def _any(self, children: Sequence[Node]) -> NDArray[np.bool_] | None:
        found = np.zeros(self._index.series, dtype=bool)
        for child in children:
            mask = self.mask(child)
            if mask is None:
                return None
            found |= mask
        return found

    def _with_words(self, words: Sequence[str]) -> NDArray[np.bool_]:
        """Each word may stand in another of the text fields."""
        texts = [one for one in self._index.fields.values() if one.field.kind is FieldKind.TEXT]
        masks = []
        for word in words:
            found = np.zeros(self._index.series, dtype=bool)
            for one in texts:
                found |= self._marked(one, [code for code, text in enumerate(one.terms) if word in text])
            masks.append(found)
        return np.logical_and.reduce(masks)

    def _marked(self, field: FieldIndex, codes: Sequence[int]) -> NDArray[np.bool_]:
        mask = np.zeros(self._index.series, dtype=bool)
        if len(codes) > MANY_VALUES:
            chosen = np.zeros(len(field.terms), dtype=bool)
            chosen[codes] = True
            mask[field.postings[np.repeat(chosen, np.diff(field.offsets))]] = True
            return mask
        for code in codes:
            mask[field.rows_of(code)] = True
        return mask


def both(*masks: NDArray[np.bool_] | None) -> NDArray[np.bool_] | None:
    """The rows in all masks; None: all rows."""
    given = [mask for mask in masks if mask is not None]
    if len(given) < 2:
        return given[0] if given else None
    found = given[0] & given[1]
    for mask in given[2:]:
        found &= mask
    return found


def inside(numbers: NDArray[np.float32], low: float | None, high: float | None) -> NDArray[np.bool_]:
    """Which of ``numbers`` are in the range; NaN is in none."""
    found = ~np.isnan(numbers)
    if low is not None:
        found &= numbers >= np.float32(low)
    if high is not None:
        found &= numbers <= np.float32(high)
    return found
