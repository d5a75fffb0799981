"""Our normalised values in EUCAIM's hyper-ontology, as its DCAT profile wants them."""

from __future__ import annotations

from functools import cache

from ingestion.vocabulary.body_part import body_parts, normalise_body_part
from ingestion.vocabulary.spelling import read_table, words
from ingestion.vocabulary.terms import CodedTerm, Scheme

OTHER = ""
"""The value that stands for all that have no class of their own."""


@cache
def eucaim_terms() -> dict[tuple[str, str], CodedTerm]:
    """All classes by kind and value."""
    return {
        (row["kind"], row["value"]): CodedTerm(Scheme.EUCAIM, row["code"], row["label"])
        for row in read_table("eucaim.csv")
    }


def eucaim_term(kind: str, value: str | None) -> CodedTerm:
    """The class of a value; that of anything else where it has none. A body part without one is its wider part.

    Args:
        kind: modality, manufacturer, body_part or sex.
    """
    terms = eucaim_terms()
    seen = set()
    while value and (kind, value) not in terms and kind == "body_part" and value not in seen:
        seen.add(value)
        known = body_parts().get(value)
        value = known.within if known else None
    return terms.get((kind, value or OTHER), terms[(kind, OTHER)])


def segment_term(label: str) -> CodedTerm | None:
    """The class that a segment's label names: a finding or a body part; None where it names neither."""
    for word in words(label):
        found = eucaim_terms().get(("finding", word.lower()))
        if found:
            return found
    part = normalise_body_part(label)
    found = eucaim_terms().get(("body_part", part.label)) if part else None
    return found
