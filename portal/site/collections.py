"""The list of collections, and the page of each: what it holds, how good it is, its terms, how to cite it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import urlencode

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from ingestion.catalogue.exports.visitors import visitors_row
from ingestion.catalogue.release_manifest import ReleaseManifest
from ingestion.catalogue.search.protection import PublicCounts
from ingestion.catalogue.search.public import PublicAnswer
from ingestion.catalogue.search.query import AllOf, AnyOfValues
from ingestion.deidentify.policy import PolicyError, load_policy
from ingestion.sources.registry import SourceEntry
from portal.search.outage import UNREADABLE
from portal.site import exports
from portal.site.asking import Asker
from portal.site.citation import Citation
from portal.site.kept import Kept
from portal.site.messages import Wording, wording_of
from portal.site.rendering import Pages, script_json, security_headers
from portal.site.schema_org import dataset
from portal.site.shelf import Certified, Row, Shelf
from portal.site.shown import in_bytes, lines_of
from portal.site.thumbnails import Thumbnail, Thumbnails
from portal.site.tombstone import GoneError, tombstone_of

COMPLETENESS = (
    "BodyPart", "ManufacturerName", "ManufacturerModelName", "PatientSex", "AgeAtStudy", "StudyYear", "SliceThickness",
    "MagneticFieldStrength",
)  # fmt: skip
"""Fields of which a page tells how many series state them."""
CHARTS = ("Modality", "BodyPart", "ManufacturerName", "PatientSex", "AgeAtStudy", "StudyYear")
TEXT = {"txt": "text/plain; charset=utf-8", "bib": "application/x-bibtex; charset=utf-8",
        "json": "application/vnd.citationstyles.csl+json; charset=utf-8"}  # fmt: skip
KEPT_DOCUMENTS = 500
"""Of some 50 kB each; to make one takes up to a quarter of a second."""


@dataclass(frozen=True, slots=True)
class Place:
    """How the platform is called, and its address where that is known."""

    provider: str
    address: str | None = None

    def url(self, path: str) -> str | None:
        return None if self.address is None else self.address.rstrip("/") + path


class Collections:
    """The pages under ``/collections``."""

    def __init__(self, shelf: Shelf, asker: Asker | None, pages: Pages, place: Place) -> None:
        self._shelf, self._asker, self._pages, self._place = shelf, asker, pages, place
        self._thumbnails = Thumbnails(shelf)
        self._documents: Kept[bytes] = Kept(seconds=None, most=KEPT_DOCUMENTS)

    def listing(self, request: Request) -> Response:
        """All sources of the registry: those in the newest release, and why others are not."""
        release = self._shelf.newest()
        rows = {} if release is None else self._shelf.rows(release)
        counts: dict[str, PublicCounts] = {}
        if self._asker is not None and release is not None:
            answer = self._asker.ask(request, AllOf(()))
            [facet] = [one for one in answer.facets if one.name == "source_id"]
            counts = {one.value: one.counts for one in facet.values}
        left_out = [] if release is None else [one for one in release.excluded if one.source_id in self._shelf.entries]
        held = [(self._shelf.entries[one], counts.get(one)) for one in sorted(rows) if one in self._shelf.entries]
        return self._pages.respond(
            request, "collections.html.j2", release=release, held=held, left_out=left_out,
            gone={one.source_id for one in left_out if self._shelf.holding(one.source_id)},
        )  # fmt: skip

    def page(self, request: Request) -> Response:
        entry, release, row = self.found(request)
        words = wording_of(request)
        answer = self.answer(request, entry)
        counts = _counts(answer)
        citation = self.citation(entry, release)
        certified, unread = self._certified(entry.id)
        try:
            policy = load_policy(entry.policy)
        except PolicyError:  # the page says that the policy is a file of the platform's operator
            policy = None
        return self._pages.respond(
            request,
            "collection.html.j2",
            entry=entry,
            release=release,
            row=row,
            counts=counts,
            size=self._size(release, row, answer),
            charts=[] if answer is None or counts.hidden else self._charts(answer, entry.id, words),
            completeness=[] if answer is None or counts.hidden else self._completeness(entry.id, answer, words),
            certified=certified,
            unread=unread,
            scores={}
            if certified is None or counts.hidden
            else {name: self._share(entry.id, name, share) for name, share in certified.scores.items()},
            policy=policy,
            versions=self._shelf.holding(entry.id),
            citation=citation,
            # a picture of a kind that only a few have would tell of it
            pictures=() if counts.hidden else self._pictures(entry, release, modalities=_values(answer, "Modality")),
            structured=script_json(dataset(entry, row, citation, counts, modalities=_values(answer, "Modality"))),
        )

    def certificate(self, request: Request) -> Response:
        entry, release, _ = self.found(request)
        certified = self._shelf.certified(entry.id)
        if certified is None:
            raise HTTPException(404, "this collection has no quality certificate yet")
        return self._pages.respond(request, "certificate.html.j2", entry=entry, release=release, certified=certified)

    def cited(self, request: Request) -> Response:
        entry, release, _ = self.found(request)
        ending = request.path_params["ending"]
        if ending not in TEXT:
            raise HTTPException(404, "citations are there as .txt, .bib and .json")
        citation = self.citation(entry, release)
        body = {"txt": lambda: citation.apa() + "\n", "bib": citation.bibtex, "json": citation.csl_json}[ending]()
        return Response(body, headers={**security_headers(), "Content-Type": TEXT[ending]})

    def record(self, request: Request) -> Response:
        entry, release, row = self.found(request)
        name = request.path_params["name"]
        if name not in exports.OF_COLLECTION:
            raise HTTPException(404, f"records are {', '.join(exports.OF_COLLECTION)}")
        told = self._told(row, self.answer(request, entry))
        made = self._documents.get(
            (release.version, name, tuple(told.items())),
            lambda: exports.of_collection(self._shelf.view(release), told, name, partial(self._share, entry.id)),
        )
        return Response(made, headers={**security_headers(), "Content-Type": exports.OF_COLLECTION[name]})

    def citation(self, entry: SourceEntry, release: ReleaseManifest) -> Citation:
        """By the newest release that holds the collection."""
        return Citation(
            author=(entry.project,),
            title=f"{entry.project}: {entry.cancer_code.meaning.lower()} ({entry.id})",
            version=release.version,
            released_on=dt.date.fromisoformat(release.released_on),
            publisher=self._place.provider,
            identifier=f"urn:cie:collection:{entry.id}",
            url=self._place.url(f"/collections/{entry.id}"),
        )

    def answer(self, request: Request, entry: SourceEntry) -> PublicAnswer | None:
        return None if self._asker is None else self._asker.ask(request, _only(entry.id))

    def _certified(self, source_id: str) -> tuple[Certified | None, bool]:
        """What is certified, and whether that can't be read now: the rest of the page is there all the same."""
        try:
            return self._shelf.certified(source_id), False
        except UNREADABLE:  # logged by what keeps certificates
            return None, True

    def _pictures(
        self, entry: SourceEntry, release: ReleaseManifest, *, modalities: list[str]
    ) -> tuple[Thumbnail, ...]:
        """None while they can't be read."""
        try:
            found = self._thumbnails.of(entry, release, modalities=modalities)
        except UNREADABLE as error:
            self._pages.outage.failed("thumbnails", error)
            return ()
        self._pages.outage.read("thumbnails")
        return found

    def _told(self, row: Row, answer: PublicAnswer | None) -> dict[str, Any]:
        schema = None if self._asker is None else self._asker.service.current().index.schema
        return visitors_row(row, answer, schema)

    def _share(self, source_id: str, what: str, share: float) -> float:
        if self._asker is None:
            raise HTTPException(404, "shares are shown with the search's numbers, and there is no search")
        return self._asker.service.share(source_id, what, share)

    def _size(self, release: ReleaseManifest, row: Row, answer: PublicAnswer | None) -> str | None:
        """The size of the images, rounded by draw as the people are: in steps of what some of them bring."""
        size = row["Bytes"]
        if self._asker is None or answer is None or answer.total.hidden or size is None:
            return None
        held = sum(one["Bytes"] or 0 for one in self._shelf.rows(release).values())
        return in_bytes(self._asker.service.size(str(row["source_id"]), size, held=held, policy=answer.policy))

    def found(self, request: Request) -> tuple[SourceEntry, ReleaseManifest, Row]:
        """The collection of the address, as the newest release has it.

        Raises:
            GoneError: it was in an earlier one.
            HTTPException: it was in none.
        """
        source_id = request.path_params["source_id"]
        entry = self._shelf.entries.get(source_id)
        release = self._shelf.newest()
        gone = tombstone_of(
            self._shelf, source_id, today=dt.datetime.now(dt.UTC).date(), publisher=self._place.provider,
            url=self._place.url(f"/collections/{source_id}"),
        )  # fmt: skip
        if gone is not None:
            raise GoneError(gone)
        row = None if entry is None or release is None else self._shelf.rows(release).get(entry.id)
        if entry is None or release is None or row is None:
            raise HTTPException(404, "the newest release holds no such collection")
        return entry, release, row

    def _charts(self, answer: PublicAnswer, source_id: str, words: Wording) -> list[dict[str, Any]]:
        charts = []
        for facet in answer.facets:
            field = self._field(facet.name)
            if facet.name in CHARTS and field is not None:

                def href(value: str, name: str = facet.name, number: bool = bool(field.edges)) -> str:
                    return "/explore?" + urlencode(
                        [("source_id", source_id)] + ([] if number or not value else [(name, value)])
                    )

                lines = [one for one in lines_of(facet, field, words, href=href) if one.value]
                if lines:
                    title = words.field(facet.name, field.label)
                    charts.append({"name": facet.name, "title": title, "lines": lines, "hidden": bool(facet.hidden)})
        return charts

    def _completeness(self, source_id: str, answer: PublicAnswer, words: Wording) -> list[tuple[str, int]]:
        """Of how many of its series in a hundred each field is stated, drawn as counts are."""
        assert self._asker is not None and answer.total.people is not None
        stated = self._asker.service.stated(source_id, COMPLETENESS, people=answer.total.people, policy=answer.policy)
        return [
            (words.field(name, self._field(name).label), round(100 * stated[name])) for name in COMPLETENESS
            if name in stated
        ]  # fmt: skip

    def _field(self, name: str) -> Any:
        assert self._asker is not None
        return self._asker.service.current().index.schema.get(name)


def _only(source_id: str) -> AllOf:
    return AllOf((AnyOfValues("source_id", (source_id,)),))


def _counts(answer: PublicAnswer | None) -> PublicCounts:
    return PublicCounts(None, None, None) if answer is None else answer.total


def _values(answer: PublicAnswer | None, name: str) -> list[str]:
    facets = () if answer is None else answer.facets
    return sorted(one.value for facet in facets if facet.name == name for one in facet.values if one.value)
