"""Questions to the catalogue in SQL: one statement, read-only, with an end to its time."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from ingestion.accounting.database import ledger_error
from ingestion.accounting.tables import SCHEMA
from ingestion.catalogue.results import plain
from ingestion.catalogue.tables import metadata

DEFAULT_TIMEOUT_SECONDS = 60.0
"""A question that runs longer than a minute is a mistake or belongs on the release, with DuckDB."""
DEFAULT_ROWS = 1_000

_TOKEN = re.compile(
    r"""(?P<text>'(?:[^']|'')*') | (?P<quoted>"(?:[^"]|"")*") | (?P<comment>--[^\n]*|/\*.*?\*/)
    | (?P<dollar>\$(?P<tag>\w*)\$.*?\$(?P=tag)\$) | (?P<word>[^\W\d]\w*) | (?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)


class QueryError(ValueError):
    """The question cannot be answered as it is put."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Column names and rows; ``complete`` is False where there are more rows than were asked for."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    complete: bool


def ask(
    engine: Engine, question: str, *, max_rows: int = DEFAULT_ROWS, timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
) -> Answer:
    """Answer one SQL statement on the schema ``cie``. Columns of the catalogue need no quotes.

    Raises:
        QueryError: more than one statement, wrong SQL, one that writes, or one that took too long.
        LedgerError: the database cannot be reached.
    """
    statement = prepare(question)
    try:
        with engine.connect() as connection, connection.begin() as opened:
            connection.exec_driver_sql("SET TRANSACTION READ ONLY")
            connection.exec_driver_sql(f"SET LOCAL statement_timeout = {max(int(timeout_seconds * 1000), 1)}")
            connection.exec_driver_sql(f"SET LOCAL search_path = {SCHEMA}")
            result = connection.execution_options(no_parameters=True).exec_driver_sql(statement)
            if not result.returns_rows:
                raise QueryError("this statement gives no rows; ask with SELECT")
            rows = result.fetchmany(max_rows + 1)
            columns = tuple(result.keys())
            opened.rollback()
    except DBAPIError as error:
        if error.connection_invalidated or getattr(error.orig, "pgcode", None) is None:
            raise ledger_error("asking the catalogue", error) from None
        # Nothing in this schema identifies anybody, so the server's own words may be shown.
        raise QueryError(str(error.orig).strip()) from None
    return Answer(
        columns=columns,
        rows=tuple(tuple(plain(value) for value in row) for row in rows[:max_rows]),
        complete=len(rows) <= max_rows,
    )


def prepare(question: str) -> str:
    """The statement with the catalogue's column names quoted, as PostgreSQL folds bare names to lower case.

    Raises:
        QueryError: there is no statement, or more than one.
    """
    names = {column.name for table in metadata.tables.values() for column in table.columns}
    known = {name for name in names if name != name.lower()}
    parts = []
    for token in _TOKEN.finditer(question.strip().rstrip(";")):
        found = token.group()
        if token["other"] == ";":
            raise QueryError("one statement at a time: leave out what follows the ';'")
        parts.append(f'"{found}"' if token["word"] and found in known else found)
    if not parts:
        raise QueryError('nothing was asked; try: cie catalogue sql "SELECT Modality, count(*) FROM series GROUP BY 1"')
    return "".join(parts)
