"""Which strings of a raw header identify people: what must not be in the result, whatever attribute it came from."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydicom.dataset import Dataset

MIN_LETTERS = 4
"""Shorter name parts (Li, Ng, Roy) are parts of ordinary words; free text is cut to known words all the same."""
MIN_DIGITS = 5
_KEYWORDS = frozenset({
    "PatientID", "OtherPatientIDs", "AccessionNumber", "PatientAddress", "PatientTelephoneNumbers",
    "InstitutionName", "InstitutionAddress", "PatientBirthName", "PatientMotherBirthName", "MedicalRecordLocator",
    "PatientBirthDate", "AdmissionID", "StationName", "DeviceSerialNumber", "RequestedProcedureID",
})  # fmt: skip
_PARTS = re.compile(r"[^\W_]+")
_COMMON = frozenset({
    "hospital", "university", "universitario", "klinik", "klinikum", "clinic", "centre", "center", "street",
    "strasse", "radiology", "institute", "medical", "anonymous", "anonymized", "unknown", "none", "patient",
    "test", "cancer", "national", "saint", "scan", "study", "phantom", "name", "brain", "chest", "head", "dept",
})  # fmt: skip
"""Words of addresses and institutions that identify nobody by themselves."""


def identities_of(dataset: Dataset) -> frozenset[str]:
    """Identifying words of the whole data set, sequences included, in lower case."""
    found: set[str] = set()
    for text, whole in _texts(dataset):
        if whole and _long_enough(text.strip().lower()):
            found.add(text.strip().lower())
        found.update(part for part in _PARTS.findall(text.lower()) if _long_enough(part) and part not in _COMMON)
    return frozenset(found)


def _texts(dataset: Dataset) -> Iterator[tuple[str, bool]]:
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
        except (ValueError, TypeError, KeyError, OverflowError, NotImplementedError):
            continue  # a value that cannot be decoded is removed from the result
        if element.VR == "SQ":
            for item in element.value or ():
                yield from _texts(item)
        elif element.VR == "PN" or element.keyword in _KEYWORDS:
            value = element.value
            for part in value if isinstance(value, (list, tuple)) or (hasattr(value, "__iter__") and not isinstance(
                value, (str, bytes)
            ) and element.VR != "PN") or element.VM > 1 else [value]:  # fmt: skip
                yield str(part or ""), element.keyword in ("PatientID", "AccessionNumber")


def _long_enough(part: str) -> bool:
    return len(part) >= (MIN_DIGITS if part.isdigit() else MIN_LETTERS)
