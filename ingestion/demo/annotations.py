"""What experts draw on volumes: Segmentation (PS3.3 A.51) and RT Structure Set (PS3.3 A.19) of the lesions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import RTStructureSetStorage, SegmentationStorage

from ingestion.demo.headers import series_base
from ingestion.demo.model import Ledger, Series, SeriesPlan, code, decimal, item, put
from ingestion.demo.seeds import Seeds
from ingestion.demo.volumes import geometry

ABNORMAL = ("49755003", "SCT", "Morphologically Abnormal Structure")
NEOPLASM = ("108369006", "SCT", "Neoplasm")
NECROSIS = ("6574001", "SCT", "Necrosis")
SEGMENTATION_PURPOSE = ("121322", "DCM", "Source image for image processing operation")
DERIVATION = ("113076", "DCM", "Segmentation")
STUDY_MANAGEMENT = "1.2.840.10008.3.1.2.3.1"
"""Detached Study Management: the class under which RT structure sets refer to a study."""
FEWEST_POINTS = 3


def make_segmentation(source: Series, *, segments: int, seeds: Seeds, ledger: Ledger) -> Series:
    """One or two segments on the lesion of a volume: the whole lesion, or its rim and its necrotic core.

    Raises:
        ValueError: the series has no lesion mask.
    """
    if source.lesions is None:
        raise ValueError("only a volume with a lesion mask can be segmented")
    plan = _annotation_plan(source.plan, seeds, modality="SEG", step=100, description="Lesion segmentation")
    base = series_base(plan, seeds, ledger)
    labels = source.lesions if segments > 1 else (source.lesions > 0).astype(np.uint8)
    shape = geometry(source.plan)
    dimension = seeds.uid(plan.station.uid_root, "dimension", plan.uid)
    frames, groups = [], []
    for segment in range(1, segments + 1):
        for index in range(len(labels)):
            mask = labels[index] == segment
            if mask.any():
                frames.append(mask)
                groups.append(_frame_group(source, segment, index, shape.position(index)))
    put(
        base,
        SOPClassUID=SegmentationStorage,
        SOPInstanceUID=seeds.uid(plan.station.uid_root, "sop", plan.uid, 1),
        InstanceNumber=1,
        ImageType=["DERIVED", "PRIMARY"],
        ContentLabel="LESION",
        ContentDescription="Lesion outline",
        ContentCreatorName=ledger.plant(plan.hospital.operator, "operator", "ContentCreatorName"),
        FrameOfReferenceUID=plan.frame_of_reference,
        PositionReferenceIndicator="",
        SegmentationType="BINARY",
        SegmentsOverlap="NO",
        LossyImageCompression="00",
        NumberOfFrames=len(frames),
        SegmentSequence=[_segment(number, seeds, plan) for number in range(1, segments + 1)],
        DimensionOrganizationSequence=[item(DimensionOrganizationUID=dimension)],
        DimensionIndexSequence=[
            item(
                DimensionOrganizationUID=dimension,
                DimensionIndexPointer=0x0062000B,
                FunctionalGroupPointer=0x0062000A,
                DimensionDescriptionLabel="Referenced Segment Number",
            ),
            item(
                DimensionOrganizationUID=dimension,
                DimensionIndexPointer=0x00200032,
                FunctionalGroupPointer=0x00209113,
                DimensionDescriptionLabel="Image Position (Patient)",
            ),
        ],
        SharedFunctionalGroupsSequence=[
            item(
                PlaneOrientationSequence=[
                    item(ImageOrientationPatient=[decimal(value) for value in (*shape.row, *shape.column)])
                ],
                PixelMeasuresSequence=[
                    item(
                        PixelSpacing=[decimal(shape.pixel_mm)] * 2,
                        SliceThickness=decimal(shape.slice_mm),
                        SpacingBetweenSlices=decimal(shape.slice_mm),
                    )
                ],
            )
        ],
        PerFrameFunctionalGroupsSequence=groups,
        ReferencedSeriesSequence=[
            item(
                SeriesInstanceUID=source.plan.uid, ReferencedInstanceSequence=[_reference(s) for s in source.instances]
            )
        ],
        **_bits(frames),
    )
    return Series(plan, [base])


def make_structure_set(source: Series, *, seeds: Seeds, ledger: Ledger) -> Series:
    """The lesion's outline on each slice as closed planar contours.

    Raises:
        ValueError: the series has no lesion mask.
    """
    if source.lesions is None:
        raise ValueError("only a volume with a lesion mask can be outlined")
    plan = _annotation_plan(source.plan, seeds, modality="RTSTRUCT", step=200, description="RT structures")
    base = series_base(plan, seeds, ledger)
    person, day = plan.study.person, plan.study.day.strftime("%Y%m%d")
    contours = [
        item(
            ContourImageSequence=[_reference(source.instances[index])],
            ContourGeometricType="CLOSED_PLANAR",
            NumberOfContourPoints=len(points) // 3,
            ContourData=points,
        )
        for index in range(len(source.lesions))
        if len(points := _outline(source, index)) >= 3 * FEWEST_POINTS
    ]
    put(
        base,
        SOPClassUID=RTStructureSetStorage,
        SOPInstanceUID=seeds.uid(plan.station.uid_root, "sop", plan.uid, 1),
        InstanceNumber=1,
        StructureSetLabel="GTV",
        StructureSetDescription="planned for "
        + ledger.plant(person.plain_text_family, "family_name", "StructureSetDescription"),
        StructureSetDate=day,
        StructureSetTime=plan.study.time,
        FrameOfReferenceUID=plan.frame_of_reference,
        PositionReferenceIndicator="",
        ReferencedFrameOfReferenceSequence=[
            item(
                FrameOfReferenceUID=plan.frame_of_reference,
                RTReferencedStudySequence=[
                    item(
                        ReferencedSOPClassUID=STUDY_MANAGEMENT,
                        ReferencedSOPInstanceUID=plan.study.uid,
                        RTReferencedSeriesSequence=[
                            item(
                                SeriesInstanceUID=source.plan.uid,
                                ContourImageSequence=[_reference(s) for s in source.instances],
                            )
                        ],
                    )
                ],
            )
        ],
        StructureSetROISequence=[
            item(
                ROINumber=1,
                ReferencedFrameOfReferenceUID=plan.frame_of_reference,
                ROIName="GTV-1",
                ROIGenerationAlgorithm="MANUAL",
            )
        ],
        ROIContourSequence=[item(ROIDisplayColor=[255, 0, 0], ReferencedROINumber=1, ContourSequence=contours)],
        RTROIObservationsSequence=[
            item(
                ObservationNumber=1,
                ReferencedROINumber=1,
                RTROIInterpretedType="GTV",
                ROIInterpreter=ledger.plant(plan.hospital.operator, "operator", "ROIInterpreter"),
            )
        ],
        ApprovalStatus="UNAPPROVED",
    )
    return Series(plan, [base])


def _annotation_plan(source: SeriesPlan, seeds: Seeds, *, modality: str, step: int, description: str) -> SeriesPlan:
    return replace(
        source,
        modality=modality,
        kind=modality,
        number=source.number + step,
        uid=seeds.uid(source.station.uid_root, "series", modality, source.uid),
        description=description,
    )


def _reference(dataset: Dataset) -> Dataset:
    return item(ReferencedSOPClassUID=dataset.SOPClassUID, ReferencedSOPInstanceUID=dataset.SOPInstanceUID)


def _segment(number: int, seeds: Seeds, plan: SeriesPlan) -> Dataset:
    return item(
        SegmentNumber=number,
        SegmentLabel="Lesion" if number == 1 else "Core",
        SegmentedPropertyCategoryCodeSequence=[code(*ABNORMAL)],
        SegmentedPropertyTypeCodeSequence=[code(*(NEOPLASM if number == 1 else NECROSIS))],
        SegmentAlgorithmType="MANUAL",
        TrackingID=f"lesion-{number}",
        TrackingUID=seeds.uid(plan.station.uid_root, "tracking", plan.uid, number),
    )


def _frame_group(source: Series, segment: int, index: int, position: tuple[float, float, float]) -> Dataset:
    image = _reference(source.instances[index])
    put(image, PurposeOfReferenceCodeSequence=[code(*SEGMENTATION_PURPOSE)])
    return item(
        FrameContentSequence=[item(DimensionIndexValues=[segment, index + 1])],
        PlanePositionSequence=[item(ImagePositionPatient=[decimal(value) for value in position])],
        SegmentIdentificationSequence=[item(ReferencedSegmentNumber=segment)],
        DerivationImageSequence=[
            item(DerivationCodeSequence=[code(*DERIVATION)], SourceImageSequence=[image]),
        ],
    )


def _bits(frames: Sequence[NDArray[np.bool_]]) -> dict[str, object]:
    """The image pixel module of one-bit frames, packed one after the other (PS3.5 section 8.1.1)."""
    stacked = np.stack(frames)
    packed = np.packbits(stacked.ravel(), bitorder="little").tobytes()
    return {
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": stacked.shape[1],
        "Columns": stacked.shape[2],
        "BitsAllocated": 1,
        "BitsStored": 1,
        "HighBit": 0,
        "PixelRepresentation": 0,
        "PixelData": packed + b"\0" * (len(packed) % 2),
    }


def _outline(source: Series, index: int) -> list[str]:
    """The convex lesion of one slice as a polygon through pixel centres: x, y, z of each point in mm."""
    if source.lesions is None:
        return []
    mask = source.lesions[index] > 0
    rows = np.flatnonzero(mask.any(axis=1))
    left = [(int(row), int(np.flatnonzero(mask[row])[0])) for row in rows]
    right = [(int(row), int(np.flatnonzero(mask[row])[-1])) for row in rows[::-1]]
    shape = geometry(source.plan)
    corner = shape.position(index)
    points: list[str] = []
    for row, column in (*left, *right):
        points.extend(
            decimal(corner[axis] + shape.pixel_mm * (column * shape.row[axis] + row * shape.column[axis]))
            for axis in range(3)
        )
    return points
