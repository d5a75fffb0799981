"""Every feature of IBSI-1 by its permanent code, and the ways in which texture matrices are aggregated.

Source: Image Biomarker Standardisation Initiative, reference manual (arXiv:1612.07003v11), chapter 3; ``section`` in
``features.csv`` names the definition there. What the manual does not standardise (densities of the oriented and the
minimum-volume enclosing bodies, area under the intensity-volume histogram) is not in the table.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import resources


class Family(StrEnum):
    """The eleven families; ``code`` is IBSI's permanent id."""

    MORPHOLOGY = "morphology"
    LOCAL_INTENSITY = "local_intensity"
    INTENSITY_STATISTICS = "intensity_statistics"
    INTENSITY_HISTOGRAM = "intensity_histogram"
    INTENSITY_VOLUME_HISTOGRAM = "intensity_volume_histogram"
    GLCM = "glcm"
    GLRLM = "glrlm"
    GLSZM = "glszm"
    GLDZM = "gldzm"
    NGTDM = "ngtdm"
    NGLDM = "ngldm"

    @property
    def code(self) -> str:
        return next(feature.family_code for feature in features() if feature.family is self)


class Aggregation(StrEnum):
    """IBSI's ways of turning the texture matrices of directions and slices into one value."""

    SLICE_AVERAGED = "2D, averaged"
    SLICE_MERGED = "2D, slice-merged"
    DIRECTION_MERGED = "2.5D, direction-merged"
    ALL_SLICES_MERGED = "2.5D, merged"
    VOLUME_AVERAGED = "3D, averaged"
    VOLUME_MERGED = "3D, merged"
    SLICE = "2D"
    SLICES_MERGED = "2.5D"
    VOLUME = "3D"

    @property
    def code(self) -> str:
        """IBSI's permanent id."""
        return _AGGREGATION_CODES[self]

    @property
    def volumetric(self) -> bool:
        """Neighbours are sought in three dimensions, not within slices."""
        return self in {Aggregation.VOLUME_AVERAGED, Aggregation.VOLUME_MERGED, Aggregation.VOLUME}


_AGGREGATION_CODES = {
    Aggregation.SLICE_AVERAGED: "BTW3",
    Aggregation.SLICE_MERGED: "SUJT",
    Aggregation.DIRECTION_MERGED: "JJUI",
    Aggregation.ALL_SLICES_MERGED: "ZW7Z",
    Aggregation.VOLUME_AVERAGED: "ITBB",
    Aggregation.VOLUME_MERGED: "IAZD",
    Aggregation.SLICE: "8QNN",
    Aggregation.SLICES_MERGED: "62GR",
    Aggregation.VOLUME: "KOBO",
}

DIRECTIONAL_FAMILIES = frozenset({Family.GLCM, Family.GLRLM})
"""Their matrices exist once for each direction."""
MATRIX_FAMILIES = frozenset({Family.GLSZM, Family.GLDZM, Family.NGTDM, Family.NGLDM})
DIRECTIONAL_AGGREGATIONS = tuple(Aggregation)[:6]
MATRIX_AGGREGATIONS = tuple(Aggregation)[6:]


@dataclass(frozen=True, slots=True)
class Feature:
    """One row of ``features.csv``.

    ``code``: IBSI's permanent id. ``tag``: the short name of IBSI's reference tables without the aggregation; unique,
    which the code is not (the volume at 10 % and at 90 % intensity are both BC2M). ``unit``: ``u`` is the unit of the
    image, ``1`` none. ``section``: of the reference manual.
    """

    family: Family
    family_code: str
    code: str
    tag: str
    keyword: str
    name: str
    unit: str
    section: str


@cache
def features() -> tuple[Feature, ...]:
    """All standardised features in the manual's order."""
    text = resources.files(__package__).joinpath("features.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    return tuple(Feature(Family(row.pop("family")), **row) for row in rows)


@cache
def features_of(family: Family) -> tuple[Feature, ...]:
    return tuple(feature for feature in features() if feature.family is family)


def aggregations_of(family: Family) -> tuple[Aggregation, ...]:
    """The aggregations that the family has; none for families without texture matrices."""
    if family in DIRECTIONAL_FAMILIES:
        return DIRECTIONAL_AGGREGATIONS
    return MATRIX_AGGREGATIONS if family in MATRIX_FAMILIES else ()


def feature_table() -> list[dict[str, str]]:
    """One row for each feature and aggregation: what ``cie features --list`` prints."""
    return [
        {
            "Family": feature.family.value,
            "FamilyCode": feature.family_code,
            "Code": feature.code,
            "Name": feature.name,
            "Aggregation": aggregation.value if aggregation else "",
            "AggregationCode": aggregation.code if aggregation else "",
            "Column": column(feature, aggregation),
            "Unit": feature.unit,
            "Section": feature.section,
        }
        for feature in features()
        for aggregation in aggregations_of(feature.family) or (None,)
    ]


def column(feature: Feature, aggregation: Aggregation | None) -> str:
    """The table column: keyword, IBSI's code of the feature and, for texture, of the aggregation."""
    return f"{feature.keyword}_{feature.code}" + (f"_{aggregation.code}" if aggregation else "")
