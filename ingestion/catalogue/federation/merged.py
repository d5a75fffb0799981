"""The values of fields counted over nodes: what each may show is added up, and a sum that lacks something says so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ingestion.catalogue.federation.fan_out import NodeFacet, NodeValue, SiteAnswer, whole_sum


@dataclass(frozen=True, slots=True)
class MergedValue:
    """One value; ``sites``: how many show a count of it. ``studies``, ``series``: None where one of them shows none.

    ``partial``: the sum may lack somebody, since a node did not answer, left a collection out, or hides a count that
    may be this value's.
    """

    value: str
    people: int
    studies: int | None
    series: int | None
    sites: int
    partial: bool


@dataclass(frozen=True, slots=True)
class MergedFacet:
    """The values of one field, most people first. ``without``: sites whose counts are not in it, by name."""

    field: str
    values: tuple[MergedValue, ...]
    without: tuple[str, ...]


def merge_facets(sites: Sequence[SiteAnswer], fields: Iterable[str]) -> tuple[MergedFacet, ...]:
    """The facets of all answers, in the order of ``fields``.

    Every number that goes into a sum is one that its node may show by itself, so the sum tells no more than they do.
    """
    return tuple(_merged(sites, name) for name in fields)


def _merged(sites: Sequence[SiteAnswer], name: str) -> MergedFacet:
    found = {site.name: _facet(site, name) for site in sites}
    without = tuple(site for site, facet in found.items() if facet is None)
    cut = any(site.reply is not None and site.reply.refused for site in sites)
    shown = [facet for facet in found.values() if facet is not None]
    counted: dict[str, list[NodeValue]] = {}
    for facet in shown:
        for one in {value.value: value for value in facet.values}.values():
            counted.setdefault(one.value, []).append(one)
    values = [
        MergedValue(
            value=value,
            people=sum(one.people for one in ones),
            studies=whole_sum(one.studies for one in ones),
            series=whole_sum(one.series for one in ones),
            sites=len(ones),
            partial=bool(without) or cut or _hides(shown, value),
        )
        for value, ones in counted.items()
    ]
    values.sort(key=lambda one: (-one.people, one.value))
    return MergedFacet(name, tuple(values), without)


def _facet(site: SiteAnswer, name: str) -> NodeFacet | None:
    facets = () if site.reply is None else site.reply.facets
    return next((facet for facet in facets if facet.field == name), None)


def _hides(facets: Iterable[NodeFacet], value: str) -> bool:
    """Whether one shows no count of the value, and hides counts: one of these may be the value's."""
    return any(facet.hidden and all(one.value != value for one in facet.values) for facet in facets)
