"""``cie reconcile``: does the accounting add up?"""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

import typer

from ingestion.accounting.ledger import Ledger, engine_of
from ingestion.accounting.reconcile import reconcile
from ingestion.commands.console import console, make_table, print_json, print_whole
from ingestion.settings import Settings
from ingestion.sources.registry import load_registry
from ingestion.storage.open import open_stores


def register(app: typer.Typer) -> None:
    @app.command("reconcile")
    def reconcile_command(
        source: Annotated[list[str] | None, typer.Option("--source", help="A source; may be given again.")] = None,
        as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    ) -> None:
        """Compare inventory, ledger, manifests and store. Exit code 1 where they don't agree.

        Example: cie reconcile --source PRCI-PROST-01
        """
        settings = Settings()
        entries = load_registry(settings.registry).select(source)
        ledger, stores = Ledger(engine_of(settings.sqlalchemy_url())), open_stores(settings)
        accounts = [
            reconcile(entry.id, ledger=ledger, research=stores.research, internal=stores.internal) for entry in entries
        ]
        wrong = [account for account in accounts if not account.adds_up]
        if as_json:
            print_json([{**asdict(account), "adds_up": account.adds_up} for account in accounts])
        else:
            columns = [
                ("source", False), ("inventory", True), ("delivered", True), ("accepted", True), ("duplicate", True),
                ("quarantined", True), ("in manifests", True), ("stored", True), ("adds up", False),
            ]  # fmt: skip
            rows = [
                (
                    account.source_id, account.inventory, account.counts.delivered, account.counts.accepted,
                    account.counts.duplicate, account.counts.quarantined, account.in_manifests, account.stored,
                    account.adds_up,
                )
                for account in accounts
            ]  # fmt: skip
            print_whole(make_table("delivered = accepted + duplicate + quarantined", columns, rows))
            for account in accounts:
                if account.erased_on is not None:
                    console.print(
                        f"{account.source_id}: erased on {account.erased_on}; its {account.counts.delivered} delivered "
                        "objects are those it had, and none is stored" + ("" if account.adds_up else " any more but:"),
                        highlight=False, soft_wrap=True,
                    )  # fmt: skip
            for account in wrong:
                for problem in account.problems:
                    console.print(f"[bold red]{account.source_id}[/]: {problem}", highlight=False, soft_wrap=True)
            console.print(f"{len(accounts) - len(wrong)} of {len(accounts)} sources add up")
        if wrong:
            raise typer.Exit(1)
