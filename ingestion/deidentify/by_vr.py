"""Attributes that no table of the profile names: what their VR, and two lists, say about them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from pydicom.datadict import tag_for_keyword

from ingestion.deidentify.profile import read_text
from ingestion.deidentify.rules import Treatment

TABLE = "by_vr.txt"
BEYOND = "beyond_e11.csv"


@dataclass(frozen=True, slots=True)
class Lists:
    """``technical``: texts of devices; ``binary``: bytes that stay; ``schemes``: published coding schemes."""

    technical: frozenset[int]
    binary: frozenset[int]
    schemes: frozenset[str]


@cache
def lists() -> Lists:
    """The lists of ``by_vr.txt``."""
    found: dict[str, set[str]] = {"technical": set(), "binary": set(), "scheme": set()}
    for line in read_text(TABLE):
        kind, name = line.split()
        found[kind].add(name)
    return Lists(_tags(found["technical"]), _tags(found["binary"]), frozenset(found["scheme"]))


def _tags(keywords: set[str]) -> frozenset[int]:
    return frozenset(int(tag) for tag in map(tag_for_keyword, keywords) if tag is not None)


@dataclass(frozen=True, slots=True)
class Judged:
    """An attribute that Table E.1-1 does not name and that identifies all the same."""

    treatment: Treatment
    why: str


@cache
def beyond() -> Mapping[int, Judged]:
    """These attributes by tag."""
    return {
        int(line["tag"], 16): Judged(Treatment(line["treatment"]), line["why"])
        for line in csv.DictReader(read_text(BEYOND))
    }
