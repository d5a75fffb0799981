"""The index of one release on disk, opened: for every field the rows of each value, and who they belong to.

A folder of ``.npy`` files that are mapped, not read, so that opening costs next to nothing and processes share the
memory. Rows of one study stand together, studies of one person too, so distinct people are counted by one pass.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.catalogue.search.fields import SearchField, SearchSchema
from ingestion.catalogue.search.units import Postings, Units, read_groups, tells_groups

FORMAT = 5
"""Raised when the files change their meaning; an index of another format is made anew."""
META = "index.json"
ROWS = "rows.parquet"
GIVEN = "given.parquet"
"""The rows in the order in which they are given out, where that is another one."""


class IndexUnusableError(ValueError):
    """The folder is no index of this format, or not a whole one."""


@dataclass(frozen=True)
class FieldIndex:
    """One field. ``terms``: its values, of a number its bins, by code; code 0 is for rows that state none.

    ``postings[offsets[c]:offsets[c + 1]]`` are the rows with code c, rising. A text field has its distinct texts as
    terms, in lower case, read when first needed.
    """

    field: SearchField
    folder: Path
    at: int

    @cached_property
    def terms(self) -> tuple[str, ...]:
        return tuple(json.loads((self.folder / f"terms_{self.at}.json").read_text()))

    @cached_property
    def code_of(self) -> dict[str, int]:
        return {term: code for code, term in enumerate(self.terms)}

    @cached_property
    def postings(self) -> NDArray[np.int32]:
        return _mapped(self.folder, f"postings_{self.at}")

    @cached_property
    def offsets(self) -> NDArray[np.int64]:
        return _mapped(self.folder, f"offsets_{self.at}")

    def rows_of(self, code: int) -> NDArray[np.int32]:
        """The rows with one value, rising."""
        return self.postings[self.offsets[code] : self.offsets[code + 1]]

    @cached_property
    def numbers(self) -> NDArray[np.float32]:
        """(N,) of a number field, NaN where not stated."""
        return _mapped(self.folder, f"numbers_{self.at}")

    @cached_property
    def codes(self) -> NDArray[np.integer[Any]] | None:
        """(N,) the code of each row; None for a field of several values a row, and for text."""
        return _mapped(self.folder, f"codes_{self.at}") if (self.folder / f"codes_{self.at}.npy").is_file() else None

    @cached_property
    def totals(self) -> NDArray[np.int64]:
        """(3, V): series, studies and people of each code over all rows."""
        return _mapped(self.folder, f"totals_{self.at}")


@dataclass(frozen=True)
class SearchIndex:
    """An open index of N series, S studies and P people. Arrays are read-only."""

    folder: Path
    schema: SearchSchema
    release: str
    fields: dict[str, FieldIndex]
    study_of_row: NDArray[np.int32]
    """(N,), rising."""
    person_of_study: NDArray[np.int32]
    """(S,), rising."""
    person_of_row: NDArray[np.int32]
    """(N,), rising."""
    people: int
    states: dict[str, str]
    """Digest of the rows of each source: as long as it stays, public numbers about the source stay, in any release."""

    @property
    def series(self) -> int:
        return len(self.study_of_row)

    @property
    def studies(self) -> int:
        return len(self.person_of_study)

    @property
    def rows_file(self) -> Path:
        """Parquet of the rows themselves, in the index's order."""
        return self.folder / ROWS

    @property
    def given_file(self) -> Path:
        """Parquet of the rows as they are given out."""
        return self.rows_file if self.place_of_row is None else self.folder / GIVEN

    @cached_property
    def place_of_row(self) -> NDArray[np.int32] | None:
        """(N,) where each row stands in ``given_file``; None: where it stands in the index."""
        return _mapped(self.folder, "place_of_row") if (self.folder / GIVEN).is_file() else None

    @cached_property
    def rows(self) -> Units:
        """The rows as units of their own."""
        counted = {name: one for name, one in self.fields.items() if one.field.counted}
        return Units(
            self.study_of_row,
            self.person_of_row,
            np.ones(self.series, dtype=np.int32),
            None,
            {name: Postings(one.postings, one.offsets) for name, one in counted.items()},
            {name: one.codes for name, one in self.fields.items() if one.codes is not None},
        )

    @cached_property
    def groups(self) -> Units:
        """The rows in groups of one study that no value tells apart."""
        counted = [name for name, one in self.fields.items() if one.field.counted]
        coded = [name for name, one in self.fields.items() if one.codes is not None and tells_groups(one.field)]
        return read_groups(self.folder, counted, coded)

    @cached_property
    def person_digest(self) -> NDArray[np.uint64]:
        """(P,) of the name of each person: the same in every release, as far as pseudonyms are."""
        return _mapped(self.folder, "person_digest")

    @cached_property
    def stating(self) -> NDArray[np.int32]:
        """(sources, fields): how many people of the source have a series that states the field."""
        return _mapped(self.folder, "stating")

    @cached_property
    def series_uids(self) -> NDArray[np.bytes_]:
        """(N,), sorted; ``row_of_series`` gives their rows."""
        return _mapped(self.folder, "series_uids")

    @cached_property
    def row_of_series(self) -> NDArray[np.int32]:
        return _mapped(self.folder, "row_of_series")

    def row(self, series_uid: str) -> int | None:
        """The row of a series; None where the release has no such series."""
        wanted = series_uid.encode("ascii", errors="replace")
        at = int(np.searchsorted(self.series_uids, wanted))
        return int(self.row_of_series[at]) if at < self.series and self.series_uids[at] == wanted else None


def open_index(folder: Path) -> SearchIndex:
    """Raises ``IndexUnusableError`` where ``folder`` holds no index of this format."""
    try:
        meta = json.loads((folder / META).read_text())
    except (OSError, json.JSONDecodeError) as error:
        raise IndexUnusableError(f"no search index at {folder.name} ({type(error).__name__}): build it again") from None
    if meta["format"] != FORMAT:
        raise IndexUnusableError(f"index of format {meta['format']}, this version reads {FORMAT}: build it again")
    schema = SearchSchema.from_json(meta["schema"])
    return SearchIndex(
        folder=folder,
        schema=schema,
        release=meta["release"],
        fields={field.name: FieldIndex(field, folder, at) for at, field in enumerate(schema.fields)},
        study_of_row=_mapped(folder, "study_of_row"),
        person_of_study=_mapped(folder, "person_of_study"),
        person_of_row=_mapped(folder, "person_of_row"),
        people=meta["people"],
        states=meta["states"],
    )


def _mapped(folder: Path, name: str) -> NDArray[Any]:
    array: NDArray[Any] = np.load(folder / f"{name}.npy", mmap_mode="r").view(np.ndarray)
    return array
