"""Projection images: mammography in four views, radiographs, planar nuclear medicine."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import (
    ComputedRadiographyImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    DigitalXRayImageStorageForPresentation,
    NuclearMedicineImageStorage,
)

from ingestion.demo.model import Series, SeriesPlan, code, derived, item
from ingestion.demo.seeds import Seeds
from ingestion.demo.volumes import pixels

VIEWS = (("L", "CC"), ("R", "CC"), ("L", "MLO"), ("R", "MLO"))
VIEW_CODES = {"CC": ("R-10242", "cranio-caudal"), "MLO": ("R-10226", "medio-lateral oblique")}
RADIOGRAPH_VIEWS = (("PA", ["L", "F"]), ("LL", ["A", "F"]))


def make_mammogram(plan: SeriesPlan, base: Dataset, seeds: Seeds) -> Series:
    """Four views, each an instance; ``plan.size`` columns."""
    instances = []
    for number, (side, view) in enumerate(VIEWS, start=1):
        value, meaning = VIEW_CODES[view]
        picture = _breast(plan, seeds, number, oblique=view == "MLO", mirrored=side == "R")
        instances.append(
            derived(
                base,
                SOPClassUID=DigitalMammographyXRayImageStorageForPresentation,
                SOPInstanceUID=seeds.uid(plan.station.uid_root, "sop", plan.uid, number),
                InstanceNumber=number,
                ImageType=["ORIGINAL", "PRIMARY", ""],
                PresentationIntentType="FOR PRESENTATION",
                ImageLaterality=side,
                ViewPosition=view,
                ViewCodeSequence=[
                    item(
                        CodeValue=value, CodingSchemeDesignator="SRT", CodeMeaning=meaning, ViewModifierCodeSequence=[]
                    )
                ],
                AnatomicRegionSequence=[code("T-04000", "SRT", "Breast")],
                PatientOrientation=["A", "R"] if side == "L" else ["P", "L"],
                OrganExposed="BREAST",
                PositionerType="MAMMOGRAPHIC",
                KVP="29",
                ExposureInuAs=92000,
                AnodeTargetMaterial="TUNGSTEN",
                FilterMaterial="RHODIUM",
                BodyPartThickness=str(seeds.between(38, 72, "thickness", plan.uid, number)),
                CompressionForce=str(seeds.between(70, 130, "force", plan.uid, number)),
                OrganDose="0.0132",
                ImagerPixelSpacing=["0.7", "0.7"],
                PixelSpacing=["0.7", "0.7"],
                PixelIntensityRelationship="LOG",
                PixelIntensityRelationshipSign=-1,
                RescaleIntercept="0",
                RescaleSlope="1",
                RescaleType="US",
                PresentationLUTShape="IDENTITY",
                LossyImageCompression="00",
                WindowCenter="2048",
                WindowWidth="4096",
                **pixels(picture, signed=False, bits=12),
            )
        )
    return Series(plan, instances)


def make_radiograph(plan: SeriesPlan, base: Dataset, seeds: Seeds) -> Series:
    """Two views of a chest or abdomen: CR or DX by the plan's modality."""
    instances = []
    digital = plan.modality == "DX"
    for number, (view, orientation) in enumerate(RADIOGRAPH_VIEWS, start=1):
        picture = _radiograph(plan, seeds, number)
        extra: dict[str, object] = (
            {
                "PresentationIntentType": "FOR PRESENTATION",
                "ImageLaterality": "U",
                "PixelIntensityRelationship": "LOG",
                "PixelIntensityRelationshipSign": -1,
                "RescaleIntercept": "0",
                "RescaleSlope": "1",
                "RescaleType": "US",
                "PresentationLUTShape": "IDENTITY",
                "DetectorType": "SCINTILLATOR",
            }
            if digital
            else {"PlateType": "IP", "CassetteSize": "35CMX43CM", "Sensitivity": "200"}
        )
        dataset = derived(
            base,
            SOPClassUID=DigitalXRayImageStorageForPresentation if digital else ComputedRadiographyImageStorage,
            SOPInstanceUID=seeds.uid(plan.station.uid_root, "sop", plan.uid, number),
            InstanceNumber=number,
            ImageType=["ORIGINAL", "PRIMARY"],
            ViewPosition=view,
            PatientOrientation=orientation,
            KVP="117",
            Exposure=3,
            ImagerPixelSpacing=["1.4", "1.4"],
            LossyImageCompression="00",
            WindowCenter="512",
            WindowWidth="1024",
            **pixels(picture, signed=False, bits=10),
            **extra,
        )
        if not digital:
            dataset.add_new(0x00280004, "CS", "MONOCHROME1")
        instances.append(dataset)
    return Series(plan, instances)


def make_planar(plan: SeriesPlan, base: Dataset, seeds: Seeds) -> Series:
    """A whole-body MIBG scan, anterior and posterior, as one multi-frame object."""
    rows, columns = 2 * plan.size, plan.size
    counts = np.stack([_planar(plan, seeds, rows, columns, view) for view in range(2)])
    dataset = derived(
        base,
        SOPClassUID=NuclearMedicineImageStorage,
        SOPInstanceUID=seeds.uid(plan.station.uid_root, "sop", plan.uid, 1),
        InstanceNumber=1,
        ImageType=["ORIGINAL", "PRIMARY", "WHOLE BODY", "EMISSION"],
        **{**pixels(counts[0], signed=False), "PixelData": counts.astype("<u2").tobytes()},
        NumberOfFrames=2,
        FrameIncrementPointer=[0x00540010, 0x00540020],
        EnergyWindowVector=[1, 1],
        DetectorVector=[1, 2],
        NumberOfEnergyWindows=1,
        NumberOfDetectors=2,
        CountsAccumulated=int(counts.sum()),
        ActualFrameDuration=1200000,
        WholeBodyTechnique="1PS",
        PixelSpacing=["4.8", "4.8"],
        EnergyWindowInformationSequence=[
            item(
                EnergyWindowName="I-123",
                EnergyWindowRangeSequence=[item(EnergyWindowLowerLimit="143.1", EnergyWindowUpperLimit="174.9")],
            )
        ],
        RadiopharmaceuticalInformationSequence=[
            item(
                Radiopharmaceutical="I-123 MIBG",
                RadionuclideCodeSequence=[code("C-114A4", "SRT", "^123^Iodine")],
                RadionuclideTotalDose="185",
            )
        ],
        DetectorInformationSequence=[
            item(
                CollimatorType="PARA",
                ViewCodeSequence=[code(value, "SRT", meaning)],
                ImageOrientationPatient=orientation,
                ImagePositionPatient=["0", "0", "0"],
            )
            for value, meaning, orientation in (
                ("R-10206", "anterior", ["1", "0", "0", "0", "0", "-1"]),
                ("R-102C1", "posterior", ["-1", "0", "0", "0", "0", "-1"]),
            )
        ],
        PatientOrientationCodeSequence=[code("F-10450", "SRT", "recumbent")],
        PatientGantryRelationshipCodeSequence=[code("F-10470", "SRT", "headfirst")],
    )
    return Series(plan, [dataset])


def _axes(rows: int, columns: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    y = (2 * np.arange(rows, dtype=np.float64) + 1 - rows) / rows
    x = (2 * np.arange(columns, dtype=np.float64) + 1 - columns) / columns
    return y[:, None], x[None, :]


def _breast(plan: SeriesPlan, seeds: Seeds, number: int, *, oblique: bool, mirrored: bool) -> NDArray[np.int32]:
    """An oblique view has tissue up to the arm pit, and the pectoral muscle there."""
    rows, columns = plan.size * 5 // 4, plan.size
    y, x = _axes(rows, columns)
    noise = seeds.generator("pixels", plan.uid, number).integers(-40, 41, (rows, columns), np.int32)
    outline = ((x + 1) / 1.3) ** 2 + (y / 0.85) ** 2
    gland = ((x + 0.55) / 0.5) ** 2 + (y / 0.5) ** 2
    mass = ((x + 0.4) / 0.1) ** 2 + ((y - 0.1) / 0.08) ** 2
    tissue = (outline <= 1) | (oblique & (y < 0) & (x < -0.1))
    picture = np.where(tissue, 1100 + noise, 20)
    picture = np.where(gland <= 1, 1900 + 2 * noise, picture)
    if number in (1, 3):
        picture = np.where(mass <= 1, 2900 + noise, picture)
    if oblique:
        picture = np.where((x + 1) / 0.7 + (y + 1) / 1.3 < 1, 2400 + noise, picture)
    return np.ascontiguousarray(picture[:, ::-1] if mirrored else picture).astype(np.int32)


def _radiograph(plan: SeriesPlan, seeds: Seeds, number: int) -> NDArray[np.int32]:
    y, x = _axes(plan.size, plan.size)
    noise = seeds.generator("pixels", plan.uid, number).integers(-18, 19, (plan.size, plan.size), np.int32)
    picture = np.where((x / 0.9) ** 2 + y**4 <= 1, 620 + noise, 60)
    lungs = ((np.abs(x) - 0.42) / 0.3) ** 2 + ((y + 0.1) / 0.62) ** 2
    picture = np.where(lungs <= 1, 300 + noise, picture)
    heart = ((x - 0.1) / 0.26) ** 2 + ((y - 0.2) / 0.3) ** 2
    picture = np.where(heart <= 1, 740 + noise, picture)
    return picture.astype(np.int32)


def _planar(plan: SeriesPlan, seeds: Seeds, rows: int, columns: int, view: int) -> NDArray[np.int32]:
    y, x = _axes(rows, columns)
    noise = seeds.generator("pixels", plan.uid, view).integers(0, 5, (rows, columns), np.int32)
    body = (x / 0.5) ** 2 + (y / 0.95) ** 2
    liver = ((x + 0.15) / 0.2) ** 2 + ((y + 0.15) / 0.1) ** 2
    tumour = ((x - 0.12) / 0.1) ** 2 + (y / 0.06) ** 2
    picture = np.where(body <= 1, 8 + noise, noise // 3)
    picture = np.where(liver <= 1, 60 + 4 * noise, picture)
    return np.where(tumour <= 1, 130 + 5 * noise, picture).astype(np.int32)
