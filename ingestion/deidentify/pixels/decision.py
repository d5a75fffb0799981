"""What a person decided about the pixels of one object, as text that is stored with the decision and applied again.

``clean``: nothing there names anyone, release as it is. ``blank:12,4,200,14;0,0,640,30@3``: these boxes, left, top,
width, height in pixels, after ``@`` the one frame that is meant, counted from 0.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ingestion.deidentify.pixels.boxes import Box

MAX_BOXES = 256
"""A person draws a dozen; the text of a decision stays short."""
_CLEAN, _BLANK = "clean", "blank:"
_BOX = re.compile(r"^(\d{1,6}),(\d{1,6}),(\d{1,6}),(\d{1,6})(?:@(\d{1,6}))?$")


@dataclass(frozen=True, slots=True)
class PixelDecision:
    """``boxes`` empty: the picture is clean as it is."""

    boxes: tuple[Box, ...] = ()

    @property
    def clean(self) -> bool:
        return not self.boxes

    def to_text(self) -> str:
        """The same boxes give the same text, in whatever order they were drawn."""
        return _CLEAN if self.clean else _BLANK + ";".join(box_to_text(box) for box in sorted_boxes(self.boxes))


def parse_decision(text: str) -> PixelDecision:
    """The decision that ``to_text`` wrote, or that a person typed.

    Raises:
        ValueError: neither ``clean`` nor a list of boxes.
    """
    if text.strip() == _CLEAN:
        return PixelDecision()
    if not text.startswith(_BLANK):
        raise ValueError("a decision about pixels is 'clean' or 'blank:' with boxes")
    return PixelDecision(parse_boxes(text.removeprefix(_BLANK)))


def parse_boxes(text: str) -> tuple[Box, ...]:
    """Boxes as ``left,top,width,height`` with ``@frame`` where one is meant, ``;`` between them.

    Raises:
        ValueError: something else, or more than ``MAX_BOXES``.
    """
    parts = [part.strip() for part in text.split(";") if part.strip()]
    if not 0 < len(parts) <= MAX_BOXES:
        raise ValueError(f"1 to {MAX_BOXES} boxes are needed")
    boxes = []
    for part in parts:
        match = _BOX.match(part)
        if match is None:
            raise ValueError("a box is left,top,width,height, with @frame behind it where one frame is meant")
        left, top, width, height = (int(number) for number in match.groups()[:4])
        boxes.append(Box(left, top, width, height, int(match[5]) if match[5] else None))
    return sorted_boxes(boxes)


def sorted_boxes(boxes: tuple[Box, ...] | list[Box]) -> tuple[Box, ...]:
    """Without repeats, in one order; boxes for every frame come first."""
    return tuple(sorted(set(boxes), key=lambda box: (-1 if box.frame is None else box.frame, *_place(box))))


def box_to_text(box: Box) -> str:
    place = ",".join(str(number) for number in _place(box))
    return place if box.frame is None else f"{place}@{box.frame}"


def _place(box: Box) -> tuple[int, int, int, int]:
    return box.left, box.top, box.width, box.height
