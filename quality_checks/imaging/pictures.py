"""The windowed frame that hashes and thumbnails are made of."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from enum import StrEnum
from io import BytesIO
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ingestion.deidentify.faces import may_show_face
from ingestion.dicom.geometry import MAIN_AXIS_COSINE
from quality_checks.imaging.series import FrameSeen, SeriesContext, floats

THUMBNAIL_SIDE = 128
"""Pixels of the longer side: enough to see what was imaged."""
CT_WINDOW = (-1000.0, 1000.0)
"""HU of the window for hashes: fixed, so that the same slice has the same hash in any export."""
CT_SHOWN = (-160.0, 240.0)
"""HU of the soft-tissue window for thumbnails."""
PERCENTILES = (1.0, 99.0)
LEAST_CONTRAST = 8 / 255
"""A picture whose darkest and brightest percent are closer is one grey to the eye: another window is taken."""
PICTURES_OF_PEOPLE = frozenset({"XC", "GM", "ES", "OP", "OPT", "SM", "DOC", "OT", "SC"})
"""Photographs, scanned papers and screens: a small picture of them may still show a person or a line of text."""


class NoPicture(StrEnum):
    """Why a series has no picture; shown in its place."""

    CONTOURS = "contours, no pixels"
    TEXT = "text, no pixels"
    NO_PIXELS = "no pixels"
    ONE_VALUE = "one value only"
    NO_SEGMENT = "no pixel in any segment"
    UNDECODABLE = "does not decode"
    PHOTOGRAPH = "not shown: a photograph, paper or screen"
    FACE = "not shown: may show a face"


_TEXTS = frozenset({"SR", "KO", "PR", "DOC"})


def why_none(context: SeriesContext, *, hidden: bool, blank: bool) -> NoPicture:
    """Why there is none. ``hidden``: frames were seen that may not be shown; ``blank``: frames of one value."""
    if hidden:
        photograph = context.modality in PICTURES_OF_PEOPLE or "SCREEN SAVE" in context.image_types
        return NoPicture.PHOTOGRAPH if photograph else NoPicture.FACE
    if context.modality == "RTSTRUCT":
        return NoPicture.CONTOURS
    if context.modality in _TEXTS:
        return NoPicture.TEXT
    if blank:
        return NoPicture.NO_SEGMENT if context.modality == "SEG" else NoPicture.ONE_VALUE
    pixels = any(item.pixel_offset is not None for item in context.manifest.instances)
    return NoPicture.UNDECODABLE if pixels or context.log else NoPicture.NO_PIXELS


def windowed(frame: FrameSeen, modality: str, *, shown: bool) -> NDArray[np.float64]:
    """(rows, columns) of 0 to 1: CT in a fixed window of HU, others between percentiles; MONOCHROME1 turned."""
    if not frame.grey:
        colours = frame.stored[..., :3].astype(np.float64)
        luminance = colours[..., 0] if _luminance(frame) else colours.mean(axis=-1)
        return luminance / max(float(luminance.max()), 1.0)
    values = frame.values()
    if modality == "CT" and frame.rescale is not None:
        low, high = CT_SHOWN if shown else CT_WINDOW
        if shown and _contrast(values, low, high) < LEAST_CONTRAST:
            low, high = _spread(frame, values)
    else:
        low, high = _spread(frame, values)
    grey = np.clip((values - low) / (high - low), 0, 1) if high > low else np.zeros_like(values)
    return 1 - grey if frame.owner.header.get("PhotometricInterpretation") == "MONOCHROME1" else grey


def _spread(frame: FrameSeen, values: NDArray[np.float64]) -> tuple[float, float]:
    """Between percentiles of what is no padding; between the extremes where those are one value."""
    seen = values if frame.padding is None or frame.padding.all() else values[~frame.padding]
    low, high = _percentiles(seen)
    return (low, high) if high > low else (float(seen.min()), float(seen.max()))


def _contrast(values: NDArray[np.float64], low: float, high: float) -> float:
    """From 0 to 1: how far the darkest and the brightest percent lie apart in the window."""
    dark, bright = (min(max((value - low) / (high - low), 0.0), 1.0) for value in _percentiles(values))
    return bright - dark


def _percentiles(values: NDArray[np.float64]) -> tuple[float, float]:
    step = max(values.size // 65_536, 1)
    low, high = np.percentile(values.ravel()[::step], PERCENTILES)
    return float(low), float(high)


def thumbnail(grey: NDArray[np.float64], boxes: Sequence[Sequence[int]]) -> str:
    """A PNG in base64, ``boxes`` (left, top, width, height in pixels of the frame) black."""
    picture = (grey * 255).astype(np.uint8)
    for left, top, width, height in boxes:
        picture[max(top, 0) : top + height, max(left, 0) : left + width] = 0
    scale = THUMBNAIL_SIDE / max(picture.shape)
    size = tuple(max(1, round(side * scale)) for side in picture.shape[::-1]) if scale < 1 else picture.shape[::-1]
    out = BytesIO()
    Image.fromarray(picture).resize((size[0], size[1]), Image.Resampling.BOX).save(out, format="PNG", optimize=True)
    return base64.b64encode(out.getvalue()).decode()


def blanked_boxes(frame: FrameSeen) -> list[list[int]]:
    """Boxes of burned-in text of the manifest's evidence that concern this frame."""
    evidence = frame.owner.item.pixels or {}
    listed = evidence.get("blanked")
    boxes = []
    for found in listed if isinstance(listed, list) else ():
        if isinstance(found, Mapping) and found.get("frame") in (None, frame.index):
            box = floats(found.get("box"), 4)
            if box is not None:
                boxes.append([int(value) for value in box])
    return boxes


def may_be_shown(context: SeriesContext, frame: FrameSeen) -> bool:
    """Whether a thumbnail is made at all.

    None of photographs, papers and screens. Of a series in which a face can be recognised, or that may show a head by
    its header and was not looked at, only axial slices: a profile or a frontal cut of a head is a likeness, one axial
    slice is none.
    """
    if context.modality in PICTURES_OF_PEOPLE or "SCREEN SAVE" in context.image_types:
        return False
    face = context.manifest.face
    likeness = may_show_face(frame.owner.header) if face is None else recognisable(face)
    return not likeness or _axial(frame.attributes)


def recognisable(face: Mapping[str, Any]) -> bool:
    """Whether the manifest's evidence leaves open that the series shows a face that nothing was done about."""
    return face.get("recognizable_visual_features") is not False


def _axial(attributes: Mapping[str, Any]) -> bool:
    cosines = floats(attributes.get("ImageOrientationPatient"), 6)
    return cosines is not None and abs(float(np.cross(cosines[:3], cosines[3:])[2])) >= MAIN_AXIS_COSINE


def _luminance(frame: FrameSeen) -> bool:
    return str(frame.owner.header.get("PhotometricInterpretation") or "").startswith("YBR")
