"""Body Part Examined (0018,0015), as delivered, to one label and its SNOMED CT code.

The attribute is a code string with defined terms (PS3.16, Annex L), and consoles write free text into it: several
languages, several parts at once, words of the protocol. What can't be told with certainty becomes None.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache

from ingestion.vocabulary.spelling import read_table, words
from ingestion.vocabulary.terms import CodedTerm, Scheme


@dataclass(frozen=True, slots=True)
class BodyPart:
    """One body part. ``within`` is the label of the wider part that it lies in."""

    label: str
    code: CodedTerm
    within: str | None


_NOISE = frozenset({
    # words about the acquisition, not the part
    "CT", "TC", "TDM", "MR", "MRI", "IRM", "RM", "MRT", "PET", "XR", "RX", "SCANNER", "SCAN", "TEP", "US", "MG",
    "WITH", "WITHOUT", "W", "WO", "CONTRAST", "CM", "KM", "IV", "NATIV", "NATIVE", "SANS", "AVEC", "CON", "SIN",
    "SENZA", "MDC", "O", "AND", "UND", "ET", "E", "EN", "Y", "OF", "THE", "LOW", "DOSE", "ROUTINE", "STANDARD", "AP",
    "PA", "LAT", "AIR", "EAU", "WATER",
    # words about the person or the side
    "MALE", "FEMALE", "MASCULIN", "FEMININ", "MASCHILE", "FEMMINILE", "ADULT", "CHILD", "PED", "LEFT", "RIGHT", "L",
    "R", "BILATERAL", "BOTH", "DX", "SX", "RE", "LI",
})  # fmt: skip
_COMBINED = {
    frozenset({"Abdomen", "Pelvis"}): "Abdomen and Pelvis",
    frozenset({"Chest", "Abdomen"}): "Chest and Abdomen",
    frozenset({"Chest", "Abdomen", "Pelvis"}): "Chest, Abdomen and Pelvis",
    frozenset({"Chest", "Abdomen and Pelvis"}): "Chest, Abdomen and Pelvis",
    frozenset({"Chest and Abdomen", "Pelvis"}): "Chest, Abdomen and Pelvis",
    frozenset({"Head", "Neck"}): "Head and Neck",
    frozenset({"Neck", "Chest"}): "Neck and Chest",
    frozenset({"Neck", "Chest", "Abdomen"}): "Neck, Chest and Abdomen",
    frozenset({"Neck", "Chest", "Abdomen", "Pelvis"}): "Neck, Chest, Abdomen and Pelvis",
}
"""Several parts named at once: the pre-coordinated term (CID 4031) that covers exactly those."""


@cache
def body_parts() -> dict[str, BodyPart]:
    """All known parts by label: those kept by hand, then the further anatomic regions of DICOM PS3.16."""
    rows = [*read_table("body_part_dicom.csv"), *read_table("body_part.csv")]
    return {
        row["label"]: BodyPart(
            label=row["label"],
            code=CodedTerm(Scheme.SNOMED_CT, row["code"], row["label"]),
            within=row.get("within") or None,
        )
        for row in rows
    }


@cache
def _by_spelling() -> dict[str, str]:
    found: dict[str, str] = {}
    # later rows go before: what is kept by hand is surest
    for row in (*read_table("body_part_dicom.csv"), *read_table("body_part_met.csv"), *read_table("body_part.csv")):
        for spelling in (row["label"], *row["spellings"].split("|")):
            if spelling:
                found["".join(words(spelling))] = row["label"]
    return found


def normalise_body_part(delivered: str | None) -> BodyPart | None:
    """The part that a delivered text names; None where it is empty, unknown or ambiguous."""
    spelt = words(delivered)
    if not spelt:
        return None
    known = _by_spelling()
    label = known.get("".join(spelt)) or _of_words(spelt)
    return body_parts()[label] if label else None


def _of_words(spelt: Iterable[str]) -> str | None:
    """The one part that the words name together, once words that name no part are put aside."""
    known = _by_spelling()
    rest = tuple(word for word in spelt if word not in _NOISE)
    whole = known.get("".join(rest))
    if whole or not rest:
        return whole
    labels = {known.get(word) for word in rest}
    if len(labels) == 1:
        return labels.pop()
    return _COMBINED.get(frozenset(label for label in labels if label)) if None not in labels else None


def lies_within(label: str, wider: str) -> bool:
    """Whether part ``label`` is ``wider`` or lies in it, so that a search for the chest finds lungs."""
    parts = body_parts()
    at: str | None = label
    while at is not None:
        if at == wider:
            return True
        at = parts[at].within
    return False
