"""The cheap look at every frame of a scanner: strokes of one value, and what a small network takes for lettering.

What the network suspects is looked at a second time, by the detector, closely. Both must find it: then the object is
for a person, for the lettering may stand over anatomy, and where one line was found another may have been missed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ingestion.accounting.refusal import InstanceRefusedError
from ingestion.accounting.states import Reason
from ingestion.deidentify.pixels.boxes import Box
from ingestion.deidentify.pixels.detector import TextBox, TextDetector
from ingestion.deidentify.pixels.display import Window, header_window, window_of
from ingestion.deidentify.pixels.evidence import Finding, Method
from ingestion.deidentify.pixels.looking import LOSSY, merged, one_plane, stored_pictures
from ingestion.deidentify.pixels.second_look import second_look
from ingestion.deidentify.pixels.series_memory import SeriesMemory
from ingestion.deidentify.pixels.strokes import count_strokes
from ingestion.deidentify.pixels.text_screen import (
    COARSE_FROM,
    SMALLEST_SIDE,
    Logits,
    Rejected,
    TextScreen,
    find_screen,
    runs,
    suspects,
    two_looks,
)


@dataclass(frozen=True, slots=True)
class Screened:
    """``strokes``: lettering of one value is likely. ``findings``: what screen and detector both took for lettering."""

    strokes: bool
    findings: tuple[Finding, ...]
    version: str


def screen_parts(parts: Iterable[Dataset], *, detector: TextDetector, memory: SeriesMemory | None = None) -> Screened:
    """Look at every frame of an object that comes in parts, of one frame each, or in one.

    Raises:
        InstanceRefusedError: PIXELS_UNREADABLE; BURNED_IN_ANNOTATION where the screen is not installed.
    """
    screen = find_screen()
    if screen is None:
        raise InstanceRefusedError(
            Reason.BURNED_IN_ANNOTATION,
            rule="pixels.no_detector",
            detail="must be screened for text, and onnxruntime is not installed",
        )
    strokes = False
    findings: list[Finding] = []
    for number, part in enumerate(parts):
        seen = screen_frames(part, screen=screen, detector=detector, memory=memory)
        strokes = strokes or seen.strokes
        alone = number == 0 or any(finding.box.frame is not None for finding in seen.findings)
        findings += (
            seen.findings
            if alone
            else [replace(finding, box=replace(finding.box, frame=number)) for finding in seen.findings]
        )
    return Screened(strokes, merged(findings), screen.version)


def screen_frames(
    dataset: Dataset, *, screen: TextScreen, detector: TextDetector, memory: SeriesMemory | None = None
) -> Screened:
    """Look at every frame of a data set, one in memory at a time.

    Raises:
        InstanceRefusedError: PIXELS_UNREADABLE.
    """
    photometric = str(dataset.get("PhotometricInterpretation") or "")
    lossy = dataset.file_meta.TransferSyntaxUID in LOSSY
    window = header_window(dataset)
    single = int(dataset.get("NumberOfFrames") or 1) == 1
    strokes = False
    findings: list[Finding] = []
    for number, frame in enumerate(stored_pictures(dataset)):
        plane = one_plane(frame, photometric=photometric)
        strokes = strokes or count_strokes(plane, lossy=lossy).suspicious
        if min(plane.shape) < SMALLEST_SIDE:
            continue
        inverted = photometric == "MONOCHROME1"
        for text in lettering(plane, window, inverted=inverted, screen=screen, detector=detector, memory=memory):
            box = text.box if single else replace(text.box, frame=number)
            findings.append(Finding(box, Method.DETECTOR, text.confidence))
    return Screened(strokes, merged(findings), screen.version)


def lettering(
    plane: NDArray[Any],
    window: Window | None,
    *,
    inverted: bool,
    screen: TextScreen,
    detector: TextDetector,
    memory: SeriesMemory | None = None,
) -> Iterator[TextBox]:
    """Lines of lettering in one frame (rows, columns), that the screen suspects and the detector finds."""
    looks = two_looks(plane, window_of(plane, window), inverted=inverted)
    logits = screen.look(looks)
    if memory is not None:
        memory.add(looks, logits)
    yield from _confirmed(looks, logits, detector, memory)
    step = 2
    while max(plane.shape) // step >= COARSE_FROM // 2:
        coarse = _halved(looks, step)
        yield from (_grown(text, step) for text in _confirmed(coarse, screen.look(coarse), detector, memory))
        step *= 2


def _confirmed(
    looks: NDArray[np.float32], logits: Logits, detector: TextDetector, memory: SeriesMemory | None
) -> Iterator[TextBox]:
    rejected = Rejected() if memory is None else memory.rejected(looks.shape)
    rows, columns = looks.shape[1:]
    for suspect in list(suspects(runs(logits), rows=rows, columns=columns, above=rejected.above())):
        found = second_look(looks, suspect.box, detector)
        if not found:
            rejected.add(suspect)
        yield from found


def _halved(looks: NDArray[np.float32], step: int) -> NDArray[np.float32]:
    """Means of squares of ``step`` pixels, so that large lettering has the size that the network knows."""
    rows, columns = looks.shape[1] // step, looks.shape[2] // step
    cut = looks[:, : rows * step, : columns * step]
    means: NDArray[np.float32] = cut.reshape(looks.shape[0], rows, step, columns, step).mean(axis=(2, 4))
    return means


def _grown(text: TextBox, step: int) -> TextBox:
    box = text.box
    return TextBox(Box(box.left * step, box.top * step, box.width * step, box.height * step), text.confidence)
