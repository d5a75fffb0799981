"""How closely the pixels of an object must be looked at, from its header alone; what cannot be looked at is refused."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from pydicom import uid
from pydicom.dataset import Dataset

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.deidentify.pixels.evidence import Look
from ingestion.deidentify.pixels.kinds import ACCEPTED, refuse_unknown_kind

NO_PICTURE = frozenset(
    {uid.SegmentationStorage, uid.RTStructureSetStorage, uid.RTDoseStorage, uid.ParametricMapStorage}
)
"""Computed from images: a mask, contours, a dose, a fit."""
ULTRASOUND = frozenset({
    uid.UltrasoundImageStorage, uid.UltrasoundMultiFrameImageStorage,
    "1.2.840.10008.5.1.4.1.1.6", "1.2.840.10008.5.1.4.1.1.3",  # retired
})  # fmt: skip
"""Always with lettering, in the picture too."""
PICTURES = ULTRASOUND | frozenset({
    uid.SecondaryCaptureImageStorage, uid.MultiFrameSingleBitSecondaryCaptureImageStorage,
    uid.MultiFrameGrayscaleByteSecondaryCaptureImageStorage, uid.MultiFrameGrayscaleWordSecondaryCaptureImageStorage,
    uid.MultiFrameTrueColorSecondaryCaptureImageStorage,
})  # fmt: skip
"""Screens, which usually show text."""
PROJECTIONS = frozenset({uid.XRayAngiographicImageStorage, uid.XRayRadiofluoroscopicImageStorage})
"""Made by a detector, as radiographs are; the header rules cover them."""
SCREEN_WORDS = frozenset({
    "SCREEN SAVE", "SCREENSAVE", "SCREENSHOT", "SCREEN_SAVE", "SCREEN CAPTURE", "DOSE_INFO", "DOSE", "REPORT",
    "RESULT", "VOLREN", "VRT", "SSD", "3D", "PROTOCOL",
})  # fmt: skip
"""Values of ImageType that say: drawn by a workstation."""
LOCALIZER_WORDS = frozenset({"LOCALIZER", "SCOUT", "TOPOGRAM", "SURVIEW"})
_CROSS_SECTIONS = frozenset({"CT", "MR", "PT"})
_COLOUR = ("RGB", "PALETTE", "YBR")


class Hint(StrEnum):
    """What in the header says that text is likely."""

    SCREEN_KIND = "screen_kind"  # ultrasound, secondary capture
    DECLARED = "declared"  # BurnedInAnnotation is neither empty nor NO
    CAPTURED = "captured"  # ConversionType, or a capturing device
    IMAGE_TYPE = "image_type"
    LOCALIZER = "localizer"
    COLOUR = "colour"  # a cross-section in colour
    EIGHT_BITS = "eight_bits"  # a CT in 8 bits went through a screen


@dataclass(frozen=True, slots=True)
class Assessment:
    """``hints`` in the order of their enum; empty for what a scanner made."""

    look: Look
    hints: tuple[Hint, ...] = ()

    @property
    def expects_text(self) -> bool:
        """Whether silence of the detector is no proof: the object says, or its kind, that there is text."""
        return bool({Hint.SCREEN_KIND, Hint.DECLARED, Hint.CAPTURED} & set(self.hints))


def assess_pixels(dataset: Dataset, sop_class_uid: str) -> Assessment:
    """What the header says about text in the pixels.

    Raises:
        InstanceRefusedError: BURNED_IN_ANNOTATION, UNCLEANABLE_CONTENT or UNSUPPORTED_SOP_CLASS for kinds of object
            that no rule covers.
    """
    if sop_class_uid not in ACCEPTED | PICTURES | PROJECTIONS:
        refuse_unknown_kind(sop_class_uid)
    hints = tuple(sorted(_hints(dataset, sop_class_uid), key=list(Hint).index))
    if sop_class_uid in NO_PICTURE and Hint.DECLARED not in hints:
        return Assessment(Look.NONE)
    if any(name in dataset for name in ("FloatPixelData", "DoubleFloatPixelData")):
        return Assessment(Look.NONE, hints)  # numbers of a computation; no screen and no capture stores them
    if "PixelData" not in dataset:
        if hints and Hint.DECLARED in hints:
            raise InstanceRefusedError(
                Reason.BURNED_IN_ANNOTATION, rule="pixels.declared", detail="text is declared, no pixels are there"
            )
        return Assessment(Look.NONE, hints)
    return Assessment(Look.FULL if hints else Look.SCREEN, hints)


def _hints(dataset: Dataset, sop_class_uid: str) -> set[Hint]:
    found = set()
    if sop_class_uid in PICTURES:
        found.add(Hint.SCREEN_KIND)
    if str(dataset.get("BurnedInAnnotation") or "").strip().upper() not in ("", "NO"):
        found.add(Hint.DECLARED)
    if dataset.get("ConversionType") or dataset.get("SecondaryCaptureDeviceManufacturer"):
        found.add(Hint.CAPTURED)
    kinds = dataset.get("ImageType") or ()
    values = {str(kind).strip().upper() for kind in ([kinds] if isinstance(kinds, str) else kinds)}
    if values & SCREEN_WORDS:
        found.add(Hint.IMAGE_TYPE)
    if values & LOCALIZER_WORDS:
        found.add(Hint.LOCALIZER)
    modality = dataset.get("Modality")
    if modality in _CROSS_SECTIONS and str(dataset.get("PhotometricInterpretation") or "").startswith(_COLOUR):
        found.add(Hint.COLOUR)
    if modality == "CT" and "PixelData" in dataset and dataset.get("BitsAllocated") == 8:
        found.add(Hint.EIGHT_BITS)
    return found
