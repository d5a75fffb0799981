"""Why a measure that a series should have is missing: each has its value or a named reason, never neither."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from ingestion.dicom.geometry import GeometryKind, GeometryProblem
from ingestion.features.ibsi.result import Refusal
from ingestion.features.intensity import INTENSITY_FEATURES
from ingestion.features.mr_quality import COLUMNS as MR_COLUMNS
from ingestion.features.series_measures import WITH_BODY
from ingestion.features.units import HU

ALONG_THE_NORMAL = (
    "Orientation", "Slices", "Volumes", "SliceSpacing", "CoverageMm", "MissingSlices", "DuplicatePositions",
)  # fmt: skip
WITH_AIR = ("SnrDietrichBrightOtsu", "SnrDietrichDarkOtsu", "CnrOtsu", "FberOtsu")
"""Measures of MR that need what lies outside the body."""
OF_DICOM = ("BlurEffect", "ClippedLowShare", "ClippedHighShare")
"""Measured of DICOM alone."""
STACKS = frozenset({GeometryKind.VOLUME, GeometryKind.VOLUMES})


class Undefined(StrEnum):
    """Reasons beside kinds and problems of the geometry, ``QualityReason``, and IBSI's."""

    NO_BODY = "no_body"  # nothing lies above the threshold, or all pixels are equal
    NO_EDGES = "no_edges"  # all pixels are equal, or the image is narrower than the measure's window
    NO_STORED_LIMITS = "no_stored_limits"  # colour or floats: the header names no lowest and highest value
    NOT_DICOM = "not_dicom"  # NIfTI does not say, or it is measured of DICOM alone
    NOT_HU = "not_hu"
    NO_AIR = "no_air"  # nothing around the body, or without noise: cut away
    NO_TWO_CLASSES = "no_two_classes"  # the body does not fall into a bright and a dark class of some size
    TOO_LITTLE_SOFT_TISSUE = "too_little_soft_tissue"


def undefined_measures(row: Mapping[str, Any], *, dicom: bool = True) -> dict[str, str]:
    """Of one row of the series table (or of ``cie features``) each measure without a value, and why.

    Measures that are not made of this kind of image are not named, nor doses that no header gives. Of a refused series
    only the geometry is looked at: its reason says the rest. ``dicom``: False for NIfTI, which says less.
    """
    reasons = _geometry(row)
    if not dicom:
        reasons |= dict.fromkeys(("MissingSlices", "DuplicatePositions", *OF_DICOM), str(Undefined.NOT_DICOM))
        return _missing(reasons | _intensities(), row)
    if row.get("Reason") is None:
        reasons |= {**_intensities(), **_quality(row), **_body(row), **_mr(row)}
    return _missing(reasons, row)


def _missing(reasons: Mapping[str, str], row: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(reason) for name, reason in reasons.items() if row.get(name) is None}


def undefined_text(undefined: Mapping[str, str]) -> str | None:
    """``measure:reason``, joined by commas; None where nothing is missing."""
    return ",".join(f"{name}:{reason}" for name, reason in sorted(undefined.items())) or None


def _geometry(row: Mapping[str, Any]) -> dict[str, str]:
    kind = str(row.get("GeometryKind"))
    step = str(GeometryProblem.DUPLICATE_POSITIONS) if kind in STACKS else kind
    spacing = GeometryProblem.NO_PIXEL_SPACING
    return {
        **dict.fromkeys(ALONG_THE_NORMAL, kind),
        "SliceSpacing": step,
        "RowSpacing": spacing,
        "ColumnSpacing": spacing,
    }


def _intensities() -> dict[str, str]:
    quotients = {feature.column: str(Refusal.ZERO_DENOMINATOR) for feature in INTENSITY_FEATURES}
    return quotients | {"RobustMeanAbsoluteDeviation_1128": Refusal.NO_VOXELS_IN_RANGE}


def _quality(row: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {
        "BlurEffect": Undefined.NO_EDGES,
        "ClippedLowShare": Undefined.NO_STORED_LIMITS,
        "ClippedHighShare": Undefined.NO_STORED_LIMITS,
    }
    if row.get("Modality") == "CT":
        noise: str = Undefined.TOO_LITTLE_SOFT_TISSUE
        if row.get("RowSpacing") is None:
            noise = GeometryProblem.NO_PIXEL_SPACING
        found["NoiseLevelHU"] = noise if row.get("Unit") == HU else Undefined.NOT_HU
    return found


def _body(row: Mapping[str, Any]) -> dict[str, str]:
    if row.get("Modality") not in WITH_BODY:
        return {}
    problems = str(row.get("GeometryProblems") or "").split(",")
    together = [item for item in (GeometryProblem.MOSAIC, GeometryProblem.SIZE_VARIES) if item in problems]
    share = str(together[0]) if together else str(Undefined.NO_BODY)
    if row.get("BodyShare") is None:
        volume = share
    elif problems[0]:
        volume = problems[0]  # causes come before what may follow from them
    else:
        volume = str(row.get("GeometryKind"))
    return {"BodyShare": share, "BodyVolumeMl": volume}


def _mr(row: Mapping[str, Any]) -> dict[str, str]:
    if row.get("Modality") != "MR":
        return {}
    if row.get("QualityReason") is not None:
        return dict.fromkeys(MR_COLUMNS, str(row["QualityReason"]))
    if row.get("CjvOtsu") is None:
        return {**dict.fromkeys(MR_COLUMNS, str(Undefined.NO_TWO_CLASSES)), "Efc": Refusal.ZERO_DENOMINATOR}
    return {
        **dict.fromkeys(MR_COLUMNS, str(Refusal.ZERO_DENOMINATOR)),
        **dict.fromkeys(WITH_AIR, str(Undefined.NO_AIR)),
    }
