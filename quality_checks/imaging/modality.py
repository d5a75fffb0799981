"""What the values of CT, MR and PET mean, and which breast a mammogram shows."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from ingestion.features.units import SUVBW, SuvRefusal, unit_of
from quality_checks.examination import CheckOutcome
from quality_checks.imaging.content import inverted
from quality_checks.imaging.declare import imaging_rule
from quality_checks.imaging.digests import shrink
from quality_checks.imaging.figures import sample
from quality_checks.imaging.objects import StoredObject
from quality_checks.imaging.pectoral import view_shown
from quality_checks.imaging.series import FEWEST_SAMPLED, SAMPLED_PIXELS, FrameSeen, SeriesContext
from quality_checks.imaging.tally import Tally
from quality_checks.model import Dimension

BODY_HU = (-200.0, 250.0)
"""Fat, water, soft tissue and what contrast agent fills."""
NOT_AIR_HU = -700.0
BODY_SHARE = 0.05
"""Of what is no air: a slice of the skull or an implant has more soft tissue than this."""
RAW_BODY, RAW_BETWEEN = (900.0, 1150.0), (300.0, 800.0)
"""Where soft tissue lies when the intercept of -1024 or -1000 is missing, and where little lies then: bone would."""
RAW_RATIO = 3.0
RAW_LOWEST = -300.0
NEIGHBOURS_ALIKE = 0.25
"""Correlation of neighbouring pixels: noise has about 0, interpolated noise 0.2, an image over 0.8."""
UPTAKE_SUV = (0.2, 2000.0)
"""The highest uptake of a scan: below, nothing was injected or a unit is wrong; above, a unit is wrong."""
SUV_NEEDS = frozenset({
    "PatientWeight", "SeriesDate", "SeriesTime", "AcquisitionDate", "AcquisitionTime", "RadiopharmaceuticalStartTime",
    "RadionuclideTotalDose", "RadionuclideHalfLife", "Units", "DecayCorrection",
})  # fmt: skip
SIDE_RATIO = 1.5
AIR_SHARE = 0.12
"""Of the range of values: what lies closer to air is air."""
CORNER_DARK = 0.8
"""Of a corner of an eighth of the sides: the outline of the breast may cut it."""
VIEWS = {"R-10242": "CC", "399162004": "CC", "R-10226": "MLO", "399368009": "MLO", "R-10224": "ML", "399260004": "ML"}
"""Codes of mammography views (PS3.16 CID 4014) that have a plain counterpart in View Position."""
PICTURED = frozenset({"CC", "MLO"})
"""The views that the picture is held against: others may show the muscle or not."""

HOUNSFIELD = imaging_rule(
    "ct_values_are_hounsfield",
    Dimension.ACCURACY,
    title="CT values are Hounsfield units",
    meaning="Soft tissue lies near 0 HU and air near -1000; elsewhere, the rescale is wrong or lost.",
    fault="values that are no Hounsfield units",
    remedy="Have Rescale Slope and Intercept restored from the archive; of inverted values, the pixel data.",
    version="2",
)
SIGNAL = imaging_rule(
    "mr_has_signal",
    Dimension.ACCURACY,
    title="MR images have signal",
    meaning="Frames whose neighbouring pixels have nothing in common are noise: a coil was off.",
    fault="images of noise alone",
    remedy="Look at the thumbnail; withdraw the series if the archive's is noise too.",
)
SUV = imaging_rule(
    "pt_uptake_computable",
    Dimension.COMPLETENESS,
    title="Uptake values can be computed",
    meaning="SUV needs units, weight, dose, half-life, times and corrections. Series without attenuation correction "
    "are not meant for it and not judged.",
    fault="uptake values that cannot be computed",
    remedy="Have the named attribute restored from the archive.",
)
UPTAKE = imaging_rule(
    "pt_uptake_plausible",
    Dimension.ACCURACY,
    title="Uptake values are plausible",
    meaning="A highest SUV below 0.2 or above 2,000 comes from a wrong unit, weight or dose.",
    fault="a highest SUV out of range",
    remedy="Compare dose, weight and units with the archive.",
)
SIDE = imaging_rule(
    "mg_side_agrees",
    Dimension.CONSISTENCY,
    title="The breast lies on the side that the header says",
    meaning="The chest wall lies where PatientOrientation says, and by convention left of a left breast shown. "
    "Otherwise the image is mirrored or labelled with the other side.",
    fault="a breast on the other side than stated",
    remedy="Have laterality and orientation compared with the archive.",
    version="2",
)
VIEW = imaging_rule(
    "mg_view_agrees",
    Dimension.CONSISTENCY,
    title="View Position and the view's code agree",
    meaning="A mammogram under two views is compared with the wrong one.",
    fault="a View Position that its code contradicts",
    remedy="Have the view corrected at the source.",
)
SHOWN = imaging_rule(
    "mg_view_shown",
    Dimension.CONSISTENCY,
    title="The mammogram shows the view that the header says",
    meaning="An oblique view has the pectoral muscle, with a straight edge, in the upper corner at the chest wall; in "
    "a cranio-caudal one there is air or breast. What shows neither clearly is not judged.",
    fault="a picture of the other view",
    remedy="Look at the image; have View Position compared with the archive.",
    warns=False,  # measured on made breasts and on one real oblique view: too little for a warning
)
RULES = (HOUNSFIELD, SIGNAL, SUV, UPTAKE, SIDE, VIEW, SHOWN)
MR_OTHER = frozenset({"P", "PHASE", "PHASE MAP", "R", "I", "REAL", "IMAGINARY", "DERIVED", "VELOCITY", "P_SE", "P_FFE"})
"""Image types whose pixels may be noise where there is no tissue, or differ by nature."""


class Modality:
    def __init__(self, context: SeriesContext) -> None:
        self._context = context
        self._tallies = {rule.id: Tally(rule) for rule in RULES}
        self._each = max(SAMPLED_PIXELS // max(context.frames_announced, 1), FEWEST_SAMPLED)
        self._samples: list[NDArray[np.float32]] = []
        self._looked = self._noise = self._inverted = 0
        self._factor: float | None = None
        self._highest = 0.0

    def see(self, stored: StoredObject) -> None:
        if stored.pixels is None:
            return
        if self._context.modality == "PT":
            self._see_units(stored)
        elif self._context.modality == "MG":
            self._see_view(stored)

    def see_frame(self, frame: FrameSeen) -> None:
        if not frame.grey or frame.constant:
            return
        match self._context.modality:
            case "CT" if self._hounsfield(frame):
                self._samples.append(sample(frame, self._each))
                if frame.picked is not None:
                    self._looked += 1
                    self._inverted += inverted(frame)
            case "MR" if frame.picked is not None and not self._context.image_types & MR_OTHER:
                self._looked += 1
                self._noise += neighbours_alike(frame.stored) < NEIGHBOURS_ALIKE
            case "PT" if self._factor is not None and frame.rescale is not None:
                self._highest = max(self._highest, self._factor * (frame.highest * frame.rescale.slope))
            case "MG":
                wall = chest_wall(frame)
                if wall is not None:
                    self._see_side(frame, wall)
                    self._see_picture(frame, wall)

    def outcomes(self) -> Iterable[CheckOutcome]:
        if self._samples:
            self._judge_hounsfield(np.concatenate(self._samples))
        if self._looked and self._context.modality == "MR":
            self._tallies[SIGNAL.id].check(self._noise < self._looked, f"all {self._looked} frames looked at are noise")
        if self._factor is not None:
            low, high = UPTAKE_SUV
            self._tallies[UPTAKE.id].check(low <= self._highest <= high, f"the highest SUV is {self._highest:.3g}")
        return [tally.outcome() for tally in self._tallies.values()]

    def _hounsfield(self, frame: FrameSeen) -> bool:
        """Whether the values claim to be HU: no localizer, no map of something else, no capture."""
        if frame.rescale is None or not frame.rescale.declared:
            return False
        kind = frame.rescale.type
        others = {"LOCALIZER", "SECONDARY", "PROJECTION IMAGE", "SCREEN SAVE"}
        return kind in {None, "HU", "US"} and not self._context.image_types & others

    def _judge_hounsfield(self, values: NDArray[np.float32]) -> None:
        values = values[np.isfinite(values)]
        if not values.size:
            return
        solid = values[values > NOT_AIR_HU]
        body = float(np.mean((solid > BODY_HU[0]) & (solid < BODY_HU[1]))) if solid.size else 0.0
        raw, between = (float(np.mean((values > low) & (values < high))) for low, high in (RAW_BODY, RAW_BETWEEN))
        lowest = float(np.percentile(values, 0.5))
        tally = self._tallies[HOUNSFIELD.id]
        tally.judge()
        if lowest > RAW_LOWEST and raw > BODY_SHARE and raw > RAW_RATIO * between:
            tally.fault(f"{raw:.0%} of the values lie near 1,000 and none is air: the intercept is missing")
        elif self._looked and self._inverted > self._looked / 2:
            tally.fault(f"air has the highest values in {self._inverted} of {self._looked} frames: they are inverted")
        elif body < BODY_SHARE:
            tally.fault(f"{body:.1%} of what is no air has values of soft tissue")

    def _see_units(self, stored: StoredObject) -> None:
        corrected = {str(part) for part in stored.header.get("CorrectedImage") or ()}
        tally, unit = self._tallies[SUV.id], unit_of(stored.header)
        self._factor = unit.factor if unit.name == SUVBW else None
        if "ATTN" not in corrected and (corrected or unit.suv_refusal is SuvRefusal.NOT_CORRECTED):
            return
        if unit.suv_refusal is not None and not SUV_NEEDS.isdisjoint(self._context.manifest.withheld):
            return  # the policy took it out: nothing is missing at the data holder
        tally.check(unit.suv_refusal is None, str(unit.suv_refusal or "").replace("_", " "), stored.uid)

    def _see_view(self, stored: StoredObject) -> None:
        said, coded, _ = _views(stored.header)
        if coded is not None and said in VIEWS.values():
            self._tallies[VIEW.id].check(said == coded, f"ViewPosition {said}, code of {coded}", stored.uid)

    def _see_picture(self, frame: FrameSeen, wall: str) -> None:
        """Only whole views of breasts without implant: a detail, or an implant's edge, says nothing of the view."""
        header = frame.owner.header
        said, coded, modified = _views(header)
        if said not in PICTURED or coded not in {None, said} or modified:
            return
        if "YES" in {header.get("PartialView"), header.get("BreastImplantPresent")}:
            return
        direction = [str(part) for part in header.get("PatientOrientation") or ()]
        shown = view_shown(frame.stored, wall=wall, head_below=len(direction) == 2 and direction[1][:1] == "H")
        if shown is not None:
            seen = "a muscle's edge" if shown == "MLO" else "air in the corner of the muscle"
            self._tallies[SHOWN.id].check(shown == said, f"ViewPosition {said}, the image shows {seen}", frame.where)

    def _see_side(self, frame: FrameSeen, wall: str) -> None:
        header = frame.owner.header
        direction = [str(part) for part in header.get("PatientOrientation") or ()]
        first = direction[0][:1] if len(direction) == 2 else ""
        side = str(header.get("ImageLaterality") or header.get("Laterality") or "")
        if first not in {"A", "P"} and side not in {"L", "R"}:
            return
        stated = {"A": "left", "P": "right"}.get(first)
        shown = header.get("PresentationIntentType") == "FOR PRESENTATION"
        usual = {"L": "left", "R": "right"}.get(side) if shown else None
        if stated is None and usual is None:
            return
        tally = self._tallies[SIDE.id]
        tally.judge()
        if stated not in {None, wall}:
            tally.fault(f"the chest wall is {wall}, PatientOrientation says {stated}", frame.where)
        elif usual not in {None, wall}:
            tally.fault(f"the chest wall is {wall}, ImageLaterality {side} has it {usual}", frame.where)


def _views(header: Dataset) -> tuple[str, str | None, bool]:
    """View Position, the view by its code, and whether a modifier says that it is no plain one (a detail, a roll)."""
    codes = header.get("ViewCodeSequence")
    coded = VIEWS.get(str(codes[0].get("CodeValue") or "")) if codes else None
    return (
        str(header.get("ViewPosition") or "").strip(),
        coded,
        bool(codes and codes[0].get("ViewModifierCodeSequence")),
    )


def neighbours_alike(stored: NDArray[np.generic]) -> float:
    """Correlation of horizontally neighbouring pixels of a grey frame."""
    values = stored.astype(np.float64)
    centred = values - values.mean()
    variance = float((centred**2).mean())
    return float((centred[:, 1:] * centred[:, :-1]).mean()) / variance if variance else 0.0


def chest_wall(frame: FrameSeen) -> str | None:
    """``left`` or ``right``: the side of the image where the breast is widest; None where that cannot be told."""
    small = shrink(frame.stored.astype(np.float64), 64, 48)
    low, high = np.percentile(small, (1, 99))
    if high <= low:
        return None
    counts, edges = np.histogram(small, bins=32, range=(float(low), float(high)))
    air = edges[int(np.argmax(counts))] + (edges[1] - edges[0]) / 2
    near = AIR_SHARE * (high - low)
    darkest = high if frame.owner.header.get("PhotometricInterpretation") == "MONOCHROME1" else low
    if abs(air - darkest) > near:  # the most frequent value is no air where a breast fills most of the image
        far = _side_of_dark_corners(np.abs(small - darkest) <= near)
        if far is not None:
            return "right" if far == "left" else "left"
    breast = np.abs(small - air) > near
    left, right = float(breast[:, :12].mean()), float(breast[:, -12:].mean())
    if max(left, right) < 0.1 or max(left, right) < SIDE_RATIO * min(left, right):
        return None
    return "left" if left > right else "right"


def _side_of_dark_corners(dark: NDArray[np.bool_]) -> str | None:
    """The side both of whose corners are dark, with none of the other's: air beside a breast taller than the image."""
    rows, columns = (size // 8 for size in dark.shape)
    left, right = (
        [float(dark[part, side].mean()) for part in (np.s_[:rows], np.s_[-rows:])]
        for side in (np.s_[:columns], np.s_[-columns:])
    )
    if min(left) > CORNER_DARK and max(right) < 1 - CORNER_DARK:
        return "left"
    return "right" if min(right) > CORNER_DARK and max(left) < 1 - CORNER_DARK else None
