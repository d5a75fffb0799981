"""``cie deidentify`` of a clinical table: what is said about it, and its accounting."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

from ingestion.commands.console import console, errors, make_table, print_json
from ingestion.deidentify import CODE_VERSION
from ingestion.deidentify.clinical_map import ClinicalTableError, ColumnMap, load_map
from ingestion.deidentify.clinical_table import REMEDIES, SUFFIXES, RowReason, TableOutcome, deidentify_table
from ingestion.deidentify.policy import Policy
from ingestion.deidentify.profile import Option
from ingestion.identity.keys import SourceKey
from ingestion.identity.pseudonyms import Pseudonyms

MOST_SHOWN = 20
"""Rows that the screen lists; the report lists all."""


@dataclass(frozen=True, slots=True)
class TablePlan:
    """A table, what its columns are, and the policy."""

    source: Path
    columns: ColumnMap
    policy: Policy


def is_table(source: Path) -> bool:
    """Whether IN is a clinical table rather than a folder."""
    return source.is_file() and source.suffix.lower() in SUFFIXES


def plan_table(source: Path, columns: Path | None, *, policy: Policy) -> TablePlan:
    """What is to be done.

    Raises:
        ClinicalTableError: no map, or a wrong one.
    """
    if columns is None:
        raise ClinicalTableError(f"{source} is a table: say what its columns are with --columns MAP.yaml")
    return TablePlan(source, load_map(columns), policy)


def run_table(plan: TablePlan, target: Path, *, key: SourceKey, report: Path | None, as_json: bool) -> None:
    """Do it, and print the accounting. Exit code 1 when a row was set aside, 2 when nothing could be done."""
    try:
        outcome = deidentify_table(
            plan.source,
            target,
            columns=plan.columns,
            pseudonyms=Pseudonyms(key),
            shift_dates=Option.RETAIN_MODIFIED_DATES in plan.policy.options,
        )
    except ClinicalTableError as error:
        errors.print(f"[bold red]nothing was written:[/] {error}", highlight=False)
        raise typer.Exit(2) from None
    account = _account(outcome, key=key, policy=plan.policy)
    if report is not None:
        report.write_text(json.dumps(account, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    if as_json:
        print_json(account)
    else:
        _show(outcome, target, report)
    if outcome.quarantined:
        raise typer.Exit(1)


def _account(outcome: TableOutcome, *, key: SourceKey, policy: Policy) -> dict[str, Any]:
    return {
        "source_id": key.source_id,
        "key_id": key.key_id,
        "policy": policy.name,
        "policy_digest": policy.digest,
        "code_version": CODE_VERSION,
        "rows_in": outcome.rows_in,
        "rows_out": outcome.rows_out,
        "reasons": outcome.reasons,
        "quarantined": [
            {"row": item.row, "column": item.column, "reason": item.reason.value} for item in outcome.quarantined
        ],
    }


def _show(outcome: TableOutcome, target: Path, report: Path | None) -> None:
    columns = [("rows in", True), ("rows out", True), ("quarantined", True)]
    console.print(make_table("accounting", columns, [(outcome.rows_in, outcome.rows_out, len(outcome.quarantined))]))
    for reason, number in outcome.reasons.items():
        console.print(f"{number} × [bold]{reason}[/]. To do: {REMEDIES[RowReason(reason)]}.", highlight=False)
    for item in outcome.quarantined[:MOST_SHOWN]:
        where = f", column {item.column}" if item.column else ""
        console.print(f"row {item.row}{where}: {item.reason.value}", highlight=False, markup=False)
    if len(outcome.quarantined) > MOST_SHOWN:
        console.print(f"and {len(outcome.quarantined) - MOST_SHOWN} more; --report lists all", highlight=False)
    console.print(f"result: {target}" + (f", accounting: {report}" if report else ""))
