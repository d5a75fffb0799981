"""What the pixels show, whatever the modality: an image at all, within its range of values, the right way round."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from ingestion.dicom.values import Rescale
from quality_checks.examination import CheckOutcome
from quality_checks.imaging.declare import imaging_rule
from quality_checks.imaging.objects import StoredObject
from quality_checks.imaging.series import FrameSeen, SeriesContext
from quality_checks.imaging.tally import Tally
from quality_checks.model import Dimension

SATURATED_SHARE = 0.02
"""Of a slice: metal and a full bladder in PET fill less of it."""
PADDING_SHARE = 0.95
CORNER = 0.08
"""Side of the corner patches as a part of the image: outside the body in all usual fields of view."""
TILED = "SM"
"""Tiles of glass without tissue are blank."""
QUANTITATIVE = frozenset({"CT", "MR", "PT", "NM"})
MONOCHROME2_KINDS = frozenset({"CT", "MR"})
"""Where MONOCHROME1 on sound values is a fault; in radiography it is usual."""

NOT_EMPTY = imaging_rule(
    "pixels_show_something",
    Dimension.ACCURACY,
    title="The images show something",
    meaning="A series whose every frame has one value holds no measurement.",
    fault="every frame has one value only",
    remedy="Have the series exported again; withdraw the series if the archive's is empty too.",
    excludes=True,
)
NO_BLANK = imaging_rule(
    "pixels_no_blank_between",
    Dimension.ACCURACY,
    title="No blank frame lies between frames that show something",
    meaning="Blank slices at the ends of a volume are padding; one in the middle is a lost image.",
    fault="blank frames between others",
    remedy="Have the series exported again.",
)
SATURATED = imaging_rule(
    "pixels_not_saturated",
    Dimension.ACCURACY,
    title="Values are not cut off at the top of the range",
    meaning="Where over 2 % of a slice have the highest storable value, what was brighter is lost.",
    fault="slices with over 2 % of their pixels at the highest storable value",
    remedy="Have the series exported with its original bit depth and rescale.",
)
PADDED = imaging_rule(
    "pixels_not_mostly_padding",
    Dimension.ACCURACY,
    title="The image is not mostly padding",
    meaning="Over 95 % of padding mean a wrong Pixel Padding Value, or a field of view that missed the patient.",
    fault="over 95 % of the pixels are padding",
    remedy="Look at the thumbnail; have Pixel Padding Value corrected if it hides the patient.",
)
PHOTOMETRIC = imaging_rule(
    "pixels_photometric_agrees",
    Dimension.CONSISTENCY,
    title="PhotometricInterpretation agrees with the samples and the presentation",
    meaning="Otherwise the image is shown as a negative or in wrong colours (PS3.3 section C.7.6.3.1.2).",
    fault="a PhotometricInterpretation that SamplesPerPixel or PresentationLUTShape contradicts",
    remedy="Have the attribute corrected from the archive.",
)
INVERTED = imaging_rule(
    "pixels_not_inverted",
    Dimension.ACCURACY,
    title="The surrounding air is dark",
    meaning="Corners shown as bright as the brightest tissue mean inverted values, or MONOCHROME1 on values "
    "that are not.",
    fault="images shown as a negative: their corners are as bright as their brightest parts",
    remedy="Look at the thumbnail; have the values or PhotometricInterpretation corrected.",
    version="2",
)
RULES = (NOT_EMPTY, NO_BLANK, SATURATED, PADDED, PHOTOMETRIC, INVERTED)


class Content:
    def __init__(self, context: SeriesContext) -> None:
        self._context = context
        self._tallies = {rule.id: Tally(rule) for rule in RULES}
        self._pixels = self._padding = 0
        self._looked = self._inverted = 0

    def see(self, stored: StoredObject) -> None:
        if stored.pixels is None:
            return
        header, tally = stored.header, self._tallies[PHOTOMETRIC.id]
        photometric = str(header.get("PhotometricInterpretation") or "")
        shape = str(header.get("PresentationLUTShape") or "")
        samples = stored.number("SamplesPerPixel", 1)
        single = photometric.startswith("MONOCHROME") or photometric == "PALETTE COLOR"
        tally.judge()
        if photometric and single is not (samples == 1):
            tally.fault(f"{samples} samples per pixel under that PhotometricInterpretation", stored.uid)
        elif (photometric, shape) in {("MONOCHROME1", "IDENTITY"), ("MONOCHROME2", "INVERSE")}:
            tally.fault("PresentationLUTShape says the opposite", stored.uid)

    def see_frame(self, frame: FrameSeen) -> None:
        if not frame.grey or frame.stored.size == 0:
            return
        self._pixels += frame.stored.size
        hidden = 0 if frame.padding is None else int(np.count_nonzero(frame.padding))
        self._padding += hidden
        if self._context.modality in QUANTITATIVE and not frame.constant:
            self._see_range(frame, hidden)
            if frame.picked is not None and self._context.modality != "NM" and not self._context.localizer:
                self._looked += 1
                self._inverted += shown_as_negative(frame, self._context.modality)

    def _see_range(self, frame: FrameSeen, hidden: int) -> None:
        bits = frame.owner.number("BitsStored")
        kind = frame.stored.dtype.kind
        if kind not in "iu" or not 8 < bits <= 16:
            return  # 8 bits are made for the eye, and cut off on purpose
        highest = 2 ** (bits - 1) - 1 if kind == "i" else 2**bits - 1
        self._tallies[SATURATED.id].judge()
        if frame.highest < highest:
            return
        top = frame.stored >= highest
        if frame.padding is not None:
            top &= ~frame.padding
        share = np.count_nonzero(top) / max(frame.stored.size - hidden, 1)
        if share > SATURATED_SHARE:
            detail = f"{share:.1%} of its pixels have the highest value of {bits} bits, or more"
            self._tallies[SATURATED.id].fault(detail, frame.where)

    def outcomes(self) -> Iterable[CheckOutcome]:
        log = self._context.log
        if any(one.decoded for one in log):
            empty = sum(one.constant or not one.decoded for one in log)
            self._tallies[NOT_EMPTY.id].check(empty < len(log), f"all {len(log)} frames have one value only")
            self._judge_blank()
        if self._pixels:
            share = self._padding / self._pixels
            self._tallies[PADDED.id].check(share <= PADDING_SHARE, f"{share:.1%} of the pixels are padding")
        if self._looked:
            turned = self._inverted > self._looked / 2
            self._tallies[INVERTED.id].check(not turned, f"in {self._inverted} of {self._looked} frames looked at")
        return [tally.outcome() for tally in self._tallies.values()]

    def _judge_blank(self) -> None:
        """In spatial order where there is one, else in the order of the frames."""
        log, tally = self._context.log, self._tallies[NO_BLANK.id]
        placed = all(one.depth is not None for one in log)
        places = [one.depth or 0.0 if placed else float(at) for at, one in enumerate(log)]
        shown = [place for place, one in zip(places, log, strict=True) if not one.constant]
        if len(log) < 3 or not shown or self._context.modality == TILED:
            return
        tally.judge(len(log))
        for place, one in zip(places, log, strict=True):
            if one.constant and min(shown) < place < max(shown):
                tally.fault("one value only, between frames that show something", one.where)


def shown_as_negative(frame: FrameSeen, modality: str) -> bool:
    """Whether viewers show air white, by values and PhotometricInterpretation together.

    MONOCHROME1 turns the rescaled values for display (PS3.3 section C.7.6.3.1.2). HU below those of tissue are air, so
    a CT under it is a negative unless its values are inverted too. PET is often read as a negative: values alone count.
    """
    turned = modality in MONOCHROME2_KINDS and frame.owner.header.get("PhotometricInterpretation") == "MONOCHROME1"
    if turned and modality == "CT" and frame.rescale is not None and frame.rescale.declared:
        return not inverted(frame)
    return inverted(frame, turned=turned)


def inverted(frame: FrameSeen, *, turned: bool = False) -> bool:
    """Whether all four corners are brighter than nearly all of the image, and even: air that was turned to white.

    ``turned``: of the values with the other sign.
    """
    rows, columns = frame.stored.shape
    tall, wide = max(int(rows * CORNER), 1), max(int(columns * CORNER), 1)
    step = max(frame.stored.size // 20_000, 1) | 1
    values = frame.stored.reshape(-1)[::step].astype(np.float64)
    if frame.padding is not None:
        if frame.padding[:tall, :wide].any():
            return False  # the corners show nothing
        values = values[~frame.padding.reshape(-1)[::step]]
    sign = slope_sign(frame.rescale) * (-1 if turned else 1)
    spread = np.ptp(np.percentile(values, (1, 99)))
    corners = [frame.stored[part] for part in (
        np.s_[:tall, :wide], np.s_[:tall, -wide:], np.s_[-tall:, :wide], np.s_[-tall:, -wide:])]  # fmt: skip
    bright = np.percentile(values * sign, 95) - 0.1 * spread
    return bool(
        spread > 0
        and np.percentile(values * sign, 10) < bright - 0.4 * spread
        and all(np.median(corner * float(sign)) >= bright and np.ptp(corner) < 0.3 * spread for corner in corners)
    )


def slope_sign(rescale: Rescale | None) -> int:
    return -1 if rescale is not None and rescale.slope < 0 else 1
