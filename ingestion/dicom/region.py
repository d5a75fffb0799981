"""A region of interest as a mask on an image's grid, whatever object marked it, and how such objects are refused."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ingestion.dicom.refused import RefusedError
from ingestion.dicom.summary import json_value


class RegionRefusal(StrEnum):
    """Why an object that marks regions, or one of its regions, was refused."""

    NOT_SEGMENTATION = "not_segmentation"
    NOT_STRUCTURE_SET = "not_structure_set"
    UNSUPPORTED_TYPE = "unsupported_type"
    MALFORMED = "malformed"
    PIXELS_UNREADABLE = "pixels_unreadable"
    FRAME_OF_REFERENCE_DIFFERS = "frame_of_reference_differs"
    FRAME_OF_REFERENCE_UNKNOWN = "frame_of_reference_unknown"  # another grid, and no common coordinates
    SIZE_DIFFERS = "size_differs"
    SPACING_DIFFERS = "spacing_differs"
    ORIENTATION_DIFFERS = "orientation_differs"
    FRAME_WITHOUT_PLACE = "frame_without_place"
    FRAME_OFF_GRID = "frame_off_grid"
    IRREGULAR_GRID = "irregular_grid"  # another grid than the image's, and not a regular one
    TOO_LARGE = "too_large"
    SOURCE_DIFFERS = "source_differs"
    DUPLICATE_FRAME = "duplicate_frame"
    UNKNOWN_SEGMENT = "unknown_segment"
    NO_CONTOURS = "no_contours"
    NO_AREA = "no_area"  # only points or open lines
    CONTOUR_NOT_PLANAR = "contour_not_planar"  # not within one slice's plane
    CONTOUR_OFF_SLICE = "contour_off_slice"  # between slices that have no contour of their own
    OUTSIDE_IMAGE = "outside_image"  # wholly or in part
    EMPTY_MASK = "empty_mask"  # no voxel centre lies inside


class RegionFlag(StrEnum):
    """What a reader should know of a mask that was read."""

    RESAMPLED = "resampled"  # drawn on another grid
    NESTED_CONTOURS = "nested_contours"  # plain contours that overlap, taken as holes (even-odd)
    OFF_SLICE_LEFT_OUT = "off_slice_left_out"  # contours between slices that have contours of their own
    OPEN_LEFT_OUT = "open_left_out"  # points and open lines beside closed contours
    SLICES_SKIPPED = "slices_skipped"  # slices without a contour between slices with one


class RegionRefusedError(RefusedError[RegionRefusal]):
    """Masks cannot be put on the image's grid for sure."""


@dataclass(frozen=True, slots=True)
class Code:
    """A coded concept as the object gives it; None where it leaves a part out."""

    value: str | None
    scheme: str | None
    meaning: str | None


@dataclass(frozen=True, slots=True)
class Segment:
    """One region. ``mask``: bool of the volume's shape, True inside; None where ``refusal`` says why there is none."""

    number: int
    label: str | None
    category: Code | None
    type: Code | None
    mask: NDArray[np.bool_] | None
    anatomy: Code | None = None
    laterality: Code | None = None
    algorithm: str | None = None
    """Segment Algorithm Type, or ROI Generation Algorithm: how it was drawn."""
    role: str | None = None
    """RT ROI Interpreted Type of a structure set: GTV, ORGAN, …"""
    tracking_id: str | None = None
    tracking_uid: str | None = None
    flags: tuple[RegionFlag, ...] = ()
    refusal: RegionRefusal | None = None
    detail: str | None = None


def code_of(sequence: Any) -> Code | None:
    """The first item of a code sequence; None where there is none."""
    if not sequence:
        return None
    item = sequence[0]
    value = item.get("CodeValue") or item.get("LongCodeValue") or item.get("URNCodeValue")
    return Code(json_value(value), json_value(item.get("CodingSchemeDesignator")), json_value(item.get("CodeMeaning")))


def mask_digest(mask: NDArray[np.bool_]) -> str:
    """24 hex digits of a mask's shape and voxels."""
    digest = hashlib.sha256(repr(mask.shape).encode())
    rows = np.flatnonzero(mask.any(axis=(1, 2)))
    for k in rows:  # slice by slice: packing a whole volume would double the memory
        digest.update(int(k).to_bytes(4, "little") + np.packbits(mask[k]).tobytes())
    return digest.hexdigest()[:24]
