"""Which attributes of a de-identified object are kept in its manifest, and how a value becomes JSON.

The manifest feeds the catalogue and the quality checks, so that neither has to open the objects again.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.tag import BaseTag

MAX_TEXT = 256
"""Longest text kept of a value, in characters: a hostile file can hold a 'UID' of 128 kB."""
MAX_VALUES = 64
"""Most values kept of a multi-valued attribute."""

SERIES_KEYWORDS: tuple[str, ...] = (
    "SOPClassUID", "Modality", "BodyPartExamined", "Manufacturer", "ManufacturerModelName", "SoftwareVersions",
    "PatientSex", "PatientAge", "PatientWeight", "PatientSize", "StudyDate", "SeriesDate", "AcquisitionDate",
    "StudyTime", "SeriesTime", "AcquisitionTime", "ContentDate", "ContentTime", "AccessionNumber",
    "StudyDescription", "SeriesDescription", "ProtocolName", "SeriesNumber",
    "FrameOfReferenceUID",
    "ImageType", "Rows", "Columns", "NumberOfFrames", "PixelSpacing", "ImagerPixelSpacing", "SliceThickness",
    "SpacingBetweenSlices", "ImageOrientationPatient", "PhotometricInterpretation", "SamplesPerPixel", "BitsStored",
    "PixelRepresentation", "KVP", "ConvolutionKernel", "ExposureTime", "XRayTubeCurrent", "Exposure",
    "InversionTime", "BodyPartThickness", "CompressionForce", "RadionuclideTotalDose", "RadionuclideHalfLife",
    "RadiopharmaceuticalStartTime", "DiffusionBValue", "MagneticFieldStrength",
    "RepetitionTime", "EchoTime", "FlipAngle", "ScanningSequence", "MRAcquisitionType", "ContrastBolusAgent",
    "Units", "DecayCorrection",
    "ViewPosition", "ImageLaterality", "Laterality", "PatientPosition",
    "BurnedInAnnotation", "RecognizableVisualFeatures",
    "LossyImageCompression", "PatientIdentityRemoved", "LongitudinalTemporalInformationModified",
)  # fmt: skip
INSTANCE_KEYWORDS: tuple[str, ...] = (
    "InstanceNumber", "AcquisitionNumber", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "Rows",
    "Columns", "NumberOfFrames", "SliceThickness", "AcquisitionDate", "AcquisitionTime", "EchoTime",
    "DiffusionBValue", "DiffusionGradientOrientation", "TemporalPositionIdentifier", "ImageType", "TriggerTime",
    "RescaleSlope", "RescaleIntercept", "PatientAge",
)  # fmt: skip


def json_value(value: Any) -> Any:
    """A DICOM value as JSON, bounded in length; None when empty or not representable (sequences, bytes)."""
    if isinstance(value, str):  # the commonest, before the slow questions
        return str(value)[:MAX_TEXT].strip() or None
    if value is None or isinstance(value, (Sequence, bytes)):
        return None
    if isinstance(value, (MultiValue, list, tuple)):
        return [json_value(item) for item in list(value)[:MAX_VALUES]] or None
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float) or hasattr(value, "as_tuple"):
        number = float(value)
        return number if math.isfinite(number) else None
    text = str(value)[:MAX_TEXT].strip()
    return text or None


def summarise(dataset: Dataset, keywords: tuple[str, ...]) -> dict[str, Any]:
    """The named attributes that ``dataset`` has a value for. A value that cannot be decoded counts as absent."""
    found: dict[str, Any] = {}
    held = dataset.keys()
    for keyword, tag in _tags(keywords):
        if tag not in held:
            continue
        try:
            value = json_value(dataset[tag].value)
        except (ValueError, TypeError, OverflowError, NotImplementedError, AttributeError):
            continue
        if value is not None:
            found[keyword] = value
    return found


@cache
def _tags(keywords: tuple[str, ...]) -> tuple[tuple[str, BaseTag], ...]:
    """The tag of each keyword; a name that is in no dictionary has none, and no data set holds it."""
    return tuple((keyword, BaseTag(tag)) for keyword in keywords if (tag := tag_for_keyword(keyword)) is not None)
