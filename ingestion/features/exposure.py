"""Dose and exposure of a series as its headers say: numbers with units, the mean over its instances.

Definitions: PS3.3, C.8.15.3.8 (CTDIvol), C.8.7.8 and C.4.16 (X-Ray dose), C.8.9.2 (PET), C.8.11.1 (exposure index).
"""

from __future__ import annotations

from collections import defaultdict

from pydicom.dataset import Dataset

from ingestion.dicom.frames import functional_group
from ingestion.features.suv import number_of, values_of

KEYWORDS: dict[str, tuple[str, float]] = {
    "CTDIvolMGy": ("CTDIvol", 1.0),
    "OrganDoseMGy": ("OrganDose", 100.0),  # written in dGy
    "EntranceDoseMGy": ("EntranceDoseInmGy", 1.0),
    "DoseAreaProductGyCm2": ("ImageAndFluoroscopyAreaDoseProduct", 0.1),  # written in dGy·cm²
    "ExposureIndex": ("ExposureIndex", 1.0),
    "DeviationIndex": ("DeviationIndex", 1.0),
    "CompressionForceN": ("CompressionForce", 1.0),
    "CompressedThicknessMm": ("BodyPartThickness", 1.0),
}
"""Column, and the attribute with the factor to the column's unit."""
INJECTED = "InjectedDoseMBq"
COLUMNS = (*KEYWORDS, INJECTED)


class Exposure:
    """Gathers what each instance says."""

    def __init__(self) -> None:
        self._found: dict[str, list[float]] = defaultdict(list)
        self.events: set[str] = set()
        """Irradiation Event UIDs: they lead to the dose report."""

    def add(self, dataset: Dataset) -> None:
        shared = next(iter(dataset.get("SharedFunctionalGroupsSequence") or ()), Dataset())
        first = next(iter(dataset.get("PerFrameFunctionalGroupsSequence") or ()), Dataset())
        group = functional_group("CTExposureSequence", first, shared) or Dataset()
        for column, (keyword, factor) in KEYWORDS.items():
            number = number_of(dataset.get(keyword, group.get(keyword)))
            if number is not None:
                self._found[column].append(number * factor)
        for injection in values_of(dataset.get("RadiopharmaceuticalInformationSequence"))[:1]:
            dose = number_of(injection.get("RadionuclideTotalDose"))
            if dose is not None:
                self._found[INJECTED].append(dose / 1e6)
        self.events |= {str(uid) for uid in values_of(dataset.get("IrradiationEventUID"))}

    @property
    def values(self) -> dict[str, float]:
        """Means of what is given, in the order of ``COLUMNS``; sorted before adding, so that no order matters."""
        return {
            column: sum(sorted(self._found[column])) / len(self._found[column])
            for column in COLUMNS
            if self._found.get(column)
        }
