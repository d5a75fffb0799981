"""Inputs of the benchmarks, made by code: CT slices like those of a clinical scanner, and deeply nested headers."""

from __future__ import annotations

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    CTImageStorage,
    EnhancedCTImageStorage,
    EnhancedMRImageStorage,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

ROWS = 512
NOISE_SEED = 7
_ROOT = "1.2.826.0.1.3680043.10.1137"
_PRIVATE = (
    (0x0009, "GEMS_IDEN_01", 5), (0x0019, "GEMS_ACQU_01", 9), (0x0021, "GEMS_RELA_01", 4),
    (0x0027, "GEMS_IMAG_01", 3), (0x0043, "GEMS_PARM_01", 1),
)  # fmt: skip
"""Private blocks: 22 elements and 5 creators."""
_FIXED: tuple[tuple[str, object], ...] = (
    ("SpecificCharacterSet", "ISO_IR 100"), ("ImageType", ["ORIGINAL", "PRIMARY", "AXIAL"]),
    ("InstanceCreationDate", "20210310"), ("InstanceCreationTime", "101500.12"), ("StudyDate", "20210310"),
    ("SeriesDate", "20210310"), ("AcquisitionDate", "20210310"), ("ContentDate", "20210310"),
    ("StudyTime", "100101"), ("SeriesTime", "100512"), ("AccessionNumber", "A-4471-0093"), ("Modality", "CT"),
    ("Manufacturer", "GE MEDICAL SYSTEMS"), ("InstitutionName", "Szpital Miejski"),
    ("InstitutionAddress", "ul. Kwiatowa 3, Krakow"), ("ReferringPhysicianName", "Kowalczyk^Jan"),
    ("StationName", "CT99"), ("StudyDescription", "CT CHEST W CONTRAST"), ("SeriesDescription", "CHEST 1.25 LUNG"),
    ("InstitutionalDepartmentName", "Radiology"), ("PhysiciansOfRecord", "Nowak^Ewa"),
    ("PerformingPhysicianName", "Lis^Adam"), ("NameOfPhysiciansReadingStudy", "Nowak^Ewa"),
    ("OperatorsName", "Mazur^Olga"), ("AdmittingDiagnosesDescription", "nodule"),
    ("ManufacturerModelName", "Discovery CT750 HD"), ("PatientName", "Przybylski^Wanda"),
    ("PatientID", "PL-4471-99"), ("IssuerOfPatientID", "KRK"), ("PatientBirthDate", "19510612"),
    ("PatientSex", "F"), ("OtherPatientIDs", "PL-4471-98"), ("PatientAge", "069Y"), ("PatientSize", "1.64"),
    ("PatientWeight", "71"), ("MedicalAlerts", "none"), ("EthnicGroup", "x"), ("Occupation", "teacher"),
    ("PatientComments", "call Wanda 0048 12 447 1990"), ("PregnancyStatus", 1),
    ("ContrastBolusAgent", "OMNI"), ("BodyPartExamined", "CHEST"), ("ScanOptions", "HELICAL MODE"),
    ("SliceThickness", "1.25"), ("KVP", "120"), ("DataCollectionDiameter", "500"),
    ("DeviceSerialNumber", "00031447"), ("SoftwareVersions", "gmp_hde.50"), ("ProtocolName", "5.1 CHEST ROUTINE"),
    ("ReconstructionDiameter", "360"), ("DistanceSourceToDetector", "949.147"),
    ("DistanceSourceToPatient", "541"), ("GantryDetectorTilt", "0"), ("TableHeight", "151"),
    ("RotationDirection", "CW"), ("ExposureTime", "500"), ("XRayTubeCurrent", "320"), ("Exposure", "160"),
    ("FilterType", "BODY FILTER"), ("GeneratorPower", "38400"), ("FocalSpots", "1.2"),
    ("DateOfLastCalibration", "20210301"), ("TimeOfLastCalibration", "060000"), ("ConvolutionKernel", "LUNG"),
    ("PatientPosition", "FFS"), ("RevolutionTime", 0.5), ("SingleCollimationWidth", 0.625),
    ("TotalCollimationWidth", 40.0), ("TableSpeed", 110.0), ("TableFeedPerRotation", 55.0),
    ("SpiralPitchFactor", 1.375), ("StudyID", "4471"), ("SeriesNumber", 3), ("AcquisitionNumber", 1),
    ("ImageOrientationPatient", ["1", "0", "0", "0", "1", "0"]), ("PositionReferenceIndicator", "SN"),
    ("SamplesPerPixel", 1), ("PhotometricInterpretation", "MONOCHROME2"), ("Rows", ROWS), ("Columns", ROWS),
    ("PixelSpacing", ["0.703125", "0.703125"]), ("BitsAllocated", 16), ("BitsStored", 16), ("HighBit", 15),
    ("PixelRepresentation", 1), ("PixelPaddingValue", -2000), ("WindowCenter", "-600"), ("WindowWidth", "1500"),
    ("RescaleIntercept", "-1024"), ("RescaleSlope", "1"), ("RescaleType", "HU"),
    ("RequestingPhysician", "Kowalczyk^Jan"), ("RequestingService", "ONCOLOGY"),
    ("RequestedProcedureDescription", "CT CHEST"), ("PerformedProcedureStepStartDate", "20210310"),
    ("PerformedProcedureStepStartTime", "100101"), ("PerformedProcedureStepID", "PPS4471"),
    ("PerformedProcedureStepDescription", "CT CHEST"), ("RequestedProcedureID", "RP4471"),
)  # fmt: skip


def _base(sop_class: str, number: int, *, implicit: bool) -> Dataset:
    dataset = Dataset()
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = pydicom.uid.UID(sop_class)
    meta.MediaStorageSOPInstanceUID = pydicom.uid.UID(f"{_ROOT}.3.{number}")
    meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else ExplicitVRLittleEndian
    dataset.file_meta = meta
    for keyword, value in _FIXED:
        setattr(dataset, keyword, value)
    dataset.SOPClassUID, dataset.SOPInstanceUID = sop_class, f"{_ROOT}.3.{number}"
    dataset.StudyInstanceUID, dataset.SeriesInstanceUID = f"{_ROOT}.1.1", f"{_ROOT}.2.1"
    dataset.FrameOfReferenceUID = f"{_ROOT}.4.1"
    dataset.InstanceNumber = number
    return dataset


def ct_slice(number: int, pixels: bytes, *, implicit: bool = False) -> bytes:
    """One slice: about 142 elements, 27 of them private, two of them sequences; 512 x 512 samples of 16 bits."""
    dataset = _base(CTImageStorage, number, implicit=implicit)
    dataset.AcquisitionTime, dataset.ContentTime = f"{100600 + number % 50}.5", f"{100700 + number % 50}.5"
    dataset.SliceLocation, dataset.ImagePositionPatient = f"{number * 1.25:.3f}", ["-180", "-180", f"{number * 1.25}"]
    for keyword in ("ReferencedStudySequence", "ReferencedImageSequence"):
        item = Dataset()
        item.ReferencedSOPClassUID, item.ReferencedSOPInstanceUID = CTImageStorage, f"{_ROOT}.5.1"
        setattr(dataset, keyword, [item])
    for group, creator, count in _PRIVATE:
        block = dataset.private_block(group, creator, create=True)
        for index in range(count):
            vr, value = (("DS", f"{index}.5"), ("LO", "gemsct"), ("SL", index), ("US", index))[index % 4]
            block.add_new(0x10 + index, vr, value)
    dataset.PixelData = pixels
    dataset["PixelData"].VR = "OW"
    return _written(dataset)


def enhanced_mr(frames: int, *, rows: int = 8, undefined: bool = True) -> bytes:
    """An enhanced MR object with per-frame functional groups, nested as deeply as Siemens XA writes them."""
    dataset = _base(EnhancedMRImageStorage, frames, implicit=False)
    dataset.Modality, dataset.Manufacturer = "MR", "Siemens Healthineers"
    dataset.NumberOfFrames, dataset.Rows, dataset.Columns = frames, rows, rows
    dataset.PerFrameFunctionalGroupsSequence = [_frame(index) for index in range(frames)]
    if undefined:
        _open_lengths(dataset)
    dataset.PixelData = bytes(frames * rows * rows * 2)
    dataset["PixelData"].VR = "OW"
    return _written(dataset)


def large_multiframe(path: Path, size: int) -> None:
    """A multi-frame CT object with about ``size`` bytes of pixels, all zero: the file takes no disk until copied."""
    frames = size // (ROWS * ROWS * 2)
    dataset = _base(EnhancedCTImageStorage, 1, implicit=False)
    dataset.NumberOfFrames = frames
    header = _written(dataset)
    length = frames * ROWS * ROWS * 2
    with path.open("wb") as stream:
        stream.write(header + struct.pack("<HH2sHL", 0x7FE0, 0x0010, b"OW", 0, length))
        stream.truncate(stream.tell() + length)


def _frame(index: int) -> Dataset:
    def group(**values: object) -> list[Dataset]:
        item = Dataset()
        for keyword, value in values.items():
            setattr(item, keyword, value)
        return [item]

    purpose = group(CodeValue="121322", CodingSchemeDesignator="DCM", CodeMeaning="Source image for image processing")
    frame = Dataset()
    frame.FrameContentSequence = group(
        FrameAcquisitionDateTime=f"202103101010{index % 60:02d}.5", FrameReferenceDateTime="20210310101000",
        FrameAcquisitionNumber=index + 1, DimensionIndexValues=[1, index + 1], FrameAcquisitionDuration=12.5,
    )  # fmt: skip
    frame.PlanePositionSequence = group(ImagePositionPatient=["-100.5", "-120.25", f"{index * 0.9:.4f}"])
    frame.PlaneOrientationSequence = group(ImageOrientationPatient=["1", "0", "0", "0", "0.9986", "-0.0523"])
    frame.PixelMeasuresSequence = group(SliceThickness="0.9", PixelSpacing=["0.9", "0.9"])
    frame.MREchoSequence = group(EffectiveEchoTime=2.98)
    frame.PixelValueTransformationSequence = group(RescaleIntercept="0", RescaleSlope="1", RescaleType="US")
    frame.FrameVOILUTSequence = group(WindowCenter=f"{400 + index % 7}", WindowWidth="900")
    frame.DerivationImageSequence = group(
        DerivationDescription="distortion corrected",
        SourceImageSequence=group(
            ReferencedSOPClassUID=EnhancedMRImageStorage, ReferencedSOPInstanceUID=f"{_ROOT}.6.{index}",
            PurposeOfReferenceCodeSequence=purpose,
        ),
    )  # fmt: skip
    inner = Dataset()
    block = inner.private_block(0x0021, "SIEMENS MR SDI 02", create=True)
    for offset, (vr, value) in enumerate((("FD", 1.5), ("LO", "FFT"), ("IS", f"{index}"), ("SH", "T1"), ("DS", "0.5"))):
        block.add_new(0x20 + offset, vr, value)
    frame.private_block(0x0021, "SIEMENS MR SDI 02", create=True).add_new(0xFE, "SQ", [inner])
    return frame


def _open_lengths(dataset: Dataset) -> None:
    """Write every sequence and item with undefined length."""
    for element in dataset:
        if element.VR == "SQ":
            element.is_undefined_length = True
            for item in element.value:
                item.is_undefined_length_sequence_item = True
                _open_lengths(item)


def _written(dataset: Dataset) -> bytes:
    out = BytesIO()
    pydicom.dcmwrite(out, dataset, enforce_file_format=True)
    return out.getvalue()


def _chest(noise: np.random.Generator) -> np.ndarray[tuple[int, int], np.dtype[np.int16]]:
    """HU of a body with two lungs and a spine in air, with a scanner's noise (standard deviation 20 HU).

    Pixels of no picture, such as uniform noise, would cost the search for lettering a hundred times what it costs.
    """
    row, column = np.mgrid[-1 : 1 : ROWS * 1j, -1 : 1 : ROWS * 1j]
    picture = np.full((ROWS, ROWS), -1000.0)
    picture[(row / 0.6) ** 2 + (column / 0.85) ** 2 < 1] = 40
    for side in (-0.4, 0.4):
        picture[(row / 0.4) ** 2 + ((column - side) / 0.28) ** 2 < 1] = -850
    picture[((row - 0.35) / 0.12) ** 2 + (column / 0.1) ** 2 < 1] = 400
    return (picture + noise.normal(0, 20, picture.shape)).astype(np.int16)


def write_slices(folder: Path, count: int, *, implicit: bool = False) -> list[Path]:
    """``count`` slices in ``folder``; those that are there are made again."""
    folder.mkdir(parents=True, exist_ok=True)
    noise = np.random.default_rng(NOISE_SEED)
    paths = []
    for number in range(1, count + 1):
        pixels = _chest(noise).tobytes()
        paths.append(folder / f"{number:05d}.dcm")
        paths[-1].write_bytes(ct_slice(number, pixels, implicit=implicit))
    return paths
