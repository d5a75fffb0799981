"""All rules that compare: from the index of a source and those of the others to outcomes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ingestion.accounting.source_state import SourceState
from ingestion.storage import ObjectMissingError, ObjectStore
from quality_checks.crossing import rules as r
from quality_checks.crossing.identity import patient_outcomes, person_outcomes, study_outcomes, time_outcomes
from quality_checks.crossing.index import facts_by_series, index_frame, read_others, read_own, save_index
from quality_checks.crossing.likeness import ALIKE, picture, structural_similarity
from quality_checks.crossing.near import near_pairs
from quality_checks.crossing.repeated import pictures, repeated_outcomes
from quality_checks.crossing.rules import LinkOutcome
from quality_checks.examination import Examination
from quality_checks.suites.source import Tables

PICTURES_KEPT = 2_000
CERTAIN_BITS = 2
"""Without thumbnails to compare, only hashes this close count."""


@dataclass(frozen=True, slots=True)
class Crossed:
    """The outcome of every comparing rule."""

    outcomes: tuple[LinkOutcome, ...] = ()

    def beside(self, more: Iterable[LinkOutcome]) -> Crossed:
        """With further outcomes, such as those of the clinical table."""
        return Crossed((*self.outcomes, *more))

    @property
    def digest(self) -> str:
        """Of all outcomes (24 hex digits): another source that changes nothing here leaves it as it is."""
        said = json.dumps([asdict(one) for one in self.outcomes], sort_keys=True)
        return hashlib.sha256(said.encode()).hexdigest()[:24]


def cross_source(
    state: SourceState, tables: Tables, examinations: Iterable[Examination], *, internal: ObjectStore
) -> Crossed:
    """Save the source's own rows for the others, then compare it with itself and with them.

    Raises:
        StoreError: the store failed.
    """
    own = index_frame(state, tables, examinations)
    save_index(internal, state, own)
    return compare(state, own, read_others(internal, state.source_id), internal=internal)


def crossed_before(state: SourceState, *, internal: ObjectStore) -> Crossed | None:
    """The comparison from the rows saved before, with the other sources as they are now; None: not saved yet."""
    own = read_own(internal, state)
    return None if own is None else compare(state, own, read_others(internal, state.source_id), internal=internal)


def compare(
    state: SourceState, own: pd.DataFrame, others: pd.DataFrame, *, internal: ObjectStore | None = None
) -> Crossed:
    """All outcomes, in the order of the rules. Without ``internal`` no thumbnails are compared."""
    facts = facts_by_series(state)
    found = [
        *patient_outcomes(facts, own),
        *person_outcomes(own, others),
        *study_outcomes(own, others),
        *repeated_outcomes(own, others),
        near_outcome(own, others, internal=internal),
        *time_outcomes(facts),
    ]
    by_id = {one.rule_id: one for one in found}
    return Crossed(tuple(by_id[rule.id] for rule in r.RULES))


def near_outcome(own: pd.DataFrame, others: pd.DataFrame, *, internal: ObjectStore | None) -> LinkOutcome:
    """Series that look the same and are not the same pixels (which is another rule's)."""
    mine = pictures(own)
    index = pd.concat([mine, pictures(others)], ignore_index=True)
    show = _Shown(internal)
    failing: dict[str, str | None] = {}
    for pair in near_pairs(index, own=len(mine)):
        first, second = index.iloc[pair.first], index.iloc[pair.second]
        if first["PixelDigest"] is not None and first["PixelDigest"] == second["PixelDigest"]:
            continue
        alike = show.similarity(first["ExaminationKey"], second["ExaminationKey"])
        if alike is None and pair.bits > CERTAIN_BITS:
            continue
        if alike is not None and alike < ALIKE:
            continue
        said = f"{pair.bits} of 64 bits apart" + ("" if alike is None else f", similarity {alike:.2f}")
        for this, other, at in ((first, second, pair.first), (second, first, pair.second)):
            if at < len(mine):
                failing.setdefault(
                    str(this["SeriesInstanceUID"]),
                    f"as series {other['SeriesInstanceUID']} of {other['source_id']}: {said}",
                )
    return LinkOutcome(r.NEAR.id, len(mine), tuple(sorted(failing.items())))


class _Shown:
    """Thumbnails by the key of their examination, read when asked for."""

    def __init__(self, internal: ObjectStore | None) -> None:
        self._internal = internal
        self._read = lru_cache(maxsize=PICTURES_KEPT)(self._picture)

    def similarity(self, first: str | None, second: str | None) -> float | None:
        one, other = self._read(first), self._read(second)
        return None if one is None or other is None else structural_similarity(one, other)

    def _picture(self, key: str | None) -> NDArray[np.float64] | None:
        if key is None or self._internal is None:
            return None
        try:
            said: Mapping[str, object] = json.loads(self._internal.read(key))
        except ObjectMissingError:
            return None
        thumbnail = said.get("thumbnail")
        return picture(thumbnail if isinstance(thumbnail, str) else None)
