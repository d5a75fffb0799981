"""Series rules: is the series whole, is its geometry sound, does it state how it was acquired, are its dates sane."""

from __future__ import annotations

from ingestion.sources.registry import SourceEntry
from quality_checks.model import Dimension
from quality_checks.suites.declare import (
    ALWAYS_REASON,
    EVERYWHERE,
    IMAGES,
    INFO_REASON,
    MINORITY_REASON,
    MINORITY_SHARE,
    Arguments,
    Expectation,
    TableCheck,
    Where,
    between,
    rule,
)

EARLIEST_DATE = 19900101
"""Dates are shifted back by up to five years; images in DICOM before 1995 are all but unknown."""
YEARS_PAST_FIGURES = 2
"""The registry's figures are renewed yearly, and shifting only moves dates back: later dates are errors."""
DAYS_FROM_STUDY = (-1, 31)
"""A study that runs past midnight, and one whose images were taken over a month (tracer uptake, repeats)."""
PIXEL_SPACING_MM = (0.01, 10.0)
"""From high-resolution mammography detectors to coarse nuclear medicine."""
SLICE_THICKNESS_MM = (0.1, 20.0)
"""From thin-section CT to thick localisers."""
STEP_PER_THICKNESS = (0.2, 3.0)
"""Slices overlap at most fivefold in reconstructions; gaps above twice the thickness miss more than they show."""
FIELD_STRENGTH_T = (0.05, 12.0)
"""Tesla. Values in the thousands are gauss."""
KVP_KV = (15.0, 160.0)
"""Kilovolts, from mammography to CT."""
TIME_MS = (0.0, 60000.0)
"""Milliseconds. The longest repetition times met are some 20 s."""
_VOLUMES = Where(modalities=frozenset({"CT", "MR", "PT"}))
_CT, _MR, _PT, _MG = (Where(modalities=frozenset({value})) for value in ("CT", "MR", "PT", "MG"))


def plausible_dates(entry: SourceEntry) -> dict[str, float]:
    """The days (YYYYMMDD as a number) on which an image of the source may have been made."""
    return between(EARLIEST_DATE, (entry.figures.as_of.year + YEARS_PAST_FIGURES) * 10000 + 1231)


def _stated(rule_id: str, column: str, where: Where, meaning: str, label: str | None = None) -> TableCheck:
    return TableCheck(
        rule=rule(
            rule_id,
            Dimension.COMPLETENESS,
            title=f"{label or column} is stated",
            meaning=meaning,
            fault=f"no {label or column}",
            remedy="Ask the data holder to keep the acquisition's attributes in the export.",
        ),
        column=column,
        expectation=Expectation.PRESENT,
        where=where,
    )


def _range(
    rule_id: str,
    column: str,
    arguments: Arguments,
    *,
    title: str,
    meaning: str,
    fault: str,
    remedy: str,
    dimension: Dimension = Dimension.VALIDITY,
    where: Where = EVERYWHERE,
    error_below: float | None = MINORITY_SHARE,
    reason: str = MINORITY_REASON,
) -> TableCheck:
    made = rule(
        rule_id,
        dimension,
        title=title,
        meaning=meaning,
        fault=fault,
        remedy=remedy,
        error_below=error_below,
        reason=reason,
    )
    return TableCheck(rule=made, column=column, expectation=Expectation.BETWEEN, arguments=arguments, where=where)


_WHOLE = (
    _range(
        "series_has_instances",
        "NumberOfInstances",
        between(1, None),
        dimension=Dimension.INTEGRITY,
        title="The series holds instances",
        meaning="A series row without a stored instance promises images that nobody can fetch.",
        fault="no stored instance",
        remedy="Report it: the tables were built wrongly.",
        error_below=1.0,
        reason=ALWAYS_REASON,
    ),
    _range(
        "series_accounted_for",
        "Unaccounted",
        between(0, 0),
        dimension=Dimension.INTEGRITY,
        title="Delivered = accepted + duplicate + quarantined",
        meaning="Every delivered object must have ended in exactly one state.",
        fault="objects that ended in no state or in two",
        remedy="Report it: the accounting of the series is wrong; `cie reconcile` shows where.",
        error_below=1.0,
        reason=ALWAYS_REASON,
    ),
    _range(
        "series_complete",
        "Quarantined",
        between(0, 0),
        dimension=Dimension.INTEGRITY,
        title="No instance of the series is quarantined",
        meaning="A partial series lacks images that the scanner made; volumes and lesion counts from it are wrong.",
        fault="instances in quarantine",
        remedy="Work off the quarantine of the series named: each reason says who has to act.",
    ),
    _range(
        "series_agrees_with_itself",
        "Contradictions",
        between(0, 0),
        dimension=Dimension.CONSISTENCY,
        title="Instances of one series agree on patient, equipment and date",
        meaning="One series is one acquisition of one patient on one device; differences mean mixed-up images.",
        fault="attributes that must be one value and differ between instances",
        remedy="Have the series compared with the archive; it may be two series under one UID.",
    ),
)
_GEOMETRY = (
    _range(
        "series_matrix_plausible",
        "SmallestSide",
        between(16, None),
        title="Rows and Columns are at least 16",
        meaning="Smaller images are thumbnails or placeholders.",
        fault="fewer than 16 rows or columns",
        remedy="Check the series at the source; withdraw placeholders.",
        where=IMAGES,
    ),
    TableCheck(
        rule=rule(
            "series_slices_placed",
            Dimension.INTEGRITY,
            title="Slices of one series form one stack",
            meaning="Localisers and multi-frame objects form none; others without positions cannot be made a volume.",
            fault="several images without usable slice positions",
            remedy="Expected of localisers and multi-frame objects; have other series exported again.",
            warning_below=None,
            reason=INFO_REASON,
        ),
        column="Placed",
        expectation=Expectation.BETWEEN,
        arguments=between(1, None),
        where=_VOLUMES,
    ),
    _stated(
        "series_pixel_spacing_present",
        "PixelSpacingRow",
        _VOLUMES,
        "Without the spacing, nothing in the image has a size.",
        "PixelSpacing",
    ),
    _range(
        "series_pixel_spacing_plausible",
        "WidestPixelSpacing",
        between(*PIXEL_SPACING_MM),
        title="PixelSpacing is between 0.01 and 10 mm",
        meaning="Zero, negative or huge spacings make every measurement wrong.",
        fault="a PixelSpacing out of range",
        remedy="Have the export corrected; zero often means that a converter lost the value.",
        where=IMAGES,
    ),
    _range(
        "series_pixels_square",
        "PixelAspect",
        between(0.5, 2.0),
        dimension=Dimension.ACCURACY,
        title="Pixels are about square",
        meaning="A ratio above 2 is a swapped or misread value.",
        fault="pixels over twice as long as wide",
        remedy="Compare PixelSpacing with the archive.",
        where=IMAGES,
    ),
    _range(
        "series_slice_thickness_plausible",
        "SliceThickness",
        between(*SLICE_THICKNESS_MM),
        title="SliceThickness is between 0.1 and 20 mm",
        meaning="Zero or huge thicknesses make volumes wrong.",
        fault="a SliceThickness out of range",
        remedy="Have the export corrected.",
        where=_VOLUMES,
    ),
    _range(
        "series_spacing_fits_thickness",
        "StepPerThickness",
        between(*STEP_PER_THICKNESS),
        dimension=Dimension.CONSISTENCY,
        title="Slice positions fit SliceThickness",
        meaning="Steps far above or below the thickness mean missing slices or a wrong value.",
        fault="slice positions that do not fit SliceThickness",
        remedy="Compare positions and thickness with the archive.",
        where=_VOLUMES,
    ),
)
_ACQUISITION = (
    _stated("series_ct_kvp_present", "KVP", _CT, "CT numbers depend on the tube voltage."),
    _stated("series_ct_kernel_present", "ConvolutionKernel", _CT, "Texture depends on the reconstruction kernel."),
    _stated("series_mr_field_present", "MagneticFieldStrength", _MR, "Contrast depends on the field strength."),
    _stated("series_mr_repetition_present", "RepetitionTime", _MR, "The weighting is told from it."),
    _stated("series_mr_echo_present", "EchoTime", _MR, "The weighting is told from it."),
    _stated("series_pt_units_present", "Units", _PT, "Uptake values cannot be computed without the unit."),
    _stated("series_mg_view_present", "ViewPosition", _MG, "Mammograms are read and compared by view."),
    _stated("series_mg_laterality_present", "ImageLaterality", _MG, "Which breast is shown must be known."),
    _range(
        "series_kvp_plausible",
        "KVP",
        between(*KVP_KV),
        title="KVP is between 15 and 160 kV",
        meaning="Other values are in volts, or are placeholders.",
        fault="a KVP out of range",
        remedy="Have the export corrected.",
        where=Where(modalities=frozenset({"CT", "CR", "DX", "MG"})),
    ),
    _range(
        "series_mr_field_plausible",
        "MagneticFieldStrength",
        between(*FIELD_STRENGTH_T),
        title="MagneticFieldStrength is between 0.05 and 12 T",
        meaning="Values in the thousands are gauss and would be searched for in vain.",
        fault="a MagneticFieldStrength out of range",
        remedy="Have the value given in tesla.",
        where=_MR,
    ),
    _range(
        "series_mr_times_plausible",
        "LongestTime",
        between(*TIME_MS),
        title="RepetitionTime and EchoTime are between 0 and 60 s",
        meaning="Times are in milliseconds; larger ones are in microseconds.",
        fault="a RepetitionTime or EchoTime out of range",
        remedy="Have the export corrected.",
        where=_MR,
    ),
)
_DATES = (
    _range(
        "series_acquisition_date_plausible",
        "AcquisitionDay",
        plausible_dates,
        title="AcquisitionDate is a plausible day",
        meaning="A day before 1990, long after the registry's figures, or not in the calendar is a wrong clock.",
        fault="an AcquisitionDate that is no day or implausible",
        remedy="Have the device's clock and the export checked; renew the registry's figures if they are old.",
    ),
    _range(
        "series_acquired_with_study",
        "DaysFromStudy",
        between(*DAYS_FROM_STUDY),
        dimension=Dimension.CONSISTENCY,
        title="AcquisitionDate lies within a month of StudyDate",
        meaning="Images acquired long before or after their study belong to another, or a clock was wrong.",
        fault="an AcquisitionDate far from its StudyDate",
        remedy="Compare the study with the archive.",
    ),
)
CHECKS: tuple[TableCheck, ...] = (*_WHOLE, *_GEOMETRY, *_ACQUISITION, *_DATES)
