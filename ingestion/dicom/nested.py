"""Acquisition values that stand in a sequence, told as if they stood at the top: what PET and enhanced objects hide.

PS3.3 section C.8.9.2 (radiopharmaceutical) and C.7.6.16 (shared functional groups, of enhanced MR and CT).
"""

from __future__ import annotations

from io import BytesIO

from pydicom.datadict import dictionary_VR, tag_for_keyword
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.filereader import read_dataset

from ingestion.dicom.guard import PARSER_ERRORS
from ingestion.dicom.header import Header

_RADIOPHARMACEUTICAL = "RadiopharmaceuticalInformationSequence"
_SHARED = "SharedFunctionalGroupsSequence"
_PATHS: dict[str, dict[str, tuple[str, ...]]] = {
    _RADIOPHARMACEUTICAL: {
        "RadionuclideTotalDose": ("RadionuclideTotalDose",),
        "RadionuclideHalfLife": ("RadionuclideHalfLife",),
        "RadiopharmaceuticalStartTime": ("RadiopharmaceuticalStartTime",),
    },
    _SHARED: {
        "RepetitionTime": ("MRTimingAndRelatedParametersSequence", "RepetitionTime"),
        "FlipAngle": ("MRTimingAndRelatedParametersSequence", "FlipAngle"),
        "EchoTime": ("MREchoSequence", "EffectiveEchoTime"),
        "DiffusionBValue": ("MRDiffusionSequence", "DiffusionBValue"),
        "KVP": ("CTXRayDetailsSequence", "KVP"),
        "ConvolutionKernel": ("CTReconstructionSequence", "ConvolutionKernel"),
        "XRayTubeCurrent": ("CTExposureSequence", "XRayTubeCurrentInmA"),
        "ExposureTime": ("CTExposureSequence", "ExposureTimeInms"),
    },
}
"""Sequence at the top: keyword told, and the way to its value through first items."""
MAX_SEQUENCE_BYTES = 1 << 20
"""Longer sequences are not looked into: a radiopharmaceutical or a shared group has some kilobytes."""


def nested_values(header: Header) -> list[DataElement]:
    """The values found. A value that cannot be decoded counts as absent, as those at the top do."""
    found: list[DataElement] = []
    for sequence, paths in _PATHS.items():
        tag = tag_for_keyword(sequence)
        if tag is None or tag not in header.places:
            continue
        raw = header.element(tag)
        if len(raw) > MAX_SEQUENCE_BYTES:
            continue
        for keyword, path in paths.items():
            value = _value(header, raw, sequence, path)
            if value is not None:
                found.append(DataElement(tag_for_keyword(keyword) or 0, dictionary_VR(keyword), value))
    return found


def _value(header: Header, raw: bytes, sequence: str, path: tuple[str, ...]) -> object | None:
    encoding = header.encoding
    try:
        top: Dataset = read_dataset(BytesIO(raw), encoding.implicit, encoding.little)
        item: Dataset = top[sequence].value[0]
        for step in path[:-1]:
            item = item[step].value[0]
        value: object = item[path[-1]].value
    except (*PARSER_ERRORS, IndexError):
        return None
    return value
