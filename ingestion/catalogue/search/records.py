"""The rows behind a query: one, a page of them, or all, a row group at a time, so that no selection is too large."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv, parquet

from ingestion.catalogue.search.index import SearchIndex


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
        return parquet.read_metadata(self._index.rows_file)

    @cached_property
    def _ends(self) -> NDArray[np.int64]:
        """The number of the first row after each row group."""
        groups = range(self._metadata.num_row_groups)
        return np.cumsum([self._metadata.row_group(at).num_rows for at in groups], dtype=np.int64)

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(self._metadata.schema.to_arrow_schema().names)

    def one(self, row: int) -> dict[str, Any]:
        """The columns of one row."""
        group = int(np.searchsorted(self._ends, row, side="right"))
        begin = int(self._ends[group - 1]) if group else 0
        with parquet.ParquetFile(self._index.rows_file, metadata=self._metadata) as file:
            found: list[dict[str, Any]] = (
                file.read_row_group(group, use_threads=False).slice(row - begin, 1).to_pylist()
            )
        return found[0]

    def page(self, rows: NDArray[np.intp]) -> list[dict[str, Any]]:
        """The columns of a few rows."""
        return [row for table in self.tables(rows) for row in table.to_pylist()]

    def tables(self, rows: NDArray[np.intp], columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The rows (rising) as tables, one for each row group that holds some of them."""
        groups = np.searchsorted(self._ends, rows, side="right")
        with parquet.ParquetFile(self._index.rows_file, metadata=self._metadata) as file:
            for group in np.unique(groups):
                begin = self._ends[group - 1] if group else 0
                table = file.read_row_group(int(group), columns=None if columns is None else list(columns))
                yield table.take(pa.array(rows[groups == group] - begin))

    def written(self, rows: NDArray[np.intp], kind: RecordFormat, *, address: str | None = None) -> Iterator[bytes]:
        """The rows as a file, in pieces.

        Args:
            address: of a manifest: where a series' objects are, with {columns} to fill in.

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
                return self._manifest(rows, address)

    def _csv(self, rows: NDArray[np.intp]) -> Iterator[bytes]:
        header = True
        for table in self._or_empty(rows):
            sink = io.BytesIO()
            csv.write_csv(table, sink, csv.WriteOptions(include_header=header))
            header = False
            yield sink.getvalue()

    def _parquet(self, rows: NDArray[np.intp]) -> Iterator[bytes]:
        sink = _Pieces()
        with parquet.ParquetWriter(
            pa.PythonFile(sink, mode="w"), self._metadata.schema.to_arrow_schema(), compression="zstd"
        ) as writer:
            for table in self.tables(rows):
                writer.write_table(table)
                yield sink.taken()
        yield sink.taken()

    def _ndjson(self, rows: NDArray[np.intp]) -> Iterator[bytes]:
        import json

        for table in self.tables(rows):
            lines = (json.dumps(row, default=str, ensure_ascii=False) for row in table.to_pylist())
            yield "".join(f"{line}\n" for line in lines).encode()

    def _manifest(self, rows: NDArray[np.intp], address: str) -> Iterator[bytes]:
        """Lines of ``s5cmd run``: one copy for each series."""
        names = [self._index.schema.source, self._index.schema.study, self._index.schema.series]
        wanted = [name for name in self.columns if name in names or f"{{{name}}}" in address]
        target = f"{{{names[0]}}}/{{{names[2]}}}/"
        for table in self.tables(rows, wanted):
            lines = (f"cp '{address}' '{target}'\n".format(**row) for row in table.to_pylist())
            yield "".join(lines).encode()

    def _or_empty(self, rows: NDArray[np.intp]) -> Iterator[pa.Table]:
        if not len(rows):
            yield self._metadata.schema.to_arrow_schema().empty_table()
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
