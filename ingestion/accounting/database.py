"""The door to PostgreSQL: one engine, one kind of transaction, one kind of error that quotes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.exc import SQLAlchemyError

CONNECT_TIMEOUT_SECONDS = 10


class LedgerError(RuntimeError):
    """The database could not do what was asked. Never the fault of one instance; nothing half-done is kept."""


def engine_of(url: str) -> Engine:
    """An engine for ``url`` (``postgresql+psycopg2://…``). Pings connections, as a server may have restarted."""
    return create_engine(url, pool_pre_ping=True, connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS})


@contextmanager
def transaction(engine: Engine, what: str) -> Iterator[Connection]:
    """Commit at the end, roll back on any error.

    Raises:
        LedgerError: the database failed; ``what`` names what was being done.
    """
    try:
        with engine.begin() as connection:
            yield connection
    except SQLAlchemyError as error:
        raise ledger_error(what, error) from None


def ledger_error(what: str, error: SQLAlchemyError) -> LedgerError:
    """The text of a driver's error can quote values and addresses: only its kind goes on."""
    kind = type(getattr(error, "orig", None) or error).__name__
    return LedgerError(f"{what} failed in the database ({kind}); nothing of it was kept. Run again when it is back.")
