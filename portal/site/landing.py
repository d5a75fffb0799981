"""The first page: what the newest release holds in all, and by cancer, modality and country."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from ingestion.catalogue.search.query import EVERYTHING
from portal.search.service import NothingReleasedError
from portal.search.state import NOT_STATED_WORD
from portal.site.asking import Asker
from portal.site.messages import wording_of
from portal.site.rendering import Pages
from portal.site.shelf import Shelf
from portal.site.shown import lines_of

CHARTS = ("CancerType", "Modality", "HolderCountries")


class Landing:
    """The page at ``/``."""

    def __init__(self, asker: Asker | None, pages: Pages, shelf: Shelf | None) -> None:
        self._asker, self._pages, self._shelf = asker, pages, shelf

    def page(self, request: Request) -> Response:
        newest = None if self._shelf is None else self._shelf.newest()
        try:
            answer = None if self._asker is None else self._asker.ask(request, EVERYTHING)
        except NothingReleasedError:
            answer = None
        charts: list[dict[str, Any]] = []
        words = wording_of(request)
        schema = None if answer is None or self._asker is None else self._asker.service.current().index.schema
        for facet in () if answer is None else answer.facets:
            field = None if schema is None else schema.get(facet.name)
            if facet.name in CHARTS and field is not None:

                def href(value: str, name: str = facet.name) -> str:
                    return "/explore?" + urlencode({name: value or NOT_STATED_WORD})

                lines = lines_of(facet, field, words, href=href)
                charts.append({"name": facet.name, "title": words.field(facet.name, field.label), "lines": lines,
                               "hidden": bool(facet.hidden)})  # fmt: skip
        charts.sort(key=lambda one: CHARTS.index(one["name"]))
        return self._pages.respond(
            request,
            "landing.html.j2",
            release=None if answer is None else answer.release,
            released_on=None if newest is None else newest.released_on,
            collections=0 if newest is None else len(newest.sources),
            total=None if answer is None else answer.total,
            charts=charts,
        )
