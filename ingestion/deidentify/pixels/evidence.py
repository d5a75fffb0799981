"""What is recorded of the pixels of an instance: boxes, how sure, by what; never what was written there."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from ingestion.deidentify.pixels.boxes import Box

CLEAN_PIXEL_DATA = "113101"
"""DCM code of the Clean Pixel Data Option (PS3.16 CID 7050), due where ``PixelEvidence.blanked`` is not empty."""


class Method(StrEnum):
    """What found a box."""

    REGION = "region"  # outside all ultrasound regions of the header
    LAYOUT = "layout"  # the table of known screens
    DETECTOR = "detector"  # a text detection network
    PERSON = "person"  # a person's decision


class Look(StrEnum):
    """How closely the pixels of a kind of object are looked at."""

    NONE = "none"  # no picture of a person's data: masks, structure sets
    SCREEN = "screen"  # made by a scanner: strokes are searched for, a detector only where some are found
    FULL = "full"  # a picture that usually shows text


@dataclass(frozen=True, slots=True)
class Finding:
    """One box. ``confidence``: 0 to 1; rules and people have 1."""

    box: Box
    method: Method
    confidence: float = 1.0


@dataclass(frozen=True, slots=True)
class PixelEvidence:
    """``blanked`` lists what was set to black; ``engine`` is None where no detector was needed."""

    look: Look
    blanked: tuple[Finding, ...] = ()
    engine: str | None = None
    engine_version: str | None = None
    frames_looked_at: int = 0
    screen: str | None = None
    """The network that screened every frame, by its name and digest; None where none was due."""

    @property
    def burned_in_annotation(self) -> str | None:
        """The value that BurnedInAnnotation must be given; None: as it is."""
        return "NO" if self.blanked or self.look is Look.FULL else None

    @property
    def method_code(self) -> str | None:
        """The code to add to DeidentificationMethodCodeSequence; None: none."""
        return CLEAN_PIXEL_DATA if self.blanked else None

    def to_json(self) -> dict[str, Any]:
        """For the manifest."""
        return {
            "look": self.look.value,
            "blanked": [finding_to_json(finding) for finding in self.blanked],
            "engine": self.engine,
            "engine_version": self.engine_version,
            "frames_looked_at": self.frames_looked_at,
            "screen": self.screen,
        }


def finding_to_json(finding: Finding) -> dict[str, Any]:
    box = finding.box
    return {
        "box": [box.left, box.top, box.width, box.height],
        "frame": box.frame,
        "method": finding.method.value,
        "confidence": round(finding.confidence, 3),
    }
