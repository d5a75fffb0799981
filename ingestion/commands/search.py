"""``cie search``: counts from a catalogue's API, of this platform's own portal or of any other."""

from __future__ import annotations

import math
from typing import Annotated, Any

import typer

from cie.client import CatalogueError, Client, QuestionError, RefusedError, criteria
from ingestion.commands.console import console, errors, make_table, print_json, print_whole
from ingestion.settings import Settings

NO_NUMBER = "not shown: too few people, nobody, or a question too close to one about few"
COUNTED = ("people", "studies", "series")
NO_ANSWER = 1
WRONG_USE = 2


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(search)


def search(
    asked: Annotated[
        list[str] | None,
        typer.Option(
            "--where",
            "-w",
            help="FIELD=VALUE, FIELD.from=NUMBER, FIELD.to=NUMBER; any one of a field's values, every field.",
        ),
    ] = None,
    text: Annotated[str | None, typer.Option("--text", help="Words of the series description.")] = None,
    facet: Annotated[list[str] | None, typer.Option("--facet", help="Count the values of this field too.")] = None,
    federated: Annotated[bool, typer.Option("--federated", help="Ask all nodes of the federation.")] = False,
    url: Annotated[str | None, typer.Option("--url", help="Address of a portal; the running one.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Counts of people, studies and series. What can't be answered is named. Exit code 1 without an answer.

    Example: cie search -w Modality=CT -w Modality=MR -w AgeAtStudy.from=40 --facet BodyPart
    """
    fields = _fields(asked or [])
    address = url or Settings().portal_url
    if address is None:
        errors.print("no portal runs here: start it with `cie up`, or give its address with --url", style="bold red")
        raise typer.Exit(WRONG_USE)
    try:
        query = criteria(text=text, **fields)
        with Client(address) as client:
            ask = client.federated if federated else client.search
            answer = ask(query, facets=list(facet or []))
    except CatalogueError as error:
        for problem in error.problems if isinstance(error, RefusedError) else (str(error),):
            errors.print(problem, style="bold red", markup=False, highlight=False)
        wrong = isinstance(error, QuestionError) or (isinstance(error, RefusedError) and error.status in (400, 422))
        raise typer.Exit(WRONG_USE if wrong else NO_ANSWER) from None
    if as_json:
        print_json(answer)
    elif federated:
        _print_sites(answer)
    else:
        _print_counts(answer)


def _fields(asked: list[str]) -> dict[str, Any]:
    values: dict[str, list[str]] = {}
    ends: dict[str, dict[str, float]] = {}
    for said in asked:
        name, equals, value = said.partition("=")
        base, dot, end = name.partition(".")
        if not equals or (dot and end not in ("from", "to")):
            raise typer.BadParameter(f"{said!r}: write FIELD=VALUE, FIELD.from=NUMBER or FIELD.to=NUMBER")
        if base == "text":
            raise typer.BadParameter(f"{said!r}: words of the series description are asked for with --text")
        if not dot:
            values.setdefault(name, []).append("" if value == "not-stated" else value)
            continue
        try:
            number = float(value)
        except ValueError:
            raise typer.BadParameter(f"{said!r}: {value!r} is no number") from None
        if not math.isfinite(number):
            raise typer.BadParameter(f"{said!r}: {value!r} is no finite number")
        if ends.setdefault(base, {}).setdefault(end, number) != number:
            raise typer.BadParameter(f"{name} is given twice, as {ends[base][end]:g} and {number:g}")
    both = sorted(set(values) & set(ends))
    if both:
        raise typer.BadParameter(f"{both[0]} has values or a range, not both")
    ranges = {name: (found.get("from"), found.get("to")) for name, found in ends.items()}
    return {**values, **ranges}


def _print_counts(answer: dict[str, Any]) -> None:
    total = answer["total"]
    if total["people"] is None:
        console.print(f"release {answer['release']}: {NO_NUMBER}", highlight=False)
    else:
        said = ", ".join(f"{total[name]:,} {name}" for name in COUNTED if total[name] is not None)
        hidden = " and ".join(name for name in COUNTED if total[name] is None)
        more = f"; {hidden} are not shown" if hidden else ""
        console.print(f"release {answer['release']}: about {said}{more}", highlight=False)
    for facet in answer["facets"]:
        rows = [
            (one["value"] or "not stated", *(_shown(one["counts"][name]) for name in COUNTED))
            for one in facet["values"]
        ]
        columns = [(facet["field"], False), ("people", True), ("studies", True), ("series", True)]
        print_whole(make_table("", columns, rows))
        if facet["hidden"]:
            console.print(f"further values: {NO_NUMBER}")
    for one in answer["refused"]:
        errors.print(f"not counted: {one['source_id']} {one['reason']}", markup=False, highlight=False)
    console.print(answer["rule"], style="dim", highlight=False)


def _shown(count: int | None) -> str:
    """A count, or that it is not shown: never nought."""
    return "not shown" if count is None else f"{count:,}"


def _of_site(site: dict[str, Any]) -> tuple[str, str]:
    """People and studies of one site; a site that gave no answer has none to show."""
    if site["state"] != "answered":
        return "–", "–"
    return _shown(site["people"]), _shown(site["studies"])


def _print_sites(answer: dict[str, Any]) -> None:
    rows = [(one["name"], one["state"], *_of_site(one), one["reason"]) for one in answer["sites"]]
    columns = [("site", False), ("state", False), ("people", True), ("studies", True), ("why", False)]
    print_whole(make_table("", columns, rows))
    for facet in answer["facets"]:
        shown = [
            (
                one["value"] or "not stated", _shown(one["people"]), _shown(one["studies"]), _shown(one["series"]),
                "partial" if one["partial"] else "",
            )
            for one in facet["values"]
        ]  # fmt: skip
        heads = [(facet["field"], False), ("people", True), ("studies", True), ("series", True), ("", False)]
        print_whole(make_table("", heads, shown))
    people = NO_NUMBER if answer["people"] is None else f"about {answer['people']:,} people"
    whole = "all sites answered" if answer["complete"] else "NOT ALL: some sites or collections are missing"
    console.print(f"{people}; {whole}", highlight=False)
    if not answer["distinct"]:
        console.print("people of different sites may be the same")
    for site in answer["sites"]:
        for one in site["refused"]:
            errors.print(f"not counted: {one['id']} at {site['name']} {one['reason']}", markup=False, highlight=False)
