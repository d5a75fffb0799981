"""What a policy decides about pixels."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class OnText(StrEnum):
    """What becomes of an object in which text is found where no rule says that text stands."""

    QUARANTINE = "quarantine"  # a person decides
    BLANK = "blank"  # the boxes are blanked; the object goes on when a second look finds nothing more


@dataclass(frozen=True, slots=True)
class PixelPolicy:
    """The defaults let nothing go on whose text was not covered by a rule: a detector has no recall of 1."""

    inside_regions: OnText = OnText.QUARANTINE
    """Text within an ultrasound region: often a label of the anatomy, at times a name."""
    unmapped_screens: OnText = OnText.QUARANTINE
    """Pictures of a kind that shows text, without regions and not among the known screens."""
    known_layouts: bool = True
    """Trust the table of known screens as if its objects had regions."""
    screen_compressed: bool = True
    """Decode compressed scanner images to count strokes in them."""

    def to_json(self) -> dict[str, Any]:
        """For the policy's digest."""
        return {
            "inside_regions": self.inside_regions.value,
            "unmapped_screens": self.unmapped_screens.value,
            "known_layouts": self.known_layouts,
            "screen_compressed": self.screen_compressed,
        }
