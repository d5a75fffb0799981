"""Findings told once for each cause: a lost attribute fails rules on instances, on series and on what is made of them.

Rules of one family that fail on the same rows are told together, under the gravest of them. What belongs together is
written down here; that it fails together is looked up in the findings, so two faults that only look alike stay two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from quality_checks.catalogue_of_checks import TABLES, table_checks
from quality_checks.model import Dimension, Level
from quality_checks.report_findings import WorstRule
from quality_checks.suites.declare import Expectation

Places = Mapping[tuple[Level, str], frozenset[str]]
"""Of a study or patient the series: what lets rules of different levels be compared."""

_IOD = frozenset({"iod_required_attributes", "iod_no_stumbling_block"})
FAMILIES: tuple[frozenset[str], ...] = (
    # objects held back, in all and by who acts
    frozenset({
        "source_not_empty", "instance_accepted", "instance_readable", "instance_consistent", "instance_cleared",
        "instance_reachable", "series_complete", "source_modalities_delivered",
    }),
    # a clock, or a date typed by hand
    frozenset({
        "series_acquired_after_study_began", "series_acquired_with_study", "series_after_study_began",
        "series_content_after_acquisition", "series_acquisition_date_plausible", "study_date_plausible",
        "series_after_birth", "series_not_in_future", "series_age_fits_birth_date", "patient_age_fits_dates",
    }),
    # an age
    frozenset({
        "series_age_plausible", "series_age_fits_cancer", "series_age_fits_birth_date", "patient_age_fits_dates",
        "patient_one_birth_date",
    }),
    # two people under one id
    frozenset({
        "patient_is_one_person", "patient_one_birth_date", "patient_one_sex", "study_one_patient",
        "study_objects_agree", "series_agrees_with_itself", "clinical_sex_agrees", "patient_age_fits_dates",
        "study_accession_one_patient",
    }),
    # a copy
    frozenset({
        "series_not_repeated", "series_pixels_not_repeated", "series_not_nearly_repeated", "series_uid_one_source",
        "study_uid_one_source", "study_one_accession", "study_unique_on_day", "series_number_unique_in_study",
        "geometry_no_image_twice",
    }),
    # slices lost
    frozenset({
        "geometry_no_gaps", "geometry_steps_regular", "geometry_count_as_announced", "geometry_step_as_stated",
        "series_spacing_fits_thickness", "series_complete",
    }),
    # bytes lost
    frozenset({
        "image_unchanged", "image_opens", "image_pixels_whole", "image_pixels_not_padded", "image_decodes",
    }),
    # no place in space
    frozenset({
        "geometry_placed", "series_slices_placed", "series_pixel_spacing_present", "geometry_frames_described",
        "geometry_axes_orthonormal", "geometry_one_orientation", *_IOD,
    }),
    # a slice of another kind in the stack
    frozenset({
        "geometry_no_localizer_inside", "geometry_one_orientation", "geometry_one_grid",
        "geometry_one_frame_of_reference", "geometry_volumes_told_apart", "geometry_no_image_twice",
    }),
    # values that mean nothing
    frozenset({"values_rescale_valid", "values_readable", "ct_values_are_hounsfield", "pixels_not_saturated",
               "pixels_not_inverted", "pixels_photometric_agrees", "mr_has_signal", *_IOD}),
    frozenset({"pixels_show_something", "pixels_no_blank_between", "pixels_not_mostly_padding"}),
    # uptake
    frozenset({
        "pt_uptake_computable", "pt_uptake_plausible", "series_pt_units_present", "series_pt_dose_present",
        "series_pt_half_life_present", "series_pt_injection_time_present", "series_pt_decay_correction_present",
        "series_pt_weight_present", "series_pt_dose_plausible", "series_weight_plausible", *_IOD,
    }),
    # the attributes of one module
    frozenset({"series_ct_kvp_present", "series_ct_kernel_present", "series_ct_exposure_present",
               "series_ct_thickness_present", *_IOD}),
    frozenset({"series_mr_field_present", "series_mr_repetition_present", "series_mr_echo_present",
               "series_mr_flip_angle_present", *_IOD}),
    frozenset({"series_mg_view_present", "series_mg_laterality_present", "series_mg_thickness_present",
               "mg_side_agrees", "mg_view_agrees", "mg_view_shown", *_IOD}),
    frozenset({"series_modality_present", "series_modality_valid", "series_modality_registered", *_IOD}),
    frozenset({"series_manufacturer_present", "series_model_present"}),
    frozenset({"series_acquisition_date_present", "study_date_present", "series_times_stated"}),
    # images that are not there
    frozenset({
        "annotation_images_there", "study_has_images", "annotation_same_space", "seg_on_image_grid",
        "annotation_inside_image", "rtstruct_contours_on_slices",
    }),
    # the clinical table
    frozenset({"clinical_patient_has_images", "clinical_study_delivered"}),
    frozenset({"patient_in_clinical_table", "study_in_clinical_table"}),
    frozenset({"clinical_diagnosis_before_treatment", "clinical_follow_up_after_diagnosis",
               "clinical_visits_in_order"}),
)  # fmt: skip


def one_per_cause(worst: Sequence[WorstRule], places: Places | None = None) -> tuple[WorstRule, ...]:
    """``worst`` in its order, each rule under the first that tells its cause (``WorstRule.same_cause``).

    A rule is told under another of its family when every series that it fails on fails there too; attributes that are
    not stated are told together when exactly the same series lack them, whatever the family.
    """
    told: list[WorstRule] = []
    series = [_series(one, places or {}) for one in worst]
    heads: list[int] = []
    under: dict[int, list[WorstRule]] = {}
    for at, one in enumerate(worst):
        head = next((other for other in heads if _one_cause(one, worst[other], series[at], series[other])), None)
        if head is None:
            heads.append(at)
        else:
            under.setdefault(head, []).append(one)
    for at in heads:
        told.append(replace(worst[at], same_cause=tuple(under[at])) if at in under else worst[at])
    return tuple(told)


def places_of(series: pd.DataFrame) -> Places:
    """The series of every study and patient; nothing for an empty table."""
    if series.empty:
        return {}
    found: dict[tuple[Level, str], set[str]] = {}
    columns = ["SeriesInstanceUID", "StudyInstanceUID", "PatientID"]
    for uid, study, patient in series[columns].itertuples(index=False):
        found.setdefault((Level.STUDY, str(study)), set()).add(str(uid))
        found.setdefault((Level.PATIENT, str(patient)), set()).add(str(uid))
    return {key: frozenset(uids) for key, uids in found.items()}


def _one_cause(one: WorstRule, head: WorstRule, own: frozenset[str] | None, of_head: frozenset[str] | None) -> bool:
    if one.rule.id in _not_stated() and head.rule.id in _not_stated() and own is not None and own == of_head:
        return True
    if not any(one.rule.id in family and head.rule.id in family for family in FAMILIES):
        return False
    # what is counted and names no rows can only be told apart by its family
    return own is None or of_head is None or own <= of_head


def _series(one: WorstRule, places: Places) -> frozenset[str] | None:
    """The series that a rule fails on; keys of studies and patients where their series are not known."""
    if not one.findings:
        return None
    return frozenset(_flat(places.get((f.level, f.key), (f.key,)) for f in one.findings))


def _flat(groups: Iterable[Iterable[str]]) -> Iterable[str]:
    return (uid for group in groups for uid in group)


def _not_stated() -> frozenset[str]:
    return frozenset(
        check.rule.id
        for level in TABLES
        for check in table_checks(level)
        if check.expectation is Expectation.PRESENT and check.rule.dimension is Dimension.COMPLETENESS
    )
