"""A coded term: how a concept is named in a published terminology."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Scheme(StrEnum):
    """Coding schemes used here, by the designator DICOM gives them (PS3.16, section 8); EUCAIM's has none there."""

    SNOMED_CT = "SCT"
    DICOM = "DCM"
    EUCAIM = "EUCAIM"


_NAMESPACES = {
    Scheme.SNOMED_CT: "http://snomed.info/id/",
    Scheme.DICOM: "http://dicom.nema.org/resources/ontology/DCM/",
    Scheme.EUCAIM: "https://cancerimage.eu/ontology/EUCAIM#",
}


@dataclass(frozen=True, slots=True)
class CodedTerm:
    """One concept as (code value, coding scheme designator, code meaning): PS3.3, section 8.8."""

    scheme: Scheme
    value: str
    meaning: str

    @property
    def uri(self) -> str:
        """The address that names the concept in linked data."""
        return _NAMESPACES[self.scheme] + self.value
