"""A node's answer in the federation's shape: its collections with counts, ages, sexes, modalities and body parts.

Every number is public by the source's count policy. A collection of which no count may be shown is not listed, whether
few people match there or nobody; a collection that can't answer is named with the reason.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ingestion.catalogue.search.public import PublicAnswer, PublicFacet, PublicSearch
from ingestion.catalogue.search.query import AllOf, AnyOfValues, normal

_SEX_WORDS = {"M": "male", "F": "female", "O": "other", "": "unknown"}
_SHOWN = ("PatientSex", "AgeAtStudy", "Modality", "BodyPart")


@dataclass(frozen=True, slots=True)
class CollectionText:
    """How a collection is called in the answer."""

    id: str
    name: str
    description: str


def node_answer(
    search: PublicSearch,
    query: AllOf,
    *,
    provider: str,
    icon: str,
    collections: Iterable[CollectionText],
    facets: Sequence[str] = (),
) -> dict[str, Any]:
    """The answer as JSON: the members of samply/focus's ``EucaimResponse``, and ``refused`` and ``release`` beside.

    ``facets``: fields whose values are counted too, as nodes of this platform ask each other; in the member ``facets``.
    """
    schema = search.engine.index.schema
    whole = search.answer(query, facets=(schema.source,), cross_filtered=False)
    by_source = next(facet for facet in whole.facets if facet.name == schema.source)
    shown = {one.value: one.counts for one in by_source.values}
    listed = []
    for one in sorted(collections, key=lambda text: text.id):
        counts = shown.get(one.id)
        if counts is None:
            continue
        within = normal(AllOf((query, AnyOfValues(schema.source, (one.id,)))))
        detail = search.answer(within, facets=_SHOWN, cross_filtered=False)
        listed.append(
            {
                "id": one.id,
                "name": one.name,
                "description": one.description,
                "studies_count": counts.studies,
                "subjects_count": counts.people,
                **_described(detail, schema_bins=schema.get("AgeAtStudy")),
            }
        )
    more = {"facets": _facets(search.answer(query, facets=facets))} if facets else {}
    return {
        **more,
        "provider": provider,
        "provider_icon": icon,
        "collections": listed,
        "total": {"studies_count": whole.total.studies, "subjects_count": whole.total.people},
        "release": whole.release,
        "refused": [
            {"id": one.source_id, "reason": f"states {', '.join(one.fields)} for none of its series"}
            for one in whole.refused
        ],
    }


def _facets(answer: PublicAnswer) -> list[dict[str, Any]]:
    return [
        {
            "field": facet.name,
            "values": [
                {
                    "value": one.value,
                    "people": one.counts.people,
                    "studies": one.counts.studies,
                    "series": one.counts.series,
                }
                for one in facet.values
            ],
            "hidden": bool(facet.hidden),
        }
        for facet in answer.facets
    ]


def _described(answer: PublicAnswer, *, schema_bins: Any) -> dict[str, Any]:
    facets: Mapping[str, PublicFacet] = {facet.name: facet for facet in answer.facets}
    edges = dict(zip(schema_bins.bins(), schema_bins.edges, strict=True))
    ages = sorted(edges[one.value] for one in facets["AgeAtStudy"].values if one.value)
    later = [edge for edge in schema_bins.edges if ages and edge > ages[-1]]
    return {
        # the bins of which a count is shown; the last is open
        "age_range": {"min": int(ages[0]), "max": int(later[0]) if later else 120} if ages else None,
        "gender": sorted(_SEX_WORDS[one.value] for one in facets["PatientSex"].values),
        "modalities": sorted(one.value for one in facets["Modality"].values if one.value),
        "body_parts": sorted(one.value for one in facets["BodyPart"].values if one.value),
    }
