"""The table that ends a demo or a backfill: per source, what was delivered and where it ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from assets.webserver import RunEnd, RunFacts
from ingestion.accounting.ledger import Ledger, engine_of
from ingestion.accounting.reconcile import reconcile
from ingestion.commands.console import make_table, print_whole
from ingestion.settings import Settings
from ingestion.sources.registry import SourceEntry
from ingestion.storage.open import open_stores
from quality_checks.store import read_judgement


@dataclass(frozen=True, slots=True)
class Row:
    """One source. ``stored_bytes``: de-identified objects it has in the store; ``seconds``: of its run."""

    source_id: str
    series: int
    delivered: int
    accepted: int
    duplicate: int
    quarantined: int
    stored_bytes: int
    seconds: float
    run: RunEnd
    blocked: bool
    adds_up: bool

    @property
    def as_it_should_be(self) -> bool:
        """It adds up, and its run ended well or was stopped by a quality verdict."""
        return self.adds_up and (self.run is RunEnd.SUCCESS or (self.run is RunEnd.FAILURE and self.blocked))

    @property
    def verdict(self) -> str:
        if not self.adds_up:
            return "[bold red]does not add up[/]"
        if self.blocked:
            return "[yellow]blocked by quality[/]"
        return "published" if self.run is RunEnd.SUCCESS else f"[bold red]run: {self.run}[/]"


def account_rows(settings: Settings, entries: Sequence[SourceEntry], runs: Mapping[str, RunFacts]) -> list[Row]:
    """One row per source, from the ledger and the store, with the end of its run."""
    engine = engine_of(settings.sqlalchemy_url())
    ledger, stores = Ledger(engine), open_stores(settings)
    totals = ledger.source_totals()
    rows = []
    for entry in entries:
        account = reconcile(entry.id, ledger=ledger, research=stores.research, internal=stores.internal)
        judgement = read_judgement(stores.internal, entry.id)
        run = runs.get(entry.id)
        series, stored = totals.get(entry.id, (0, 0))
        rows.append(
            Row(
                source_id=entry.id,
                series=series,
                delivered=account.counts.delivered,
                accepted=account.counts.accepted,
                duplicate=account.counts.duplicate,
                quarantined=account.counts.quarantined,
                stored_bytes=stored,
                seconds=round((run.seconds if run else None) or 0.0, 1),
                run=run.end if run else RunEnd.WAITING,
                blocked=judgement is not None and judgement.blocks,
                adds_up=account.adds_up,
            )
        )
    engine.dispose()
    return rows


def show_accounting(rows: Sequence[Row]) -> None:
    """The table, with a line of totals."""
    columns = [
        ("source", False), ("series", True), ("delivered", True), ("accepted", True), ("duplicate", True),
        ("quarantined", True), ("bytes", True), ("seconds", True), ("", False),
    ]  # fmt: skip
    cells: list[tuple[object, ...]] = [
        (
            row.source_id, row.series, row.delivered, row.accepted, row.duplicate, row.quarantined, row.stored_bytes,
            row.seconds, row.verdict,
        )
        for row in rows
    ]  # fmt: skip
    total = (
        "all", *(sum(getattr(row, name) for row in rows) for name in (
            "series", "delivered", "accepted", "duplicate", "quarantined", "stored_bytes", "seconds")),
        f"{sum(1 for row in rows if row.adds_up)} of {len(rows)} add up",
    )  # fmt: skip
    print_whole(make_table("accounting: delivered = accepted + duplicate + quarantined", columns, [*cells, total]))
