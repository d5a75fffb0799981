"""The explorer: every facet with its counts, as one page that works without scripts; its address is its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ingestion.catalogue.search.fields import FieldKind, SearchField, SearchSchema
from ingestion.catalogue.search.public import PublicFacet
from ingestion.catalogue.search.query import EVERYTHING, QueryError
from portal.search.groups import NEW, GroupError, added, groups
from portal.search.limits import Limits, TooManyError
from portal.search.service import SearchService
from portal.search.state import MAX_ADDRESS, NOT_STATED_WORD, TOO_LONG, Pairs, address, query_of, toggled
from portal.search.turns import BusyError
from portal.site.asking import NOTHING_TO_SEARCH, Asker
from portal.site.messages import Wording, wording_of
from portal.site.rendering import Pages, security_headers
from portal.site.shown import Line, lines_of

SHOWN_VALUES = 8
"""Values of a facet that are seen at once; the others stand under "more"."""
FIND, ADD = "find.", "add."
"""Parameters of the page, not of the query: words to find values of a facet by, and a criterion to add to a group."""
OF_PAGE = ("lang", "with", "format")


@dataclass(frozen=True, slots=True)
class FacetBox:
    field: SearchField
    label: str
    first: tuple[Line, ...]
    more: tuple[Line, ...]
    hidden: bool
    low: str
    high: str
    find: str
    """Words that the values shown contain; empty: all are shown."""


@dataclass(frozen=True, slots=True)
class Chip:
    """One criterion of the query, and the address without it."""

    label: str
    href: str


class Explorer:
    """The page at ``/explore``."""

    def __init__(self, service: SearchService, limits: Limits, pages: Pages | None = None) -> None:
        self._asker = Asker(service, limits)
        self._pages = pages or Pages(whole=False)

    async def page(self, request: Request) -> Response:
        return await run_in_threadpool(self._respond, request)

    def _respond(self, request: Request) -> Response:
        words = wording_of(request)
        problems: tuple[str, ...] = ()
        try:
            schema = self._asker.service.current().index.schema
            pairs, of_page = parts(request, schema)
            adding = {name.removeprefix(ADD): value for name, value in of_page.items() if name.startswith(ADD)}
            if adding:
                try:
                    grown = address(added(pairs, adding, schema))
                    if len(grown) > MAX_ADDRESS:
                        raise GroupError("groups.too_long")
                    return RedirectResponse(f"/explore{grown}", 303, headers=security_headers())
                except GroupError as error:
                    problems = (words.say(error.key),)
            try:
                query = query_of(pairs, schema)
                if len(address(pairs)) > MAX_ADDRESS:
                    return self._pages.problem(request, "problem.request", status=414, detail=TOO_LONG)
            except QueryError as error:
                query, problems = EVERYTHING, (*problems, *error.problems)
            answer = self._asker.ask(request, query)
        except TooManyError as error:
            again = {"Retry-After": str(error.retry_after)}
            return self._pages.problem(request, "problem.too_many", status=429, detail=str(error), headers=again)
        except BusyError as error:
            return self._pages.busy(request, error)
        except NOTHING_TO_SEARCH as error:
            return self._pages.unreadable(request, error)
        shown = [] if problems and query is EVERYTHING else pairs
        return self._pages.respond(
            request,
            "explorer.html.j2",
            status=400 if problems else 200,
            release=answer.release,
            total=answer.total,
            problems=problems,
            refused=[(one.source_id, one.fields) for one in answer.refused],
            chips=chips(shown, words, schema.fields),
            groups=groups(shown, lambda criterion: in_words(criterion, words, schema.fields)),
            boxes=[_box(facet, shown, schema.get(facet.name), words, of_page) for facet in answer.facets],
            fields=[(field.name, words.field(field.name, field.label)) for field in schema.fields
                    if field.kind is not FieldKind.TEXT],
            text=next((value for name, value in pairs if name == "text"), ""),
            asked={name: of_page.get(f"{ADD}{name}", "") for name in ("mode", "field", "value", "to")},
            new=NEW,
            kept=shown,
            cohort=f"/cohort{address(shown)}",
        )  # fmt: skip


def parts(request: Request, schema: SearchSchema) -> tuple[Pairs, dict[str, str]]:
    """The parameters of the query, and those of the page.

    An empty value of a field is "not stated", as the API reads it; of words and of the ends of ranges, which forms send
    empty, it is nothing.
    """
    given = request.query_params.multi_items()
    of_page = {name: value for name, value in given if name in OF_PAGE or name.startswith((FIND, ADD))}
    pairs = []
    for name, value in given:
        field = schema.get(name.partition(".")[0])
        is_term = field is not None and field.kind is not FieldKind.NUMBER
        if name in of_page or (not value.strip() and (name == "text" or (field is not None and not is_term))):
            continue
        pairs.append((name, value or NOT_STATED_WORD if is_term and "." not in name else value))
    return pairs, {name: value for name, value in of_page.items() if value.strip()}


def _box(
    facet: PublicFacet, pairs: Pairs, field: SearchField | None, words: Wording, of_page: dict[str, str]
) -> FacetBox:
    assert field is not None
    find = of_page.get(f"{FIND}{field.name}", "").strip()[:80]
    lines = lines_of(
        facet,
        field,
        words,
        href=lambda value: "/explore" + _href(field, pairs, value),
        chosen=lambda value: (field.name, value or NOT_STATED_WORD) in pairs,
    )
    if find:
        lines = tuple(line for line in lines if find.casefold() in f"{line.label} {line.value}".casefold())
    many = field.kind is not FieldKind.NUMBER and len(lines) > SHOWN_VALUES and not find
    first = tuple(line for at, line in enumerate(lines) if not many or at < SHOWN_VALUES or line.chosen)
    given = dict(pairs)
    return FacetBox(
        field=field,
        label=words.field(field.name, field.label),
        first=first,
        more=tuple(line for line in lines if line not in first),
        hidden=bool(facet.hidden),
        low=given.get(f"{field.name}.from", ""),
        high=given.get(f"{field.name}.to", ""),
        find=find,
    )


def _href(field: SearchField, pairs: Pairs, value: str) -> str:
    if field.kind is not FieldKind.NUMBER:
        return toggled(pairs, field.name, value)
    others = [pair for pair in pairs if pair[0].split(".")[0] != field.name]
    if not value:
        return address(others)
    low = field.edges[field.bins().index(value)]
    higher = [edge for edge in field.edges if edge > low]
    # ranges are widened to whole bins, so any number within the bin names it
    ends = [(f"{field.name}.from", f"{low:g}")]
    if higher:
        ends.append((f"{field.name}.to", f"{(low + higher[0]) / 2:g}"))
    return address([*others, *ends])


def chips(pairs: Pairs, words: Wording, fields: tuple[SearchField, ...], path: str = "/explore") -> list[Chip]:
    """The criteria of an address but for its groups."""
    labels = {field.name: words.field(field.name, field.label) for field in fields}
    labels |= {"text": words.say("explore.words")}
    made = []
    for name, value in pairs:
        if name == "q":
            continue
        base, _, end = name.partition(".")
        if end in ("from", "to"):
            said = words.say(f"explore.{end}_number", number=value)
        else:
            said = words.term(base, "" if value == NOT_STATED_WORD else value)
        rest = [pair for pair in pairs if pair != (name, value)]
        made.append(Chip(words.pair(labels.get(base, base), said), path + address(rest)))
    return made


def in_words(criterion: dict[str, Any], words: Wording, fields: tuple[SearchField, ...]) -> str:
    """One criterion of a group, as people read it."""
    if "text" in criterion:
        return words.pair(words.say("explore.words"), str(criterion["text"]))
    name = str(criterion["field"])
    label = next((words.field(name, field.label) for field in fields if field.name == name), name)
    if isinstance(criterion.get("in"), list):
        return words.pair(label, ", ".join(words.term(name, str(value)) for value in criterion["in"]))
    ends = [words.say(f"explore.{end}_number", number=criterion[end]) for end in ("from", "to") if end in criterion]
    return words.pair(label, " ".join(ends))
