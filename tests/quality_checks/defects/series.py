"""Good series of many kinds, made by code: what defects are put into."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import (
    CTImageStorage,
    ExplicitVRLittleEndian,
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
