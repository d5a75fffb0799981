"""Looking at the frames of one object: which, in what grey values, and what was found in them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels import apply_color_lut, iter_pixels
from scipy.ndimage import uniform_filter

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.deidentify.pixels.boxes import Box
from ingestion.deidentify.pixels.detector import TextBox, TextDetector
from ingestion.deidentify.pixels.evidence import Finding, Method
from ingestion.deidentify.pixels.plain import plain_picture
from ingestion.deidentify.pixels.strokes import MIN_CROSSINGS, count_strokes
from ingestion.dicom.guard import PARSER_ERRORS

MAX_EVENLY = 12
"""Frames of a cine that a detector looks at in any case, evenly spread; besides, those in which strokes appear, and
the brightest and the darkest value of each pixel over all frames."""
MIN_CONFIDENCE = 0.4
"""Below it a spot is speckle; the recall in docs/pixels.md was measured with it."""
MAX_LINE = 120
"""Pixels that a line of text is high at most; something larger is a bright area that the network took for text."""
SURE = 0.7
"""Flattened speckle looks like lettering at times; lettering in an area keeps a higher confidence than that."""
MIN_LINE = 8
"""Pixels that a box is high and wide at least: no letter of fewer is read."""
SURROUNDINGS = 41
"""Side of the square that a pixel's surroundings are the mean of: more than a letter, less than an organ."""
SAME_PLACE = 0.6
"""Part of the smaller box that two findings share when they are one."""
LOSSY = frozenset({
    "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.51", "1.2.840.10008.1.2.4.81", "1.2.840.10008.1.2.4.91",
})  # fmt: skip
"""Transfer syntaxes that may have spread the value of lettering."""


@dataclass(frozen=True, slots=True)
class Seen:
    """``strokes``: whether lettering of one value is likely in some frame. ``frames``: how many a detector saw."""

    findings: tuple[Finding, ...]
    strokes: bool
    frames: int


def stored_pictures(dataset: Dataset) -> Iterator[NDArray[np.generic]]:
    """The frames as stored, one by one; palette colours resolved.

    Raises:
        InstanceRefusedError: PIXELS_UNREADABLE.
    """
    plain = plain_picture(dataset)
    if plain is not None:
        yield plain
        return
    palette = dataset.get("PhotometricInterpretation") == "PALETTE COLOR"
    try:
        for frame in iter_pixels(dataset, raw=True, correct_unused_bits=False):
            yield apply_color_lut(frame, dataset) if palette else frame
    except (RuntimeError, OSError, *PARSER_ERRORS) as error:
        raise InstanceRefusedError(
            Reason.PIXELS_UNREADABLE, rule="pixels.decode", detail=f"{type(error).__name__} while decoding"
        ) from None


def one_plane(frame: NDArray[np.generic], *, photometric: str) -> NDArray[np.generic]:
    """One value per pixel: the luminance of YBR, else the brightest colour, so that text in any colour stands out."""
    if frame.ndim == 2:
        return frame
    plane: NDArray[np.generic] = frame[:, :, 0] if photometric.startswith("YBR_FULL") else frame.max(axis=2)
    return plane


def grey(plane: NDArray[np.generic], *, inverted: bool) -> NDArray[np.uint8]:
    """Stretched to 0 to 255 over the frame's range, as a person would window it to read its lettering."""
    values = plane.astype(np.float32)
    low, high = float(values.min()), float(values.max())
    stretched = (values - low) * (255 / (high - low)) if high > low else values * 0
    return (255 - stretched if inverted else stretched).astype(np.uint8)


def look(dataset: Dataset, detector: TextDetector, *, blanked: NDArray[np.bool_] | None = None) -> Seen:
    """Text in all frames, except where ``blanked`` is True: there, every frame is black anyway."""
    photometric = str(dataset.get("PhotometricInterpretation") or "")
    lossy = dataset.file_meta.TransferSyntaxUID in LOSSY
    count = int(dataset.get("NumberOfFrames") or 1)
    evenly = {round(number * (count - 1) / (MAX_EVENLY - 1)) for number in range(MAX_EVENLY)}
    findings: list[Finding] = []
    brightest = darkest = None
    strokes, base, frames = False, None, 0
    for number, frame in enumerate(stored_pictures(dataset)):
        plane = np.array(one_plane(frame, photometric=photometric))
        if blanked is not None:
            plane[blanked] = plane.min()
        crossings = count_strokes(plane, lossy=lossy).crossings
        strokes |= crossings >= MIN_CROSSINGS
        base = crossings if base is None else min(base, crossings)
        brightest = plane if brightest is None else np.maximum(brightest, plane)
        darkest = plane if darkest is None else np.minimum(darkest, plane)
        if count <= MAX_EVENLY or number in evenly or crossings >= base + MIN_CROSSINGS:
            frames += 1
            findings += _found(detector, plane, photometric, frame=number if count > 1 else None)
    if count > 1 and brightest is not None and darkest is not None:
        findings += _found(detector, brightest, photometric, frame=None)
        findings += _found(detector, darkest, photometric, frame=None)
    return Seen(merged(findings), strokes, frames)


def _found(
    detector: TextDetector, plane: NDArray[np.generic], photometric: str, *, frame: int | None
) -> Iterator[Finding]:
    picture = grey(plane, inverted=photometric == "MONOCHROME1")
    for text in detector.find(picture):
        box = text.box
        if min(box.width, box.height) > MAX_LINE:
            # A bright area that the network took for one text may hide a real one, which stands out of the area.
            area = _flattened(picture[box.top : box.bottom, box.left : box.right])
            inner = [_moved(found, box) for found in detector.find(area) if found.confidence >= SURE]
            yield from _lines(inner, frame=frame)
        else:
            yield from _lines([text], frame=frame)


def _lines(texts: Iterable[TextBox], *, frame: int | None) -> Iterator[Finding]:
    for text in texts:
        box = text.box
        if MIN_LINE <= min(box.width, box.height) <= MAX_LINE and text.confidence >= MIN_CONFIDENCE:
            yield Finding(Box(box.left, box.top, box.width, box.height, frame), Method.DETECTOR, text.confidence)


def _flattened(area: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """What is brighter than its surroundings: anatomy fades, lettering stays."""
    values = area.astype(np.float32)
    above = np.clip(values - uniform_filter(values, SURROUNDINGS), 0, None)
    return grey(above, inverted=False)


def _moved(text: TextBox, area: Box) -> TextBox:
    box = text.box
    return TextBox(Box(area.left + box.left, area.top + box.top, box.width, box.height), text.confidence)


def merged(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """One finding per place: what is found again in other frames, a pixel beside, becomes one box for all of them."""
    places: list[Finding] = []
    for finding in sorted(findings, key=lambda finding: -finding.box.width * finding.box.height):
        for number, place in enumerate(places):
            if place.method is finding.method and _overlap(place.box, finding.box) >= SAME_PLACE:
                places[number] = _united(place, finding)
                break
        else:
            places.append(finding)
    return tuple(sorted(places, key=lambda place: (place.box.top, place.box.left, place.box.width, place.box.height)))


def _overlap(one: Box, other: Box) -> float:
    """The common part, of the smaller box."""
    width = min(one.right, other.right) - max(one.left, other.left)
    height = min(one.bottom, other.bottom) - max(one.top, other.top)
    smaller = min(one.width * one.height, other.width * other.height)
    return max(width, 0) * max(height, 0) / smaller


def _united(one: Finding, other: Finding) -> Finding:
    left, top = min(one.box.left, other.box.left), min(one.box.top, other.box.top)
    right, bottom = max(one.box.right, other.box.right), max(one.box.bottom, other.box.bottom)
    frame = one.box.frame if one.box.frame == other.box.frame else None
    return Finding(Box(left, top, right - left, bottom - top, frame), one.method, max(one.confidence, other.confidence))
