"""Output of the commands: people's to a Rich console, programs' as JSON, errors to standard error."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, is_dataclass
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.measure import Measurement
from rich.table import Table

WIDEST = 200
"""Characters of a table at most: above that long texts are wrapped within their column."""
console = Console()
errors = Console(stderr=True, soft_wrap=True)
"""Unbroken lines: a path that is broken in two cannot be copied, nor found by a program."""


def cannot_start(error: object) -> typer.Exit:
    """Say what is wrong, brackets and line breaks as they are; the exit of wrong use, to be raised."""
    errors.print(f"[bold red]cannot start:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
    return typer.Exit(2)


def print_json(data: Any) -> None:
    """Plain JSON on standard output, without colours or wrapping."""
    typer.echo(json.dumps(data, default=_plain, ensure_ascii=False, indent=2))


def make_table(title: str, columns: Sequence[tuple[str, bool]], rows: Sequence[Sequence[Any]]) -> Table:
    """A table; ``columns`` are (name, is a number): numbers stand to the right with thousands apart."""
    table = Table(title=title, title_justify="left")
    for name, is_number in columns:
        table.add_column(name, justify="right" if is_number else "left", no_wrap=is_number)
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    return table


def print_whole(table: Table) -> None:
    """Print a table at its full width: a narrow terminal breaks its lines, and loses no column."""
    width = Measurement.get(console, console.options.update(max_width=WIDEST), table).maximum
    Console(width=max(width, console.width)).print(table)


def _cell(value: Any) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "yes", False: "no", None: "–"}[value]
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.1f}" if isinstance(value, float) else str(value)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)
