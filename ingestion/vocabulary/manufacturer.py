"""Manufacturer (0008,0070), as delivered, to one name: thirteen spellings of General Electric become one."""

from __future__ import annotations

from functools import cache

from ingestion.vocabulary.spelling import read_table, words


@cache
def _by_beginning() -> dict[tuple[str, ...], str]:
    return {
        words(beginning): row["name"]
        for row in read_table("manufacturer.csv")
        for beginning in (row["name"], *row["beginnings"].split("|"))
    }


@cache
def manufacturers() -> frozenset[str]:
    """All known names."""
    return frozenset(row["name"] for row in read_table("manufacturer.csv"))


def normalise_manufacturer(delivered: str | None) -> str | None:
    """The maker's one name; None for an unknown or empty value. Compares whole words, the longest beginning wins."""
    spelt = words(delivered)
    known = _by_beginning()
    for length in range(len(spelt), 0, -1):
        name = known.get(spelt[:length])
        if name:
            return name
    return None
