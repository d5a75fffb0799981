"""Queries as JSON text: read once and strictly, so that what is answered is what was written."""

from __future__ import annotations

import json
from typing import Any

from ingestion.catalogue.search.query import MAX_DEPTH, QueryError

TOO_DEEP = f"groups nested deeper than {MAX_DEPTH}: write the query flatter"


class NoJSONError(ValueError):
    """The text is no JSON."""


def read_json(text: str | bytes) -> Any:
    """The value that the text says.

    Raises:
        NoJSONError: it is no JSON, or has a number of more digits than can be read.
        QueryError: it is nested too deep, or an object has one member twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise QueryError([TOO_DEEP]) from None
    except QueryError:  # a ValueError too
        raise
    except ValueError as error:  # also of bytes that are no text, and of a number with thousands of digits
        raise NoJSONError(str(error)) from None


def short(said: object) -> str:
    """What was said, short and in ASCII, so that it can stand in any answer."""
    return repr(str(said)[:40]).encode("ascii", "backslashreplace").decode()


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; of a name that is there twice, JSON's readers would take one and leave the other out."""
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]
        raise QueryError([f"an object has the member {short(twice)} twice"])
    return found
