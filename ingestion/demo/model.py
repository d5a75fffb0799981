"""What the parts of a demo source are called while it is being made."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRLittleEndian

from ingestion.demo.answer_key import KeyFlaw, KeyObject, PlantedValue
from ingestion.demo.people import Person

SHORTEST_PLANTED = 5
"""Shorter texts occur by chance in pixels and digests, so finding one would prove nothing."""


class Vendor(StrEnum):
    SIEMENS = "siemens"
    GE = "ge"
    PHILIPS = "philips"
    TOSHIBA = "toshiba"
    HOLOGIC = "hologic"
    FUJI = "fuji"


@dataclass(frozen=True, slots=True)
class Hospital:
    """Where a source's data come from, and who works there."""

    name: str
    address: str
    department: str
    referring: str
    performing: str
    operator: str


@dataclass(frozen=True, slots=True)
class Station:
    """One scanner, as it names itself."""

    vendor: Vendor
    manufacturer: str
    model: str
    serial: str
    software: str
    name: str
    uid_root: str


@dataclass(frozen=True, slots=True)
class Study:
    """One visit of one patient."""

    person: Person
    uid: str
    day: date
    time: str
    accession: str
    study_id: str
    number: int


@dataclass(frozen=True, slots=True)
class SeriesPlan:
    """One series before it has images. ``kind`` picks the maker: ``CT``, ``T2``, ``DWI``, ``DCE``, ``PT``, …"""

    study: Study
    station: Station
    hospital: Hospital
    modality: str
    kind: str
    number: int
    uid: str
    frame_of_reference: str
    description: str
    body_part: str
    cancer: str
    size: int
    slices: int

    @property
    def is_volume(self) -> bool:
        return self.kind in ("CT", "T1", "T2", "PT")


@dataclass(slots=True)
class Series:
    """One series with its instances. ``lesions`` (uint8 [slice, row, column], 1 and 2) for volumes."""

    plan: SeriesPlan
    instances: list[Dataset]
    syntax: str = ExplicitVRLittleEndian
    lesions: NDArray[np.uint8] | None = None


@dataclass(slots=True)
class Ledger:
    """Collects the answer key while a source is being made."""

    objects: list[KeyObject] = field(default_factory=list)
    flaws: list[KeyFlaw] = field(default_factory=list)
    _planted: dict[PlantedValue, None] = field(default_factory=dict)

    def plant(self, value: str, kind: str, where: str) -> str:
        """Note an identity and hand it back, so that noting and writing are one act.

        Raises:
            ValueError: too short: it could stand in a result by chance.
        """
        if len(value) < SHORTEST_PLANTED:
            raise ValueError(f"a planted {kind} for {where} has {len(value)} characters; {SHORTEST_PLANTED} are needed")
        self._planted.setdefault(PlantedValue(value, kind, where))
        return value

    @property
    def planted(self) -> tuple[PlantedValue, ...]:
        return tuple(sorted(self._planted, key=lambda entry: (entry.kind, entry.value, entry.where)))


def put(dataset: Dataset, **values: Any) -> Dataset:
    """Set attributes by keyword with new elements.

    Instances of a series share the elements of their base; plain assignment would change the shared one.
    """
    for keyword, value in values.items():
        tag = tag_for_keyword(keyword)
        if tag is None:
            raise ValueError(f"{keyword} is not a DICOM keyword; check its spelling")
        dataset.add_new(tag, dictionary_VR(tag), value)  # "OB or OW" is settled on writing, by the bits
    return dataset


def item(**values: Any) -> Dataset:
    """A sequence item."""
    return put(Dataset(), **values)


def code(value: str, scheme: str, meaning: str) -> Dataset:
    """A coded entry (PS3.3 section 8.8)."""
    return item(CodeValue=value, CodingSchemeDesignator=scheme, CodeMeaning=meaning)


def derived(base: Dataset, **values: Any) -> Dataset:
    """A dataset that shares the elements of ``base`` and has these besides."""
    dataset = Dataset()
    dataset.update(base)
    return put(dataset, **values)


def decimal(number: float) -> str:
    """A number as DS: at most 16 characters, the same on every machine."""
    text = f"{number:.6f}".rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text
