"""What a visitor is told of a collection, as a row that the public documents are made from.

A release's own row is made of all rows of the source: its oldest person, its only scanner of a maker, the digest over
every image. So of that row a visitor gets what the registry declares, and nothing else; what describes the people comes
from the public search, as the values of which it shows a count (decision 0007).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Any

from ingestion.catalogue.exports.view import Row
from ingestion.catalogue.search.fields import SearchField, SearchSchema
from ingestion.catalogue.search.public import PublicAnswer, PublicFacet
from ingestion.vocabulary.cancer import CancerType

DECLARED = (
    "source_id", "Project", "HolderCountries", "CancerType", "CancerScheme", "CancerCode", "CancerMeaning",
    "ModalitiesDeclared", "Policy", "AgreementKind", "AgreementSignedOn", "AgreementValidUntil", "AgreementWithdrawnOn",
    "DataUse", "AccessMode", "license_short_name", "source_DOI", "CountsHiddenBelow", "CountsRoundedTo", "ContactName",
    "ContactEmail",
)  # fmt: skip
"""Columns of ``collection`` that the registry says, whoever is in the source. Every other one is left empty."""
_SEGMENTED = "yes"
"""Value of the search's field ``Segmented``."""
OLDEST = 120
"""Years that nobody outlives: the end of the last bin of ages, which is open."""


def visitors_row(row: Row, answer: PublicAnswer | None, schema: SearchSchema | None) -> dict[str, Any]:
    """The columns of ``collection`` as a visitor may know them.

    Where nothing may be shown that the metadata profile demands, it is what the registry declares: the modalities, and
    the organ of the cancer as the body part. The finest spacing, the labels of segments, sizes and digests are of
    single people and left out.

    Args:
        row: of the release.
        answer: the search's answer for this source alone, with its facets; None: there is no search, so no number.
        schema: of the search, for the ends of bins.
    """
    told: dict[str, Any] = dict.fromkeys(row) | {name: row.get(name) for name in DECLARED}
    told["Modalities"] = told["ModalitiesDeclared"]
    told["BodyParts"] = CancerType(row["CancerType"]).organ
    if answer is None or schema is None or answer.total.hidden:
        return told
    facets = {facet.name: facet for facet in answer.facets}
    ages, years = (_ends(facets.get(name), schema.get(name)) for name in ("AgeAtStudy", "StudyYear"))
    segmented = next((one for one in _values(facets, "Segmented") if one == _SEGMENTED), None)
    return told | {
        "NumberOfPatients": answer.total.people,
        "NumberOfStudies": answer.total.studies,
        "NumberOfSeries": answer.total.series,
        "Modalities": ",".join(_values(facets, "Modality")) or told["Modalities"],
        "BodyParts": "; ".join(_values(facets, "BodyPart")) or told["BodyParts"],
        "Manufacturers": ",".join(_values(facets, "ManufacturerName")) or None,
        "Sexes": ",".join(_values(facets, "PatientSex")) or None,
        "AgeMinimum": ages[0],
        "AgeMaximum": OLDEST if ages[1] is None and ages[0] is not None else ages[1],
        "FirstStudyDate": _day(years[0], 1, 1),
        "LastStudyDate": _day(None if years[1] is None else years[1] - 1, 12, 31),
        "SegmentedStudies": None if segmented is None else _studies(facets["Segmented"], segmented),
    }


def _values(facets: Mapping[str, PublicFacet], name: str) -> list[str]:
    """The values stated of which a count is shown, sorted."""
    return sorted(one.value for one in facets[name].values if one.value) if name in facets else []


def _studies(facet: PublicFacet, value: str) -> int | None:
    return next(one.counts.studies for one in facet.values if one.value == value)


def _ends(facet: PublicFacet | None, field: SearchField | None) -> tuple[int | None, int | None]:
    """The lower end of the first bin and the upper end of the last of which a count is shown; None where it is open.

    The first bin of a field has whatever is below it too: only zero is an end there.
    """
    if facet is None or field is None:
        return None, None
    edges = dict(zip(field.bins(), field.edges, strict=True))
    found = sorted(edges[one.value] for one in facet.values if one.value)
    if not found:
        return None, None
    above = next((edge for edge in field.edges if edge > found[-1]), None)
    below = None if found[0] == field.edges[0] != 0 else int(found[0])
    return below, None if above is None else int(above)


def _day(year: int | None, month: int, day: int) -> str | None:
    """A DICOM date."""
    return None if year is None else dt.date(year, month, day).strftime("%Y%m%d")
