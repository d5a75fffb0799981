"""The rows behind a query: one, a page of them, or all, a row group at a time, so that no selection is too large."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from functools import cached_property
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from pyarrow import csv, parquet

from ingestion.catalogue.exports.s5cmd import copy_line
from ingestion.catalogue.exports.words import not_listed
from ingestion.catalogue.plain_cells import plain_table
from ingestion.catalogue.search.index import SearchIndex
from ingestion.sources.registry import AccessMode

ACCESS_MODE = "AccessMode"
"""The field that says how users reach the images. An index without it is of records that are open to everybody."""
PLACES = ("bucket", "series_prefix")
"""Columns that say where a series' objects are: told of series that may be downloaded, and of no others."""


Objects: TypeAlias = Callable[[str, str], Mapping[str, Sequence[str]]]
"""Of a release and a source: the addresses of the objects of each series, as the release has them."""


class RecordFormat(StrEnum):
    CSV = "csv"
    PARQUET = "parquet"
    NDJSON = "ndjson"
    MANIFEST = "manifest"


class Records:
    """Reads rows of an index by their numbers. Safe to use from several threads: each read opens the file."""

    def __init__(self, index: SearchIndex) -> None:
        self._index = index

    @cached_property
    def _metadata(self) -> parquet.FileMetaData:
        return parquet.read_metadata(self._index.given_file)

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        """The number of the first row after each row group."""
        groups = range(self._metadata.num_row_groups)
        return np.cumsum([self._metadata.row_group(at).num_rows for at in groups], dtype=np.int64)

    @cached_property
    def _schema(self) -> pa.Schema:
        """Of the rows as they are given out: a place can be missing."""
        schema = self._metadata.schema.to_arrow_schema()
        told = [one.with_nullable(True) if one.name in PLACES else one for one in schema]
        return pa.schema(told, schema.metadata)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._schema.names)

    def one(self, row: int) -> dict[str, Any]:
        """The columns of one row."""
        place = int(self._places(np.asarray([row]))[0])
        group = int(np.searchsorted(self._ends, place, side="right"))
        begin = int(self._ends[group - 1]) if group else 0
        with parquet.ParquetFile(self._index.given_file, metadata=self._metadata) as file:
            table = file.read_row_group(group, columns=list(self.columns), use_threads=False).slice(place - begin, 1)
        found: list[dict[str, Any]] = self._placed(table, np.asarray([row], dtype=np.intp)).to_pylist()
        return found[0]

    def page(self, rows: NDArray[np.intp]) -> list[dict[str, Any]]:
        """The columns of a few rows."""
        return [row for table in self.tables(rows) for row in table.to_pylist()]

    def tables(self, rows: NDArray[np.intp], columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The rows as tables in the order of ``given``, one for each row group that holds some of them."""
        rows = self.given(rows)
        places = self._places(rows)
        groups = np.searchsorted(self._ends, places, side="right")
        with parquet.ParquetFile(self._index.given_file, metadata=self._metadata) as file:
            for group in np.unique(groups):
                begin = self._ends[group - 1] if group else 0
                table = file.read_row_group(int(group), columns=list(self.columns if columns is None else columns))
                these = groups == group
                yield self._placed(table.take(pa.array(places[these] - begin)), rows[these])

    def given(self, rows: NDArray[np.intp]) -> NDArray[np.intp]:
        """The rows in the order in which they are given out."""
        return rows[np.argsort(self._places(rows), kind="stable")]

    def after(self, rows: NDArray[np.intp], row: int) -> NDArray[np.intp]:
        """What comes behind ``row`` of rows in the order of ``given``; ``row`` need not be one of them."""
        place = self._places(np.asarray([row]))[0]
        return rows[int(np.searchsorted(self._places(rows), place, side="right")) :]

    def _places(self, rows: NDArray[np.intp]) -> NDArray[np.integer[Any]]:
        places = self._index.place_of_row
        return rows if places is None else places[rows]

    def downloadable(self, rows: NDArray[np.intp]) -> NDArray[np.bool_]:
        """(N,): which of the rows are of series that may be downloaded; none where their mode is not stated."""
        modes = self._index.fields.get(ACCESS_MODE)
        if modes is None:
            return np.ones(len(rows), dtype=bool)
        assert modes.codes is not None, "a source has one access mode"
        code = modes.code_of.get(AccessMode.DOWNLOAD.value, -1)
        return np.asarray(modes.codes[rows] == code, dtype=bool)

    def _placed(self, table: pa.Table, rows: NDArray[np.intp]) -> pa.Table:
        """The table without the places of objects that may not be downloaded."""
        places = [name for name in PLACES if name in table.column_names]
        if places:
            may = pa.array(self.downloadable(rows))
            for name in places:
                column = table[name]
                kept = pc.if_else(may, column, pa.scalar(None, column.type))
                table = table.set_column(table.column_names.index(name), self._schema.field(name), kept)
        return table

    def written(
        self, rows: NDArray[np.intp], kind: RecordFormat, *, address: str | Objects | None = None,
        asking: Mapping[str, str] | None = None, closed: frozenset[str] = frozenset(),
    ) -> Iterator[bytes]:  # fmt: skip
        """The rows as a file, in pieces.

        Args:
            address: of a manifest: what names a series' objects; or where they are, with {columns} to fill in, where
                a folder holds one version of a series only.
            asking: of a manifest: by source, whom to ask where its images may not be downloaded.
            closed: of a manifest: sources that may not be downloaded any more, whatever the release says.

        Raises:
            ValueError: a manifest of records that name no objects.
        """
        match kind:
            case RecordFormat.CSV:
                return self._csv(rows)
            case RecordFormat.PARQUET:
                return self._parquet(rows)
            case RecordFormat.NDJSON:
                return self._ndjson(rows)
            case RecordFormat.MANIFEST:
                if address is None:
                    raise ValueError("the objects of these series are not in a store of this platform")
                return self._manifest(rows, address, asking or {}, closed)

    def _csv(self, rows: NDArray[np.intp]) -> Iterator[bytes]:
        header = True
        for table in self._or_empty(rows):
            sink = io.BytesIO()
            csv.write_csv(plain_table(table), sink, csv.WriteOptions(include_header=header))
            header = False
            yield sink.getvalue()

    def _parquet(self, rows: NDArray[np.intp]) -> Iterator[bytes]:
        sink = _Pieces()
        with parquet.ParquetWriter(pa.PythonFile(sink, mode="w"), self._schema, compression="zstd") as writer:
            for table in self.tables(rows):
                writer.write_table(table)
                yield sink.taken()
        yield sink.taken()

    def _ndjson(self, rows: NDArray[np.intp]) -> Iterator[bytes]:
        import json

        for table in self.tables(rows):
            lines = (json.dumps(row, default=str, ensure_ascii=False) for row in table.to_pylist())
            yield "".join(f"{line}\n" for line in lines).encode()

    def _manifest(
        self, rows: NDArray[np.intp], address: str | Objects, asking: Mapping[str, str], closed: frozenset[str]
    ) -> Iterator[bytes]:
        """Lines of ``s5cmd run``: the copies of the series that may be downloaded; comments name the others."""
        may = self.downloadable(rows)
        source = self._index.fields[self._index.schema.source]
        for source_id in closed & set(source.code_of):
            may &= ~np.isin(rows, source.rows_of(source.code_of[source_id]))
        told = "".join(
            f"{not_listed(source_id, mode, count, asking.get(source_id))}\n"
            for (source_id, mode), count in self._by_mode(rows[~may])
        )
        # what can't be read is told before the first line
        copies = self._folders(rows[may], address) if isinstance(address, str) else self._objects(rows[may], address)
        return chain([told.encode()] if told else [], copies)

    def _folders(self, rows: NDArray[np.intp], address: str) -> Iterator[bytes]:
        names = [self._index.schema.source, self._index.schema.study, self._index.schema.series]
        wanted = [name for name in self.columns if name in names or f"{{{name}}}" in address]
        target = f"{{{names[0]}}}/{{{names[2]}}}/"
        for table in self.tables(rows, wanted):
            lines = (f"cp '{address}' '{target}'\n".format(**row) for row in table.to_pylist())
            yield "".join(lines).encode()

    def _objects(self, rows: NDArray[np.intp], objects: Objects) -> Iterator[bytes]:
        """By object, since the folder of a series holds its instances as they were in other releases too."""
        source, series = self._index.schema.source, self._index.schema.series
        held: dict[str, Mapping[str, Sequence[str]]] = {}
        for table in self.tables(rows, [source]):
            for source_id in table[source].unique().to_pylist():
                held.setdefault(source_id, objects(self._index.release, source_id))

        def lines() -> Iterator[bytes]:
            for table in self.tables(rows, [source, series]):
                said = []
                for row in table.to_pylist():
                    source_id, uid = row[source], row[series]
                    said += [copy_line(one, f"{source_id}/{uid}/") for one in held[source_id].get(uid, ())] or [
                        f"# {uid}: the release names no object of it"
                    ]
                yield "".join(f"{line}\n" for line in said).encode()

        return lines()

    def _by_mode(self, rows: NDArray[np.intp]) -> list[tuple[tuple[str, str], int]]:
        source = self._index.schema.source
        found: Counter[tuple[str, str]] = Counter()
        for table in self.tables(rows, [source, ACCESS_MODE]):
            for row in table.to_pylist():
                mode = row[ACCESS_MODE] or "not stated"
                narrowed = "narrowed since the release" if mode == AccessMode.DOWNLOAD else mode
                found[(str(row[source]), narrowed)] += 1
        return sorted(found.items())

    def _or_empty(self, rows: NDArray[np.intp]) -> Iterator[pa.Table]:
        if not len(rows):
            yield self._schema.empty_table()
        yield from self.tables(rows)


class _Pieces(io.RawIOBase):
    """A sink whose content is taken away as it grows."""

    def __init__(self) -> None:
        self._held = bytearray()
        self._length = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._held += data
        self._length += len(data)
        return len(data)

    def tell(self) -> int:
        return self._length

    def taken(self) -> bytes:
        piece = bytes(self._held)
        self._held.clear()
        return piece
