"""Slices made by code, for the tests of geometry, volumes and segmentations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

OBLIQUE = (0.8, 0.6, 0.0, 0.0, 0.0, -1.0)
AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def normal_of(cosines: tuple[float, ...]) -> NDArray[np.float64]:
    return np.cross(cosines[:3], cosines[3:])


def attributes(depths: list[float], cosines: tuple[float, ...] = AXIAL, **more: object) -> list[dict[str, object]]:
    """Per-instance attributes as a manifest holds them, for slices at ``depths`` along the normal."""
    normal = normal_of(cosines)
    return [
        {
            "Rows": 4,
            "Columns": 5,
            "PixelSpacing": [0.7, 0.8],
            "ImageOrientationPatient": list(cosines),
            "ImagePositionPatient": (np.array([10.0, -20.0, 30.0]) + depth * normal).tolist(),
            **more,
        }
        for depth in depths
    ]


def make_slices(
    stored: NDArray[np.int16] | NDArray[np.uint16],
    *,
    step: float = 2.5,
    cosines: tuple[float, ...] = AXIAL,
    slopes: list[float] | None = None,
    intercept: float = -1024.0,
) -> list[Dataset]:
    """CT slices of the stored values (slice, row, column)."""
    normal, series, frame, study = normal_of(cosines), generate_uid(), generate_uid(), generate_uid()
    slices = []
    for k, plane in enumerate(stored):
        dataset = Dataset()
        dataset.file_meta = FileMetaDataset()
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.SOPClassUID = CTImageStorage
        dataset.SOPInstanceUID = generate_uid()
        dataset.SeriesInstanceUID, dataset.StudyInstanceUID, dataset.FrameOfReferenceUID = series, study, frame
        dataset.Modality = "CT"
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
        dataset.PatientID, dataset.PatientName, dataset.PatientBirthDate, dataset.PatientSex = "P1", "", "", ""
        dataset.StudyDate, dataset.StudyTime, dataset.StudyID, dataset.AccessionNumber = "20200102", "101112", "1", ""
        dataset.ReferringPhysicianName, dataset.Manufacturer = "", "Made"
        dataset.InstanceNumber, dataset.SeriesNumber = k + 1, 1
        dataset.SamplesPerPixel, dataset.PhotometricInterpretation = 1, "MONOCHROME2"
        dataset.Rows, dataset.Columns = plane.shape
        dataset.BitsAllocated, dataset.BitsStored, dataset.HighBit = 16, 16, 15
        dataset.PixelRepresentation = int(stored.dtype.kind == "i")
        dataset.ImageOrientationPatient = list(cosines)
        dataset.ImagePositionPatient = [round(float(v), 6) for v in np.array([10.0, -20.0, 30.0]) + k * step * normal]
        dataset.PixelSpacing = [0.7, 0.8]
        dataset.SliceThickness = 99  # wrong on purpose: nothing may use it
        dataset.RescaleSlope = (slopes or [1.0] * len(stored))[k]
        dataset.RescaleIntercept = intercept
        dataset.PixelData = plane.tobytes()
        slices.append(dataset)
    return slices
