"""What is counted by classes: the rows of an index, or groups of rows of one study that no value tells apart.

The series of a study share most of their values, so there are a third as many groups as rows. Only words, and numbers
that have no bins, tell the rows of a group apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.catalogue.search.fields import FieldKind, SearchField


@dataclass(frozen=True, slots=True)
class Postings:
    """The units of value ``c`` of a field, rising: ``units[offsets[c]:offsets[c + 1]]``."""

    units: NDArray[np.int32]
    offsets: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Units:
    """U units, those of a study together. (U,) each; ``row_of``: one row of each, None where units are the rows.

    ``codes``: (U,) of the fields of one value a row.
    """

    study_of: NDArray[np.int32]
    person_of: NDArray[np.int32]
    series_in: NDArray[np.int32]
    row_of: NDArray[np.int32] | None
    postings: dict[str, Postings]
    """By counted field."""
    codes: Mapping[str, NDArray[np.integer[Any]]]
    _whole: list[Postings] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.study_of)

    def whole(self) -> Postings:
        """All units, as if they were those of one value."""
        if not self._whole:
            every = np.arange(len(self), dtype=np.int32)
            self._whole.append(Postings(every, np.asarray([0, len(every)], dtype=np.int64)))
        return self._whole[0]

    def of_rows(self, told: NDArray[Any]) -> NDArray[Any]:
        """(U,) what is told of each row ((N,)), of each unit."""
        return told if self.row_of is None else told[self.row_of]


def tells_groups(one: SearchField) -> bool:
    """Whether rows of one group have the same values of the field ``one``."""
    return one.kind is not FieldKind.TEXT and (one.kind is not FieldKind.NUMBER or bool(one.edges))


def group_rows(study_of_row: NDArray[np.int32], fields: list[tuple[Postings, int]]) -> tuple[NDArray[np.int64], int]:
    """(N,) the number of each row's group, in the order of their first rows, and how many there are.

    Args:
        fields: of each field that tells groups, the rows of its values, and how many values there are.
    """
    group = study_of_row.astype(np.int64)
    for postings, values in fields:
        rows, offsets = postings.units, postings.offsets
        if len(rows) == len(group):  # one value a row
            code = np.empty(len(group), dtype=np.int64)
            code[rows] = np.repeat(np.arange(values), np.diff(offsets))
            group = _numbered(group * values + code)
            continue
        for value in range(values):
            has = np.zeros(len(group), dtype=np.int64)
            has[rows[offsets[value] : offsets[value + 1]]] = 1
            group = _numbered(group * 2 + has)
    _, first, group = np.unique(group, return_index=True, return_inverse=True)
    place = np.empty(len(first), dtype=np.int64)
    place[np.argsort(first)] = np.arange(len(first))
    return place[group], len(first)


def _numbered(keys: NDArray[np.int64]) -> NDArray[np.int64]:
    found: NDArray[np.int64] = np.unique(keys, return_inverse=True)[1]
    return found


def write_groups(folder: Path, units: Units) -> None:
    """The groups of an index as files beside its others; ``read_groups`` opens them."""
    assert units.row_of is not None
    for name, array in zip(_NAMES, (units.study_of, units.person_of, units.series_in, units.row_of), strict=True):
        np.save(folder / f"group_{name}.npy", array)
    for name, codes in units.codes.items():
        np.save(folder / f"group_codes_{name}.npy", codes)
    for at, one in enumerate(units.postings.values()):
        np.save(folder / f"group_units_{at}.npy", one.units)
        np.save(folder / f"group_offsets_{at}.npy", one.offsets)


def read_groups(folder: Path, counted: list[str], coded: list[str]) -> Units:
    """``counted``: the fields of the postings, in the order in which they were written; ``coded``: those of codes."""
    study, person, series, row = (_mapped(folder / f"group_{name}.npy") for name in _NAMES)
    postings = {
        name: Postings(_mapped(folder / f"group_units_{at}.npy"), _mapped(folder / f"group_offsets_{at}.npy"))
        for at, name in enumerate(counted)
    }
    codes = {name: _mapped(folder / f"group_codes_{name}.npy") for name in coded}
    return Units(study, person, series, row, postings, codes)


_NAMES = ("study", "person", "series", "row")


def _mapped(path: Path) -> NDArray[Any]:
    array: NDArray[Any] = np.load(path, mmap_mode="r").view(np.ndarray)
    return array
