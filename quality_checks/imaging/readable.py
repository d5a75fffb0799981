"""Whether stored values become measured ones: what the reader of volumes refuses (``ingestion.dicom.values``)."""

from __future__ import annotations

from collections.abc import Iterable

from ingestion.dicom.values import StoredFrame, VolumeRefusal, VolumeRefusedError, check_range
from quality_checks.examination import CheckOutcome
from quality_checks.imaging.declare import imaging_rule
from quality_checks.imaging.geometry import CROSS_SECTIONS
from quality_checks.imaging.objects import StoredObject
from quality_checks.imaging.series import FrameSeen, SeriesContext
from quality_checks.imaging.tally import Tally
from quality_checks.model import Dimension

RESCALE = imaging_rule(
    "values_rescale_valid",
    Dimension.VALIDITY,
    title="Rescale Slope and Intercept turn stored values into measured ones",
    meaning="A slope of 0, or one that is no finite number, makes every pixel one value: features and volumes are "
    "refused (PS3.3 section C.11.1.1.2).",
    fault="a Rescale Slope or Intercept that is 0, not finite or no number",
    remedy="Have Rescale Slope and Intercept restored from the archive.",
    excludes=True,
)
READABLE = imaging_rule(
    "values_readable",
    Dimension.VALIDITY,
    title="Slices can be read as measured values",
    meaning="A slice of CT or PET without rescale, with a look-up table instead, in another unit than its neighbours, "
    "with values beyond Bits Stored, or a sheet of slices (mosaic) is refused by readers of volumes.",
    fault="slices whose values no reader of volumes takes",
    remedy="Have the attribute that the detail names restored from the archive, or the series exported again.",
)
RULES = (RESCALE, READABLE)
_NEITHER = frozenset({VolumeRefusal.FRAMES_UNKNOWN, VolumeRefusal.TOO_LARGE})
"""Told by ``geometry_frames_described`` and ``image_decodes``."""


class Readable:
    """Of every grey frame the rescale; of slices of CT, MR and PET also what else makes a reader refuse them."""

    def __init__(self, context: SeriesContext) -> None:
        self._context = context
        self._tallies = {rule.id: Tally(rule) for rule in RULES}
        self._units: dict[tuple[str | None, bool], str] = {}

    def see(self, stored: StoredObject) -> None:
        """Frames are judged as they come."""

    def see_frame(self, frame: FrameSeen) -> None:
        if not frame.grey or frame.stored.size == 0:
            return
        refused = frame.refused
        if refused is None or refused.reason not in _NEITHER:
            bad = refused is not None and refused.reason is VolumeRefusal.RESCALE_INVALID
            self._tallies[RESCALE.id].check(not bad, refused.detail if refused is not None else "", frame.where)
            if not bad and self._context.sop_class in CROSS_SECTIONS:
                self._see_slice(frame)

    def _see_slice(self, frame: FrameSeen) -> None:
        refused = frame.refused or _out_of_range(frame)
        self._tallies[READABLE.id].check(refused is None, refused.detail if refused is not None else "", frame.where)
        if frame.rescale is not None:
            self._units.setdefault((frame.rescale.type, frame.rescale.declared), frame.where)

    def outcomes(self) -> Iterable[CheckOutcome]:
        for where in list(self._units.values())[1:]:
            detail = f"slices of one series are rescaled to {len(self._units)} kinds of unit"
            self._tallies[READABLE.id].fault(detail, where)
        if self._context.sop_class in CROSS_SECTIONS and "MOSAIC" in self._context.image_types:
            detail = "each image is a sheet of slices (MOSAIC), whose places stand in a private header"
            self._tallies[READABLE.id].check(False, detail)
        return [tally.outcome() for tally in self._tallies.values()]


def _out_of_range(frame: FrameSeen) -> VolumeRefusedError | None:
    bits, kind = frame.owner.number("BitsStored"), frame.stored.dtype.kind
    limit = 2**bits if kind == "u" else 2 ** max(bits - 1, 0)
    if (kind == "u" and frame.highest < limit) or (kind == "i" and max(-frame.lowest - 1, frame.highest) < limit):
        return None  # told without another look at the pixels
    try:
        check_range(frame.owner.header, StoredFrame(frame.stored, frame.padding))
    except VolumeRefusedError as refused:
        return refused
    return None
