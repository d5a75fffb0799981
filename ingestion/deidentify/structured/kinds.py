"""Which kinds of object have a content that is cleaned by its structure, and under which option of the profile."""

from __future__ import annotations

from enum import StrEnum

from pydicom import uid

from ingestion.deidentify.profile import Option


class Structure(StrEnum):
    """What holds the words of an object."""

    REPORT = "report"  # a tree of content items (PS3.3 section C.17.3)
    PRESENTATION = "presentation"  # graphic annotations (PS3.3 section C.10.5)
    PLAN = "plan"  # attributes alone


REPORTS = frozenset({
    uid.BasicTextSRStorage, uid.EnhancedSRStorage, uid.ComprehensiveSRStorage, uid.Comprehensive3DSRStorage,
    uid.ExtensibleSRStorage, uid.ProcedureLogStorage, uid.MammographyCADSRStorage, uid.ChestCADSRStorage,
    uid.ColonCADSRStorage, uid.KeyObjectSelectionDocumentStorage, uid.XRayRadiationDoseSRStorage,
    uid.RadiopharmaceuticalRadiationDoseSRStorage, uid.PatientRadiationDoseSRStorage,
    "1.2.840.10008.5.1.4.1.1.88.70", "1.2.840.10008.5.1.4.1.1.88.71", "1.2.840.10008.5.1.4.1.1.88.72",
    "1.2.840.10008.5.1.4.1.1.88.74", "1.2.840.10008.5.1.4.1.1.88.75", "1.2.840.10008.5.1.4.1.1.88.76",
    "1.2.840.10008.5.1.4.1.1.88.77",
})  # fmt: skip
"""Those in force; the trial ones that were retired are built in another way."""
PRESENTATIONS = frozenset(f"1.2.840.10008.5.1.4.1.1.11.{number}" for number in range(1, 13))
PLANS = frozenset({uid.RTPlanStorage, uid.RTIonPlanStorage})
_OPTION = {
    Structure.REPORT: Option.CLEAN_STRUCTURED_CONTENT,
    Structure.PRESENTATION: Option.CLEAN_GRAPHICS,
    Structure.PLAN: Option.CLEAN_DESCRIPTORS,
}


def structure_of(sop_class_uid: str, options: frozenset[Option]) -> Structure | None:
    """The structure by which objects of that kind are cleaned; None for others, or where the policy cleans none."""
    found = None
    if sop_class_uid in REPORTS:
        found = Structure.REPORT
    elif sop_class_uid in PRESENTATIONS:
        found = Structure.PRESENTATION
    elif sop_class_uid in PLANS:
        found = Structure.PLAN
    return found if found is not None and _OPTION[found] in options else None
