"""How two spellings of one word are compared, and how the vocabularies' tables are read."""

from __future__ import annotations

import csv
import unicodedata
from importlib import resources

MAX_SPELLING = 128
"""Characters looked at: Long String holds 64 (PS3.5, section 6.2); anything longer is not a term."""


def words(text: str | None) -> tuple[str, ...]:
    """The words of ``text`` in upper case, without accents and punctuation; none for text too long to be a term."""
    if not text or len(text) > MAX_SPELLING:
        return ()
    plain = unicodedata.normalize("NFKD", text.replace("ß", "ss"))
    kept = "".join(letter for letter in plain if not unicodedata.combining(letter)).upper()
    return tuple("".join(letter if letter.isalnum() else " " for letter in kept).split())


def read_table(name: str) -> list[dict[str, str]]:
    """The rows of ``ingestion/vocabulary/data/<name>``; lines that begin with ``#`` say where they come from."""
    body = resources.files("ingestion.vocabulary").joinpath("data", name).read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in body.splitlines() if not line.startswith("#")))
