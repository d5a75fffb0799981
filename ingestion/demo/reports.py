"""Objects of words and of moving pictures: a structured report, which is cleaned, and a film, which no rule covers."""

from __future__ import annotations

from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import BasicTextSRStorage, VideoEndoscopicImageStorage

from ingestion.demo.model import Ledger, Series, SeriesPlan, code, derived, item
from ingestion.demo.seeds import Seeds

MPEG4 = "1.2.840.10008.1.2.4.102"


def make_report(plan: SeriesPlan, base: Dataset, seeds: Seeds, ledger: Ledger) -> Series:
    """A Basic Text SR (PS3.3 A.35.1) whose finding names the patient."""
    person = plan.study.person
    family = ledger.plant(person.plain_text_family, "family_name", "TextValue")
    observer = ledger.plant(plan.hospital.performing, "physician", "VerifyingObserverName")
    finding = item(
        RelationshipType="CONTAINS",
        ValueType="TEXT",
        ConceptNameCodeSequence=[code("121071", "DCM", "Finding")],
        TextValue=f"Lesion of 14 mm. {family} was told by telephone.",
    )
    report = derived(
        base,
        SOPClassUID=BasicTextSRStorage,
        SOPInstanceUID=seeds.uid(plan.station.uid_root, "sop", plan.uid, 1),
        InstanceNumber=1,
        ValueType="CONTAINER",
        ContinuityOfContent="SEPARATE",
        CompletionFlag="COMPLETE",
        VerificationFlag="VERIFIED",
        VerifyingObserverSequence=[
            item(
                VerifyingObserverName=observer,
                VerifyingOrganization="Radiology",
                VerifyingObserverIdentificationCodeSequence=[],
            )
        ],
        ConceptNameCodeSequence=[code("11528-7", "LN", "Radiology Report")],
        ContentSequence=[finding],
    )
    return Series(plan, [report])


def make_video(plan: SeriesPlan, base: Dataset, seeds: Seeds) -> Series:
    """A film in an MPEG-4 stream of a few bytes: nobody gets as far as decoding it."""
    stream = b"\0\0\0\x18ftypmp42" + seeds.generator("video", plan.uid).bytes(2048)
    video = derived(
        base,
        SOPClassUID=VideoEndoscopicImageStorage,
        SOPInstanceUID=seeds.uid(plan.station.uid_root, "sop", plan.uid, 1),
        InstanceNumber=1,
        ImageType=["ORIGINAL", "PRIMARY"],
        LossyImageCompression="01",
        NumberOfFrames=25,
        FrameTime="40",
        FrameIncrementPointer=0x00181063,
        SamplesPerPixel=3,
        PhotometricInterpretation="YBR_PARTIAL_420",
        PlanarConfiguration=0,
        Rows=1080,
        Columns=1920,
        BitsAllocated=8,
        BitsStored=8,
        HighBit=7,
        PixelRepresentation=0,
        PixelData=encapsulate([stream], has_bot=True),
    )
    video["PixelData"].VR = "OB"
    video["PixelData"].is_undefined_length = True
    return Series(plan, [video], syntax=MPEG4)
