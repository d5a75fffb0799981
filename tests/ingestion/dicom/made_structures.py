"""Structure sets made by code on the slices of ``made_slices``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RTStructureSetStorage, generate_uid

from ingestion.dicom.volume import Volume

Contour = tuple[float, Sequence[tuple[float, float]]]
"""Slice and (row, column) points, in voxels."""


def make_structures(
    slices: Sequence[Dataset],
    volume: Volume,
    regions: Mapping[str, Sequence[Contour]],
    *,
    kind: str = "CLOSED_PLANAR",
    decimals: int = 6,
) -> Dataset:
    """One ROI for each of ``regions``, its contours given in voxels of ``volume``."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    dataset.SOPClassUID, dataset.SOPInstanceUID = RTStructureSetStorage, generate_uid()
    dataset.SeriesInstanceUID, dataset.StudyInstanceUID = generate_uid(), slices[0].StudyInstanceUID
    dataset.PatientID, dataset.Modality = "P1", "RTSTRUCT"
    frame, study, series = Dataset(), Dataset(), Dataset()
    frame.FrameOfReferenceUID = slices[0].FrameOfReferenceUID
    series.SeriesInstanceUID = slices[0].SeriesInstanceUID
    study.RTReferencedSeriesSequence, frame.RTReferencedStudySequence = [series], [study]
    dataset.ReferencedFrameOfReferenceSequence = [frame]
    dataset.StructureSetROISequence, dataset.ROIContourSequence = [], []
    dataset.RTROIObservationsSequence = []
    for number, (name, contours) in enumerate(regions.items(), start=1):
        roi, drawn, observed = Dataset(), Dataset(), Dataset()
        roi.ROINumber, roi.ROIName, roi.ROIGenerationAlgorithm = number, name, "MANUAL"
        roi.ReferencedFrameOfReferenceUID = slices[0].FrameOfReferenceUID
        drawn.ReferencedROINumber = observed.ReferencedROINumber = number
        observed.ObservationNumber, observed.RTROIInterpretedType = number, "GTV"
        drawn.ContourSequence = [_contour(volume, contour, kind, decimals) for contour in contours]
        dataset.StructureSetROISequence.append(roi)
        dataset.ROIContourSequence.append(drawn)
        dataset.RTROIObservationsSequence.append(observed)
    return dataset


def _contour(volume: Volume, contour: Contour, kind: str, decimals: int) -> Dataset:
    depth, points = contour
    item = Dataset()
    world = [
        np.array(volume.origin) + (np.array([depth, *point]) * volume.spacing) @ volume.direction for point in points
    ]
    item.ContourGeometricType, item.NumberOfContourPoints = kind, len(points)
    item.ContourData = [round(float(value), decimals) for point in world for value in point]
    return item


def box(top: float, left: float, bottom: float, right: float) -> list[tuple[float, float]]:
    return [(top, left), (top, right), (bottom, right), (bottom, left)]


def inside_by_hand(polygons: Sequence[Sequence[tuple[float, float]]], shape: tuple[int, int]) -> NDArray[np.bool_]:
    """Pixel by pixel, edge by edge: the parity of edges to the left of each pixel centre.

    Each edge is followed from its lower end, as the rule says: through a centre, rounding would decide otherwise.
    """
    mask = np.zeros(shape, dtype=bool)
    edges = [
        tuple(sorted(pair, key=lambda point: point[0]))
        for polygon in polygons
        for pair in zip(polygon, [*polygon[1:], polygon[0]], strict=True)
    ]
    for row in range(shape[0]):
        for column in range(shape[1]):
            crossings = 0
            for (r1, c1), (r2, c2) in edges:
                if r1 <= row < r2 and c1 + (row - r1) / (r2 - r1) * (c2 - c1) <= column:
                    crossings += 1
            mask[row, column] = crossings % 2 == 1
    return mask
