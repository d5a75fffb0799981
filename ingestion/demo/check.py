"""Results held against the answer key: did every delivered object end as it must?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO

import numpy as np
import pydicom

from ingestion.accounting.states import InstanceState, Reason
from ingestion.demo.answer_key import AnswerKey, Expected, KeyObject
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import Pseudonyms
from ingestion.storage import ObjectStore

INK = 255
"""What the demo's lettering is drawn in; the pictures around it are darker."""


@dataclass(frozen=True, slots=True)
class Difference:
    """An object that ended otherwise than foretold. ``number`` counts the objects of the answer key from 0."""

    source_id: str
    number: int | None
    note: str
    expected: str
    found: str


def compare(
    key: AnswerKey, outcomes: Mapping[str, tuple[InstanceState, Reason | None]], *, source_key: SourceKey
) -> tuple[Difference, ...]:
    """All differences between the answer key and the ledger's outcomes (by keyed hash of the object's name)."""
    pseudonyms = Pseudonyms(source_key)
    left = dict(outcomes)
    found: list[Difference] = []
    for number, item in enumerate(key.objects):
        outcome = left.pop(pseudonyms.object_name(item.name), None)
        if outcome is None:
            found.append(Difference(key.source_id, number, item.note, item.expected, "not in the ledger"))
        elif not _as_foretold(item, *outcome):
            expected = f"{item.expected} {'/'.join(item.reasons)}".strip()
            found.append(Difference(key.source_id, number, item.note, expected, f"{outcome[0]} {outcome[1] or ''}"))
    if left:
        detail = f"{len(left)} objects of the ledger"
        found.append(Difference(key.source_id, None, "", "in the answer key", detail))
    return tuple(found)


def lettering_left(
    key: AnswerKey, stored: Mapping[str, str], research: ObjectStore, *, source_key: SourceKey
) -> tuple[Difference, ...]:
    """Accepted objects whose burned-in lettering can still be seen. ``stored``: keys in the store by object hash."""
    pseudonyms = Pseudonyms(source_key)
    found = []
    for number, item in enumerate(key.objects):
        place = stored.get(pseudonyms.object_name(item.name))
        if item.lettering is None or place is None:
            continue
        pixels = pydicom.dcmread(BytesIO(research.read(place))).pixel_array
        rows = -3 if pixels.ndim > 3 or (pixels.ndim == 3 and pixels.shape[-1] == 3) else -2
        if (np.moveaxis(pixels, rows, 0)[slice(*item.lettering)] == INK).any():
            found.append(Difference(key.source_id, number, item.note, "no lettering", "lettering in its pixels"))
    return tuple(found)


def _as_foretold(item: KeyObject, state: InstanceState, reason: Reason | None) -> bool:
    if item.expected is Expected.ANY:
        return True
    if item.expected is Expected.CLEANED and state is InstanceState.ACCEPTED:
        return True  # its pixels are looked at as well: ``lettering_left``
    wanted = "quarantined" if item.expected is Expected.CLEANED else item.expected.value
    if state.value != wanted:
        return False
    return not item.reasons or reason in item.reasons
