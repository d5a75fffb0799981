"""The runs of a source in Dagster's storage, which lies in the same database: their events hold tables of series.

By SQL, as nothing below the assets knows Dagster: the same rows that its own ``delete_run`` deletes, and what it keeps
of an asset's last materialization. Of a version that keeps them elsewhere nothing is deleted here.
"""

from __future__ import annotations

from collections.abc import Iterator

from sqlalchemy import Connection, text

PARTITION = "dagster/partition"
_RUNS = "SELECT run_id FROM {schema}.run_tags WHERE key = :key AND value = :source"
_DELETED = (
    ("asset_event_tags", "event_id IN (SELECT id FROM {schema}.event_logs WHERE run_id IN ({runs}))"),
    ("asset_check_executions", "run_id IN ({runs})"),
    ("event_logs", "run_id IN ({runs})"),
    ("runs", "run_id IN ({runs})"),
    ("run_tags", "key = :key AND value = :source"),
)
"""In this order: the tags say which runs are of the source, so they go last."""
_LAST = "last_run_id IN ({runs}) AND last_materialization IS NOT NULL"
"""Of ``asset_keys``; Dagster sets it again at the next materialization."""


def schemas(connection: Connection) -> list[str]:
    """Where Dagster's tables are: ``public``, or the schema that has the name of the database's user."""
    query = text(
        "SELECT table_schema FROM information_schema.tables WHERE table_name IN ('run_tags', 'event_logs', 'runs', "
        "'asset_keys', 'asset_event_tags', 'asset_check_executions') GROUP BY 1 HAVING count(*) = 6 ORDER BY 1"
    )
    return list(connection.execute(query).scalars())


def not_of_runs(schema: str, column: str) -> str:
    """A condition on rows whose ``column`` names a run: that it is of no run of ``:source`` (``:key``: PARTITION)."""
    return f"({column} IS NULL OR {column} NOT IN ({_RUNS.format(schema=schema)}))"


def count_runs(connection: Connection, source_id: str) -> dict[str, int]:
    """Rows of the source's runs by table; none where there are none."""
    found: dict[str, int] = {}
    for table, statement in _statements(connection, "SELECT count(*) FROM {table} WHERE {where}"):
        number = int(connection.execute(text(statement), {"key": PARTITION, "source": source_id}).scalar_one())
        if number:
            found[table] = found.get(table, 0) + number
    return found


def delete_runs(connection: Connection, source_id: str) -> None:
    """Delete the source's runs and their events."""
    for schema in schemas(connection):
        where = _LAST.format(runs=_RUNS.format(schema=schema))
        statement = f"UPDATE {schema}.asset_keys SET last_materialization = NULL, last_run_id = NULL WHERE {where}"
        connection.execute(text(statement), {"key": PARTITION, "source": source_id})
    for table, statement in _statements(connection, "DELETE FROM {table} WHERE {where}"):
        if not table.endswith("asset_keys"):
            connection.execute(text(statement), {"key": PARTITION, "source": source_id})


def _statements(connection: Connection, form: str) -> Iterator[tuple[str, str]]:
    for schema in schemas(connection):
        runs = _RUNS.format(schema=schema)
        for table, where in (("asset_keys", _LAST), *_DELETED):
            yield table, form.format(table=f"{schema}.{table}", where=where.format(schema=schema, runs=runs))
