"""Good series of many kinds, made by code: what defects are put into."""
# ruff: noqa: E501

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    DigitalMammographyXRayImageStorageForPresentation,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    MRImageStorage,
    PositronEmissionTomographyImageStorage,
    RTStructureSetStorage,
    SegmentationStorage,
    UltrasoundMultiFrameImageStorage,
)

ROOT = "2.25.77"
AXIAL = [1, 0, 0, 0, 1, 0]


def item(**values: Any) -> Dataset:
    made = Dataset()
    for keyword, value in values.items():
        setattr(
            made,
            keyword,
            Sequence(value) if isinstance(value, list) and value and isinstance(value[0], Dataset) else value,
        )
    return made


def header(sop_class: str, number: int, *, series: int, modality: str, **values: Any) -> Dataset:
    """The attributes that every object has; ``number`` counts the instances of ``series`` from 1."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = sop_class
    meta.MediaStorageSOPInstanceUID = f"{ROOT}.{series}.{number}"
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made = item(
        SpecificCharacterSet="ISO_IR 100", SOPClassUID=sop_class, SOPInstanceUID=f"{ROOT}.{series}.{number}",
        StudyInstanceUID=f"{ROOT}.0.1", SeriesInstanceUID=f"{ROOT}.{series}", FrameOfReferenceUID=f"{ROOT}.0.2",
        PatientID="P1", PatientName="P1", PatientBirthDate="", PatientSex="F", StudyDate="20200102", StudyTime="101500",
        SeriesDate="20200102", SeriesTime="101600", AcquisitionDate="20200102", AcquisitionTime="101700",
        ContentDate="20200102", ContentTime="101800", AccessionNumber="", StudyID="1", ReferringPhysicianName="",
        Modality=modality, SeriesNumber=series, InstanceNumber=number, Manufacturer="Maker", ManufacturerModelName="M1",
        PositionReferenceIndicator="", BodyPartExamined="CHEST", PatientPosition="HFS", Laterality="",
        BurnedInAnnotation="NO", AcquisitionNumber=1,
    )  # fmt: skip
    for keyword, value in values.items():
        setattr(made, keyword, value)
    made.file_meta = meta
    return made


def pixels(made: Dataset, values: NDArray[Any], *, bits: int = 12, signed: bool = False) -> Dataset:
    """The image pixel module; ``values``: (rows, columns) or (frames, rows, columns)."""
    made.SamplesPerPixel, made.PhotometricInterpretation = 1, "MONOCHROME2"
    made.Rows, made.Columns = values.shape[-2:]
    made.BitsAllocated = 8 if bits <= 8 else 16
    made.BitsStored, made.HighBit, made.PixelRepresentation = bits, bits - 1, int(signed)
    kind = "u1" if bits <= 8 else "<i2" if signed else "<u2"
    body = values.astype(kind).tobytes()
    made.PixelData = body + b"\0" * (len(body) % 2)
    made["PixelData"].VR = "OB" if bits <= 8 else "OW"
    return made


def body_mask(size: int, radius: float = 0.75) -> NDArray[np.bool_]:
    row, column = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    return (row / (radius * 0.8)) ** 2 + (column / radius) ** 2 < 1


def hounsfield(size: int, index: int, chance: np.random.Generator) -> NDArray[np.float64]:
    """One slice of a chest: air, a body of soft tissue with fat around, two lungs, a spine."""
    row, column = np.mgrid[-1 : 1 : size * 1j, -1 : 1 : size * 1j]
    picture = np.full((size, size), -1000.0)
    picture[body_mask(size)] = -90
    picture[body_mask(size, 0.7)] = 45
    for side in (-0.33, 0.33):
        picture[(row / 0.35) ** 2 + ((column - side) / (0.24 + 0.01 * (index % 5))) ** 2 < 1] = -850
    picture[((row - 0.35) / 0.1) ** 2 + (column / (0.09 + 0.002 * index)) ** 2 < 1] = 500
    return picture + chance.normal(0, 12, picture.shape)


def ct_series(slices: int = 7, size: int = 64, *, series: int = 1, spacing: float = 2.5) -> list[Dataset]:
    chance = np.random.default_rng(series)
    made = []
    for at in range(slices):
        dataset = header(
            CTImageStorage, at + 1, series=series, modality="CT", ImageType=["ORIGINAL", "PRIMARY", "AXIAL"], KVP="120",
            ImageOrientationPatient=AXIAL, ImagePositionPatient=[-120, -120, at * spacing], PixelSpacing=[0.8, 0.8],
            SliceThickness=spacing, RescaleIntercept=-1024, RescaleSlope=1, RescaleType="HU", ConvolutionKernel="B30f",
        )  # fmt: skip
        made.append(pixels(dataset, np.clip(hounsfield(size, at, chance) + 1024, 0, 4095)))
    return made


def mr_series(slices: int = 7, size: int = 64, *, series: int = 2, **values: Any) -> list[Dataset]:
    """One volume; ``values`` go to every instance."""
    chance = np.random.default_rng(series)
    made = []
    for at in range(slices):
        dataset = header(
            MRImageStorage, at + 1, series=series, modality="MR", ImageType=["ORIGINAL", "PRIMARY", "M", "ND"],
            ScanningSequence="SE", SequenceVariant="SK", ScanOptions="", MRAcquisitionType="2D", RepetitionTime=500,
            EchoTime=12, EchoTrainLength=1, MagneticFieldStrength=3, SpacingBetweenSlices=3.3,
            ImageOrientationPatient=AXIAL, ImagePositionPatient=[-110, -110, round(at * 3.3, 2)], PixelSpacing=[0.9, 0.9],
            SliceThickness=3,
        )  # fmt: skip
        for keyword, value in values.items():
            setattr(dataset, keyword, value)
        picture = 60 + 500 * body_mask(size) - 200 * body_mask(size, 0.3 + 0.02 * at)
        made.append(pixels(dataset, np.clip(picture + chance.normal(0, 15, picture.shape), 0, 4095)))
    return made


def several(times: int, keyword: str, values: list[Any], *, series: int) -> list[Dataset]:
    """``times`` volumes in one series that ``keyword`` tells apart."""
    made = []
    for number in range(times):
        for dataset in mr_series(slices=5, series=series, **{keyword: values[number]}):
            at = number * 5 + int(dataset.InstanceNumber)
            dataset.InstanceNumber, dataset.SOPInstanceUID = at, f"{ROOT}.{series}.{at}"
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
            values_now = np.frombuffer(dataset.PixelData, "<u2") // (number + 1)
            dataset.PixelData = values_now.astype("<u2").tobytes()
            made.append(dataset)
    return made


def multi_echo() -> list[Dataset]:
    return several(3, "EchoTime", [10, 20, 30], series=3)


def diffusion() -> list[Dataset]:
    return several(2, "DiffusionBValue", [0.0, 800.0], series=4)


def dynamic() -> list[Dataset]:
    made = several(3, "TemporalPositionIdentifier", [1, 2, 3], series=5)
    for dataset in made:
        dataset.NumberOfTemporalPositions = 3
    return made


def localizer() -> list[Dataset]:
    made = mr_series(slices=3, series=6)
    for dataset, cosines in zip(made, ([1, 0, 0, 0, 1, 0], [0, 1, 0, 0, 0, -1], [1, 0, 0, 0, 0, -1]), strict=True):
        dataset.ImageOrientationPatient = cosines
        del dataset.SpacingBetweenSlices
    return made


def pt_series(slices: int = 6, size: int = 48) -> list[Dataset]:
    chance = np.random.default_rng(7)
    made = []
    for at in range(slices):
        dataset = header(
            PositronEmissionTomographyImageStorage, at + 1, series=7, modality="PT", ImageType=["ORIGINAL", "PRIMARY"],
            Units="BQML", CountsSource="EMISSION", SeriesType=["WHOLE BODY", "IMAGE"], DecayCorrection="ADMIN",
            CorrectedImage=["NORM", "ATTN", "SCAT", "DECY"], NumberOfSlices=slices, ImageIndex=at + 1, PatientWeight=70,
            CollimatorType="NONE", FrameReferenceTime=0, ActualFrameDuration=120000, PatientOrientationCodeSequence=[],
            PatientGantryRelationshipCodeSequence=[], ImageOrientationPatient=AXIAL,
            ImagePositionPatient=[-120, -120, at * 4], PixelSpacing=[5, 5], SliceThickness=4, RescaleIntercept=0,
            RescaleSlope=1,
            RadiopharmaceuticalInformationSequence=Sequence([
                item(RadionuclideTotalDose=300_000_000, RadionuclideHalfLife=6586.2, RadiopharmaceuticalStartTime="091500")
            ]),
        )  # fmt: skip
        picture = 2000 * body_mask(size) + 15000 * body_mask(size, 0.15) + 100
        made.append(
            pixels(dataset, np.clip(picture + chance.normal(0, 80, picture.shape), 0, 32767), bits=16, signed=True)
        )
    return made


def mammogram(side: str = "L", size: int = 96) -> list[Dataset]:
    """The left breast: chest wall on the left, the nipple to the right."""
    row, column = np.mgrid[-1 : 1 : size * 1j, 0 : 1 : size * 1j]
    breast = (row / 0.8) ** 2 + (column / 0.7) ** 2 < 1
    picture = breast * (900 + np.random.default_rng(8).normal(0, 60, breast.shape).cumsum(axis=1) * 0.3)
    if side == "R":
        picture = picture[:, ::-1]
    dataset = header(
        DigitalMammographyXRayImageStorageForPresentation, 1, series=8, modality="MG", PresentationIntentType="FOR PRESENTATION",
        ImageType=["DERIVED", "PRIMARY"], ImageLaterality=side, ViewPosition="CC", PresentationLUTShape="IDENTITY",
        PatientOrientation=["A", "R"] if side == "L" else ["P", "L"], ImagerPixelSpacing=[0.1, 0.1],
        RescaleIntercept=0, RescaleSlope=1, RescaleType="US", PixelIntensityRelationship="LOG",
        PixelIntensityRelationshipSign=-1, PositionerType="MAMMOGRAPHIC", BreastImplantPresent="NO", PartialView="NO",
        LossyImageCompression="00", OrganExposed="BREAST",
        AnatomicRegionSequence=Sequence([item(CodeValue="76752008", CodingSchemeDesignator="SCT", CodeMeaning="Breast")]),
        ViewCodeSequence=Sequence([item(CodeValue="399162004", CodingSchemeDesignator="SCT", CodeMeaning="cranio-caudal")]),
    )  # fmt: skip
    return [pixels(dataset, np.clip(picture, 0, 4095))]


def ultrasound(frames: int = 8, size: int = 64) -> list[Dataset]:
    chance = np.random.default_rng(9)
    fan = body_mask(size, 0.9)
    loop = np.stack(
        [np.clip(fan * (90 + 4 * at) + fan * chance.normal(0, 20, fan.shape), 0, 255) for at in range(frames)]
    )
    dataset = header(
        UltrasoundMultiFrameImageStorage, 1, series=9, modality="US", ImageType=["ORIGINAL", "PRIMARY"],
        NumberOfFrames=frames, FrameTime=40, FrameIncrementPointer=0x00181063,
    )  # fmt: skip
    return [pixels(dataset, loop, bits=8)]


def dimensions(dataset: Dataset, pointer: int, group: int) -> None:
    dataset.DimensionOrganizationSequence = [item(DimensionOrganizationUID=f"{ROOT}.0.9")]
    dataset.DimensionIndexSequence = [
        item(DimensionOrganizationUID=f"{ROOT}.0.9", DimensionIndexPointer=pointer, FunctionalGroupPointer=group)
    ]


def enhanced(frames: int = 6, size: int = 48) -> list[Dataset]:
    chance = np.random.default_rng(10)
    dataset = header(
        EnhancedMRImageStorage, 1, series=10, modality="MR", ImageType=["ORIGINAL", "PRIMARY", "M", "NONE"],
        NumberOfFrames=frames, PresentationLUTShape="IDENTITY", ContentQualification="RESEARCH",
        LossyImageCompression="00",
    )  # fmt: skip
    dimensions(dataset, 0x00200032, 0x00209113)
    region = item(CodeValue="51185008", CodingSchemeDesignator="SCT", CodeMeaning="Chest")
    dataset.SharedFunctionalGroupsSequence = [
        item(
            PlaneOrientationSequence=[item(ImageOrientationPatient=AXIAL)],
            FrameAnatomySequence=[item(FrameLaterality="U", AnatomicRegionSequence=[region])],
            MRAveragesSequence=[item(NumberOfAverages=1.0)],
            PixelMeasuresSequence=[item(PixelSpacing=[1, 1], SliceThickness=3)],
        )
    ]
    dataset.PerFrameFunctionalGroupsSequence = [
        item(
            FrameContentSequence=[item(DimensionIndexValues=[1, at + 1])],
            PlanePositionSequence=[item(ImagePositionPatient=[-24, -24, at * 3.0])],
        )
        for at in range(frames)
    ]
    picture = 60 + 500 * body_mask(size) - 200 * body_mask(size, 0.3)
    return [pixels(dataset, np.clip(picture + chance.normal(0, 15, (frames, size, size)), 0, 4095))]


def reference(dataset: Dataset) -> Dataset:
    return item(ReferencedSOPClassUID=dataset.SOPClassUID, ReferencedSOPInstanceUID=dataset.SOPInstanceUID)


def segmentation(source: list[Dataset]) -> list[Dataset]:
    """Two segments of a few voxels on the middle slices of ``source``."""
    first = source[0]
    dataset = header(SegmentationStorage, 1, series=11, modality="SEG", ImageType=["DERIVED", "PRIMARY"])
    code = item(CodeValue="108369006", CodingSchemeDesignator="SCT", CodeMeaning="Neoplasm")
    dataset.LossyImageCompression = "00"
    dimensions(dataset, 0x0062000B, 0x0062000A)
    dataset.SegmentationType, dataset.ContentLabel, dataset.NumberOfFrames = "BINARY", "LESION", 4
    dataset.SegmentSequence = [
        item(
            SegmentNumber=number, SegmentLabel=f"S{number}", SegmentAlgorithmType="MANUAL",
            SegmentedPropertyCategoryCodeSequence=[code], SegmentedPropertyTypeCodeSequence=[code],
        )
        for number in (1, 2)
    ]  # fmt: skip
    dataset.ReferencedSeriesSequence = [
        item(SeriesInstanceUID=first.SeriesInstanceUID, ReferencedInstanceSequence=[reference(one) for one in source])
    ]
    dataset.SharedFunctionalGroupsSequence = [
        item(
            PlaneOrientationSequence=[item(ImageOrientationPatient=first.ImageOrientationPatient)],
            PixelMeasuresSequence=[item(PixelSpacing=first.PixelSpacing, SliceThickness=first.SliceThickness)],
        )
    ]
    groups, masks = [], []
    for number in (1, 2):
        for at in (2, 3):
            groups.append(
                item(
                    FrameContentSequence=[item(DimensionIndexValues=[number, at + 1])],
                    PlanePositionSequence=[item(ImagePositionPatient=source[at].ImagePositionPatient)],
                    SegmentIdentificationSequence=[item(ReferencedSegmentNumber=number)],
                )
            )
            mask = np.zeros((first.Rows, first.Columns), bool)
            mask[20 + 8 * number : 26 + 8 * number, 20:30] = True
            masks.append(mask)
    dataset.PerFrameFunctionalGroupsSequence = groups
    pixels(dataset, np.zeros((first.Rows, first.Columns)), bits=8)
    dataset.BitsAllocated = dataset.BitsStored = 1
    dataset.HighBit = 0
    dataset.PixelData = np.packbits(np.stack(masks).ravel(), bitorder="little").tobytes()
    return [dataset]


def structure_set(source: list[Dataset]) -> list[Dataset]:
    """One region, a square on each of three slices of ``source``."""
    dataset = header(RTStructureSetStorage, 1, series=12, modality="RTSTRUCT", StructureSetLabel="GTV")
    first = source[0]
    dataset.ReferencedFrameOfReferenceSequence = [
        item(
            FrameOfReferenceUID=first.FrameOfReferenceUID,
            RTReferencedStudySequence=[
                item(
                    ReferencedSOPClassUID="1.2.840.10008.3.1.2.3.1", ReferencedSOPInstanceUID=first.StudyInstanceUID,
                    RTReferencedSeriesSequence=[
                        item(
                            SeriesInstanceUID=first.SeriesInstanceUID,
                            ContourImageSequence=[reference(one) for one in source],
                        )
                    ],
                )
            ],
        )
    ]  # fmt: skip
    dataset.StructureSetROISequence = [
        item(
            ROINumber=1,
            ReferencedFrameOfReferenceUID=first.FrameOfReferenceUID,
            ROIName="GTV-1",
            ROIGenerationAlgorithm="",
        )
    ]
    contours = []
    for one in source[2:5]:
        x, y, z = (float(value) for value in one.ImagePositionPatient)
        square = [x + 10, y + 10, z, x + 20, y + 10, z, x + 20, y + 20, z, x + 10, y + 20, z]
        contours.append(
            item(
                ContourImageSequence=[reference(one)], ContourGeometricType="CLOSED_PLANAR", NumberOfContourPoints=4,
                ContourData=square,
            )
        )  # fmt: skip
    dataset.ROIContourSequence = [item(ReferencedROINumber=1, ContourSequence=contours)]
    dataset.RTROIObservationsSequence = [
        item(ObservationNumber=1, ReferencedROINumber=1, RTROIInterpretedType="GTV", ROIInterpreter="")
    ]
    return [dataset]
