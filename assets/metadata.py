"""How results are shown in the Dagster UI: preview tables, a short Markdown summary with a bar, links."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import pandas as pd
from dagster import (
    AssetExecutionContext,
    MarkdownMetadataValue,
    MetadataValue,
    TableColumn,
    TableMetadataValue,
    TableRecord,
    TableSchema,
)

from ingestion.settings import Settings

PREVIEW_ROWS = 25
"""Rows of a preview: the UI shows it in a dialog, and every run keeps it in the event log."""
BAR_WIDTH, BAR_HEIGHT = 480, 18
GOOD, QUIET, LOOK, BAD = "#2e7d32", "#90a4ae", "#ef6c00", "#b3261e"
COLOURS = {
    "accepted": GOOD, "duplicate": QUIET, "quarantined": LOOK,
    "new": GOOD, "changed": LOOK, "withdrawn": BAD, "unchanged": QUIET,
    "passed": GOOD, "warnings": LOOK, "errors": BAD, "not judged": QUIET,
    "measured": GOOD, "refused": LOOK, "not applicable": QUIET,
    "released": GOOD, "left out": LOOK,
}  # fmt: skip
"""Of the bars. What is worth a look stands out, whatever it is called."""


def source_partition(context: AssetExecutionContext) -> str:
    return context.partition_key


def counts_table(counts: Mapping[str, int], *, name: str) -> TableMetadataValue:
    """Counts by name, those above zero first and the largest first."""
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    schema = TableSchema(columns=[TableColumn(name, "string"), TableColumn("number", "int")])
    return MetadataValue.table([TableRecord({name: key, "number": value}) for key, value in ordered], schema=schema)


def frame_preview(frame: pd.DataFrame, columns: Sequence[str] | None = None) -> TableMetadataValue:
    """The first rows of a frame."""
    shown = frame[list(columns)] if columns is not None else frame
    records = [
        TableRecord({str(key): _cell(value) for key, value in row.items()})
        for row in shown.head(PREVIEW_ROWS).to_dict(orient="records")
    ]
    schema = TableSchema(columns=[TableColumn(str(name), _type(shown[name])) for name in shown.columns])
    return MetadataValue.table(records, schema=schema)


def whole_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> TableMetadataValue:
    """All rows, as texts: for what must not be cut off."""
    records = [TableRecord({name: str(row.get(name) or "") for name in columns}) for row in rows]
    return MetadataValue.table(records, schema=TableSchema(columns=[TableColumn(name, "string") for name in columns]))


def bar_summary(title: str, counts: Mapping[str, int], lines: Sequence[str] = ()) -> MarkdownMetadataValue:
    """A line that adds up the counts, a bar of them, and some lines of text. ``title`` says what is counted."""
    picture = base64.b64encode(_bar(counts).encode()).decode()
    legend = ", ".join(f"{number} {name}" for name, number in counts.items())
    text = f"**{title}**: {sum(counts.values())} = {legend}\n\n![{title}](data:image/svg+xml;base64,{picture})\n"
    return MetadataValue.md(text + "".join(f"\n- {line}" for line in lines))


def portal_link(path: str, *, otherwise: str) -> MetadataValue[Any]:
    """A link to the operators' page of the full report; where none is set, ``otherwise`` says where else it is."""
    operators = Settings().operator_url
    return MetadataValue.text(otherwise) if operators is None else MetadataValue.url(f"{operators}{path}")


def column_schema(columns: Mapping[str, str]) -> TableSchema:
    """The columns of a table by name: ``type: what it holds``."""
    parts = {name: text.partition(": ") for name, text in columns.items()}
    return TableSchema(columns=[TableColumn(name, kind, description=what) for name, (kind, _, what) in parts.items()])


def _bar(counts: Mapping[str, int]) -> str:
    total = max(sum(counts.values()), 1)
    left, parts = 0.0, []
    for name, number in counts.items():
        width = BAR_WIDTH * number / total
        title = f"<title>{escape(name)}: {number}</title>"
        colour = COLOURS.get(name, "#5c6bc0")
        parts.append(f'<rect x="{left:.2f}" width="{width:.2f}" height="{BAR_HEIGHT}" fill="{colour}">{title}</rect>')
        left += width
    size = f'width="{BAR_WIDTH}" height="{BAR_HEIGHT}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(parts)}</svg>'


def _cell(value: Any) -> str | int | float | bool | None:
    if value is None or value is pd.NA or (isinstance(value, float) and math.isnan(value)):
        return None
    if hasattr(value, "item"):
        value = value.item()
    # An enum of strings is a string too, but Dagster's event log refuses it.
    return value if type(value) in (bool, int, float, str) else str(value)


def _type(column: pd.Series[Any]) -> str:
    if pd.api.types.is_bool_dtype(column):
        return "bool"
    if pd.api.types.is_integer_dtype(column):
        return "int"
    return "float" if pd.api.types.is_float_dtype(column) else "string"
