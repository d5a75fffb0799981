"""Series rules on times and on how an image was acquired, from ``ingestion.catalogue.details``.

A table made without these details is not judged by them.
"""

from __future__ import annotations

from quality_checks.model import Dimension
from quality_checks.suites.declare import (
    EVERYWHERE,
    INFO_REASON,
    MINORITY_REASON,
    MINORITY_SHARE,
    USABLE_REASON,
    USABLE_SHARE,
    Expectation,
    TableCheck,
    Where,
    between,
    rule,
)

CLOCK_SECONDS = 3600.0
"""Clocks of a scanner and of the information system that opened the study differ by minutes; an hour is summer time."""
LONGEST_STUDY_SECONDS = 36 * 3600.0
"""From the start of a study to its last image; tracers and delayed phases take a day."""
DOSE_BQ = (1e5, 1e10)
"""Becquerel. From a child's iodine to therapy; 350 is megabecquerel, 3.5e8 is right (PS3.3 section C.8.9.2)."""
WEIGHT_KG = (0.5, 350.0)
_CT, _MR, _PT, _MG = (Where(modalities=frozenset({value})) for value in ("CT", "MR", "PT", "MG"))
_DIFFUSION = Where(modalities=frozenset({"MR"}), present="IsDiffusion")


def _stated(rule_id: str, column: str, where: Where, meaning: str, label: str | None = None) -> TableCheck:
    name = label or column
    return TableCheck(
        rule=rule(
            rule_id,
            Dimension.COMPLETENESS,
            title=f"{name} is stated in {USABLE_SHARE:.0%} of the series".replace("%", " %"),
            meaning=meaning,
            fault=f"no {name}",
            remedy=f"Ask the data holder to keep {name} in the export.",
            # scanners of some makers never write it, so single gaps are worth knowing and no warning
            warning_below=USABLE_SHARE,
            reason=USABLE_REASON,
        ),
        column=column,
        expectation=Expectation.PRESENT,
        where=where,
    )


def _time(
    rule_id: str,
    column: str,
    lowest: float | None,
    highest: float | None,
    *,
    title: str,
    meaning: str,
    fault: str,
    remedy: str,
) -> TableCheck:
    return TableCheck(
        rule=rule(
            rule_id,
            Dimension.CONSISTENCY,
            title=title,
            meaning=meaning,
            fault=fault,
            remedy=remedy,
            error_below=MINORITY_SHARE,
            reason=MINORITY_REASON,
        ),
        column=column,
        expectation=Expectation.BETWEEN,
        arguments=between(lowest, highest),
        where=EVERYWHERE,
    )


_TIMES = (
    _time(
        "series_acquired_after_study_began",
        "AcquiredAfterStudy",
        -CLOCK_SECONDS,
        LONGEST_STUDY_SECONDS,
        title="The acquisition lies within its study",
        meaning="Study Time is the start of the study: an acquisition over an hour before it, or a day and a half "
        "after it, comes from a wrong clock or belongs to another study.",
        fault="an acquisition time before its study began or long after it",
        remedy="Have the clocks of scanner and information system compared; compare the study with the archive.",
    ),
    _time(
        "series_content_after_acquisition",
        "ContentAfterAcquisition",
        -CLOCK_SECONDS,
        None,
        title="Images are made after they are acquired",
        meaning="Content Time is when the image was made from the acquired data: it cannot come first.",
        fault="a content time over an hour before the acquisition",
        remedy="Have the clocks of scanner and workstation compared.",
    ),
    _time(
        "series_after_study_began",
        "SeriesAfterStudy",
        -CLOCK_SECONDS,
        None,
        title="A series begins after its study",
        meaning="Series Time before Study Time puts the images of a study in a wrong order.",
        fault="a series that began over an hour before its study",
        remedy="Compare the study with the archive.",
    ),
)
_ACQUISITION = (
    _stated(
        "series_ct_exposure_present",
        "AnyExposure",
        _CT,
        "Noise, and so texture, depends on the exposure: mAs, or tube current and time.",
        "Exposure (or XRayTubeCurrent)",
    ),
    _stated("series_ct_thickness_present", "SliceThickness", _CT, "Texture and volumes depend on it."),
    _stated("series_mr_flip_angle_present", "FlipAngle", _MR, "The weighting of gradient echoes depends on it."),
    _stated(
        "series_mr_diffusion_weighting_present",
        "DiffusionBValue",
        _DIFFUSION,
        "Without the b-value a diffusion series gives no diffusion coefficient.",
    ),
    _stated("series_pt_dose_present", "RadionuclideTotalDose", _PT, "Uptake values are counted from the dose."),
    _stated(
        "series_pt_half_life_present", "RadionuclideHalfLife", _PT, "The dose decays by it until the image is made."
    ),
    _stated(
        "series_pt_injection_time_present",
        "RadiopharmaceuticalStartTime",
        _PT,
        "The dose decays from it until the image is made.",
    ),
    _stated("series_pt_decay_correction_present", "DecayCorrection", _PT, "It says to which moment values refer."),
    _stated("series_pt_weight_present", "PatientWeight", _PT, "Uptake values are counted by body weight."),
    _stated(
        "series_mg_thickness_present",
        "BodyPartThickness",
        _MG,
        "Dose and density of a breast are judged by its compressed thickness.",
    ),
    TableCheck(
        rule=rule(
            "series_pt_dose_plausible",
            Dimension.VALIDITY,
            title="The injected dose is in becquerel",
            meaning="A dose of 350 is in megabecquerel: uptake values come out a million times too high.",
            fault="a RadionuclideTotalDose out of range",
            remedy="Have the value given in becquerel.",
            error_below=MINORITY_SHARE,
            reason=MINORITY_REASON,
        ),
        column="RadionuclideTotalDose",
        expectation=Expectation.BETWEEN,
        arguments=between(*DOSE_BQ),
        where=_PT,
    ),
    TableCheck(
        rule=rule(
            "series_weight_plausible",
            Dimension.VALIDITY,
            title="PatientWeight is between 0.5 and 350 kg",
            meaning="0 and values in grams make uptake values wrong.",
            fault="a PatientWeight out of range",
            remedy="Have the weight given in kilograms, or left out where it is not known.",
            version="2",
        ),
        column="PatientWeight",
        expectation=Expectation.BETWEEN,
        arguments=between(*WEIGHT_KG),
    ),
    TableCheck(
        rule=rule(
            "series_times_stated",
            Dimension.COMPLETENESS,
            title="The acquisition has a time of day",
            meaning="Phases of one study are put in order by it.",
            fault="no acquisition time",
            remedy="Ask the data holder whether the export can keep times.",
            warning_below=None,
            reason=INFO_REASON,
        ),
        column="AcquisitionSeconds",
        expectation=Expectation.PRESENT,
        where=Where(images_only=True),
    ),
)
CHECKS: tuple[TableCheck, ...] = (*_TIMES, *_ACQUISITION)
