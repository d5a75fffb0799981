"""The physical unit of an image's values: HU, SUVbw or the header's own unit for PET, else arbitrary."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeAlias

from pydicom.dataset import Dataset

from ingestion.features.suv import PetHeader, SuvRefusal, corrected, counts_factor, pet_header, suv_factor, values_of

HU, SUVBW, BQML, LUMA, ARBITRARY = "HU", "SUVbw", "BQML", "luma", "arbitrary"
RESCALE_TYPES = frozenset({"HU", "HU_MOD", "OD", "MGML", "PCT", "Z_EFF", "ED", "EDW"})
"""Defined terms of Rescale Type that name a quantity (PS3.3, C.11.1.1.2)."""
PET_UNITS = frozenset(
    {"BQML", "CNTS", "NONE", "CM2", "CM2ML", "PCNT", "CPS", "MGMINML", "UMOLMINML", "MLMING", "MLG", "1CM", "UMOLML",
     "PROPCNTS", "PROPCPS", "MLMINML", "MLML", "GML", "STDDEV"}
)  # fmt: skip
"""Defined terms of Units (PS3.3, C.8.9.1.1.3)."""


@dataclass(frozen=True, slots=True)
class Unit:
    """``factor`` turns rescaled values into values of ``name``. ``activity``: the rescaled values are Bq/ml."""

    name: str
    factor: float = 1.0
    suv_refusal: SuvRefusal | None = None
    activity: bool = False


UnitFacts: TypeAlias = Unit | PetHeader
"""What one instance says of its unit: small, hashable, and enough without the instance."""

__all__ = ["Unit", "UnitFacts", "common_unit", "series_unit", "unit_facts", "unit_of"]


def unit_facts(dataset: Dataset) -> UnitFacts:
    """The unit of an instance's rescaled values, or for PET what the unit of its series depends on."""
    modality = dataset.get("Modality")
    if modality == "PT":
        return pet_header(dataset)
    rescale_type = str(dataset.get("RescaleType") or "").strip()
    if modality == "CT":
        image_type = [str(value) for value in values_of(dataset.get("ImageType"))]
        if "LOCALIZER" in image_type[2:3]:
            return Unit(ARBITRARY)
        # Rescale Type may be left out where it would be HU (PS3.3, C.8.2.1).
        return Unit(rescale_type or HU) if rescale_type in RESCALE_TYPES | {""} else Unit(ARBITRARY)
    return Unit(rescale_type if rescale_type in RESCALE_TYPES else ARBITRARY)


def series_unit(facts: Iterable[UnitFacts]) -> Unit | None:
    """The unit of all instances of a series; None when their values cannot be put together."""
    listed = list(facts)
    pets = [fact for fact in listed if isinstance(fact, PetHeader)]
    units = {fact for fact in listed if isinstance(fact, Unit)}
    return common_unit(units | {_pet(header, pets) for header in dict.fromkeys(pets)})


def unit_of(dataset: Dataset) -> Unit:
    """The unit of an instance's rescaled values, taken by itself."""
    facts = unit_facts(dataset)
    return _pet(facts, [facts]) if isinstance(facts, PetHeader) else facts


def common_unit(units: set[Unit]) -> Unit | None:
    """The unit that holds for all instances of a series; None when their values cannot be put together."""
    if len(units) == 1:
        return next(iter(units))
    if units and all(unit.activity for unit in units):
        refusals = sorted(unit.suv_refusal for unit in units if unit.suv_refusal is not None)
        return Unit(BQML, suv_refusal=refusals[0] if refusals else SuvRefusal.VARIES, activity=True)
    return None


def _pet(header: PetHeader, series: list[PetHeader]) -> Unit:
    if header.units == "GML":
        kind = header.suv_type or "BW"  # absent means body weight (PS3.3, C.8.9.1)
        return Unit(SUVBW) if kind == "BW" else Unit("GML", suv_refusal=SuvRefusal.SUV_TYPE_NOT_BODY_WEIGHT)
    if header.units == "BQML":
        factor = suv_factor(header, series)
        if isinstance(factor, SuvRefusal):
            return Unit(BQML, suv_refusal=factor, activity=True)
        return Unit(SUVBW, factor=factor, activity=True)
    if header.units == "CNTS":
        return _counts(header, series)
    return Unit(header.units if header.units in PET_UNITS else ARBITRARY, suv_refusal=SuvRefusal.UNITS_NOT_BQML)


def _counts(header: PetHeader, series: list[PetHeader]) -> Unit:
    """Counts, as Philips stores them; another scanner's cannot be turned into anything."""
    to_suv, to_activity = counts_factor(header)
    if to_suv is not None:
        return Unit(SUVBW, factor=to_suv) if corrected(header) else Unit("CNTS", suv_refusal=SuvRefusal.NOT_CORRECTED)
    if to_activity is None:
        return Unit("CNTS", suv_refusal=SuvRefusal.UNITS_NOT_BQML)
    factor = suv_factor(header, series)
    if isinstance(factor, SuvRefusal):
        return Unit("CNTS", suv_refusal=factor)
    return Unit(SUVBW, factor=factor * to_activity)
