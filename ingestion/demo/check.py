"""Results held against the answer key: did every delivered object end as it must?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ingestion.accounting.states import InstanceState, Reason
from ingestion.demo.answer_key import AnswerKey, Expected, KeyObject
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import Pseudonyms


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


def _as_foretold(item: KeyObject, state: InstanceState, reason: Reason | None) -> bool:
    if item.expected is Expected.ANY:
        return True
    if state.value != item.expected.value:
        return False
    return not item.reasons or reason in item.reasons
