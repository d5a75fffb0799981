"""A selection: its counts, terms and citation, what of it may be taken away, and what it was in another release.

Every number here is of the selection itself: values that a criterion leaves out are not counted beside it, as the
explorer does to offer them.
"""

from __future__ import annotations

import datetime as dt
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa
from pyarrow import csv, parquet
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ingestion.catalogue.plain_cells import plain_table
from ingestion.catalogue.search.public import PublicAnswer
from ingestion.catalogue.search.query import AllOf, QueryError, digest, to_json
from ingestion.sources.registry import SourceEntry
from portal.search.explorer import chips, in_words, parts
from portal.search.groups import groups
from portal.search.limits import Limits
from portal.search.service import SearchService
from portal.search.state import MAX_ADDRESS, TOO_LONG, Pairs, address, query_of
from portal.site.asking import Asker
from portal.site.citation import Citation
from portal.site.collections import TEXT, Place
from portal.site.messages import wording_of
from portal.site.rendering import Pages, security_headers
from portal.site.shelf import Shelf
from portal.site.shown import lines_of

COUNTS = {"counts.csv": "text/csv; charset=utf-8", "counts.parquet": "application/vnd.apache.parquet"}
RECORDS = ("csv", "parquet", "manifest")
"""Exports of the rows behind a selection: for visitors only where the records are open to everybody."""
NAMED_AUTHORS = 6
"""Projects that a citation names; of more, the platform is the author."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One field value in two releases: public counts of people, None where they are hidden."""

    label: str
    before: int | None
    after: int | None

    @property
    def change(self) -> int | None:
        return None if self.before is None or self.after is None else self.after - self.before


class Cohort:
    """The pages under ``/cohort``; the query is in the address, as the explorer has it."""

    def __init__(
        self, service: SearchService, limits: Limits, pages: Pages, place: Place, *, shelf: Shelf | None,
        other: Callable[[str], SearchService] | None = None, open_records: bool = False,
    ) -> None:  # fmt: skip
        """``other``: the search of an older release; ``open_records``: the rows are open to everybody."""
        self._asker, self._limits, self._pages, self._place = Asker(service, limits), limits, pages, place
        self._shelf, self._other, self._open = shelf, other, open_records

    def page(self, request: Request) -> Response:
        pairs, of_page = parts(request, self._asker.service.current().index.schema)
        query = self._query(pairs)
        answer = self._asker.ask(request, query, cross_filtered=False)
        words = wording_of(request)
        schema = self._asker.service.current().index.schema
        sources = [(entry, counts) for entry, counts in self._sources(answer)]
        versions = [] if self._shelf is None else [one.version for one in reversed(self._shelf.releases())]
        compared = self._compared(request, query, answer, of_page.get("with"), versions)
        modes = sorted({entry.agreement.access_mode.value for entry, _ in sources})
        return self._pages.respond(
            request,
            "cohort.html.j2",
            release=answer.release,
            total=answer.total,
            refused=[(one.source_id, one.fields) for one in answer.refused],
            chips=chips(pairs, words, schema.fields, "/cohort"),
            groups=groups(pairs, lambda criterion: in_words(criterion, words, schema.fields)),
            sources=sources,
            terms=sorted({code for entry, _ in sources for code in entry.agreement.data_use}),
            modes=modes,
            citation=self._citation(query, answer),
            query=digest(query),
            explore=f"/explore{address(pairs)}",
            export=address([*pairs, ("format", "FORMAT")]),
            exports={name: f"/cohort/export{address([*pairs, ('format', name)])}" for name in (*COUNTS, *RECORDS)},
            citations={end: f"/cohort/citation.{end}{address(pairs)}" for end in TEXT},
            open_records=self._open,
            versions=[one for one in versions if one != answer.release],
            other=of_page.get("with", ""),
            compared=compared,
            kept=pairs,
        )

    def export(self, request: Request) -> Response:
        """What a visitor may take away; else a page that names the rule and what to do."""
        pairs, of_page = parts(request, self._asker.service.current().index.schema)
        name = of_page.get("format", "")
        if name not in COUNTS and name not in RECORDS:
            raise HTTPException(404, f"exports are {', '.join((*COUNTS, *RECORDS))}")
        query = self._query(pairs)
        answer = self._asker.ask(request, query, cross_filtered=False)
        if name in RECORDS:
            if self._open:
                target = f"/api/v1/export{address([*pairs, ('format', name)])}"
                return RedirectResponse(target, 303, headers=security_headers())
            sources = [entry for entry, _ in self._sources(answer)]
            return self._pages.respond(
                request, "refused.html.j2", status=403, reason="records", format=name, sources=sources,
                back=f"/cohort{address(pairs)}",
            )  # fmt: skip
        if answer.total.hidden:
            return self._pages.respond(
                request, "refused.html.j2", status=403, reason="small", format=name, sources=[],
                back=f"/cohort{address(pairs)}",
            )  # fmt: skip
        body = counts_bytes(answer, csv_file=name.endswith("csv"))
        headers = {
            **security_headers(),
            "Content-Disposition": f'attachment; filename="{answer.release}-{digest(query)}-{name}"',
        }
        return Response(body, headers={**headers, "Content-Type": COUNTS[name]})

    def cited(self, request: Request) -> Response:
        pairs, _ = parts(request, self._asker.service.current().index.schema)
        ending = request.path_params["ending"]
        if ending not in TEXT:
            raise HTTPException(404, "citations are there as .txt, .bib and .json")
        query = self._query(pairs)
        citation = self._citation(query, self._asker.ask(request, query, cross_filtered=False))
        body = {"txt": lambda: citation.apa() + "\n", "bib": citation.bibtex, "json": citation.csl_json}[ending]()
        return Response(body, headers={**security_headers(), "Content-Type": TEXT[ending]})

    def _query(self, pairs: Pairs) -> AllOf:
        try:
            query = query_of(pairs, self._asker.service.current().index.schema)
        except QueryError as error:
            raise HTTPException(400, "; ".join(error.problems)) from None
        if len(address(pairs)) > MAX_ADDRESS:
            raise HTTPException(414, TOO_LONG)
        return query

    def _sources(self, answer: PublicAnswer) -> Iterator[tuple[SourceEntry, int]]:
        """Those of which a count may be shown, with people; the others aren't named: that would tell who has few."""
        known = {} if self._shelf is None else self._shelf.entries
        for facet in answer.facets:
            if facet.name == "source_id":
                for one in facet.values:
                    if one.value in known and one.counts.people:
                        yield known[one.value], one.counts.people

    def _citation(self, query: AllOf, answer: PublicAnswer) -> Citation:
        projects = sorted({entry.project for entry, _ in self._sources(answer)})
        released = None if self._shelf is None else self._shelf.newest()
        day = dt.date.fromisoformat(released.released_on) if released else None
        return Citation(
            author=tuple(projects) if 0 < len(projects) <= NAMED_AUTHORS else (self._place.provider,),
            title=f"Selection {digest(query)} of cancer images",
            version=answer.release,
            released_on=day,
            publisher=self._place.provider,
            identifier=f"urn:cie:selection:{digest(query)}",
            # in its normal form, so that equal selections have one address
            url=self._place.url(f"/cohort{address([('q', json.dumps(to_json(query), separators=(',', ':')))])}"),
        )

    def _compared(
        self, request: Request, query: AllOf, answer: PublicAnswer, version: str | None, versions: list[str]
    ) -> list[tuple[str, list[Compared]]] | None:
        """People in the other release beside this one, in total and by the values of a few fields."""
        if version is None:
            return None
        if self._other is None or version not in versions:
            raise HTTPException(404, f"there is no release {version[:20]!r} to compare with")
        try:
            earlier_asker = Asker(self._other(version), self._limits, release=version)
            before = earlier_asker.ask(request, query, cross_filtered=False)
        except QueryError as error:
            raise HTTPException(400, "; ".join(error.problems)) from None
        words = wording_of(request)
        schema = self._asker.service.current().index.schema
        tables = [
            (words.say("cohort.total"), [Compared(words.say("people"), before.total.people, answer.total.people)])
        ]
        earlier = {facet.name: facet for facet in before.facets}
        for facet in answer.facets:
            field = schema.get(facet.name)
            if field is None or facet.name not in ("source_id", "Modality", "CancerType") or facet.name not in earlier:
                continue
            now = {line.label: line.people for line in lines_of(facet, field, words, href=str)}
            then = {line.label: line.people for line in lines_of(earlier[facet.name], field, words, href=str)}
            lines = [Compared(label, then.get(label), now.get(label)) for label in sorted({*now, *then})]
            if lines:
                tables.append((words.field(facet.name, field.label), lines))
        return tables


def counts_bytes(answer: PublicAnswer, *, csv_file: bool) -> bytes:
    """The public counts of an answer as a table: field, value, people, studies, series; the first row is the total."""
    rows = [("", "", answer.total)]
    rows += [(facet.name, one.value, one.counts) for facet in answer.facets for one in facet.values]
    table = pa.table(
        {
            "field": pa.array([row[0] for row in rows], pa.string()),
            "value": pa.array([row[1] for row in rows], pa.string()),
            **{
                name: pa.array([getattr(row[2], name) for row in rows], pa.int64())
                for name in ("people", "studies", "series")
            },
        }
    ).replace_schema_metadata({"release": answer.release})
    sink = io.BytesIO()
    if csv_file:
        csv.write_csv(plain_table(table), sink)
    else:
        parquet.write_table(table, sink, compression="zstd")
    return sink.getvalue()
