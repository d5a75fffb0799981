"""Patient's Sex (0010,0040): M, F or O (PS3.3, section C.7.1.1), and the words that are delivered instead."""

from __future__ import annotations

from enum import StrEnum

from ingestion.vocabulary.spelling import words


class Sex(StrEnum):
    """The standard's three values."""

    FEMALE = "F"
    MALE = "M"
    OTHER = "O"


_SPELLINGS = {
    Sex.FEMALE: ("F", "FEMALE", "WEIBLICH", "FEMME", "FEMININ", "FEMMINA", "FEMENINO", "FEMININO", "MUJER", "VROUW",
                 "WOMAN"),
    Sex.MALE: ("M", "MALE", "MANNLICH", "MAENNLICH", "HOMME", "MASCULIN", "MASCHIO", "MASCULINO", "HOMBRE", "MAN"),
    Sex.OTHER: ("O", "OTHER", "DIVERS"),
}  # fmt: skip
_BY_SPELLING = {spelling: sex for sex, spellings in _SPELLINGS.items() for spelling in spellings}


def normalise_sex(delivered: str | None) -> Sex | None:
    """The standard value; None for an unknown or empty one (a delivered "U" or "0" says nothing)."""
    return _BY_SPELLING.get("".join(words(delivered)))
