"""Where others name people of an erased source: quality reports that compare over sources, and runs.

A report of another source says "the same as series 2.25.… of SOURCE". The name is replaced by a word, the rest stays.
Which names are meant is kept by their digests, ``erasures/<source>.names.json`` in the internal bucket: a run that was
killed has nothing else to know them by. Looked through are the reports in the internal bucket, the catalogue's rows of
quality and Dagster's events; images, manifests and tables of other sources name nobody else.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import Connection, Engine, text

from ingestion.accounting.database import transaction
from ingestion.accounting.erasure import ROOT
from ingestion.accounting.tables import SCHEMA
from ingestion.catalogue.erasure.run_history import PARTITION, not_of_runs, schemas
from ingestion.catalogue.erasure.tombstone import series_digest
from ingestion.storage import ErasableStore, ObjectMissingError, ObjectStore

ERASED = "erased"
"""What stands in the place of a name."""
REPORTS = "quality/"
_UID = re.compile(r"\b[0-2](?:\.\d+){2,}")
_NAMING = "[0-2]\\.[0-9]+\\.[0-9]"
_UIDS = (
    ("series_state", "series_uid"), ("inventory_object", "series_uid"), ("inventory_object", "study_uid"),
    ("release_series", "SeriesInstanceUID"), ("study", "StudyInstanceUID"),
)  # fmt: skip
"""Table and column."""


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a source's series, studies and patients; UIDs by their digests."""

    source_id: str
    digests: frozenset[str]

    def without(self, said: str) -> str:
        """A text with each of them replaced."""
        patients = re.sub(rf"\b{re.escape(self.source_id)}-[A-Z2-7]{{16,}}\b", ERASED, said)
        return _UID.sub(lambda found: ERASED if series_digest(found[0]) in self.digests else found[0], patients)


def read_names(engine: Engine, research: ObjectStore, internal: ObjectStore, source_id: str) -> Names:
    """As kept by an erasure that began, or else from what there is of the source."""
    try:
        return Names(source_id, frozenset(json.loads(internal.read(_key(source_id)))))
    except ObjectMissingError:
        pass
    uids = {stored.key.split("/")[2] for stored in research.list(f"manifests/{source_id}/")}
    with transaction(engine, f"reading the names of {source_id}") as connection:
        for table, column in _UIDS:
            query = f'SELECT "{column}" FROM {SCHEMA}.{table} WHERE source_id = :source'
            uids |= set(connection.execute(text(query), {"source": source_id}).scalars())
        for table, column in _UIDS:
            # A policy that keeps UIDs gives two sources the same ones: what another has too is not the source's alone.
            query = f'SELECT "{column}" FROM {SCHEMA}.{table} WHERE source_id <> :source AND "{column}" = ANY(:uids)'
            uids -= set(connection.execute(text(query), {"source": source_id, "uids": sorted(uids)}).scalars())
    return Names(source_id, frozenset(map(series_digest, uids - {""})))


def keep_names(internal: ErasableStore, names: Names) -> None:
    """Keep them for a run that has to go on."""
    internal.create(_key(names.source_id), json.dumps(sorted(names.digests)).encode(), content_type="application/json")


def count_mentions(engine: Engine, internal: ObjectStore, names: Names) -> dict[str, int]:
    """How many reports and rows of others name the source's people; none where there are none."""
    found = {"reports of other sources": sum(1 for _ in _reports(internal, names))}
    with transaction(engine, "looking for names") as connection:
        for table, column, others in _columns(connection):
            place = f"rows of others in {table}"
            number = sum(1 for _ in _rows(connection, table, column, names, others))
            found[place] = found.get(place, 0) + number
    return {place: number for place, number in found.items() if number}


def replace_mentions(engine: Engine, internal: ErasableStore, names: Names) -> None:
    """Put a word in the place of each name; done again, it does nothing."""
    for key, body, kind in list(_reports(internal, names)):
        internal.replace(key, body, content_type=kind)
    with transaction(engine, "replacing names") as connection:
        for table, column, others in _columns(connection):
            update = text(f'UPDATE {table} SET "{column}" = CAST(:said AS {_type(connection, table, column)}) '
                          "WHERE ctid = CAST(:place AS tid)")  # fmt: skip
            for place, said in list(_rows(connection, table, column, names, others)):
                connection.execute(update, {"said": said, "place": place})


def _reports(internal: ObjectStore, names: Names) -> Iterator[tuple[str, bytes, str]]:
    """The reports of other sources that name some, as they shall be: key, bytes, content type."""
    readers: dict[str, tuple[Callable[[bytes, Names], bytes], str]] = {
        "html": (_text, "text/html; charset=utf-8"), "json": (_text, "application/json"),
        "parquet": (_table, "application/vnd.apache.parquet"),
    }  # fmt: skip
    for stored in internal.list(REPORTS):
        kind = stored.key.rpartition(".")[2]
        if kind in readers and stored.key.split("/")[1] != names.source_id:
            read, content_type = readers[kind]
            before = internal.read(stored.key)
            after = read(before, names)
            if after != before:
                yield stored.key, after, content_type


def _text(body: bytes, names: Names) -> bytes:
    return names.without(body.decode()).encode()


def _table(body: bytes, names: Names) -> bytes:
    table = changed = pq.read_table(io.BytesIO(body))
    for at, field in enumerate(table.schema):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            values = table.column(at).to_pylist()
            said = [value if value is None else names.without(value) for value in values]
            if said != values:
                changed = changed.set_column(at, field, pa.array(said, type=field.type))
    if changed is table:
        return body
    written = io.BytesIO()
    pq.write_table(changed, written, compression="zstd")
    return written.getvalue()


def _columns(connection: Connection) -> Iterator[tuple[str, str, str]]:
    """Table, column, and which of its rows are of others."""
    for column in ("Examples", "Message", "Other"):
        yield f"{SCHEMA}.quality", column, "source_id <> :source"
    for schema in schemas(connection):
        yield f"{schema}.event_logs", "event", not_of_runs(schema, "run_id")
        yield f"{schema}.asset_check_executions", "evaluation_event", not_of_runs(schema, "run_id")
        yield f"{schema}.asset_keys", "last_materialization", not_of_runs(schema, "last_run_id")


def _rows(connection: Connection, table: str, column: str, names: Names, others: str) -> Iterator[tuple[str, str]]:
    """The rows that name some: where they are, and the text as it shall be."""
    query = text(
        f'SELECT CAST(ctid AS text), CAST("{column}" AS text) FROM {table} '
        f'WHERE CAST("{column}" AS text) ~ :naming AND {others}'
    )
    naming = f"{_NAMING}|{re.escape(names.source_id)}-[A-Z2-7]"
    # Of this statement alone: as an option of the connection it would hold for the updates too.
    values = {"naming": naming, "source": names.source_id, "key": PARTITION}
    used = {name: value for name, value in values.items() if f":{name}" in query.text}
    for place, said in connection.execute(query, used, execution_options={"yield_per": 500}):
        after = names.without(said)
        if after != said:
            yield place, after


def _type(connection: Connection, table: str, column: str) -> str:
    schema, _, name = table.partition(".")
    query = text("SELECT data_type FROM information_schema.columns "
                 "WHERE table_schema = :schema AND table_name = :name AND column_name = :column")  # fmt: skip
    return str(connection.execute(query, {"schema": schema, "name": name, "column": column}).scalar_one())


def _key(source_id: str) -> str:
    return f"{ROOT}{source_id}.names.json"
