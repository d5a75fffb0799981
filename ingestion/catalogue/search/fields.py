"""What can be searched: one field for each column that a query may name, and how its values are counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

NOT_STATED = ""
"""Stands for a missing value, so that it can be counted and asked for like any other."""


class FieldKind(StrEnum):
    """``TERM``: one value per series; ``TERMS``: several, joined by ``separator``; ``NUMBER``: ranges and bins."""

    TERM = "term"
    TERMS = "terms"
    NUMBER = "number"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class SearchField:
    """One searchable column. ``edges``: lower ends of a number's bins, the last one open; ``unit``: of the number."""

    name: str
    kind: FieldKind
    label: str
    unit: str | None = None
    separator: str | None = None
    edges: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if (self.kind is FieldKind.TERMS) != (self.separator is not None):
            raise ValueError(f"field {self.name}: terms, and only terms, have a separator")
        if list(self.edges) != sorted(set(self.edges)) or (self.edges and self.kind is not FieldKind.NUMBER):
            raise ValueError(f"field {self.name}: edges rise, and only numbers have them")

    @property
    def counted(self) -> bool:
        """Whether its values are counted in the panel."""
        return self.kind in (FieldKind.TERM, FieldKind.TERMS) or bool(self.edges)

    def bins(self) -> tuple[str, ...]:
        """The names of the bins of a number, without the one for missing values: ``0-9``, ``10-19``, ``90+``."""
        ends = [f"{_short(low)} to {_short(high)}" for low, high in zip(self.edges, self.edges[1:], strict=False)]
        return (*ends, f"{_short(self.edges[-1])} and more") if self.edges else ()


@dataclass(frozen=True, slots=True)
class SearchSchema:
    """The fields, and the columns that name a person, a study, a series and the source of a row.

    ``person`` must be one name for one human being over all sources as far as that is known: totals count it once.
    """

    fields: tuple[SearchField, ...]
    person: tuple[str, ...] = ("source_id", "PatientID")
    study: str = "StudyInstanceUID"
    series: str = "SeriesInstanceUID"
    source: str = "source_id"

    def __post_init__(self) -> None:
        names = [field.name for field in self.fields]
        if len(set(names)) != len(names):
            raise ValueError("two search fields have one name")
        if self.source not in names:
            raise ValueError(f"the source column {self.source} must be a field: answers are given by source")

    def get(self, name: str) -> SearchField | None:
        return next((field for field in self.fields if field.name == name), None)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_json(said: Mapping[str, Any]) -> SearchSchema:
        fields = tuple(
            SearchField(**{**one, "kind": FieldKind(one["kind"]), "edges": tuple(one["edges"])})
            for one in said["fields"]
        )
        return SearchSchema(**{**said, "fields": fields, "person": tuple(said["person"])})


def _short(number: float) -> str:
    return f"{number:g}"
