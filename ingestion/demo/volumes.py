"""CT, MR and PET series slice by slice: regular positions, plausible values, all that quantification needs."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.uid import CTImageStorage, MRImageStorage, PositronEmissionTomographyImageStorage

from ingestion.demo.model import Series, SeriesPlan, Vendor, code, decimal, derived, item, put
from ingestion.demo.phantom import Contrast, image, label_volume
from ingestion.demo.seeds import Seeds

AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))
TILTED = ((1.0, 0.0, 0.0), (0.0, 0.96, 0.28))
"""An oblique plane whose cosines are exact decimals (7, 24, 25)."""
FIELD_MM = {"CT": 400, "PT": 500, "MR": 240}
SLICE_MM = {"CT": 5.0, "PT": 5.0, "MR": 3.5}
F18_HALF_LIFE_S = 6586.2
KERNELS = {Vendor.SIEMENS: "B30f", Vendor.GE: "STANDARD", Vendor.PHILIPS: "B", Vendor.TOSHIBA: "FC08"}
B_VALUES = (0, 800)
DCE_PHASES = 3


@dataclass(frozen=True, slots=True)
class Geometry:
    """Where slices lie: mm, in the patient's coordinates."""

    size: int
    slices: int
    pixel_mm: float
    slice_mm: float
    row: tuple[float, float, float]
    column: tuple[float, float, float]

    def position(self, index: int) -> tuple[float, float, float]:
        """Centre of the first pixel of a slice; the volume's centre is the origin."""
        half, depth = self.pixel_mm * (self.size - 1) / 2, self.slice_mm * (index - (self.slices - 1) / 2)
        (r0, r1, r2), (c0, c1, c2) = self.row, self.column
        normal = (r1 * c2 - r2 * c1, r2 * c0 - r0 * c2, r0 * c1 - r1 * c0)
        return (
            normal[0] * depth - half * (r0 + c0),
            normal[1] * depth - half * (r1 + c1),
            normal[2] * depth - half * (r2 + c2),
        )


def geometry(plan: SeriesPlan) -> Geometry:
    """The geometry of a plan: MR of Siemens lies tilted, everything else axial."""
    tilted = plan.modality == "MR" and plan.station.vendor is Vendor.SIEMENS
    row, column = TILTED if tilted else AXIAL
    return Geometry(plan.size, plan.slices, FIELD_MM[plan.modality] / plan.size, SLICE_MM[plan.modality], row, column)


def make_volume(plan: SeriesPlan, base: Dataset, seeds: Seeds) -> Series:
    """The series of a plan whose kind is CT, T1, T2, DWI, DCE or PT."""
    person = plan.study.person.patient_id
    wobble = tuple(seeds.between(0, 99, "wobble", person, axis) for axis in range(3))
    labels, lesions = label_volume(
        plan.cancer, slices=plan.slices, size=plan.size, wobble=(wobble[0], wobble[1], wobble[2])
    )
    makers = {"CT": _ct, "PT": _pt, "T1": _mr, "T2": _mr, "DWI": _dwi, "DCE": _dce}
    instances = makers[plan.kind](plan, base, labels, seeds)
    for number, dataset in enumerate(instances, start=1):
        put(
            dataset,
            InstanceNumber=number,
            SOPInstanceUID=seeds.uid(plan.station.uid_root, "sop", plan.uid, number),
        )
    return Series(plan, instances, lesions=lesions)


def frame(plan: SeriesPlan, shape: Geometry, index: int) -> dict[str, object]:
    """The attributes of the image plane of one slice."""
    return {
        "FrameOfReferenceUID": plan.frame_of_reference,
        "PositionReferenceIndicator": "",
        "ImageOrientationPatient": [decimal(value) for value in (*shape.row, *shape.column)],
        "ImagePositionPatient": [decimal(value) for value in shape.position(index)],
        "PixelSpacing": [decimal(shape.pixel_mm)] * 2,
        "SliceThickness": decimal(shape.slice_mm),
        "SliceLocation": decimal(shape.slice_mm * index),
        "PatientPosition": "HFS",
    }


def pixels(values: NDArray[np.int32], *, signed: bool, bits: int = 16) -> dict[str, object]:
    """The image pixel module of one monochrome slice."""
    kept = values.astype("<i2" if signed else "<u2")
    return {
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "Rows": values.shape[0],
        "Columns": values.shape[1],
        "BitsAllocated": 16,
        "BitsStored": bits,
        "HighBit": bits - 1,
        "PixelRepresentation": int(signed),
        "PixelData": kept.tobytes(),
    }


def _ct(plan: SeriesPlan, base: Dataset, labels: NDArray[np.uint8], seeds: Seeds) -> list[Dataset]:
    hounsfield = image(labels, Contrast.CT, noise=14, chance=seeds.generator("pixels", plan.uid))
    stored = np.clip(hounsfield + 1024, 0, 4095)
    shape = geometry(plan)
    return [
        derived(
            base,
            SOPClassUID=CTImageStorage,
            ImageType=["ORIGINAL", "PRIMARY", "AXIAL"],
            AcquisitionNumber=1,
            KVP="120",
            XRayTubeCurrent=seeds.between(90, 260, "mA", plan.uid),
            ExposureTime=500,
            ConvolutionKernel=KERNELS.get(plan.station.vendor, "STANDARD"),
            FilterType="BODY",
            GantryDetectorTilt="0",
            ReconstructionDiameter="400",
            RescaleIntercept="-1024",
            RescaleSlope="1",
            RescaleType="HU",
            WindowCenter="40",
            WindowWidth="400",
            **frame(plan, shape, index),
            **pixels(stored[index], signed=False, bits=12),
        )
        for index in range(plan.slices)
    ]


def _mr_common(plan: SeriesPlan) -> dict[str, object]:
    return {
        "SOPClassUID": MRImageStorage,
        "ImageType": ["ORIGINAL", "PRIMARY", "M", "ND"],
        "MagneticFieldStrength": "3",
        "ImagingFrequency": "123.25",
        "MRAcquisitionType": "2D",
        "ScanOptions": "FS",
        "NumberOfAverages": "2",
        "SpacingBetweenSlices": decimal(SLICE_MM["MR"]),
        "EchoTrainLength": 18 if plan.kind == "T2" else 1,
        "WindowCenter": "400",
        "WindowWidth": "800",
    }


def _mr(plan: SeriesPlan, base: Dataset, labels: NDArray[np.uint8], seeds: Seeds) -> list[Dataset]:
    t2 = plan.kind == "T2"
    values = image(labels, Contrast.T2 if t2 else Contrast.T1, noise=16, chance=seeds.generator("pixels", plan.uid))
    shape, common = geometry(plan), _mr_common(plan)
    return [
        derived(
            base,
            AcquisitionNumber=1,
            ScanningSequence="SE",
            SequenceVariant="SK",
            RepetitionTime="4200" if t2 else "520",
            EchoTime="101" if t2 else "12",
            FlipAngle="150" if t2 else "90",
            **common,
            **frame(plan, shape, index),
            **pixels(np.clip(values[index], 0, 4095), signed=False, bits=12),
        )
        for index in range(plan.slices)
    ]


def _dwi(plan: SeriesPlan, base: Dataset, labels: NDArray[np.uint8], seeds: Seeds) -> list[Dataset]:
    shape, common = geometry(plan), _mr_common(plan)
    instances = []
    for b_value in B_VALUES:
        chance = seeds.generator("pixels", plan.uid, b_value)
        values = image(labels, Contrast.DWI, noise=12, chance=chance)
        if b_value:
            values = values * 3 // 8 + np.where(labels == 7, 120, 0)  # lesions stay bright at a high b-value
        for index in range(plan.slices):
            dataset = derived(
                base,
                AcquisitionNumber=1,
                ScanningSequence="EP",
                SequenceVariant="SK",
                RepetitionTime="5100",
                EchoTime="68",
                FlipAngle="90",
                SequenceName=f"*ep_b{b_value}",
                DiffusionBValue=float(b_value),
                **common,
                **frame(plan, shape, index),
                **pixels(np.clip(values[index], 0, 4095), signed=False, bits=12),
            )
            _private_b_value(dataset, plan.station.vendor, b_value)
            instances.append(dataset)
    return instances


def _private_b_value(dataset: Dataset, vendor: Vendor, b_value: int) -> None:
    """The b-value where each vendor kept it before the standard had a place; never changes a shared element."""
    if vendor is Vendor.SIEMENS:
        dataset.private_block(0x0019, "SIEMENS MR HEADER", create=True).add_new(0x0C, "IS", b_value)
    elif vendor is Vendor.GE:
        dataset.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x39, "IS", [b_value, 8, 0, 0])
    elif vendor is Vendor.PHILIPS:
        dataset.private_block(0x2001, "Philips Imaging DD 001", create=True).add_new(0x03, "FL", float(b_value))


def _dce(plan: SeriesPlan, base: Dataset, labels: NDArray[np.uint8], seeds: Seeds) -> list[Dataset]:
    shape, common = geometry(plan), _mr_common(plan)
    instances = []
    for phase in range(DCE_PHASES):
        chance = seeds.generator("pixels", plan.uid, phase)
        values = image(labels, Contrast.T1, noise=14, chance=chance)
        values = values + np.where(labels >= 7, (0, 420, 260)[phase], np.where(labels == 4, (0, 80, 140)[phase], 0))
        for index in range(plan.slices):
            instances.append(
                derived(
                    base,
                    AcquisitionNumber=phase + 1,
                    TemporalPositionIdentifier=phase + 1,
                    NumberOfTemporalPositions=DCE_PHASES,
                    TriggerTime=str(phase * 9000),
                    ContrastBolusAgent="Gadobutrol",
                    ScanningSequence="GR",
                    SequenceVariant="SP",
                    RepetitionTime="4.1",
                    EchoTime="1.6",
                    FlipAngle="12",
                    **common,
                    **frame(plan, shape, index),
                    **pixels(np.clip(values[index], 0, 4095), signed=False, bits=12),
                )
            )
    return instances


def _pt(plan: SeriesPlan, base: Dataset, labels: NDArray[np.uint8], seeds: Seeds) -> list[Dataset]:
    activity = np.clip(image(labels, Contrast.PET, noise=60, chance=seeds.generator("pixels", plan.uid)), 0, None)
    shape = geometry(plan)
    day, scan_s = plan.study.day.strftime("%Y%m%d"), _seconds(plan.study.time)
    injection_s = scan_s - 3600
    dose = seeds.between(220, 370, "dose", plan.uid) * 1_000_000
    put(
        base,
        Units="BQML",
        CountsSource="EMISSION",
        SeriesType=["WHOLE BODY", "IMAGE"],
        DecayCorrection="START",
        CorrectedImage=["NORM", "DTIM", "ATTN", "SCAT", "DECY", "RAN"],
        RandomsCorrectionMethod="DLYD",
        AttenuationCorrectionMethod="measured, AC CT",
        ScatterCorrectionMethod="Model-based",
        ReconstructionMethod="PSF+TOF 3i21s",
        CollimatorType="NONE",
        NumberOfSlices=plan.slices,
        PatientOrientationCodeSequence=[code("F-10450", "SRT", "recumbent")],
        PatientGantryRelationshipCodeSequence=[code("F-10470", "SRT", "headfirst")],
        RadiopharmaceuticalInformationSequence=[
            item(
                Radiopharmaceutical="Fluorodeoxyglucose",
                RadiopharmaceuticalStartTime=_clock(injection_s),
                RadiopharmaceuticalStartDateTime=day + _clock(injection_s),
                RadionuclideTotalDose=str(dose),
                RadionuclideHalfLife=str(F18_HALF_LIFE_S),
                RadionuclidePositronFraction="0.97",
                RadionuclideCodeSequence=[code("C-111A1", "SRT", "^18^Fluorine")],
                RadiopharmaceuticalCodeSequence=[code("C-B1031", "SRT", "Fluorodeoxyglucose F^18^")],
            )
        ],
    )
    instances = []
    for index in range(plan.slices):
        slope = (math.ceil(float(activity[index].max()) * 1000 / 32000) + 1) / 1000
        stored = np.rint(activity[index] / slope).astype(np.int32)
        elapsed_s = 120 * (index // 4)
        instances.append(
            derived(
                base,
                SOPClassUID=PositronEmissionTomographyImageStorage,
                ImageType=["ORIGINAL", "PRIMARY"],
                AcquisitionNumber=1,
                ActualFrameDuration=120000,
                FrameReferenceTime=str(elapsed_s * 1000 + 60000),
                DecayFactor=decimal(2.0 ** (elapsed_s / F18_HALF_LIFE_S)),
                DoseCalibrationFactor="1",
                ImageIndex=index + 1,
                RescaleIntercept="0",
                RescaleSlope=decimal(slope),
                **frame(plan, shape, index),
                **pixels(stored, signed=True),
            )
        )
    return instances


def _seconds(clock: str) -> int:
    return int(clock[:2]) * 3600 + int(clock[2:4]) * 60 + int(clock[4:6])


def _clock(seconds: int) -> str:
    return f"{seconds // 3600:02d}{seconds // 60 % 60:02d}{seconds % 60:02d}"
