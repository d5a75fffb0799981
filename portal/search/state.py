"""A query as the words of an address and back, so that every view has an address that can be kept and shared.

``?Modality=CT&Modality=MR&AgeAtStudy.from=40&AgeAtStudy.to=69&text=flair&q={"not":...}``: values of one field are
alternatives, different names are all required, a range has one of each end; ``q`` takes any further query in JSON.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from ingestion.catalogue.search.fields import FieldKind, SearchSchema
from ingestion.catalogue.search.json_text import NoJSONError, read_json
from ingestion.catalogue.search.query import AllOf, QueryError, parse_query

NOT_STATED_WORD = "not-stated"
"""How a missing value is written in an address, where an empty one would vanish."""
MAX_ADDRESS = 8_000
"""Characters of a query in an address, which each link of a page repeats; longer ones go by POST."""
TOO_LONG = f"an address holds a query of at most {MAX_ADDRESS:,} characters: ask through the API"

Pairs = list[tuple[str, str]]


def query_of(pairs: Iterable[tuple[str, str]], schema: SearchSchema) -> AllOf:
    """The query that the parameters of an address ask.

    Raises:
        QueryError: an unknown name, or a value that its field can't have; all at once.
    """
    values: dict[str, list[str]] = {}
    ends: dict[str, dict[str, float]] = {}
    children: list[Any] = []
    problems: list[str] = []
    for name, value in pairs:
        base, _, end = name.partition(".")
        field = schema.get(base)
        if name == "text":
            if value.strip():
                children.append({"text": value})
        elif name == "q":
            try:
                children.append(read_json(value))
            except QueryError as error:
                problems += [f"q: {problem}" for problem in error.problems]
            except NoJSONError:
                problems.append('q: is no JSON; write it as {"field": "Modality", "in": ["CT"]}')
        elif field is None or (end and field.kind is not FieldKind.NUMBER):
            problems.append(f"{name[:40]}: no such field; see the list of fields")
        elif field.kind is FieldKind.NUMBER:
            if value.strip():
                _end(ends.setdefault(base, {}), end, value, problems, name)
        else:
            values.setdefault(base, []).append("" if value == NOT_STATED_WORD else value)
    children += [{"field": name, "in": chosen} for name, chosen in values.items()]
    children += [{"field": name, **chosen} for name, chosen in ends.items()]
    if problems:
        raise QueryError(problems)
    return parse_query({"all": children}, schema)


def toggled(pairs: Pairs, name: str, value: str) -> str:
    """The address with one value of a field added, or taken out where it was in."""
    written = value or NOT_STATED_WORD
    kept = [pair for pair in pairs if pair != (name, written)]
    return address(kept if len(kept) < len(pairs) else [*pairs, (name, written)])


def address(pairs: Pairs) -> str:
    return "?" + urlencode(sorted(pairs)) if pairs else "?"


def _end(found: dict[str, float], end: str, value: str, problems: list[str], name: str) -> None:
    try:
        number = float(value)
    except ValueError:
        problems.append(f"{name[:40]}: {value[:20]!r} is no number")
        return
    if not math.isfinite(number):
        problems.append(f"{name[:40]}: {value[:20]!r} is no finite number")
        return
    if end not in ("from", "to"):
        problems.append(f"{name[:40]}: write it with .from or .to")
        return
    if found.get(end, number) != number:
        problems.append(f"{name[:40]}: has two values, {found[end]:g} and {number:g}; a range has one of each end")
        return
    found[end] = number
