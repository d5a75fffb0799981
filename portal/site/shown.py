"""Public counts as a page shows them: lines with bars, and no number where none may be shown."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ingestion.catalogue.search.fields import SearchField
from ingestion.catalogue.search.public import PublicFacet
from portal.site.messages import Wording


@dataclass(frozen=True, slots=True)
class Line:
    """One value of a field: how it is called, where a click leads, its counts, how long its bar is (of 100).

    ``studies``, ``series``: None where they are not shown.
    """

    value: str
    label: str
    href: str
    chosen: bool
    people: int
    studies: int | None
    series: int | None
    length: int


def lines_of(
    facet: PublicFacet, field: SearchField, words: Wording, *, href: Callable[[str], str],
    chosen: Callable[[str], bool] = lambda value: False,
) -> tuple[Line, ...]:  # fmt: skip
    """The values of a facet: numbers in the order of their bins, others as they come, most people first."""
    values = list(facet.values)
    if field.edges:
        order = {name: at for at, name in enumerate((*field.bins(), ""))}
        values.sort(key=lambda one: order[one.value])
    longest = max((one.counts.people or 0 for one in values), default=0) or 1
    return tuple(
        Line(
            value=one.value,
            label=words.term(field.name, one.value),
            href=href(one.value),
            chosen=chosen(one.value),
            people=one.counts.people or 0,
            studies=one.counts.studies,
            series=one.counts.series,
            length=max(round(100 * (one.counts.people or 0) / longest), 1),
        )
        for one in values
        if not one.counts.hidden
    )


def in_bytes(number: int) -> str:
    """A size for people."""
    size = float(number)
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if size < 1000 or unit == "TB":
            return f"{size:.3g} {unit}"
        size /= 1000
    raise AssertionError("unreachable")
