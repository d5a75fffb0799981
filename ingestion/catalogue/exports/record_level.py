"""The record-level tables of a stored release, read for the formats that are for approved users only."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import pandas as pd
import pyarrow.parquet as pq

from ingestion.catalogue.release_manifest import ReleaseManifest, read_release, release_key
from ingestion.storage import ObjectStore


class TableMissingError(LookupError):
    """The release has no such table: it was built before there was one."""


class FileDamagedError(RuntimeError):
    """A file of a release is not the one that its manifest names."""


@dataclass(frozen=True, slots=True)
class RecordTables:
    """Reads one release, source by source."""

    research: ObjectStore
    release: ReleaseManifest

    @staticmethod
    def of(research: ObjectStore, version: str) -> RecordTables:
        """Of a version.

        Raises:
            UnknownReleaseError: there is none.
        """
        return RecordTables(research, read_release(research, version))

    def read(self, table: str, source_id: str, columns: Iterable[str] | None = None) -> pd.DataFrame:
        """The rows of one source.

        Raises:
            TableMissingError: the release lacks the table.
            FileDamagedError: the file has another checksum than the manifest says.
        """
        for file in self.release.files:
            if (file.table, file.source_id) == (table, source_id):
                body = self.research.read(release_key(self.release.version, file.path))
                if hashlib.sha256(body).hexdigest() != file.sha256:
                    raise FileDamagedError(f"release {self.release.version}: {file.path} was changed by hand")
                return pq.read_table(io.BytesIO(body), columns=None if columns is None else list(columns)).to_pandas()
        raise TableMissingError(
            f"release {self.release.version} has no table {table} of {source_id}: build a release with this version"
        )

    def each(self, table: str, columns: Iterable[str] | None = None) -> Iterator[tuple[str, pd.DataFrame]]:
        """The rows of all sources, by source."""
        for source_id in self.release.sources:
            yield source_id, self.read(table, source_id, columns)
