"""Modality (0008,0060): the closed list of PS3.3, section C.7.3.1.1.1."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ingestion.vocabulary.spelling import read_table, words
from ingestion.vocabulary.terms import CodedTerm, Scheme


@dataclass(frozen=True, slots=True)
class Modality:
    """One defined term. ``code`` is the same value as a concept of the DICOM controlled terminology (CID 29, 32)."""

    value: str
    meaning: str
    retired: bool

    @property
    def code(self) -> CodedTerm:
        return CodedTerm(Scheme.DICOM, self.value, self.meaning)


@cache
def modalities() -> dict[str, Modality]:
    """All defined terms by value."""
    return {
        row["code"]: Modality(value=row["code"], meaning=row["meaning"], retired=row["retired"] == "retired")
        for row in read_table("modality.csv")
    }


@cache
def _by_spelling() -> dict[str, str]:
    found: dict[str, str] = {}
    for row in read_table("modality.csv"):
        for spelling in row["also"].split("|") if row["also"] else ():
            found["".join(words(spelling))] = row["code"]
    return found | {code: code for code in modalities()}


def normalise_modality(delivered: str | None) -> Modality | None:
    """The defined term that a delivered value is or means; None for an unknown or empty value."""
    value = _by_spelling().get("".join(words(delivered)))
    return modalities()[value] if value else None
