"""``cie vocabulary``: spellings that no vocabulary knows, and what a curator decides about them."""

from __future__ import annotations

from typing import Annotated

import typer

from ingestion.catalogue.curated import NOTHING, Attribute, CurationError, read_curated, save_curated
from ingestion.catalogue.unknown_spellings import read_unknown
from ingestion.commands.console import console, errors, make_table, print_json, print_whole
from ingestion.settings import Settings
from ingestion.storage.open import open_stores

DONE, PROBLEMS, WRONG_USE = 0, 1, 2
SHOWN_ROWS = 100

app = typer.Typer(name="vocabulary", help="Unknown spellings of body parts and makers.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Which = Annotated[Attribute, typer.Option("--attribute", help="The attribute that the spelling stands in.")]


@app.command()
def unknown(
    attribute: Annotated[Attribute | None, typer.Option("--attribute", help="Only this attribute.")] = None,
    as_json: AsJson = False,
) -> None:
    """Spellings that map to nothing, the most frequent first. Exit code 1 while there are any.

    Example: cie vocabulary unknown --attribute BodyPartExamined
    """
    internal = open_stores(Settings()).internal
    found = [
        item
        for item in read_unknown(internal, read_curated(internal))
        if attribute is None or item.attribute is attribute
    ]
    if as_json:
        rows_told = [(item.attribute.value, item.spelling, item.total, dict(item.series)) for item in found]
        print_json([dict(zip(("attribute", "spelling", "series", "sources"), row, strict=True)) for row in rows_told])
    else:
        columns = [("attribute", False), ("spelling", False), ("series", True), ("sources", False)]
        rows = [
            (item.attribute.value, item.spelling, item.total, ", ".join(item.series)) for item in found[:SHOWN_ROWS]
        ]
        print_whole(make_table(f"{len(found)} unknown spellings", columns, rows))
        if found:
            console.print("decide: cie vocabulary map SPELLING TERM, or --nothing where it names none")
    raise typer.Exit(PROBLEMS if found else DONE)


@app.command("map")
def map_spelling(
    spelling: Annotated[str, typer.Argument(help="As `cie vocabulary unknown` shows it.")],
    term: Annotated[str, typer.Argument(help="A label of the vocabulary, such as Chest or Siemens.")] = NOTHING,
    attribute: Which = Attribute.BODY_PART,
    nothing: Annotated[bool, typer.Option("--nothing", help="It names no body part, or no maker.")] = False,
    as_json: AsJson = False,
) -> None:
    """Decide what a spelling means. Kept as a new version; applied when a source is next judged and published.

    Example: cie vocabulary map "THORAX NATIV 5MM" Chest
    """
    if bool(term) is nothing:
        _fail("give a term, or --nothing, and not both")
    internal = open_stores(Settings()).internal
    try:
        decided = read_curated(internal).deciding(attribute, spelling, term)
    except CurationError as error:
        _fail(str(error))
    saved = save_curated(internal, decided)
    if as_json:
        print_json({"version": saved.number, "attribute": attribute.value, "spelling": spelling, "term": term or None})
    else:
        console.print(f"version {saved.number}: {attribute.value} {spelling!r} is {term or 'nothing'}", markup=False)
        console.print("applied when quality_report and catalogue_tables of the sources are next materialized")


@app.command("list")
def list_decisions(as_json: AsJson = False) -> None:
    """All decisions of the current version.

    Example: cie vocabulary list --json
    """
    curated = read_curated(open_stores(Settings()).internal)
    if as_json:
        print_json({"version": curated.number, "terms": {name: dict(found) for name, found in curated.terms.items()}})
        return
    rows = [(name, spelling, term or "–") for name, found in curated.terms.items() for spelling, term in found.items()]
    print_whole(
        make_table(
            f"decisions, version {curated.number}", [(name, False) for name in ("attribute", "spelling", "term")], rows
        )
    )


def _fail(text: str) -> None:
    errors.print(text, style="bold red", highlight=False, markup=False)
    raise typer.Exit(WRONG_USE)
