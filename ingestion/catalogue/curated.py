"""What curators decided about spellings that no table knows: numbered versions, applied before the tables.

``vocabulary/mappings/<number>.json`` in the internal bucket holds all decisions up to then; the highest number is the
current one. A publication names the number that it was made with, so that a rebuild gives the same rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ingestion.storage import ObjectStore
from ingestion.storage.numbered import append, numbered_key, read_latest
from ingestion.vocabulary.body_part import BodyPart, body_parts, normalise_body_part
from ingestion.vocabulary.manufacturer import manufacturers, normalise_manufacturer
from ingestion.vocabulary.spelling import words

MAPPINGS = "vocabulary/mappings/"
NOTHING = ""
"""A curator's word that a spelling names nothing: it leaves the queue and stays without a code."""


class Attribute(StrEnum):
    """What can be curated."""

    BODY_PART = "BodyPartExamined"
    MANUFACTURER = "Manufacturer"


class CurationError(ValueError):
    """A decision that cannot be taken; the message says why and what can."""


@dataclass(frozen=True, slots=True)
class Curated:
    """All decisions of one version. Terms by attribute and spelling (its words joined by blanks)."""

    number: int = 0
    terms: Mapping[str, Mapping[str, str]] = field(default_factory=dict)

    def body_part(self, delivered: str | None) -> BodyPart | None:
        """As ``normalise_body_part``, after the curators."""
        term = self.term(Attribute.BODY_PART, delivered)
        return normalise_body_part(delivered) if term is None else body_parts().get(term)

    def manufacturer(self, delivered: str | None) -> str | None:
        """As ``normalise_manufacturer``, after the curators."""
        term = self.term(Attribute.MANUFACTURER, delivered)
        return normalise_manufacturer(delivered) if term is None else term or None

    def term(self, attribute: Attribute, delivered: str | None) -> str | None:
        """What was decided about a spelling; None: nothing was."""
        return self.terms.get(attribute.value, {}).get(spelling_of(delivered))

    def deciding(self, attribute: Attribute, delivered: str, term: str) -> Curated:
        """With one decision more, or another one about the same spelling.

        Raises:
            CurationError: the spelling has no words, or there is no such term.
        """
        spelling = spelling_of(delivered)
        if not spelling:
            raise CurationError("a spelling needs a letter or a digit, and at most 128 characters")
        known = body_parts() if attribute is Attribute.BODY_PART else manufacturers()
        if term != NOTHING and term not in known:
            near = ", ".join(sorted(name for name in known if words(name)[:1] == words(term)[:1])[:8])
            raise CurationError(
                f"{term!r} is no known term of {attribute.value}"
                + (f"; near: {near}" if near else "")
                + "; a new term is a row in ingestion/vocabulary/data"
            )
        terms = {name: dict(found) for name, found in self.terms.items()}
        terms.setdefault(attribute.value, {})[spelling] = term
        return Curated(self.number, terms)


def spelling_of(delivered: str | None) -> str:
    """How a delivered text is compared: its words in upper case, without accents and punctuation."""
    return " ".join(words(delivered))


def read_curated(internal: ObjectStore, number: int | None = None) -> Curated:
    """The decisions of a version; of the current one for None. Version 0 has none.

    Raises:
        ObjectMissingError: there is no such version.
    """
    if number is None:
        latest = read_latest(internal, MAPPINGS)
        return Curated() if latest is None else Curated(latest[0], json.loads(latest[1]))
    return Curated() if number == 0 else Curated(number, json.loads(internal.read(numbered_key(MAPPINGS, number))))


def save_curated(internal: ObjectStore, curated: Curated) -> Curated:
    """Store the decisions as the next version, unless they are the current one's."""
    body = json.dumps(curated.terms, sort_keys=True, ensure_ascii=False).encode()
    number, _ = append(internal, MAPPINGS, body)
    return Curated(number, curated.terms)
