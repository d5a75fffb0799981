"""Objects that show identities in their pixels or pages: ultrasound, secondary capture, encapsulated PDF."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import (
    EncapsulatedPDFStorage,
    SecondaryCaptureImageStorage,
    UltrasoundImageStorage,
    UltrasoundMultiFrameImageStorage,
)

from ingestion.demo.lettering import burn_in
from ingestion.demo.model import Series, SeriesPlan, derived, item
from ingestion.demo.seeds import Seeds

US_ROWS, US_COLUMNS, US_FRAMES = 192, 256, 4
LETTERING = {"US": (4, 43), "OT": (4, 82)}
"""Rows that ``burned_lines`` cover, by kind of series."""


def burned_lines(plan: SeriesPlan) -> list[str]:
    """What such a machine writes at the upper edge."""
    person = plan.study.person
    return [
        f"{person.ascii_family}, {person.ascii_given}",
        f"ID {person.patient_id}  {person.birth:%d.%m.%Y}",
        plan.hospital.name.encode("ascii", "ignore").decode(),
    ]


def make_ultrasound(plan: SeriesPlan, base: Dataset, seeds: Seeds) -> Series:
    """Two stills in colour and, for an odd series number, a short cine."""
    region = item(
        RegionSpatialFormat=1,
        RegionDataType=1,
        RegionFlags=0,
        RegionLocationMinX0=0,
        RegionLocationMinY0=44,
        RegionLocationMaxX1=US_COLUMNS - 1,
        RegionLocationMaxY1=US_ROWS - 1,
        PhysicalUnitsXDirection=3,
        PhysicalUnitsYDirection=3,
        PhysicalDeltaX=0.02,
        PhysicalDeltaY=0.02,
    )
    instances = []
    for number in range(1, 3 + plan.number % 2):
        frames = US_FRAMES if number == 3 else 1
        canvas = np.stack([_fan(seeds, plan.uid, number, index) for index in range(frames)])
        for picture in canvas:
            burn_in(picture, burned_lines(plan))
        extra: dict[str, object] = (
            {"NumberOfFrames": frames, "FrameTime": "40", "FrameIncrementPointer": 0x00181063} if frames > 1 else {}
        )
        instances.append(
            derived(
                base,
                SOPClassUID=UltrasoundMultiFrameImageStorage if frames > 1 else UltrasoundImageStorage,
                SOPInstanceUID=seeds.uid(plan.station.uid_root, "sop", plan.uid, number),
                InstanceNumber=number,
                ImageType=["ORIGINAL", "PRIMARY"],
                SequenceOfUltrasoundRegions=[region],
                BurnedInAnnotation="YES",
                LossyImageCompression="00",
                **_colour(canvas),
                **extra,
            )
        )
    return Series(plan, instances)


def make_capture(plan: SeriesPlan, base: Dataset, seeds: Seeds) -> Series:
    """A screenshot of a dose report that names the patient."""
    canvas = np.zeros((320, 480), np.uint8)
    canvas[120:300, 20:460] = 40
    burn_in(canvas, ["DOSE REPORT", *burned_lines(plan), "CTDIvol 8.41 mGy", "DLP 312.6 mGycm"])
    return Series(
        plan,
        [
            derived(
                base,
                SOPClassUID=SecondaryCaptureImageStorage,
                SOPInstanceUID=seeds.uid(plan.station.uid_root, "sop", plan.uid, 1),
                InstanceNumber=1,
                ConversionType="WSD",
                ImageType=["DERIVED", "SECONDARY", "SCREEN SAVE"],
                BurnedInAnnotation="YES",
                SamplesPerPixel=1,
                PhotometricInterpretation="MONOCHROME2",
                Rows=canvas.shape[0],
                Columns=canvas.shape[1],
                BitsAllocated=8,
                BitsStored=8,
                HighBit=7,
                PixelRepresentation=0,
                PixelData=canvas.tobytes(),
            )
        ],
    )


def make_document(plan: SeriesPlan, base: Dataset, seeds: Seeds) -> Series:
    """A referral letter as encapsulated PDF."""
    letter = pdf_page([*burned_lines(plan), "Dear colleague, thank you for the referral."])
    return Series(
        plan,
        [
            derived(
                base,
                SOPClassUID=EncapsulatedPDFStorage,
                SOPInstanceUID=seeds.uid(plan.station.uid_root, "sop", plan.uid, 1),
                InstanceNumber=1,
                ConversionType="WSD",
                BurnedInAnnotation="YES",
                DocumentTitle="Referral letter",
                ConceptNameCodeSequence=[],
                MIMETypeOfEncapsulatedDocument="application/pdf",
                EncapsulatedDocument=letter + b"\0" * (len(letter) % 2),
            )
        ],
    )


def pdf_page(lines: list[str]) -> bytes:
    """A PDF (1.4) of one page with these ASCII lines."""
    text = " ".join(f"({line}) Tj 0 -16 Td" for line in lines)
    stream = f"BT /F1 12 Tf 60 760 Td {text} ET".encode("ascii")
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 5 0 R"
        b" /Resources << /Font << /F1 4 0 R >> >> >>",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(stream), stream),
    ]
    page, offsets = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(page))
        page += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    trailer = b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % len(page)
    return page + b"xref\n0 6\n0000000000 65535 f \n" + table + trailer


def _fan(seeds: Seeds, *names: str | int) -> NDArray[np.uint8]:
    """A sector of speckle on black, uint8 [row, column, 3]."""
    speckle = seeds.generator("us", *names).integers(10, 120, (US_ROWS, US_COLUMNS), np.int32)
    row = np.arange(US_ROWS)[:, None] - 44
    column = np.abs(np.arange(US_COLUMNS)[None, :] - US_COLUMNS // 2)
    sector = (row > 0) & (column * 10 < row * 7 + 120) & (column * column + row * row < 21000)
    grey = np.where(sector, speckle, 0).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def _colour(canvas: NDArray[np.uint8]) -> dict[str, object]:
    return {
        "SamplesPerPixel": 3,
        "PhotometricInterpretation": "RGB",
        "PlanarConfiguration": 0,
        "Rows": canvas.shape[1],
        "Columns": canvas.shape[2],
        "BitsAllocated": 8,
        "BitsStored": 8,
        "HighBit": 7,
        "PixelRepresentation": 0,
        "PixelData": canvas.tobytes(),
    }
