"""The few forms of Markdown that the conformance report uses, as one web page that needs nothing else."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator

_STYLE = (
    "body{font:16px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#222}"
    "table{border-collapse:collapse;margin:1em 0}td,th{border:1px solid #bbb;padding:.25em .6em;text-align:left}"
    "th{background:#eee}td.n,th.n{text-align:right}code{background:#f2f2f2;overflow-wrap:anywhere}"
)
_SPANS = (
    (re.compile(r"`([^`]+)`"), r"<code>\1</code>"),
    (re.compile(r"\*\*([^*]+)\*\*"), r"<strong>\1</strong>"),
    (re.compile(r"\*([^*]+)\*"), r"<em>\1</em>"),
)


def page(text: str, *, title: str) -> str:
    """The page: headings, paragraphs, lists, tables, code, emphasis."""
    body = "\n".join(_block(block) for block in re.split(r"\n{2,}", text.strip()))
    return (
        f'<!doctype html>\n<html lang="en"><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f"<style>{_STYLE}</style>\n{body}\n</html>\n"
    )


def _block(block: str) -> str:
    if block.startswith("#"):
        marks, _, words = block.partition(" ")
        return f"<h{len(marks)}>{_spans(words)}</h{len(marks)}>"
    if block.startswith("|"):
        return "<table>\n" + "\n".join(_rows(block.splitlines())) + "\n</table>"
    if block.startswith("- "):
        items = re.split(r"\n- ", block[2:])
        return "<ul>\n" + "\n".join(f"<li>{_spans(' '.join(item.split()))}</li>" for item in items) + "\n</ul>"
    return f"<p>{_spans(' '.join(block.split()))}</p>"


def _rows(lines: list[str]) -> Iterator[str]:
    aligned = [cell.endswith(":") for cell in _cells(lines[1])]
    for place, line in enumerate(lines):
        if place == 1:
            continue
        name = "td" if place else "th"
        cells = "".join(
            f"<{name}{' class=n' if number else ''}>{_spans(cell)}</{name}>"
            for cell, number in zip(_cells(line), aligned, strict=True)
        )
        yield f"<tr>{cells}</tr>"


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _spans(text: str) -> str:
    text = html.escape(text, quote=False)
    for pattern, form in _SPANS:
        text = pattern.sub(form, text)
    return text
