"""``cie catalogue erase``: what is kept of a withdrawn source, and taking it away."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict
from typing import Annotated

import typer

from ingestion.accounting.database import engine_of
from ingestion.accounting.erasure import read_erasure
from ingestion.catalogue.erasure.erase import NotErasableError, Place, erase, why_not_erasable
from ingestion.catalogue.erasure.holdings import Holdings, find_holdings
from ingestion.commands.console import console, errors, make_table, print_json, print_whole
from ingestion.settings import Settings
from ingestion.sources.registry import UnknownSourceError, load_registry
from ingestion.storage.open import bucket, open_stores

WRONG_USE = 2
NOT_REACHED = (
    "Not reached: copies that users took, backups, and the source's key: delete these where they are "
    "(docs/decisions/0009-erasure.md)."
)


def register(app: typer.Typer) -> None:
    @app.command("erase")
    def erase_command(
        source: Annotated[str, typer.Argument(help="A source whose registry entry says withdrawn_on.")],
        yes: Annotated[bool, typer.Option("--yes", help="Delete. Without it, only what is kept is shown.")] = False,
        by: Annotated[str, typer.Option("--by", help="Who decided, for the record; with --yes.")] = "",
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Show all that is kept of a withdrawn source, or delete it for good. Exit code 1 where something is left.

        Examples:

          cie catalogue erase PRCI-PROST-01

          cie catalogue erase PRCI-PROST-01 --yes --by "data protection officer, request 12 of 2026"
        """
        settings = Settings()
        registry = load_registry(settings.registry)
        place = place_of(settings)
        today = dt.datetime.now(dt.UTC).date()
        try:
            why_not = why_not_erasable(place, registry, source, today)
            if yes and not by.strip():
                raise NotErasableError("--yes needs --by: who decided, such as an office and the number of a request")
            if not yes:
                found = find_holdings(place.engine, place.buckets, place.search, source)
                record = read_erasure(place.internal, source)
                if as_json:
                    print_json({"kept": _plain(found), "erasable": why_not is None, "why_not": why_not,
                                "record": record})  # fmt: skip
                else:
                    _show("kept", found)
                    if record is not None:
                        console.print(f"erased on {record.erased_on}, {record.reason}", highlight=False)
                    console.print(why_not or "nothing was deleted: --yes --by WHO deletes it", soft_wrap=True)
                return
            record, left = erase(place, registry, source, today=today, by=by.strip(), log=console.print)
        except (NotErasableError, UnknownSourceError) as error:
            errors.print(str(error), style="bold red", highlight=False, markup=False)
            raise typer.Exit(WRONG_USE) from None
        if as_json:
            print_json({"record": record, "left": _plain(left), "nothing_left": left.nothing})
        else:
            rows = [(name, number, size) for name, (number, size) in record.objects.items()]
            print_whole(make_table("erased", [("objects", False), ("number", True), ("bytes", True)], rows))
            print_whole(make_table("", [("table", False), ("rows", True)], list(record.rows.items())))
            print_whole(make_table("", [("release", False), ("tables", True)], list(record.files.items())))
            counts = record.counts
            console.print(
                f"{source} erased on {record.erased_on}, {record.reason}: {counts.delivered} delivered = "
                f"{counts.accepted} accepted + {counts.duplicate} duplicate + {counts.quarantined} quarantined, all "
                "erased.", highlight=False, soft_wrap=True,
            )  # fmt: skip
            runs, named = sum(record.runs.values()), sum(record.mentions.values())
            console.print(f"{runs} rows of its runs were deleted, {named} reports and rows of others name it no more.",
                          highlight=False)  # fmt: skip
            console.print(NOT_REACHED, highlight=False, soft_wrap=True)
            if left.nothing:
                console.print("A walk over both buckets, all tables and indexes finds nothing of it.", soft_wrap=True)
        if not left.nothing:
            if not as_json:
                _show("left", left)
            errors.print("something of it is left: run the command again", style="bold red")
            raise typer.Exit(1)


def place_of(settings: Settings) -> Place:
    """Where the settings say that sources are kept.

    Raises:
        SettingsError: no store or no database is set.
    """
    open_stores(settings)  # says what is missing where no store is set
    return Place(
        engine=engine_of(settings.sqlalchemy_url()),
        research=bucket(settings, settings.bucket_research),
        internal=bucket(settings, settings.bucket_internal),
        search=settings.data_dir / "search",
    )


def _plain(found: Holdings) -> dict[str, object]:
    return {**asdict(found), "indexes": [str(path) for path in found.indexes], "nothing": found.nothing}


def _show(title: str, found: Holdings) -> None:
    rows = [
        *((f"objects {place}", number, size) for place, (number, size) in found.objects.items()),
        *((f"rows of {table}", number, None) for table, number in found.rows.items()),
        *((f"rows of its runs in {table}", number, None) for table, number in found.runs.items()),
        *((f"its people named in {place}", number, None) for place, number in found.mentions.items()),
        *((f"tables of release {version}", None, None) for version in found.releases),
        *((f"index {path}", None, None) for path in found.indexes),
    ]
    columns = [("what", False), ("number", True), ("bytes", True)]
    print_whole(make_table(f"{title} of {found.source_id}", columns, rows))
    if found.nothing:
        console.print(f"nothing is kept of {found.source_id}", highlight=False)
