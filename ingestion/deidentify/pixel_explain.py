"""What a policy does to the pixels of one kind of object, in sentences: what ``cie policy explain PixelData`` says."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.uid import UID

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.deidentify.faces import VOLUME_MODALITIES
from ingestion.deidentify.pixels.assess import NO_PICTURE, PICTURES, PROJECTIONS, ULTRASOUND
from ingestion.deidentify.pixels.kinds import ACCEPTED, refuse_unknown_kind
from ingestion.deidentify.policy import FaceChoice, PixelChoice, Policy

PIXEL_TAGS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_HINTS = (
    "BurnedInAnnotation other than NO, ConversionType, a capture device, an ImageType of screens and reports, "
    "localizers, a cross-section in colour, a CT of 8 bits"
)
_FACES = {
    FaceChoice.FLAG: "stays and is flagged (recognizable_visual_features)",
    FaceChoice.QUARANTINE: "holds the series back for a person",
    FaceChoice.DEFACE: "is blanked below the brow; a face that is not located holds the series back",
}


def pixel_sentences(policy: Policy, *, sop_class_uid: str, modality: str = "") -> tuple[str, ...]:
    """What becomes of the pixels, and when a person must look."""
    return tuple(_sentences(policy, sop_class_uid, modality))


def _sentences(policy: Policy, sop_class_uid: str, modality: str) -> Iterator[str]:
    if sop_class_uid not in ACCEPTED | PICTURES | PROJECTIONS:
        try:
            refuse_unknown_kind(sop_class_uid)
        except InstanceRefusedError as refused:
            yield f"Objects of this kind are quarantined ({refused.rule}): {refused.detail}."
        return
    if sop_class_uid in NO_PICTURE:
        yield "No picture of a person, but computed from one: the pixels stay as they are and are not looked at."
        return
    if policy.pixels is PixelChoice.QUARANTINE and sop_class_uid not in ACCEPTED:
        yield "A kind that usually shows text: quarantined, unlooked at."
        return
    if sop_class_uid in ULTRASOUND:
        yield (
            "Everything outside the ultrasound regions of the header becomes black, else the patient's line of a known "
            "screen. In what is left a detector looks for text: where it finds some, a person decides."
        )
    elif sop_class_uid in PICTURES:
        yield _captures(policy)
    else:
        yield from _scanners(policy)
    yield (
        "Boxes become black in the object's own encoding, and no other pixel changes: native, RLE, JPEG-LS, JPEG 2000 "
        "and JPEG lossless to the pixel, JPEG baseline and extended to whole blocks. In any other encoding the object "
        "is quarantined instead. The manifest tells the boxes and what found them, never the text."
    )
    if (modality or _modality_of(sop_class_uid)) in VOLUME_MODALITIES | {""}:
        yield f"A face that a CT, MR or PT series may show {_FACES[policy.faces]}."
    yield "Bytes behind the last sample and comments in compressed frames go; overlays in unused bits are set to 0."
    yield "A person decides what waits: `cie quarantine decide OBJECT --boxes …` or `--clean`."


def _captures(policy: Policy) -> str:
    if policy.pixels is PixelChoice.CLEAN:
        return (
            "A capture: what the detector takes for text becomes black; the object goes on once the detector finds "
            "nothing more. Text that is declared and not found holds it back for a person."
        )
    return "A capture: only lines of known screens are blanked by rule; with any text beside them a person decides."


def _scanners(policy: Policy) -> Iterator[str]:
    yield (
        "Made by a scanner: every frame is screened for lettering, by its strokes and by a small network; what the "
        "screen suspects, a detector looks at. Lettering over the picture holds the whole series back for a person."
    )
    if policy.pixels is PixelChoice.CLEAN:
        yield "Lettering in strokes of one value that the detector finds becomes black, and the object goes on."
    if policy.pixels is PixelChoice.QUARANTINE:
        yield "Text that is declared, captures and pictures of screens are quarantined, unlooked at."
    else:
        found = "becomes black" if policy.pixels is PixelChoice.CLEAN else "is for a person"
        yield (
            f"With a hint in the header ({_HINTS}) the detector looks at whole frames: text that it finds {found}, "
            "text that is declared and not found is for a person."
        )


def _modality_of(sop_class_uid: str) -> str:
    """The modality of a kind of object that has one name for it; empty where another kind than a volume."""
    name = UID(sop_class_uid).name
    for word, modality in (("CT ", "CT"), ("MR ", "MR"), ("PET ", "PT"), ("Positron", "PT")):
        if word in name:
            return modality
    return "OT"
