"""Which kinds of object may show identities in their pixels."""

from __future__ import annotations

from typing import NoReturn

from pydicom import uid
from pydicom.dataset import Dataset

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason

ACCEPTED = frozenset({
    uid.CTImageStorage, uid.EnhancedCTImageStorage, uid.LegacyConvertedEnhancedCTImageStorage, uid.MRImageStorage,
    uid.EnhancedMRImageStorage, uid.LegacyConvertedEnhancedMRImageStorage, uid.PositronEmissionTomographyImageStorage,
    uid.EnhancedPETImageStorage, uid.LegacyConvertedEnhancedPETImageStorage, uid.NuclearMedicineImageStorage,
    uid.ComputedRadiographyImageStorage, uid.DigitalXRayImageStorageForPresentation,
    uid.DigitalXRayImageStorageForProcessing, uid.DigitalMammographyXRayImageStorageForPresentation,
    uid.DigitalMammographyXRayImageStorageForProcessing, uid.BreastTomosynthesisImageStorage,
    uid.SegmentationStorage, uid.RTStructureSetStorage, uid.RTDoseStorage, uid.ParametricMapStorage,
})  # fmt: skip
"""Kinds of object whose pixels are made by a detector or a computation, and whose header the rules cover."""
_BURNED_IN_WORDS = ("Ultrasound", "Secondary Capture", "Video", "VL ", "Ophthalmic Photography", "Intravascular")
_DOCUMENT_WORDS = (" SR", "Encapsulated", "Presentation State", "Key Object", "Report", "Waveform", "Document")
_SCREEN_WORDS = frozenset({"SCREEN SAVE", "SCREENSAVE", "SCREENSHOT", "SCREEN_SAVE", "DOSE_INFO", "REPORT"})
_COLOUR = ("RGB", "PALETTE", "YBR")
_CROSS_SECTIONS = frozenset({"CT", "MR", "PT"})


def refuse_what_may_show_identities(dataset: Dataset, sop_class_uid: str) -> None:
    """Burned-in text cannot be told from the header alone, so whole kinds of object are refused.

    Raises:
        InstanceRefusedError: BURNED_IN_ANNOTATION, UNCLEANABLE_CONTENT or UNSUPPORTED_SOP_CLASS.
    """
    if sop_class_uid not in ACCEPTED:
        refuse_unknown_kind(sop_class_uid)
    if str(dataset.get("BurnedInAnnotation") or "").strip().upper() not in ("", "NO"):
        raise _burned_in("pixels.declared", "BurnedInAnnotation does not say NO")
    kinds = dataset.get("ImageType") or ()
    values = {str(kind).strip().upper() for kind in ([kinds] if isinstance(kinds, str) else kinds)}
    if values & _SCREEN_WORDS:
        raise _burned_in("pixels.image_type", "ImageType says that it is a picture of a screen")
    if dataset.get("ConversionType"):
        raise _burned_in("pixels.conversion", "ConversionType says that it was captured")
    photometric = str(dataset.get("PhotometricInterpretation") or "")
    if photometric.startswith(_COLOUR) and dataset.get("Modality") in _CROSS_SECTIONS:
        raise _burned_in("pixels.colour", "a coloured cross-section is a picture made by a workstation")


def refuse_unknown_kind(sop_class_uid: str) -> NoReturn:
    """Refuse a kind of object that no rule covers.

    Raises:
        InstanceRefusedError: BURNED_IN_ANNOTATION, UNCLEANABLE_CONTENT or UNSUPPORTED_SOP_CLASS.
    """
    name = uid.UID(sop_class_uid).name
    if any(word in name for word in _BURNED_IN_WORDS):
        raise _burned_in("pixels.sop_class", "a kind of image that usually shows text")
    if any(word in name for word in _DOCUMENT_WORDS):
        raise InstanceRefusedError(
            Reason.UNCLEANABLE_CONTENT, rule="object.document", detail="a document or an annotation"
        )
    raise InstanceRefusedError(Reason.UNSUPPORTED_SOP_CLASS, rule="object.sop_class", detail="no rule for it")


def _burned_in(rule: str, detail: str) -> InstanceRefusedError:
    return InstanceRefusedError(Reason.BURNED_IN_ANNOTATION, rule=rule, detail=detail)
