"""``cie backfill`` and ``cie demo``."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from assets.accounting_table import account_rows, show_accounting
from assets.backfilling import INGEST_ASSETS, BackfillTimeoutError, wait_for_backfill, wait_for_run
from assets.webserver import RunEnd, RunFacts, Webserver, WebserverError
from ingestion.commands.console import console, errors, print_json
from ingestion.demo.verdict import DemoVerdict, judge_demo
from ingestion.identity.keys import create_key
from ingestion.identity.linkage import LINKAGE_KEY_ID
from ingestion.settings import Settings, SettingsError
from ingestion.sources.registry import Registry, SourceEntry, load_registry
from ingestion.storage.open import open_stores
from quality_checks.source import outdated

TIMEOUT_SECONDS = 6 * 3600.0
MOST_SHOWN = 20
JUDGING_ASSETS = ("quality_report", "catalogue_tables")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command()(backfill)
    app.command()(demo)


def backfill(
    source: Annotated[list[str] | None, typer.Option("--source", help="A source; may be given again.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All sources.")] = False,
    asset: Annotated[list[str] | None, typer.Option("--asset", help="Only this asset; may be given again.")] = None,
    wait: Annotated[bool, typer.Option("--wait/--no-wait", help="Wait for the runs to end.")] = True,
    as_json: Json = False,
) -> None:
    """Start the same runs as the UI. Exit code 1 when a run fails, for instance because quality blocks the source.

    Example: cie backfill --source GBM-NL --source GBM-ES
    """
    if bool(source) == every:
        _wrong_use("give --source ID (it may be repeated) or --all, not both")
    unknown = sorted(set(asset or ()) - set(INGEST_ASSETS))
    if unknown:
        _wrong_use(f"no asset {', '.join(unknown)}; the partitioned assets are {', '.join(INGEST_ASSETS)}")
    settings = Settings()
    entries = load_registry(settings.registry).select(source)
    runs = _backfill(settings, entries, assets=asset or INGEST_ASSETS, wait=wait)
    if not wait:
        return
    if not asset:
        runs = {**runs, **_judge_again(settings, load_registry(settings.registry).sources)}
    rows = account_rows(settings, entries, runs)
    if as_json:
        print_json(rows)
    else:
        show_accounting(rows)
    if any(row.run != RunEnd.SUCCESS for row in rows):
        raise typer.Exit(1)


def demo(
    sources: Annotated[str, typer.Option("--sources", help="all, a number N, or ids separated by commas.")] = "all",
    scale: Annotated[float, typer.Option("--scale", min=0.1, help="Times as many patients.")] = 1.0,
    as_json: Json = False,
) -> None:
    """Make demo sources, start the embedded stack, bring every source through, print the accounting.

    Run it again: nothing is worked on and nothing is written. Exit code 1 when an object is unaccounted for or a run
    failed for another reason than a quality verdict.

    Example: cie demo --sources 3
    """
    from ingestion.demo.make import DemoSource, make_sources
    from resources.embedded.stack import EmbeddedStack

    started = time.monotonic()
    settings = Settings()
    entries = _chosen(load_registry(settings.registry), sources)
    _say(f"[bold]1/6[/] raw DICOM of {len(entries)} hospitals below {settings.sources_root}")
    wanted = [
        DemoSource(
            id=entry.id,
            cancer_type=entry.cancer_type.value,
            modalities=entry.modalities,
            countries=entry.holder_countries,
        )
        for entry in entries
    ]
    with _bar() as bar:
        line = bar.add_task("sources", total=len(wanted))
        made = make_sources(
            wanted, settings.sources_root, seed=settings.seed, scale=scale, progress=lambda _: bar.advance(line)
        )
    for entry in entries:
        create_key(entry.id, keys_dir=settings.keys_root)
    create_key(LINKAGE_KEY_ID, keys_dir=settings.keys_root)
    fresh = sum(1 for source in made if source.written)
    _say(
        f"    {sum(source.delivered for source in made):,} objects, {fresh} sources new, {len(made) - fresh} as before"
    )
    _say("[bold]2/6[/] embedded stack")
    EmbeddedStack(settings).up(progress=lambda text: _say(f"    {text}"))
    settings = Settings()  # now with the addresses of the stack
    before = _number_of_objects(settings)
    _say("[bold]3/6[/] backfill")
    runs = _backfill(settings, entries, assets=INGEST_ASSETS, wait=True)
    runs = {**runs, **_judge_again(settings, entries)}
    _say("[bold]4/6[/] release")
    webserver = _webserver(settings)
    released = wait_for_run(webserver, webserver.launch("release"), timeout_seconds=TIMEOUT_SECONDS)
    _say("[bold]5/6[/] accounting")
    rows = account_rows(settings, entries, runs)
    written = _number_of_objects(settings) - before
    _say("[bold]6/6[/] results against the answer keys")
    verdict = judge_demo(settings, [entry.id for entry in entries])
    seconds = time.monotonic() - started
    if as_json:
        print_json(
            {
                "sources": rows, "objects_written": written, "seconds": seconds, "release": released.end.value,
                "verdict": verdict, "dagster": settings.dagster_url,
            }
        )  # fmt: skip
    else:
        show_accounting(rows)
        console.print(
            f"objects written to the store: {written:,}; seconds: {seconds:.1f}; release: {released.end}",
            soft_wrap=True,
        )
        _show_verdict(verdict)
        _where_to_look(settings)
    as_it_should_be = verdict.good and all(row.as_it_should_be for row in rows)
    if released.end is not RunEnd.SUCCESS or not as_it_should_be:
        raise typer.Exit(1)


def _backfill(
    settings: Settings, entries: Sequence[SourceEntry], *, assets: Sequence[str], wait: bool
) -> Mapping[str, RunFacts]:
    webserver = _webserver(settings)
    keys = [entry.id for entry in entries]
    title = f"{len(keys)} sources" if len(keys) > 1 else keys[0]
    try:
        backfill_id = webserver.backfill(assets=assets, partitions=keys, title=title)
        _say(f"    {webserver.url}/runs/b/{backfill_id}")
        if not wait:
            return {}
        with _bar() as bar:
            line = bar.add_task("runs", total=len(keys))

            told = 0

            def progress(runs: Mapping[str, RunFacts]) -> None:
                nonlocal told
                ended = sum(1 for run in runs.values() if run.end.is_final)
                bar.update(line, completed=ended)
                if ended > told and not errors.is_terminal:  # a bar needs a terminal; a log gets lines
                    _say(f"    {ended} of {len(keys)} runs ended")
                    told = ended

            return wait_for_backfill(
                webserver, backfill_id, partitions=keys, progress=progress, timeout_seconds=TIMEOUT_SECONDS
            )
    except (WebserverError, BackfillTimeoutError) as error:
        errors.print(f"[bold red]stopped:[/] {error}", highlight=False, soft_wrap=True)
        raise typer.Exit(1) from None


def _judge_again(settings: Settings, entries: Sequence[SourceEntry]) -> Mapping[str, RunFacts]:
    """Judge those again that others, brought in after them, are now compared with."""
    stale = set(outdated(entries, internal=open_stores(settings).internal))
    if not stale:
        return {}
    _say(f"    {len(stale)} sources are judged again: what they are compared with came after them")
    chosen = [entry for entry in entries if entry.id in stale]
    return _backfill(settings, chosen, assets=JUDGING_ASSETS, wait=True)


def _webserver(settings: Settings) -> Webserver:
    if settings.dagster_url is None:
        raise SettingsError("no Dagster webserver: start the embedded stack with `cie up`, or set CIE_DAGSTER_URL")
    return Webserver(settings.dagster_url)


def _chosen(registry: Registry, sources: str) -> tuple[SourceEntry, ...]:
    if sources == "all":
        return registry.sources
    if re.fullmatch(r"[1-9]\d*", sources):
        return registry.sources[: int(sources)]
    return registry.select([part.strip() for part in sources.split(",") if part.strip()])


def _number_of_objects(settings: Settings) -> int:
    stores = open_stores(settings)
    return sum(1 for store in (stores.research, stores.internal) for _ in store.list())


def _bar() -> Progress:
    columns = (TextColumn("    {task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    return Progress(*columns, console=errors, transient=True)


def _say(text: str) -> None:
    errors.print(text, highlight=False, soft_wrap=True)


def _show_verdict(verdict: DemoVerdict) -> None:
    console.print(
        f"answer keys: {verdict.objects:,} objects, {len(verdict.differences)} ended otherwise than foretold",
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        f"identities: {verdict.values:,} planted values looked for in {verdict.places:,} objects, tables and logs "
        f"({verdict.bytes / 1e6:.1f} MB): {len(verdict.hits)} found",
        highlight=False,
        soft_wrap=True,
    )
    for difference in verdict.differences[:MOST_SHOWN]:
        errors.print(f"  {difference}", highlight=False, soft_wrap=True)
    for hit in verdict.hits[:MOST_SHOWN]:
        errors.print(f"  {hit}", highlight=False, soft_wrap=True)


def _where_to_look(settings: Settings) -> None:
    console.print(f"Dagster UI       {settings.dagster_url}", highlight=False, soft_wrap=True)
    console.print(f"portal           {settings.portal_url}", highlight=False, soft_wrap=True)
    console.print(f"quality reports  {settings.operator_url}/reports", highlight=False, soft_wrap=True)
    console.print(f"data and logs    {settings.data_dir}", highlight=False, soft_wrap=True)
    console.print(
        "It keeps running: `cie status` shows it, `cie down` stops it (both in .venv/bin).",
        highlight=False,
        soft_wrap=True,
    )


def _wrong_use(text: str) -> None:
    errors.print(f"[bold red]cannot start:[/] {text}", highlight=False, soft_wrap=True)
    raise typer.Exit(2)
